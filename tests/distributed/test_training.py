"""Training on a real cluster: the figures of one machine, whoever is killed on the way."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from scoring.artifact.saved_model import load_model
from scoring.distributed import lightgbm_trainer as module
from scoring.distributed.cluster import Cluster, opened
from scoring.distributed.lightgbm_trainer import ClusterTrainer
from scoring.distributed.training_data import slim
from scoring.errors import ModelError, RecordError, ScoringError
from scoring.features.table import FeatureTable, Floats
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import read_documents
from scoring.settings import Settings
from scoring.tracking import Store
from scoring.tracking.store import opened as opened_store
from scoring.training.config import ModelConfig, SplitConfig, TrainConfig
from scoring.training.dataset import LabelledDataset, latest_moments
from scoring.training.lightgbm_trainer import train_booster
from scoring.training.training_set import TrainingSet
from scoring.workflows.cluster import ClusterOptions
from scoring.workflows.cluster_training import opened_training
from scoring.workflows.train import train
from scoring.workflows.training_pipeline import read_training
from tests.distributed.conftest import Processes, wait_until
from tests.own_labels import write_own

pytestmark = pytest.mark.usefixtures("undrawn_plots")

QUALITY = ModelConfig().quality
NAMES = [f"column {number}" for number in range(12)]
CONFIG = TrainConfig(name="small", n_bootstrap=0)
N_ITERATIONS = 400  # so many that a worker can be killed half way


class Notes:
    """A reporter that keeps the messages."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def step(self, name: str, done: int, total: int | None) -> None:
        """Drop the step."""

    def note(self, text: str) -> None:
        """Keep the note."""
        self.messages.append(text)

    def warn(self, text: str) -> None:
        """Keep the warning."""
        self.messages.append(f"warning: {text}")


def stop(error: RecordError) -> None:
    raise error


@pytest.fixture
def cluster(nannied: Processes) -> Iterator[Cluster]:
    with opened(nannied.address, n_processes=1) as cluster:
        yield cluster


def random_table(n_records: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_records, len(NAMES)))
    X[:, 3] = rng.integers(0, 5, n_records)
    y = 3 * X[:, 0] + 5 * (X[:, 3] == 2) + rng.normal(size=n_records) / 4
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, y


def trained(trainer: Any, X: Floats, y: Floats, **options: Any) -> Any:
    given: dict[str, Any] = {
        "names": NAMES,
        "params": QUALITY.params,
        "num_iterations": QUALITY.num_iterations,
        "num_threads": 1,
        "seed": 3,
        "categories": [NAMES[3]],
    }
    return trainer(X, y, **given | options)


@pytest.mark.parametrize("is_validated", [False, True])
def test_one_worker_trains_the_same_booster(cluster: Cluster, is_validated: bool) -> None:
    X, y = random_table(2 * module.MIN_ROWS_A_WORKER - 1)
    options = {"validation": random_table(200)} if is_validated else {}
    alone = trained(train_booster, X, y, **options)
    assert trained(ClusterTrainer(cluster, SILENT), X, y, **options).text == alone.text
    assert alone.num_trees < QUALITY.num_iterations or not is_validated


def test_two_workers_train_one_as_good(cluster: Cluster) -> None:
    X, y = random_table(3000)
    later, truth = random_table(3500)
    alone = trained(train_booster, X, y)
    together = trained(ClusterTrainer(cluster, SILENT), X, y)
    errors = [
        float(np.abs(booster.predict(later[3000:]) - truth[3000:]).mean()) for booster in (alone, together)
    ]
    assert errors[1] == pytest.approx(errors[0], rel=0.05)
    assert errors[0] < 0.9
    # The text does not name the machines; but it was more than one.
    assert "[machines: ]\n" in together.text
    assert "[num_machines: 1]\n" in together.text
    assert together.text != alone.text


def test_a_parameter_that_is_refused_is_reported(cluster: Cluster) -> None:
    with pytest.raises(ModelError, match=r"LightGBM cannot train with .*nonsense"):
        trained(ClusterTrainer(cluster, SILENT), *random_table(200), params={"objective": "nonsense"})


def kill_while_training(cluster: Cluster, reporter: Reporter) -> Any:
    """Kill a worker in the middle of a training; return the result of the training."""
    workers = set(cluster.client.nthreads())
    process = cluster.client.run(os.getpid)[min(workers)]
    X, y = random_table(4000)
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(trained, ClusterTrainer(cluster, reporter), X, y, num_iterations=N_ITERATIONS)

        def is_training() -> bool:
            tasks = cluster.client.processing()
            return tasks.keys() == workers and all(
                any("_train_part" in str(key) for key in keys) for keys in tasks.values()
            )

        wait_until(lambda: is_training() or future.done(), "the training")
        assert not future.done()
        os.kill(process, signal.SIGKILL)
        return future.result(timeout=90)


def test_a_killed_worker_begins_the_training_anew(cluster: Cluster) -> None:
    notes = Notes()
    assert kill_while_training(cluster, notes).num_trees == N_ITERATIONS
    (note,) = notes.messages
    assert re.fullmatch(r"training lost tcp://127\.0\.0\.1:\d+: restarting with the remaining workers", note)


@pytest.mark.exhaustive
def test_workers_without_a_nanny_are_asked_for_one(tmp_path: Path) -> None:
    alone = Processes(tmp_path)
    try:
        for _ in range(2):
            alone.start_worker()
        alone.wait_for(2)
        with (
            opened(alone.address, n_processes=1) as cluster,
            pytest.raises(ScoringError, match="start workers with a nanny"),
        ):
            kill_while_training(cluster, SILENT)
    finally:
        alone.end()


def test_a_slim_document_is_small_and_has_what_tells_copies(archive: Path) -> None:
    for document in read_documents([str(archive)], on_fault=stop):
        for has_links in (False, True):
            kept = slim(document, has_links=has_links)
            record, whole = kept.record, document.record
            assert (kept.path, kept.sha256, kept.labels) == (document.path, document.sha256, document.labels)
            assert (record.title, record.url, record.topics) == (whole.title, whole.url, whole.topics)
            assert [related.published_at for related in record.related] == [
                related.published_at for related in whole.related
            ]
            assert (record.excerpt, record.provider.domain) == (whole.excerpt, whole.provider.domain)
            assert not record.images
            assert not any(related.title for related in record.related)
            assert any(related.web_url for related in record.related) == (
                has_links and any(related.web_url for related in whole.related)
            )


def tables(training: TrainingSet) -> tuple[FeatureTable, ...]:
    return (training.table, *training.early)


def assert_same(actual: TrainingSet, expected: TrainingSet) -> None:
    assert len(tables(actual)) == len(tables(expected))
    for left, right in zip(tables(actual), tables(expected), strict=True):
        assert np.array_equal(left.numbers, right.numbers, equal_nan=True)
        assert np.array_equal(left.texts, right.texts)
        assert (left.topics, left.title_words) == (right.topics, right.title_words)
    for name in ("quality", "heat", "published"):
        assert np.array_equal(getattr(actual.labels, name), getattr(expected.labels, name), equal_nan=True)
    assert np.array_equal(actual.moments, expected.moments)
    assert list(actual.sections) == list(expected.sections)
    assert actual.copies.tolist() == expected.copies.tolist()


def sets_of(corpus: LabelledDataset, config: TrainConfig) -> list[TrainingSet]:
    nothing = np.zeros(len(corpus.documents), dtype=bool)
    late = nothing.copy()
    late[-100:] = True
    cuts = latest_moments(corpus, ~late)
    return [
        corpus.training_split(late, cuts, config),
        corpus.as_seen(late),
        *corpus.at_ingest(late).values(),
        corpus.take(late).as_seen(late[-100:]),
    ]


@pytest.mark.parametrize("apart", ["copies", "stories"])
def test_the_workers_features_are_those_of_one_process(
    apart: Any, processes: Processes, archive: Path, settings: Settings, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.md"
    bad.write_text("---\ntitle: Bad\nimages: high\n---\n")
    paths = [str(archive), str(bad)]
    config = msgspec.structs.replace(CONFIG, split=SplitConfig(apart=apart))
    expected_faults: list[str] = []
    alone = read_training(
        paths,
        config,
        settings=settings,
        stdin=None,
        on_fault=lambda error: expected_faults.append(str(error)),
        reporter=SILENT,
    )
    faults: list[str] = []
    victim = processes.start_worker()
    processes.wait_for(3)
    with opened_training(
        paths,
        config,
        place=ClusterOptions(processes.address, 1),
        settings=settings,
        on_fault=lambda error: faults.append(str(error)),
        reporter=SILENT,
    ) as (corpus, _):
        victim.kill()  # with the records that it held
        victim.wait()
        assert (corpus.data_sha256, corpus.n_faults) == (alone.data_sha256, 1)
        assert faults == expected_faults
        for actual, expected in zip(sets_of(corpus, config), sets_of(alone, config), strict=True):
            assert_same(actual, expected)
        assert corpus.stories.tolist() == alone.stories.tolist() or apart == "copies"
        everything = np.ones(len(corpus.documents), dtype=bool)
        assert corpus.whole(everything)[7] == alone.documents[7]
    processes.wait_for(2)


@pytest.mark.exhaustive
def test_a_training_is_as_good_as_on_one_machine(
    processes: Processes, archive: Path, settings: Settings, template: Path, tmp_path: Path
) -> None:
    settings.home.mkdir()
    shutil.copy(template, settings.home)
    few = {
        name: msgspec.structs.replace(getattr(ModelConfig(), name), num_iterations=40)
        for name in ("quality", "heat", "published")
    }
    config = msgspec.structs.replace(CONFIG, model=msgspec.structs.replace(ModelConfig(), **few))
    given: dict[str, Any] = {
        "config": config,
        "settings": settings,
        "now": datetime(2019, 1, 1, tzinfo=UTC),
        "on_fault": stop,
    }
    alone = train([str(archive)], output=tmp_path / "alone", is_tracked=False, **given)
    place = ClusterOptions(processes.address, 1)
    together = train([str(archive)], output=tmp_path / "together", place=place, **given)
    assert (together.data_sha256, together.n_records) == (alone.data_sha256, alone.n_records)
    local, distributed = (load_model(tmp_path / name).models for name in ("alone", "together"))
    assert local.quality.rubric == distributed.quality.rubric
    assert local.cascade.lead.text == distributed.cascade.lead.text
    assert local.quality.booster.text != distributed.quality.booster.text
    for name in ("quality_mae", "lead_accuracy", "published_f1", "heat_within_5"):
        assert together.metrics[name] == pytest.approx(alone.metrics[name], rel=0.1), name
    with opened_store(Store(settings.tracking_uri, settings.home), "read", writes=False) as client:
        assert client.get_run(str(together.run_id)).data.tags["engine"] == "dask"


@pytest.mark.exhaustive
def test_the_workers_leave_out_what_scoring_has_written(
    processes: Processes, archive: Path, settings: Settings, tmp_path: Path
) -> None:
    news = tmp_path / "news"
    shutil.copytree(archive, news)
    documents = list(read_documents([str(news)], on_fault=stop))
    scored, filled = documents[:20], documents[20:30]
    write_own(settings.journal, scored, lambda _: {"quality": 500, "heat": 500, "published": True})
    write_own(settings.journal, filled, lambda _: {"heat": 500})
    file = Path(documents[30].path)  # a label that is not there at all
    file.write_bytes(re.sub(rb"^heat:.*\n", b"", file.read_bytes(), flags=re.MULTILINE))
    given: dict[str, Any] = {"settings": settings, "on_fault": stop}
    notes, cluster_notes = Notes(), Notes()
    alone = read_training([str(news)], CONFIG, stdin=None, reporter=notes, **given)
    assert (len(alone.documents), alone.n_own_labels) == (380, 70)
    place = ClusterOptions(processes.address, 1)
    with opened_training([str(news)], CONFIG, place=place, reporter=cluster_notes, **given) as (corpus, _):
        assert corpus.data_sha256 == alone.data_sha256
        assert (corpus.n_own_labels, corpus.tags) == (70, alone.tags)
        labels = [document.labels for document in corpus.documents]
        assert labels == [document.labels for document in alone.documents]
        assert (
            cluster_notes.messages == notes.messages == ["380 records; 70 labels written by scoring not used"]
        )
        for actual, expected in zip(sets_of(corpus, CONFIG), sets_of(alone, CONFIG), strict=True):
            assert_same(actual, expected)
        everything = np.ones(380, dtype=bool)
        assert list(corpus.whole(everything)[:40]) == alone.documents[:40]
    with opened_training(
        [str(news)], CONFIG, place=place, reporter=cluster_notes, has_own_scores=True, **given
    ) as (
        corpus,
        _,
    ):
        assert len(corpus.documents) == 400
