"""`scoring runs` and `scoring compare` from the command line."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scoring.cli import app
from scoring.tracking import Store, SyncedRun
from scoring.tracking.store import opened
from scoring.workflows import compare
from tests.conftest import KeptRuns, Registry

pytestmark = pytest.mark.usefixtures("undrawn_plots")


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "N_DRAWS", 30)
    monkeypatch.setattr(compare, "N_PART_DRAWS", 10)


def run(kept_runs: KeptRuns | None, *arguments: str) -> Result:
    environment = {"SCORING_HOME": str(kept_runs.settings.home)} if kept_runs else {}
    return CliRunner().invoke(app, [*arguments], env=environment, prog_name="scoring")


def test_runs_are_listed(kept_runs: KeptRuns) -> None:
    done = run(kept_runs, "runs", "--limit", "3")
    assert (done.exit_code, done.stderr) == (0, "3 runs; the store has more: --limit N shows N of them\n")
    head, broken, other, small = (line.split() for line in done.stdout.splitlines())
    assert head[:6] == ["run", "when", "(UTC)", "name", "kind", "aliases"]
    assert broken[:6] == [kept_runs.failed[:7], "2019-01-04", "00:00", "broken", "evaluate", "failed"]
    assert other[-1] == "0123456+"
    assert small[:7] == [kept_runs.trained[:7], "2019-01-02", "00:00", "small", "train", "champion", "v1"]


def test_runs_for_programs(kept_runs: KeptRuns) -> None:
    done = run(kept_runs, "runs", "--sort", "quality_mae", "--limit", "2", "--json")
    best, second = json.loads(done.stdout)
    assert (best["run_id"], best["metrics"]["quality_mae"], best["is_dirty"]) == (kept_runs.judged, 0.0, True)
    assert second["versions"] == [{"name": "scoring", "number": 1, "aliases": ["champion"], "tags": {}}]
    assert second["started_at"] == "2019-01-02T00:00:00Z"


@pytest.mark.parametrize(("flag", "printed"), [("--debug", ""), ("--json", "[]\n")])
def test_no_runs_yet(flag: str, printed: str) -> None:
    done = run(None, "runs", flag)
    assert (done.exit_code, done.stdout) == (0, printed)
    assert done.stderr == ("" if flag == "--json" else "0 runs\n")


def test_runs_are_compared(kept_runs: KeptRuns) -> None:
    done = run(
        kept_runs, "compare", kept_runs.trained[:7], kept_runs.judged[:7], "--limit", "0", "--no-track"
    )
    assert (done.exit_code, done.stderr) == (0, "")
    assert "quality_mae" in done.stdout
    assert "published would change for" in done.stdout
    assert "more: --limit shows them" in done.stdout


def test_comparison_for_programs(kept_runs: KeptRuns) -> None:
    several = [kept_runs.trained, kept_runs.judged, kept_runs.fewer]
    done = run(kept_runs, "compare", *several, "--json", "--no-track")
    first, second = json.loads(done.stdout)["comparisons"]
    assert first["second"]["run_id"] == kept_runs.judged
    assert second["second"]["run_id"] == kept_runs.fewer
    assert first["differences"]["quality_mae"]["second"] == 0.0
    assert len(first["flips"]) == first["flip_counts"]["n_flips"] > 0
    assert first["flips"][0]["first"]["published"] is not first["flips"][0]["second"]["published"]
    assert first["notes"] == done.stderr.splitlines()


def test_comparison_as_a_page(kept_runs: KeptRuns, tmp_path: Path) -> None:
    page = tmp_path / "pages" / "found.html"
    done = run(kept_runs, "compare", kept_runs.trained, kept_runs.judged, "--html", str(page), "--no-track")
    assert (done.exit_code, done.stderr) == (0, f"{page}: the comparison as a page\n")
    assert done.stdout.startswith("first ")
    text = page.read_text("utf-8")
    assert text.lower().startswith("<!doctype html>")
    assert f"other {kept_runs.judged[:8]}" in text
    several = [kept_runs.trained, kept_runs.judged, kept_runs.fewer]
    done = run(kept_runs, "compare", *several, "--html", str(tmp_path / "several.html"))
    assert done.exit_code == 2
    assert "--html requires two runs, got 3" in done.stderr
    assert not (tmp_path / "several.html").exists()


def test_a_compared_run_gets_the_page(registry: Registry) -> None:
    settings = registry.settings
    done = CliRunner().invoke(
        app,
        ["compare", registry.weak, registry.small, "--html", "found.html"],
        env={"SCORING_HOME": str(settings.home)},
    )
    address = f"runs:/{registry.small}/comparisons/{registry.weak}.html"
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (0, f"{address}: the comparison as a page")
    with opened(Store(settings.tracking_uri, settings.home), "look", writes=False) as client:
        page = client.download_artifacts(registry.small, f"comparisons/{registry.weak}.html")
    assert Path(page).read_bytes() == Path("found.html").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare"], "Missing argument"),
        (["compare", "abcdef"], "no run or file 'abcdef'"),
        (["runs", "--sort", "loss"], "sort: got 'loss', expected a metric of the runs: quality_mae"),
        (["runs", "--limit", "0"], "--limit"),
    ],
)
def test_wrong_usage(kept_runs: KeptRuns, arguments: list[str], message: str) -> None:
    done = run(kept_runs, *arguments)
    assert done.exit_code == 2
    assert message in done.stderr


def test_what_became_of_pending_runs_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = SyncedRun("pending/a", "0123", "runs:/0123/model", 2)
    other = SyncedRun("pending/b", "4567")
    damaged = SyncedRun("pending/c", error="pending/c: damaged")
    late, later = (SyncedRun(f"pending/{name}", error="store: full") for name in "de")
    outcomes = {
        (whole, other): (0, "2 of 2 pending runs uploaded\n"),
        (whole, damaged, other): (1, "error: pending/c: damaged\n2 of 3 pending runs uploaded\n"),
        (late, later): (2, "error: store: full: kept pending/d, pending/e\n"),
        (late, damaged): (2, "error: store: full: kept pending/d\nerror: pending/c: damaged\n"),
        (whole, late, later): (
            1,
            "error: store: full: kept pending/d, pending/e\n1 of 3 pending runs uploaded\n",
        ),
        (damaged,): (2, "error: pending/c: damaged\n"),
        (): (0, "0 of 0 pending runs uploaded\n"),
    }
    lines = {whole: "pending/a: run 0123, version 2\n", other: "pending/b: run 4567\n"}
    for synced, (code, stderr) in outcomes.items():
        monkeypatch.setattr("scoring.workflows.sync.sync", lambda *_, synced=synced, **__: list(synced))
        done = run(None, "runs", "sync")
        assert (done.exit_code, done.stderr) == (code, stderr)
        assert done.stdout == "".join(lines.get(synced_run, "") for synced_run in synced)
        done = run(None, "runs", "sync", "--json", "--quiet")
        assert done.exit_code == code
        assert json.loads(done.stdout) == [asdict(synced_run) for synced_run in synced]
