"""A home with two trainings is moved: every command works in the new place, and none recreates the old."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import pytest
from typer.testing import CliRunner, Result

from scoring.cli import app
from scoring.records.synthetic.generate import write_sample
from scoring.storage.home import FORMAT_FILE, prepare_home
from tests.integration.test_commands import SMALL
from tests.integration.test_service import serving

pytestmark = pytest.mark.usefixtures("undrawn_plots")

LEDGER_LINE = {
    "at": "2019-01-01T12:00:00Z",
    "path": "a.md",
    "record_sha256": "a" * 64,
    "own_sha256": "b" * 64,
    "field": "quality",
    "predicted": 52,
    "value": 67,
    "model": "first@01234567",
}


def run(*arguments: object, code: int = 0) -> Result:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="scoring")
    assert done.exit_code == code, done.output
    return done


def as_json(*arguments: object) -> dict[str, object]:
    printed: dict[str, object] = json.loads(run(*arguments, "--json").stdout)
    return printed


def model_of(folder: Path) -> str:
    (line,) = {
        json.loads(line)["model"] for line in run("score", folder, "--format", "jsonl").stdout.splitlines()
    }
    return str(line)


@pytest.mark.exhaustive
def test_every_command_goes_on_with_a_moved_home(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = tmp_path / "old" / "home", tmp_path / "new place"
    prepare_home(old)
    shutil.copy(template, old)
    monkeypatch.setenv("SCORING_HOME", str(old))
    monkeypatch.setenv("SCORING_THREADS", "1")
    write_sample(tmp_path / "archive", n_records=200, seed=1)
    write_sample(tmp_path / "inbox", n_records=3, seed=3, is_labelled=False)
    runs = {}
    for name in ("first", "second"):
        (tmp_path / f"{name}.yaml").write_text(SMALL + f"seed: {len(name)}\n")
        if name == "second":  # learns with a ledger in the home
            (old / "corrections.jsonl").touch(mode=0o600)
            (old / "corrections.jsonl").write_text(json.dumps(LEDGER_LINE) + "\n")
            extra = ["--corrections", old / "corrections.jsonl"]
        else:
            extra = []
        trained = as_json(
            "train", tmp_path / "archive", "--config", f"{name}.yaml", "--register", "scoring", *extra
        )
        runs[name] = str(trained["run_id"])
    for name in ("first", "second"):
        run("promote", runs[name], "--force", "--reason", "a test")
    before = model_of(tmp_path / "inbox")
    assert before.startswith("second@")

    old.parent.rename(tmp_path / "moved")
    (tmp_path / "moved" / "home").rename(new)
    monkeypatch.setenv("SCORING_HOME", str(new))

    assert model_of(tmp_path / "inbox") == before
    run("compare", runs["first"], runs["second"], "--html", "page.html")
    assert list((new / "artifacts" / runs["second"]).rglob("comparisons/*.html"))
    reproduced = run("reproduce", runs["second"])
    assert f"is read from the current home: {new}/corrections.jsonl" in reproduced.stderr
    assert run("rollback").stdout.split()[1:3] == ["models:/scoring/1", model_of(tmp_path / "inbox")]
    run("promote", runs["second"], "--force", "--reason", "back again")
    with serving(tmp_path, SCORING_HOME=str(new)) as service:
        assert json.loads(service.ask("/v1/model")[1])["name"] == before
    begins_at = datetime(2019, 3, 1, tzinfo=UTC)
    write_sample(tmp_path / "later", n_records=100, seed=1, begins_at=begins_at, days=60)
    evaluated = as_json("evaluate", tmp_path / "later")
    assert (new / "artifacts" / str(evaluated["run_id"]) / "artifacts" / "evaluation.json").is_file()
    # Whether it is promoted is for the gate to say; it is trained, logged and judged.
    done = CliRunner().invoke(app, ["retrain", "archive", "later", "--json"], prog_name="scoring")
    assert done.exit_code in (0, 3), done.output
    retrained = json.loads(done.stdout)
    assert retrained["champion"] == "models:/scoring/2"
    assert (new / "artifacts" / retrained["run_id"] / "artifacts" / "evaluation.json").is_file()
    before = model_of(tmp_path / "inbox")

    report = as_json("home", "check")
    states = {item["state"] for item in report["artifacts"] if item["kind"] == "version"}  # type: ignore[attr-defined]
    assert (states, report["problems"], report["wider"]) == (states | {"moved"}, [], [])
    repaired = run("home", "check", "--repair")
    assert "addresses repaired; the database from before: " in repaired.stderr
    report = as_json("home", "check")
    assert {item["state"] for item in report["artifacts"] if item["kind"] != "experiment"} == {"here"}  # type: ignore[attr-defined]
    assert model_of(tmp_path / "inbox") == before
    # Programs that know nothing of scoring find it too.
    store = f"sqlite:///{new}/mlflow.db"
    address = mlflow.MlflowClient(store, registry_uri=store).get_model_version_download_uri("scoring", "2")
    assert address.startswith(new.as_uri())
    assert not old.exists()
    shutil.rmtree(new / "artifacts" / "models")
    lost = run("home", "check", code=1)
    assert "version models:/scoring/2 @" in lost.stderr
    assert (new / FORMAT_FILE).is_file()
