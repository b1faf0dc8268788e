"""Promotion with and without the gate: evaluation, changes and messages."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scoring.deployment import activate, candidates
from scoring.deployment.gate import GateConfig
from scoring.deployment.open_model import open_model
from scoring.errors import ModelError, RecordError, TrackingError
from scoring.model.policy_change import PolicyChange
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings, load_settings
from scoring.storage.home import prepare_home
from scoring.tracking import Store, champion, list_runs, read_evaluation, read_run
from scoring.tracking.caller_state import default_store
from scoring.tracking.store import opened
from scoring.workflows import promote as workflow
from scoring.workflows.promote import PromoteOutcome, promote
from tests.conftest import Registry
from tests.workflows.test_evaluate import Notes

pytestmark = pytest.mark.usefixtures("undrawn_plots")

NOW = datetime(2019, 6, 1, 12, tzinfo=UTC)
GATE = GateConfig(n_draws=100)
EQUAL = msgspec.structs.replace(GATE, margin=0.02)
FIRST, SECOND = "models:/scoring/1", "models:/scoring/2"


def stop(error: RecordError) -> None:
    raise error


def run(spec: str, settings: Settings, **options: Any) -> PromoteOutcome:
    return promote(spec, settings=settings, now=NOW, on_fault=stop, **{"gate": GATE} | options)


def champions(settings: Settings, name: str = "scoring") -> tuple[str | None, str | None]:
    store = Store(settings.tracking_uri, settings.home)
    return champion(store, name), champion(store, name, "previous")


def descriptions(settings: Settings) -> list[str]:
    """First paragraph of the description of each version."""
    store = Store(settings.tracking_uri, settings.home)
    with opened(store, "read", writes=False) as client:
        versions = client.search_model_versions("name = 'scoring'", order_by=["version_number ASC"])
        return [str(version.description).partition("\n\n")[0] for version in versions]


def test_a_better_run_takes_the_champions_place(registry: Registry) -> None:
    settings = registry.settings
    outcome = run(registry.small, settings)
    assert (outcome.is_promoted, outcome.is_dry_run, outcome.by) == (True, False, "gate")
    assert (outcome.name, outcome.champion, outcome.version) == ("scoring", FIRST, SECOND)
    assert outcome.run_id == registry.small
    assert (outcome.verdict.n_records, outcome.verdict.n_days) == (60, 31)
    assert champions(settings) == (SECOND, FIRST)
    assert open_model(None, settings).name == outcome.model
    store = Store(settings.tracking_uri, settings.home)
    (version,) = read_run(store, registry.small).summary.versions
    gain = outcome.verdict.checks[0]
    assert (version.number, version.aliases) == (2, ("champion",))
    assert version.tags == {
        "promoted_at": "2019-06-01T12:00:00+00:00",
        "promoted_by": "gate",
        "promoted_reason": outcome.verdict.reasons[0],
        "promoted_against_gate": "",
        "promoted_figure": "quality_mae",
        "promoted_gain": f"{gain.gain:+.3g} ({gain.low:+.3g} to {gain.high:+.3g})",
        "promoted_against": FIRST,
        "promoted_on_records": "60",
        "promoted_on_data_sha256": outcome.data_sha256,
    }
    assert gain.low is not None
    assert gain.low > 10
    assert descriptions(settings) == [
        "Champion until 2019-06-01T12:00:00+00:00.",
        f"Champion since 2019-06-01T12:00:00+00:00: {outcome.verdict.reasons[0]}; compared with {FIRST} on "
        "60 records",
    ]
    with pytest.raises(ModelError, match=r"already the champion \(models:/scoring/2\)"):
        run("models:/scoring@champion", settings)


def test_a_worse_run_is_refused_and_nothing_changes(registry: Registry) -> None:
    before = (registry.settings.home / "mlflow.db").read_bytes()
    outcome = run(registry.worse, registry.settings)
    assert (outcome.is_promoted, outcome.version, outcome.champion) == (False, None, FIRST)
    assert outcome.verdict.reasons[0].startswith("quality_mae: champion ")
    assert outcome.verdict.reasons[0].endswith(", expected its interval above 0")
    assert champions(registry.settings) == (FIRST, None)
    assert (registry.settings.home / "mlflow.db").read_bytes() == before


def test_a_dry_run_reports_and_changes_nothing(registry: Registry) -> None:
    before = (registry.settings.home / "mlflow.db").read_bytes()
    outcome = run(registry.small, registry.settings, is_dry_run=True)
    assert (outcome.is_promoted, outcome.is_dry_run, outcome.version) == (True, True, None)
    assert (registry.settings.home / "mlflow.db").read_bytes() == before


def test_force_promotes_against_the_gate_and_says_so(registry: Registry) -> None:
    settings = registry.settings
    outcome = run(registry.worse, settings, reason="the editors asked for it")
    assert (outcome.is_promoted, outcome.by, outcome.verdict.is_passed) == (True, "force", False)
    assert champions(settings) == (SECOND, FIRST)
    (version,) = read_run(Store(settings.tracking_uri, settings.home), registry.worse).summary.versions
    assert version.tags["promoted_by"] == "force"
    assert version.tags["promoted_reason"] == "the editors asked for it"
    assert version.tags["promoted_against_gate"] == "; ".join(outcome.verdict.reasons)
    assert (
        "the editors asked for it (promoted against the gate: quality_mae: champion"
        in descriptions(settings)[1]
    )


def test_an_unneeded_force_is_reported_as_a_pass_of_the_gate(registry: Registry) -> None:
    outcome = run(registry.small, registry.settings, reason="at any rate")
    assert (outcome.is_promoted, outcome.by) == (True, "gate")


def test_force_needs_no_champion_that_can_be_used(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ModelError("damaged")

    monkeypatch.setattr(workflow, "judge_logged", fail)
    with pytest.raises(ModelError, match="damaged"):
        run(registry.small, registry.settings)
    outcome = run(registry.small, registry.settings, reason="the champion is damaged")
    assert outcome.verdict.reasons == ("it could not be judged: damaged",)
    assert champions(registry.settings) == (SECOND, FIRST)


def test_both_score_records_that_neither_knew(registry: Registry, later: str, archive: Path) -> None:
    notes = Notes()
    outcome = run(registry.small, registry.settings, on=[later, str(archive)], reporter=notes)
    assert outcome.is_promoted
    assert outcome.verdict.n_records == 60
    assert notes.notes == ["400 of 460 records are left out: they may have been trained on"]
    alone = run(registry.worse, registry.settings, on=[later], is_dry_run=True)
    assert alone.data_sha256 == outcome.data_sha256
    assert (alone.is_promoted, alone.champion) == (False, SECOND)


def test_labels_from_before_a_known_change_are_counted(
    registry: Registry, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the test periods of both runs; named records from before the change are left out as known."""
    as_opened = workflow._open
    since = datetime(2018, 12, 31, 23, tzinfo=UTC)

    def knowing(*arguments: Any) -> Any:
        challenger, saved = as_opened(*arguments)
        (section,) = saved.manifest.training.sections
        change = PolicyChange(section, "quality", since, 300, 100, ())
        return challenger, replace(saved, models=replace(saved.models, changes=(change,)))

    monkeypatch.setattr(workflow, "_open", knowing)
    notes = Notes()
    run(registry.small, registry.settings, is_dry_run=True, reporter=notes)
    assert notes.notes == [
        f"60 labels are from before a change of policy that runs:/{registry.small} knows, and follow earlier "
        "rules: name later records with --on to leave them out"
    ]
    notes = Notes()
    run(registry.small, registry.settings, is_dry_run=True, on=[str(archive)], reporter=notes)
    assert notes.notes == ["400 of 400 records are left out: they may have been trained on"]


def test_as_good_is_enough_where_that_is_asked_for(registry: Registry, later: str) -> None:
    run(registry.small, registry.settings)
    store = Store(registry.settings.tracking_uri, registry.settings.home)
    with opened(store, "copy", writes=True) as client, default_store(store.tracking_uri):
        source = client.get_model_version("scoring", "2").source
        client.create_model_version("scoring", str(source), run_id=registry.small)
    same = "models:/scoring/3"
    assert not run(same, registry.settings, on=[later]).is_promoted
    outcome = run(same, registry.settings, on=[later], gate=EQUAL)
    assert (outcome.is_promoted, outcome.version) == (True, same)
    assert champions(registry.settings) == (same, SECOND)


@pytest.mark.parametrize(
    ("n_records", "days", "lacking"),
    [
        (29, 29, "got 29 labelled records of"),
        (60, 3, "expected 30 or more of 7 days or more"),
    ],
)
def test_too_few_later_records_are_refused(
    registry: Registry, tmp_path: Path, n_records: int, days: int, lacking: str
) -> None:
    begins_at = datetime(2019, 3, 1, tzinfo=UTC)
    write_sample(tmp_path / "few", n_records=n_records, seed=1, begins_at=begins_at, days=days)
    outcome = run(registry.small, registry.settings, on=[str(tmp_path / "few")])
    assert not outcome.is_promoted
    (reason,) = outcome.verdict.reasons
    assert reason.startswith("records later than all training data: ")
    assert lacking in reason


def test_records_that_were_known_are_no_records_to_judge_on(registry: Registry, archive: Path) -> None:
    outcome = run(registry.small, registry.settings, on=[str(archive)])
    assert outcome.verdict.reasons == (
        "records later than all training data: got 0 labelled records of 0 days, "
        "expected 30 or more of 7 days or more",
    )


def test_without_a_champion_the_baselines_are_to_be_beaten(registry: Registry, later: str) -> None:
    outcome = run(registry.small, registry.settings, name="fresh", is_dry_run=True)
    assert (outcome.is_promoted, outcome.champion) == (True, None)
    assert {check.against for check in outcome.verdict.checks} == {
        "global median",
        "provider median",
        "plain LightGBM",
    }
    shown = run(registry.worse, registry.settings, name="fresh", on=[later])
    assert not shown.is_promoted
    assert shown.verdict.n_records == 60
    first = run(registry.small, registry.settings, name="fresh", on=[later])
    assert first.is_promoted
    assert champions(registry.settings, "fresh") == ("models:/fresh/1", None)
    assert champions(registry.settings) == (FIRST, None)


def test_a_folder_is_the_run_that_logged_it(registry: Registry, registry_template: Registry) -> None:
    folder = registry_template.settings.home / "models" / "small"
    outcome = run(str(folder), registry.settings)
    assert (outcome.is_promoted, outcome.run_id) == (True, registry.small)


def test_a_folder_that_no_run_has_logged_is_judged_on_records_and_then_logged(
    registry_template: Registry, template: Path, later: str, tmp_path: Path
) -> None:
    elsewhere = load_settings(home=tmp_path / "elsewhere", threads=1)
    prepare_home(elsewhere.home)
    shutil.copy(template, elsewhere.home)
    weak, small = (str(registry_template.settings.home / "models" / name) for name in ("weak", "small"))
    first = run(weak, elsewhere)
    assert (first.is_promoted, first.version) == (True, FIRST)
    refused = run(small, elsewhere)
    assert refused.verdict.reasons == (
        f"{small}: no run with logged predictions: name later records with --on",
    )
    assert (refused.run_id, refused.is_promoted) == (None, False)
    second = run(small, elsewhere, on=[later])
    assert (second.is_promoted, second.version) == (True, SECOND)
    runs = {run.run_id: run for run in list_runs(Store(elsewhere.tracking_uri, elsewhere.home))}
    assert set(runs) == {first.run_id, second.run_id}
    logged = runs[str(second.run_id)]
    assert (logged.kind, logged.model) == ("model", second.model)
    assert logged.metrics["n_all"] == 400
    assert logged.metrics["quality_mae"] > 0
    assert open_model(None, elsewhere).name == second.model


def test_runs_that_held_back_other_records_cannot_be_compared(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_others_saw(arguments: list[str], store: Store) -> Any:
        (reference,), rest = candidates.split_arguments(arguments, store)
        assert reference.run is not None
        params = reference.run.params | {"as_of": "published+6h" if arguments[0] == registry.small else ""}
        return [type(reference)(reference.spec, msgspec.structs.replace(reference.run, params=params))], rest

    monkeypatch.setattr(workflow, "split_arguments", as_others_saw)
    outcome = run(registry.small, registry.settings)
    assert outcome.verdict.reasons == (
        "as_of: got 'published+6h', expected the champion's '': name later records with --on",
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda columns: {name: values[:20] for name, values in columns.items()},
            "got 20 labelled records of",
        ),
        (lambda columns: columns | {"path": columns["path"] + "x"}, "got none in common by path and date"),
        (lambda columns: columns | {"heat": columns["heat"] + 1}, "got others for "),
    ],
    ids=["few", "none", "labels"],
)
def test_what_is_not_shared_is_refused_with_a_way_out(
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    reason: str,
) -> None:
    def read(store: Store, record: Any) -> Any:
        evaluation = read_evaluation(store, record)
        if record.summary.run_id != registry.small:
            return evaluation
        return msgspec.structs.replace(evaluation, predictions=change(evaluation.predictions))

    monkeypatch.setattr(candidates, "read_evaluation", read)
    outcome = run(registry.small, registry.settings)
    assert not outcome.is_promoted
    (reason_text,) = outcome.verdict.reasons
    assert reason in reason_text
    assert reason_text.endswith("name later records with --on")


@pytest.mark.parametrize("spec", ["absent", "abcdef", "models:/scoring/9"])
def test_a_model_that_is_not_there_is_reported(registry: Registry, spec: str) -> None:
    with pytest.raises((ModelError, TrackingError), match=rf"{spec}"):
        run(spec, registry.settings)


def test_a_model_that_does_not_score_is_not_made_champion(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ModelError("models:/scoring/2: damaged")

    monkeypatch.setattr(activate, "resolve", fail)
    with pytest.raises(ModelError, match="damaged"):
        run(registry.small, registry.settings)
    assert champions(registry.settings) == (FIRST, None)
    monkeypatch.undo()
    assert run(registry.small, registry.settings).version == SECOND
