"""Reproduce: the same bytes from the same records, or a list of differences."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scoring.artifact.model_folder import PARTS
from scoring.artifact.reproducibility import FigureChange, Reproduction
from scoring.errors import ModelError, RecordError, TrackingError
from scoring.evaluation.comparison import ValueDiff
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings, load_settings
from scoring.tracking import EvaluationRun, Store, TrainingRun, list_runs, log_evaluation, log_training
from scoring.tracking.store import opened
from scoring.training.config import BoosterConfig, ModelConfig, RubricConfig, SectionConfig, TrainConfig
from scoring.workflows.reproduce import reproduce
from scoring.workflows.train import TrainOutcome, train

pytestmark = pytest.mark.usefixtures("undrawn_plots")

NOW = datetime(2019, 1, 1, tzinfo=UTC)
TINY = BoosterConfig(4, {"objective": "regression", "num_leaves": 4, "min_data_in_leaf": 5})
TINY_BINARY = BoosterConfig(4, {"objective": "binary", "num_leaves": 4, "min_data_in_leaf": 5})
CONFIG = TrainConfig(
    name="tiny",
    n_bootstrap=5,
    seed=3,
    model=ModelConfig(
        rubric=RubricConfig(n_passes=3, n_term_rounds=1),
        quality=TINY,
        spread=TINY,
        lead=TINY_BINARY,
        heat=TINY,
        published=TINY_BINARY,
        settled_lead=TINY_BINARY,
        growth=TINY,
        forecast_ages_hours=(0.0,),
        sections=SectionConfig(design="shared"),
        n_folds=2,
    ),
)


def stop(error: Exception) -> None:
    raise error


def again(run: str, *paths: str, settings: Settings, **options: Any) -> Reproduction:
    return reproduce(run, paths, settings=settings, on_fault=stop, **options)


@pytest.fixture(scope="module")
def news(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reproduce") / "old news"  # with a space, as folders have
    write_sample(folder, n_records=120, seed=3, days=60)
    return folder


@pytest.fixture(scope="module")
def home(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load_settings(home=tmp_path_factory.mktemp("home"), threads=1)
    shutil.copy(template, settings.home)
    return settings


@pytest.fixture(scope="module")
def tracked(news: Path, home: Settings) -> TrainOutcome:
    """One tracked training; version 1 of the registered model "scoring"."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home.home)  # no checkout, as in the tests
        return train([str(news)], config=CONFIG, settings=home, now=NOW, register="scoring", on_fault=stop)


@pytest.fixture
def run_id(tracked: TrainOutcome) -> str:
    assert tracked.run_id is not None
    return tracked.run_id


@pytest.fixture
def changed(home: Settings, run_id: str, tmp_path: Path) -> Callable[..., Settings]:
    """A copy of the store in which the run has other tags and metrics."""

    def change(tags: dict[str, str], metrics: dict[str, float]) -> Settings:
        copy = load_settings(home=tmp_path / "copy", threads=1)
        copy.home.mkdir()
        shutil.copy(home.home / "mlflow.db", copy.home)
        with opened(Store(copy.tracking_uri, copy.home), "change", writes=True) as client:
            for name, tag in tags.items():
                client.set_tag(run_id, name, tag)
            for name, metric in metrics.items():
                client.log_metric(run_id, name, metric, timestamp=2**42)
        return copy

    return change


def test_same_records_give_the_same_bytes(home: Settings, run_id: str, tracked: TrainOutcome) -> None:
    n_runs = len(list_runs(Store(home.tracking_uri, home.home)))
    before = {path: path.stat().st_mtime_ns for path in home.home.rglob("*") if "mlflow.db" not in path.name}
    outcome = again(run_id, settings=home)
    assert outcome == Reproduction(
        run_id=run_id,
        run_name="tiny",
        model=outcome.model,
        n_records=120,
        is_trained=True,
        is_same=True,
        data=(),
        code=(),
        versions=(),
        machine=(),
        parts=(),
        figures=(),
    )
    assert outcome.model.startswith("tiny@")
    after = {path: path.stat().st_mtime_ns for path in home.home.rglob("*") if "mlflow.db" not in path.name}
    assert after == before
    assert len(list_runs(Store(home.tracking_uri, home.home))) == n_runs


def test_place_threads_and_seed_of_the_settings_change_nothing(
    news: Path, home: Settings, run_id: str, tmp_path: Path
) -> None:
    shutil.copytree(news, tmp_path / "moved")
    settings = load_settings(home=home.home, threads=2, seed=99)
    for spec, paths in ((run_id[:8], [str(tmp_path / "moved")]), ("models:/scoring/1", [])):
        outcome = again(spec, *paths, settings=settings)
        assert (outcome.run_id, outcome.is_same) == (run_id, True)


def test_other_records_are_reported_and_nothing_is_trained(
    news: Path, home: Settings, run_id: str, tracked: TrainOutcome, tmp_path: Path
) -> None:
    fewer = tmp_path / "fewer"
    shutil.copytree(news, fewer)
    next(iter(sorted(fewer.glob("*.md")))).unlink()
    outcome = again(f"runs:/{run_id}", str(fewer), settings=home)
    (data,) = outcome.data
    assert (data.name, data.first) == ("sha256", tracked.data_sha256)
    assert data.second != data.first
    assert (outcome.n_records, outcome.is_trained, outcome.is_same) == (119, False, False)
    assert (outcome.parts, outcome.figures) == ((), ())

    trained = again(run_id, str(fewer), settings=home, is_mismatch_ignored=True)
    assert (trained.data, trained.is_trained, trained.is_same) == (outcome.data, True, False)
    parts = {part.name: (part.first, part.second) for part in trained.parts}
    assert parts["training.n_records"] == ("120", "119")
    assert set(parts) & set(PARTS) >= {"quality", "baseline_quality"}
    assert re.fullmatch("[1-4] trees, sha256 [0-9a-f]{8}", str(parts["quality"][0]))
    assert not parts.keys() & {"files", "training.config", "feature_names", "training.versions"}
    figures = {figure.name: figure for figure in trained.figures}
    assert figures["quality_mae"].first == tracked.metrics["quality_mae"]
    assert figures["quality_mae"].second not in (None, tracked.metrics["quality_mae"])
    assert not figures.keys() & {"n_train", "n_test", "n_all"}


def test_what_differs_around_the_training_is_reported(changed: Callable[..., Settings], run_id: str) -> None:
    tags = {
        "version.numpy": "1.0",
        "version.scoring": "0.0.1",
        "cpu": "An abacus",
        "engine": "dask",
        "git_commit": "abc",
        "git_dirty": "true",
        "code_sha256": "0123",  # known outside a checkout too
    }
    outcome = again(run_id, settings=changed(tags, {}))
    assert outcome.is_same  # what it was computed with did not matter
    ((numpy,), (engine, cpu)) = outcome.versions, outcome.machine
    assert engine == ValueDiff("engine", "dask", "one process")
    assert (numpy.name, numpy.first) == ("numpy", "1.0")
    assert (cpu.name, cpu.first) == ("cpu", "An abacus")
    commit, version, code = outcome.code
    assert commit == ValueDiff("commit", "abc+", "-")  # the working folder is no checkout
    assert (version.name, version.first) == ("scoring", "0.0.1")
    assert (code.name, code.first) == ("code_sha256", "0123")


def test_figures_are_compared_to_the_last_digit(
    changed: Callable[..., Settings], run_id: str, tracked: TrainOutcome
) -> None:
    mae = tracked.metrics["quality_mae"]
    outcome = again(run_id, settings=changed({}, {"quality_mae": mae + 1e-15, "of_old": 1.0, "n_all": 7.0}))
    assert (outcome.parts, outcome.is_same) == ((), False)
    assert outcome.figures == (
        FigureChange("quality_mae", mae + 1e-15, mae),
        FigureChange("of_old", 1.0, None),
    ) or outcome.figures == (
        FigureChange("of_old", 1.0, None),
        FigureChange("quality_mae", mae + 1e-15, mae),
    )


def values(tracked: TrainOutcome) -> dict[str, Any]:
    """Arguments of a tracked run beside the training."""
    return {
        "experiment": "other",
        "run_name": "odd",
        "model": "odd@1",
        "config": msgspec.to_builtins(CONFIG),
        "data_path": "-",
        "data_sha256": tracked.data_sha256,
        "counts": {},
        "evaluation": tracked.evaluation,
        "plots": {},
        "started_at": NOW,
    }


def log(settings: Settings, tracked: TrainOutcome, **changes: Any) -> str:
    run = TrainingRun(**values(tracked) | changes, model_folder=Path(tracked.model))
    return log_training(Store(settings.tracking_uri, settings.home), run).run_id


def test_records_that_cannot_be_read_again(tracked: TrainOutcome, home: Settings, tmp_path: Path) -> None:
    run_id = log(home, tracked)
    with pytest.raises(ModelError, match="its records, '-', cannot be read again: name PATH"):
        again(run_id, settings=home)
    with pytest.raises(RecordError):
        again(run_id, str(tmp_path / "nowhere"), settings=home)
    with pytest.raises(RecordError):
        again(run_id, "-", settings=home, stdin=io.BytesIO(b"[]"))


def test_configuration_of_another_version(tracked: TrainOutcome, home: Settings) -> None:
    run_id = log(home, tracked, config={"name": "odd", "n_leaves": 3})
    with pytest.raises(ModelError, match=rf"run {run_id}: configuration: .*`n_leaves`"):
        again(run_id, settings=home)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("abcdef", "no run or file 'abcdef'"),
        ("nonsense", "run: got 'nonsense', expected a run's id, runs:/ID"),
        ("models:/scoring@previous", "cannot find the run of models:/scoring@previous"),
    ],
)
def test_run_that_is_not_there(tracked: TrainOutcome, home: Settings, spec: str, message: str) -> None:
    with pytest.raises(TrackingError) as caught:
        again(spec, settings=home)
    assert message in str(caught.value)


def test_run_that_is_no_training(tracked: TrainOutcome, home: Settings) -> None:
    run_id = log_evaluation(Store(home.tracking_uri, home.home), EvaluationRun(**values(tracked)))
    with pytest.raises(TrackingError, match="got a run of kind 'evaluate', expected a training"):
        again(run_id, settings=home)
    with pytest.raises(TrackingError, match="expected a run's id, runs:/ID"):
        again(tracked.model, settings=home)  # a model's folder
