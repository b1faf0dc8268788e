"""`scoring home check` from the command line, and homes of a newer format."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from scoring.cli import app
from scoring.records.ledger import Correction, append_corrections
from scoring.records.synthetic.generate import write_sample
from scoring.storage.home import FORMAT_FILE, prepare_home
from tests.conftest import KeptRuns


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="scoring")


def check(*arguments: object) -> tuple[int, dict[str, Any]]:
    done = run("home", "check", "--json", *arguments)
    report: dict[str, Any] = json.loads(done.stdout)
    assert [line for line in done.stderr.splitlines() if "repaired" not in line] == report["problems"]
    return done.exit_code, report


@pytest.fixture
def home(kept_runs: KeptRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a home with runs, versions, a ledger and caches, while the original is there too."""
    folder = tmp_path / "copy"
    shutil.copytree(kept_runs.settings.home, folder)
    folder.chmod(0o700)
    prepare_home(folder)
    correction = Correction(
        at=datetime(2019, 1, 1, tzinfo=UTC),
        path="a.md",
        record_sha256="a" * 64,
        own_sha256="b" * 64,
        field="quality",
        predicted=52,
        value=67,
        model="small@01234567",
    )
    append_corrections(folder / "corrections.jsonl", [correction])
    monkeypatch.setenv("SCORING_HOME", str(folder))
    return folder


def files(home: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_a_home_that_is_whole(home: Path, kept_runs: KeptRuns) -> None:
    (home / "journal.jsonl").write_text('{"format": 4}\n')
    (home / "champions").mkdir(exist_ok=True)
    before = files(home)
    code, report = check()
    assert (code, report["problems"], report["home"], report["format"]) == (0, [], str(home), 1)
    entries = {entry["name"]: entry for entry in report["entries"]}
    assert {
        "artifacts",
        "champions",
        "corrections.jsonl",
        "home.json",
        "journal.jsonl",
        "mlflow.db",
    } <= entries.keys()
    assert entries["corrections.jsonl"]["formats"] == ["1"]
    assert entries["journal.jsonl"]["formats"] == ["4"]
    assert entries["mlflow.db"]["formats"][0].startswith("MLflow ")
    assert entries["artifacts"]["n_bytes"] == sum(
        path.stat().st_size for path in (home / "artifacts").rglob("*") if path.is_file()
    )
    (version,) = (item for item in report["artifacts"] if item["kind"] == "version")
    assert (version["name"], version["aliases"], version["state"]) == (
        "models:/scoring/1",
        ["champion"],
        "moved",
    )
    runs = {item["name"] for item in report["artifacts"] if item["kind"] == "run"}
    assert runs == {kept_runs.fewer, kept_runs.trained, kept_runs.judged}
    assert files(home) == before  # nothing is changed by looking
    shown = run("home").stdout
    assert "models:/scoring/1" in shown
    assert "not made by scoring" not in shown


def test_what_is_missing_or_damaged_is_named(home: Path, kept_runs: KeptRuns) -> None:
    original = kept_runs.settings.home
    shutil.rmtree(home / "artifacts" / kept_runs.judged)
    with closing(sqlite3.connect(home / "mlflow.db")) as db, db:  # the original is not there for it
        db.execute("UPDATE runs SET artifact_uri = replace(artifact_uri, ?, '/gone')", (str(original),))
    (manifest,) = (home / "artifacts" / "models").rglob("manifest.json")
    manifest.write_bytes(manifest.read_bytes().replace(b"small", b"SMALL"))
    with (home / "corrections.jsonl").open("a") as ledger:
        ledger.write('{"at": "2019-')
    code, report = check()
    assert code == 1
    run_, version, line = report["problems"]
    path = home / "artifacts" / kept_runs.judged / "artifacts"
    assert run_.endswith(f"run {kept_runs.judged}: {path} is missing: restore it from a backup")
    assert f"version models:/scoring/1 @champion: {manifest}: got other bytes than its hash names" in version
    assert line.startswith(f"{home}/corrections.jsonl:2: got a line that is not JSON")


def test_a_store_that_has_lost_its_champion_is_named(home: Path) -> None:
    write_sample(home.parent / "inbox", n_records=1, seed=1)
    assert run("score", home.parent / "inbox").exit_code == 0  # which is copied
    assert check()[0] == 0
    with closing(sqlite3.connect(home / "mlflow.db")) as db, db:
        db.execute("DELETE FROM registered_model_aliases")
    code, report = check()
    (lost,) = report["problems"]
    assert code == 1
    assert lost.startswith(
        f"no champion of scoring in sqlite:///{home}/mlflow.db, but this home has a copy of "
    )
    (facts,) = (home / "champions").glob("*/champion.json")
    facts.write_text("{")
    (damaged,) = check()[1]["problems"]
    assert damaged.startswith(f"{facts}: got damaged JSON")


def test_a_store_that_is_gone_and_a_home_that_is_gone(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "mlflow.db").unlink()
    code, report = check()
    assert (code, len(report["problems"])) == (1, 1)
    (lost,) = report["problems"]
    assert "no such file, while" in lost
    for command in (["runs"], ["rollback"], ["ui"], ["promote", "0123456"], ["reproduce", "0123456"]):
        done = run(*command)
        assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"error: {lost}\n"), command
    assert not (home / "mlflow.db").exists()
    monkeypatch.setenv("SCORING_HOME", str(tmp_path / "none"))
    assert check() == check("--repair")
    code, report = check()
    assert (code, report["problems"]) == (
        1,
        [f"{tmp_path}/none: no such folder: set SCORING_HOME, or restore it from a backup"],
    )
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("content", [b"", b"\xff" * 9000], ids=["empty", "garbage"])
def test_a_store_that_cannot_be_read_is_a_problem_and_the_rest_is_reported(
    home: Path, content: bytes
) -> None:
    (home / "mlflow.db").write_bytes(content)
    with (home / "corrections.jsonl").open("a") as ledger:
        ledger.write('{"at": "2019-')
    code, report = check()
    assert code == 1
    store, line = report["problems"]
    assert store.startswith(f"sqlite:///{home}/mlflow.db: cannot ")
    assert line.startswith(f"{home}/corrections.jsonl:2: got a line that is not JSON")
    assert "artifacts" in {entry["name"] for entry in report["entries"]}


def test_a_link_that_leads_nowhere_is_reported_like_any_other_entry(home: Path) -> None:
    (home / "mlflow.db").unlink()
    (home / "mlflow.db").symlink_to("gone.db")
    code, report = check()
    assert (code, len(report["problems"])) == (1, 1)
    assert "no such file, while" in report["problems"][0]
    assert "mlflow.db" in {entry["name"] for entry in report["entries"]}


@pytest.mark.parametrize(
    ("name", "cause"),
    [("watch/a.db", "cannot be read: delete it"), ("pending/a/run.json", "cannot read the run: a FIFO")],
)
def test_a_fifo_in_the_home_is_not_waited_for(home: Path, name: str, cause: str) -> None:
    fifo = home / name
    fifo.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(fifo)
    code, report = check()
    assert code == 1
    assert [f"{fifo}: {cause}" in problem for problem in report["problems"]] == [True]


def test_a_fifo_in_the_place_of_the_format_file_is_a_damaged_one(home: Path) -> None:
    (home / FORMAT_FILE).unlink()
    os.mkfifo(home / FORMAT_FILE)
    done = run("home", "check")
    assert done.exit_code == 2
    assert f"{home / FORMAT_FILE}: cannot be read (not a regular file): restore it" in done.stderr


def test_repair_is_reported_and_changes_what_it_has_to(home: Path, kept_runs: KeptRuns) -> None:
    (home / FORMAT_FILE).unlink()
    before = (home / "mlflow.db").read_bytes()
    code, report = check("--repair")
    assert (code, report["format"]) == (0, 1)
    assert {item["state"] for item in report["artifacts"] if item["kind"] != "experiment"} == {"here"}
    assert report["n_repaired"] > 4
    assert Path(report["backup"]).read_bytes()[100:] == before[100:]
    assert check("--repair")[1]["backup"] is None
    with closing(sqlite3.connect(home / "mlflow.db")) as db:
        assert not [line for line in db.iterdump() if kept_runs.settings.home.as_uri() in line]


def test_wider_modes_are_reported_and_not_changed(home: Path) -> None:
    for path in (home, *home.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    assert check()[1]["n_wider"] == 0
    home.chmod(0o755)
    (home / "corrections.jsonl").chmod(0o644)
    code, report = check("--repair")
    assert (code, report["mode"], report["n_wider"]) == (0, "0755", 2)
    assert report["wider"] == [str(home), str(home / "corrections.jsonl")]
    assert f"chmod -R go= {home}" in " ".join(run("home", "check").stdout.split())
    assert home.stat().st_mode & 0o777 == 0o755


def newer_cache(home: Path) -> Path:
    file = home / "cache" / "features.db"
    file.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 2")
    return file


def newer_watch(home: Path) -> Path:
    file = home / "watch" / f"{'0' * 16}.db"
    file.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 2")
    return file


def newer_pending(home: Path) -> Path:
    file = home / "pending" / "20190101T000000Z-a-000000" / "run.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('{"format": 3, "of": "the future"}')
    return file


def newer_ledger(home: Path) -> str:
    with (home / "corrections.jsonl").open("a") as ledger:
        ledger.write('{"format": 2, "of": "the future"}\n')
    return f"{home}/corrections.jsonl:2"


@pytest.mark.parametrize("make", [newer_cache, newer_watch, newer_pending, newer_ledger])
def test_files_of_a_newer_format_are_named(home: Path, make: Any) -> None:
    file = make(home)
    newer = 3 if make is newer_pending else 2
    supported = f"than this version of scoring supports ({newer - 1})"
    message = f"{file}: format {newer} is newer {supported}: upgrade scoring"
    code, report = check()
    assert (code, report["problems"]) == (1, [message])


def test_a_newer_home_is_refused_by_every_command_that_uses_one(home: Path, tmp_path: Path) -> None:
    write_sample(tmp_path / "inbox", n_records=3, seed=3)
    (home / FORMAT_FILE).write_text('{"format": 2}\n')
    before = files(home)
    inbox = str(tmp_path / "inbox")
    message = f"error: {home}: format 2 is newer than this version of scoring supports (1): upgrade scoring\n"
    for arguments in (
        ["score", inbox],
        ["train", inbox],
        ["retrain", inbox],
        ["evaluate", inbox],
        ["watch", inbox],
        ["serve", "--port", "0"],
        ["promote", "0123456"],
        ["rollback"],
        ["runs"],
        ["runs", "sync"],
        ["cache"],
        ["ui"],
        ["home", "check"],
        ["home", "check", "--repair"],
    ):
        done = run(*arguments)
        assert (done.exit_code, done.stderr) == (2, message), arguments
    assert run("config").exit_code == 0
    assert files(home) == before


def test_scores_leave_nothing_that_others_can_read(tmp_path: Path) -> None:
    write_sample(tmp_path / "inbox", n_records=3, seed=3)
    before = os.umask(0)
    try:
        done = run("score", tmp_path / "inbox")
    finally:
        os.umask(before)
    assert done.exit_code == 0
    made = [tmp_path / ".scoring", *(tmp_path / ".scoring").rglob("*")]
    assert any(path.name == "features.db" for path in made)
    assert [str(path) for path in made if path.stat().st_mode & 0o077] == []
