"""The scheduled job: trains if there is new data, and promotes a better model."""

from __future__ import annotations

import html
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scoring.deployment.loaded_model import LoadedModel
from scoring.deployment.open_model import open_model
from scoring.deployment.paired_bootstrap import compare_paired
from scoring.deployment.standing_champion import StandingChampion
from scoring.errors import ModelError, ScoringError, TrackingError
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import read_documents
from scoring.records.ledger import Correction, append_corrections, digests_of
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings
from scoring.storage.lock import only_one
from scoring.tracking import Store, list_runs, read_run
from scoring.training.config import SplitConfig, TrainConfig
from scoring.training.read_dataset import read_dataset
from scoring.workflows import compare
from scoring.workflows import retrain as workflow
from scoring.workflows.promote import PromoteOutcome
from scoring.workflows.promote import promote as promote_run
from scoring.workflows.retrain import retrain, split_after
from scoring.workflows.rollback import rollback
from scoring.workflows.train import TrainOutcome
from tests.conftest import Registry
from tests.workflows.test_promote import EQUAL, FIRST, GATE, SECOND, champions, stop

pytestmark = pytest.mark.usefixtures("undrawn_plots")

NOW = datetime(2019, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def news(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fewer records than the champions of these tests were trained on; tests only read them."""
    folder = tmp_path_factory.mktemp("retrain") / "news"
    write_sample(folder, n_records=240, seed=1)
    return folder


def run(paths: list[str], settings: Settings, **options: Any) -> PromoteOutcome:
    return retrain(paths, settings=settings, now=NOW, on_fault=stop, **{"gate": GATE} | options)


def count(settings: Settings) -> int:
    return len(list_runs(Store(settings.tracking_uri, settings.home)))


def gate_tag(settings: Settings, run_id: str | None) -> str:
    return read_run(Store(settings.tracking_uri, settings.home), str(run_id)).tags["gate"]


def test_a_better_model_takes_over_and_the_next_has_nothing_new(
    registry: Registry, news: Path, later: str
) -> None:
    settings, paths = registry.settings, [str(news), later]
    outcome = run(paths, settings)
    assert (outcome.is_promoted, outcome.champion, outcome.version) == (True, FIRST, SECOND)
    assert 30 <= outcome.verdict.n_records <= 60
    assert champions(settings) == (SECOND, FIRST)
    saved = open_model(None, settings)
    assert (saved.name, saved.manifest.training.n_records) == (outcome.model, 300)
    assert saved.manifest.training.config.name == "small"  # the champion's configuration
    assert gate_tag(settings, outcome.run_id) == f"passed: {outcome.verdict.reasons[0]}"
    assert not (settings.home / "retrain").exists()
    again = run(paths, settings)
    assert (outcome.outcome, again.outcome) == ("promoted", "unchanged")
    assert (again.is_promoted, again.run_id, again.model, again.champion) == (False, None, "", SECOND)
    (reason,) = again.verdict.reasons
    assert reason.startswith("no new data to evaluate on since 2019-0")
    assert "got 0 labelled records of 0 days, expected 30 or more of 7 days or more" in reason
    assert count(settings) == 4


def test_one_that_is_only_judged_can_be_promoted_later(
    registry: Registry, news: Path, later: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "N_DRAWS", 30)
    monkeypatch.setattr(compare, "N_PART_DRAWS", 10)
    settings, page = registry.settings, tmp_path / "page.html"
    corrections = tmp_path / "corrections.jsonl"
    (document,) = read_documents([str(next(Path(later).glob("*.md")))], on_fault=stop)
    digests = digests_of(document.record)
    correction = Correction(
        at=NOW, path="a.md", record_sha256=digests.record, own_sha256=digests.own, field="quality",
        predicted=50, value=60, model="small",
    )  # fmt: skip
    append_corrections(corrections, [correction])
    outcome = run([str(news), later], settings, is_judged_only=True, page=page, corrections=corrections)
    assert (outcome.outcome, outcome.is_dry_run, outcome.version) == ("promoted", True, None)
    assert (outcome.champion, outcome.n_corrections) == (FIRST, 1)
    assert champions(settings) == (FIRST, None)
    text = html.unescape(page.read_text("utf-8"))
    assert str(outcome.model) in text
    assert f"the gate: {outcome.verdict.reasons[0]}" in text

    other_rule = promote_run(str(outcome.run_id), gate=EQUAL, settings=settings, now=NOW, on_fault=stop)
    assert not other_rule.is_promoted  # the two runs have no test records in common
    promoted = promote_run(str(outcome.run_id), gate=GATE, settings=settings, now=NOW, on_fault=stop)
    assert (promoted.is_promoted, promoted.version, promoted.by) == (True, SECOND, "gate")
    assert (promoted.verdict, promoted.data_sha256) == (outcome.verdict, outcome.data_sha256)
    assert champions(settings) == (SECOND, FIRST)


@pytest.mark.exhaustive
def test_a_verdict_against_another_model_of_the_same_address_is_not_taken_over(
    registry: Registry, news: Path, later: str
) -> None:
    import mlflow

    settings = registry.settings
    outcome = run([str(news), later], settings, is_judged_only=True)
    mlflow.MlflowClient(settings.tracking_uri).delete_registered_model("scoring")
    anew = promote_run("shipped", reason="anew", settings=settings, now=NOW, on_fault=stop)
    assert anew.version == outcome.champion == FIRST
    with pytest.raises(TrackingError, match=r"without evaluation\.json"):  # so it is judged anew
        promote_run(str(outcome.run_id), gate=GATE, settings=settings, now=NOW, on_fault=stop)


def test_another_model_than_the_champion_can_be_compared_with(
    registry: Registry, archive: Path, training: TrainOutcome
) -> None:
    outcome = run([str(archive)], registry.settings, is_judged_only=True, against=training.model)
    assert (outcome.outcome, outcome.champion) == ("unchanged", training.model)
    assert "no new data to evaluate on" in outcome.verdict.reasons[0]
    with pytest.raises(ModelError, match="expected one that does not"):
        run([str(archive)], registry.settings, against=training.model)


@pytest.mark.exhaustive
def test_what_was_rolled_back_does_not_return_by_itself(registry: Registry, news: Path, later: str) -> None:
    settings, paths = registry.settings, [str(news), later]
    assert run(paths, settings).version == SECOND
    rollback(reason="too few were published", settings=settings, now=NOW)
    outcome = run(paths, settings)
    assert (outcome.is_promoted, outcome.champion, outcome.version) == (False, FIRST, None)
    assert outcome.verdict.reasons == (
        f"{SECOND} is the same model, and was rolled back (too few were published): "
        '"scoring rollback" makes it the champion again',
    )
    assert outcome.verdict.checks[0].is_passed
    assert champions(settings) == (FIRST, SECOND)
    assert rollback(settings=settings, now=NOW).champion == SECOND


def test_a_training_of_a_moment_does_not_hold_back_the_next(
    registry: Registry, news: Path, later: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = StandingChampion.load

    def load_as_of_a_moment(
        champion: StandingChampion, settings: Settings, reporter: Reporter
    ) -> LoadedModel:
        loaded = load(champion, settings, reporter)
        facts = loaded.saved.manifest.training
        facts = msgspec.structs.replace(
            facts, config=msgspec.structs.replace(facts.config, as_of="2018-06-01T00:00:00Z")
        )
        manifest = msgspec.structs.replace(loaded.saved.manifest, training=facts)
        return replace(loaded, saved=replace(loaded.saved, manifest=manifest))

    monkeypatch.setattr(StandingChampion, "load", load_as_of_a_moment)
    configs: list[TrainConfig] = []

    def read(_: object, config: TrainConfig, **__: object) -> None:
        configs.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "read_training", read)
    with pytest.raises(KeyboardInterrupt):
        run([str(news), later], registry.settings)
    assert configs[0].as_of == ""


@pytest.mark.exhaustive
def test_one_that_is_no_better_is_refused_unless_equal_is_enough(
    registry: Registry, archive: Path, later: str
) -> None:
    settings, paths = registry.settings, [str(archive), later]
    promote_run(registry.small, gate=GATE, settings=settings, now=NOW, on_fault=stop)
    refused = run(paths, settings)
    assert (refused.outcome, refused.champion, refused.version) == ("refused", SECOND, None)
    assert gate_tag(settings, refused.run_id).startswith("refused: quality_mae: champion ")
    assert champions(settings) == (SECOND, FIRST)
    outcome = run(paths, settings, gate=msgspec.structs.replace(EQUAL, margin=0.1))  # of 60 records
    assert (outcome.is_promoted, outcome.model, outcome.version) == (True, refused.model, "models:/scoring/3")
    assert champions(settings) == ("models:/scoring/3", SECOND)


def test_the_first_has_to_beat_the_baselines(registry: Registry, news: Path) -> None:
    config = TrainConfig(name="first", n_bootstrap=10)
    outcome = run([str(news)], registry.settings, name="fresh", config=config)
    assert (outcome.is_promoted, outcome.champion, outcome.version) == (True, None, "models:/fresh/1")
    assert {check.against for check in outcome.verdict.checks} >= {"global median", "provider median"}
    assert open_model("models:/fresh@champion", registry.settings).name == outcome.model


def test_only_one_at_a_time(registry: Registry, news: Path) -> None:
    with (
        only_one(registry.settings.home, "retrain", now=NOW),
        pytest.raises(ScoringError, match=r"retrain\.lock: held by process \d+ since 2019-06-01"),
    ):
        run([str(news)], registry.settings)


def test_a_champion_that_came_meanwhile_stays(
    registry: Registry, news: Path, later: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def promote_meanwhile(*arguments: Any, **options: Any) -> Any:
        promote_run(registry.small, gate=GATE, settings=registry.settings, now=NOW, on_fault=stop)
        return compare_paired(*arguments, **options)

    monkeypatch.setattr(workflow, "compare_paired", promote_meanwhile)
    with pytest.raises(TrackingError, match=f"got {SECOND}, which was set meanwhile, expected {FIRST}"):
        run([str(news), later], registry.settings, gate=EQUAL)
    assert champions(registry.settings) == (SECOND, FIRST)


def test_the_test_block_begins_after_what_the_champion_knew(news: Path) -> None:
    corpus = read_dataset([str(news)], stdin=None, on_fault=stop, reporter=SILENT)
    section = corpus.sections[0]
    moments = sorted(
        document.record.published_at
        for document, own in zip(corpus.documents, corpus.sections, strict=True)
        if own == section and document.record.published_at is not None
    )
    known = moments[-10]
    split = split_after(corpus, SplitConfig(), {section: known, "gone": moments[0]})
    assert known < split.test_from[section] <= moments[-9]
    assert "gone" not in split.test_from
    later = SplitConfig(test_from={section: moments[-3]})
    assert split_after(corpus, later, {section: known}).test_from[section] == moments[-3]
    assert split_after(corpus, later, {section: moments[-2]}).test_from[section] > moments[-2]
