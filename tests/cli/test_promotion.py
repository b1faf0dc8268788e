"""`scoring promote`, `scoring rollback` and `scoring retrain` from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from scoring.cli import app
from scoring.deployment.gate import GateConfig, refuse
from scoring.tracking import read_run
from scoring.tracking.store import Store
from scoring.workflows import retrain
from scoring.workflows.promote import PromoteOutcome
from tests.conftest import Registry

pytestmark = pytest.mark.usefixtures("undrawn_plots")

FIRST, SECOND = "models:/scoring/1", "models:/scoring/2"


def run(registry: Registry, *arguments: object) -> Result:
    home = {"SCORING_HOME": str(registry.settings.home), "SCORING_THREADS": "1"}
    return CliRunner().invoke(app, list(map(str, arguments)), env=home, prog_name="scoring")


def test_promoted_and_rolled_back(registry: Registry) -> None:
    done = run(registry, "promote", registry.small[:8])
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["champion", FIRST]
    assert lines[2].split() == ["run", registry.small]
    assert "on 60 labelled records of 31 days" in lines
    assert f"promoted: {SECOND} is the champion of scoring" in lines
    assert " ".join(done.stdout.split()).endswith("simultaneous for subsets.")
    back = run(registry, "rollback", "--reason", "too many were published")
    assert (back.exit_code, back.stderr) == (0, "")
    assert [line.split()[:2] for line in back.stdout.splitlines()] == [
        ["champion", FIRST],
        ["previous", SECOND],
    ]
    (version,) = read_run(
        Store(registry.settings.tracking_uri, registry.settings.home), registry.small
    ).summary.versions
    assert version.tags["rolled_back_reason"] == "too many were published"
    assert json.loads(run(registry, "rollback", "--json").stdout)["champion"] == SECOND


def test_refused_with_its_reasons_and_an_exit_code(registry: Registry) -> None:
    done = run(registry, "promote", registry.worse)
    assert (done.exit_code, done.stderr) == (3, "")
    assert f"refused: {FIRST} stays champion" in done.stdout
    assert "expected its interval above 0" in " ".join(done.stdout.split())
    as_json = run(registry, "promote", registry.worse, "--json")
    output = json.loads(as_json.stdout)
    assert (as_json.exit_code, output["outcome"], output["champion"]) == (3, "refused", FIRST)
    assert output["verdict"]["checks"][0]["figure"] == "quality_mae"


def test_dry_runs_and_force(registry: Registry) -> None:
    dry = run(registry, "promote", registry.worse, "--dry-run", "--force", "--reason", "the editors ask")
    assert dry.exit_code == 0
    assert "would be promoted (gate overridden)" in dry.stdout
    done = run(registry, "promote", registry.worse, "--force", "--reason", "the editors ask", "--json")
    output = json.loads(done.stdout)
    assert (done.exit_code, output["by"], output["version"], output["champion"]) == (
        0,
        "force",
        SECOND,
        FIRST,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--force"], "--force requires --reason TEXT, and --reason requires --force"),
        (["--reason", "so"], "--force requires --reason TEXT, and --reason requires --force"),
        (["--margin", "0.1"], "--margin requires --allow-equal"),
        (["--metric", "beauty"], "--metric: got 'beauty'"),
    ],
)
def test_options_that_do_not_go_together(registry: Registry, options: list[str], message: str) -> None:
    done = run(registry, "promote", registry.small, *options)
    assert done.exit_code == 2
    assert message in done.stderr


def test_what_the_gate_is_asked_for(
    registry: Registry, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gates: list[GateConfig] = []

    def answer(*_: object, gate: GateConfig, **__: Any) -> None:
        gates.append(gate)
        raise KeyboardInterrupt

    monkeypatch.setattr(retrain, "retrain", answer)
    for options in (
        (),
        ("--allow-equal",),
        ("--allow-equal", "--margin", "0.1", "--metric", "lead_accuracy"),
    ):
        assert run(registry, "retrain", archive, *options).exit_code == 130
    assert [(gate.figure, gate.margin) for gate in gates] == [
        ("quality_mae", None),
        ("quality_mae", 0.02),
        ("lead_accuracy", 0.1),
    ]


def test_a_retraining_without_anything_new(registry: Registry, archive: Path) -> None:
    done = run(registry, "retrain", archive, "--quiet")
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"unchanged: {FIRST} stays champion" in done.stdout
    assert "no new data to evaluate on since" in done.stdout
    as_json = run(registry, "retrain", archive, "--quiet", "--json")
    output = json.loads(as_json.stdout)
    assert (as_json.exit_code, output["outcome"], output["is_promoted"]) == (0, "unchanged", False)


@pytest.mark.parametrize(
    ("outcome", "champion", "notes"),
    [
        ("promoted", FIRST, ["nothing was promoted; this does: scoring promote 12ab --name news"]),
        ("refused", FIRST, []),
        ("unchanged", FIRST, ["page.html was not written: no model was trained"]),
        ("refused", None, ["page.html was not written: no champion to compare with"]),
    ],
)
def test_what_a_judgement_without_promotion_leads_to(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, outcome: Any, champion: str | None, notes: list[str]
) -> None:
    result = PromoteOutcome(
        name="news",
        model="",
        run_id="12ab",
        version=None,
        champion=champion,
        is_promoted=outcome == "promoted",
        outcome=outcome,
        is_dry_run=True,
        by="gate",
        verdict=refuse("why", GateConfig()),
        data_sha256="",
    )
    monkeypatch.setattr(retrain, "retrain", lambda *_, **__: result)
    options = ("archive", "--no-promote", "--html", "page.html", "--name", "news")
    assert run(registry, "retrain", *options).stderr.splitlines() == notes
    assert run(registry, "retrain", *options, "--quiet").stderr == ""


@pytest.mark.parametrize(("outcome", "code"), [("promoted", 0), ("refused", 3), ("unchanged", 0)])
def test_exit_code_of_each_outcome_of_a_retraining(
    registry: Registry, archive: Path, monkeypatch: pytest.MonkeyPatch, outcome: Any, code: int
) -> None:
    result = PromoteOutcome(
        name="scoring",
        model="",
        run_id=None,
        version=SECOND,
        champion=FIRST,
        is_promoted=outcome == "promoted",
        outcome=outcome,
        is_dry_run=False,
        by="gate",
        verdict=refuse("why", GateConfig()),
        data_sha256="",
    )
    monkeypatch.setattr(retrain, "retrain", lambda *_, **__: result)
    done = run(registry, "retrain", archive)
    assert done.exit_code == code
    assert f"{outcome}: " in done.stdout
    assert json.loads(run(registry, "retrain", archive, "--json").stdout)["outcome"] == outcome
