from __future__ import annotations

import gc
import json
import os
import pty
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner, Result

import scoring
from scoring import cli
from scoring.cli import options
from scoring.errors import ModelError
from scoring.records.synthetic.policy import Policy

COMMANDS = (
    "demo",
    "init",
    "sample",
    "validate",
    "features",
    "relate",
    "audit",
    "suggest",
    "drift",
    "train",
    "evaluate",
    "backtest",
    "tune",
    "reproduce",
    "score",
    "explain",
    "policy",
    "watch",
    "restore",
    "runs",
    "compare",
    "promote",
    "rollback",
    "retrain",
    "export",
    "import",
    "serve",
    "ui",
    "config",
    "home",
    "cache",
)
SLOW_MODULES = [
    "fastapi",
    "lightgbm",
    "matplotlib",
    "mlflow",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "rich",
    "ryml",
    "uvicorn",
    "yaml",
]


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(
        cli.app, [str(argument) for argument in arguments], prog_name="scoring", input=stdin
    )


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "scoring", *arguments]


def test_commands_are_these_in_this_order() -> None:
    group = typer.main.get_command(cli.app)
    assert isinstance(group, TyperGroup)
    assert tuple(group.list_commands(typer.Context(group))) == COMMANDS
    assert group.commands.keys() == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_each_command_has_a_help(command: str, flag: str) -> None:
    done = run(command, flag)
    assert done.exit_code == 0
    assert done.stdout.startswith(f"Usage: scoring {command} ")
    for shared in ("--quiet", "--verbose", "--debug"):
        assert shared in done.stdout


def test_help_loads_nothing_slow() -> None:
    source = (
        "import sys; from scoring.cli import app\n"
        "try: app(['--help'])\n"
        f"except SystemExit: print(sorted(set(sys.modules) & set({SLOW_MODULES})), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_help_is_there_at_once() -> None:
    def cpu_seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(program("--help"), capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Time of the processor and the best of some, so that a busy machine does not decide.
    assert min(cpu_seconds() for _ in range(5)) < 0.25


@pytest.mark.parametrize(("set_by_user", "expected"), [(None, "1"), ("3", "3")])
def test_algebra_has_one_thread_unless_more_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, set_by_user: str | None, expected: str
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", set_by_user or "")
    if set_by_user is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    monkeypatch.setattr(sys, "argv", ["scoring", "--version"])
    threshold = gc.get_threshold()
    with pytest.raises(SystemExit):
        cli.main()
    gc.unfreeze()
    gc.set_threshold(*threshold)
    assert os.environ["OPENBLAS_NUM_THREADS"] == expected


def test_version_is_the_distribution() -> None:
    assert run("--version").stdout == f"scoring {scoring.__version__}\n"


def test_without_a_command_the_help_is_shown() -> None:
    done = run()
    assert done.exit_code == 2
    assert "Usage: scoring [OPTIONS] COMMAND" in done.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["config"], 0, ""),
        (["sample", "new", "--records", "3", "--quiet"], 0, ""),
        (["unknown"], 2, "No such command"),
        (["config", "--unknown"], 2, "No such option"),
        (["validate"], 2, "Missing argument"),
        (["validate", "absent"], 2, "error: absent: "),
        (["validate", "bad.md"], 1, "bad.md:2: images: got 'high', expected a list"),
        (["train"], 2, "Missing argument"),
        (["sample", "new", "--records", "0"], 2, "--records"),
        (
            ["sample", "new", "--provider-points", "1,x"],
            2,
            "got '1,x', expected integers separated by commas",
        ),
        (["sample", "new", "--noise-ratio", "2"], 2, "noise_ratio"),
        (["sample", "full"], 2, "error: full: got a folder or file with content, expected a new or empty"),
        (
            ["score", "full", "--as-of", "noon"],
            2,
            "got 'noon', expected a time such as 2021-03-04T05:06:07Z",
        ),
        (["score", "full", "--dry-run"], 2, "--dry-run requires --write"),
        (["score", "full", "--overwrite"], 2, "--overwrite requires --write"),
        (["score", "full", "--allow-unknown"], 2, "--allow-unknown requires --write"),
        (["watch", "full", "--overwrite"], 2, "--overwrite requires --write"),
        (["restore", "full"], 2, "require --write-id ID"),
        (["restore", "--write-id", "w9", "full"], 2, "no write 'w9' in "),
        (["restore", "--write-id", "w9", "--json"], 2, "--json applies only to the list of writes"),
        (
            ["score", "full", "--write", "--format", "csv"],
            2,
            "--write cannot be combined with --format, --output",
        ),
        (["score", "full", "--format", "xml"], 2, "xml"),
        (["features", "full"], 2, "expected PATH... with --output FILE.parquet, or --catalogue"),
        (["ui", "--port", "0"], 2, "--port"),
    ],
)
def test_exit_codes(tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("kept")
    (tmp_path / "bad.md").write_text("---\nimages: high\n---\n")
    done = run(*arguments)
    assert (done.exit_code, message in done.stderr) == (code, True), done.output


def test_bad_settings_stop_the_command(tmp_path: Path) -> None:
    (tmp_path / "scoring.yaml").write_text("sed: 3\n")
    done = run("config")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: scoring.yaml: sed: no such setting, expected one of home, ")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make the ``config`` command fail with an error."""

    def fail_with(error: BaseException) -> None:
        def fail(**_: Any) -> None:
            raise error

        monkeypatch.setattr("scoring.settings.settings_origins", fail)

    return fail_with


@pytest.mark.parametrize(
    ("error", "code", "stderr"),
    [
        (
            ModelError("models/x: got nothing, expected a model"),
            2,
            "error: models/x: got nothing, expected a model\n",
        ),
        (PermissionError(13, "Permission denied", "out"), 2, "error: out: Permission denied\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_ways_to_stop(
    failing: Callable[[BaseException], None], error: BaseException, code: int, stderr: str
) -> None:
    failing(error)
    done = run("config")
    assert (done.exit_code, done.stdout, done.stderr) == (code, "", stderr)


def test_a_defect_is_distinguished_from_a_wrong_input(failing: Callable[[BaseException], None]) -> None:
    failing(KeyError("quality"))
    done = run("config")
    assert done.exit_code == 70
    assert "Traceback" in done.stderr
    assert "KeyError: 'quality'" in done.stderr
    assert done.stderr.endswith("error: this is a defect of scoring; please report it with the trace above\n")


@pytest.mark.parametrize("arguments", [["--debug", "config"], ["config", "--debug"]])
def test_debug_shows_the_trace(failing: Callable[[BaseException], None], arguments: list[str]) -> None:
    failing(ModelError("no model"))
    done = run(*arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("error: no model\n")


def test_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(program("config", "--json"), stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_quiet_stands_before_or_after_the_command() -> None:
    assert run("sample", "a", "--records", "3").stderr == "a: 3 records\n"
    assert run("--quiet", "sample", "b", "--records", "3").stderr == ""
    assert run("sample", "c", "--records", "3", "-q").stderr == ""


def test_sample_is_drawn_from_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def contents(folder: str) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in (tmp_path / folder).glob("*.md")}

    assert run("sample", "a", "--records", "5", "--seed", "3").exit_code == 0
    monkeypatch.setenv("SCORING_SEED", "3")
    assert run("sample", "b", "--records", "5").exit_code == 0
    assert run("sample", "c", "--records", "5", "--seed", "4").exit_code == 0
    assert run("sample", "d", "--records", "5", "--unlabelled").exit_code == 0
    assert len(contents("a")) == 5
    assert contents("a") == contents("b")
    assert contents("a") != contents("c")
    assert all(b"\nheat:" in text for text in contents("a").values())
    assert not any(b"\nheat:" in text for text in contents("d").values())


def test_each_field_of_the_policy_is_an_option_that_says_what_it_is() -> None:
    text = run("sample", "--help").stdout
    assert [field.name for field in fields(Policy)] == list(options.POLICY_HELP)
    for name in options.POLICY_HELP:
        assert f"--{name.replace('_', '-')} " in text


def test_policy_reaches_the_labels(tmp_path: Path) -> None:
    policy = ["--scale", "1e-6", "--shift", "41", "--provider-points", "1,2"]
    assert run("sample", "a", "--records", "5", *policy).exit_code == 0
    for file in (tmp_path / "a").glob("*.md"):
        assert "\nquality: 41\n" in file.read_text()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021-07-15T12:00:00Z", datetime(2021, 7, 15, 12, tzinfo=UTC)),
        ("2021-07-15T12:00:00-08:00", datetime(2021, 7, 15, 20, tzinfo=UTC)),
        ("2021-07-15T12:00", datetime(2021, 7, 15, 12, tzinfo=UTC)),
        ("2021-07-15", datetime(2021, 7, 15, tzinfo=UTC)),
    ],
)
def test_time_is_utc_where_it_has_no_zone(text: str, expected: datetime) -> None:
    time = options.parse_as_of(text)
    assert isinstance(time, datetime)
    assert time == expected
    assert time.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("text", "hours"), [("published", 0), ("published+6h", 6), ("+48h", 48), ("+0.5h", 0.5)]
)
def test_time_may_count_from_publication(text: str, hours: float) -> None:
    assert options.parse_as_of(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["15/7/2021", "", "published+", "published-6h", "6h", "+h"])
def test_bad_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=f"got '{re.escape(text)}', expected a time such as"):
        options.parse_as_of(text)


def test_validate_reports_what_can_be_used(tmp_path: Path) -> None:
    run("sample", "inbox", "--records", "4")
    (tmp_path / "inbox" / "bad.md").write_text("---\ntitle: [a]\nimages: high\n---\n")
    done = run("validate", "inbox")
    assert (done.exit_code, done.stdout) == (1, "4 records can be used, 1 cannot\n")
    assert "inbox/bad.md:3: images: got 'high', expected a list\n" in done.stderr
    done = run("validate", "inbox", "--json")
    summary = json.loads(done.stdout)
    assert (done.exit_code, done.stderr) == (1, "")
    assert (summary["n_records"], summary["n_faulty"]) == (4, 1)
    assert {fault["path"] for fault in summary["faults"]} == {"inbox/bad.md"}
    (tmp_path / "inbox" / "bad.md").unlink()
    assert run("validate", "inbox").exit_code == 0


def test_validate_reads_standard_input() -> None:
    done = run("validate", "-", stdin=b'{"title": "A quiet harbour", "images": "high"}\n')
    assert (done.exit_code, done.stdout) == (1, "0 records can be used, 1 cannot\n")
    assert "-:1: images: got the text 'high', expected a list\n" in done.stderr


def test_config_reports_values_and_origins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:hidden@mlflow.example.com")
    rows = {row["name"]: row for row in json.loads(run("config", "--json").stdout)}
    assert rows["home"] == {"name": "home", "value": f"{tmp_path}/.scoring", "origin": "default"}
    assert rows["tracking_uri"]["value"] == "https://***@mlflow.example.com"
    assert rows["tracking_uri"]["origin"] == "environment MLFLOW_TRACKING_URI"
    table = run("config")
    assert "environment MLFLOW_TRACKING_URI" in table.stdout
    assert "hidden" not in table.output


def test_ui_says_why_it_cannot_be_served(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("ui", "--port", port, "--quiet")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: 127.0.0.1:{port}: cannot listen there: ")
    monkeypatch.setenv("SCORING_TRACKING_URI", "https://me:hidden@mlflow.example.com")
    done = run("ui", "--quiet")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "error: https://***@mlflow.example.com: is an MLflow server: open it in a browser\n"


def test_bars_are_on_a_terminal_only(tmp_path: Path) -> None:
    def stderr_on_a_terminal(*arguments: str) -> str:
        master_fd, slave_fd = pty.openpty()
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        done = subprocess.run(
            program("sample", *arguments),
            stdout=subprocess.PIPE,
            stderr=slave_fd,
            env=environment | {"TERM": "xterm"},
            check=True,
        )
        os.close(slave_fd)
        text = b""
        while True:
            try:
                part = os.read(master_fd, 4096)
            except OSError:  # how Linux tells that the other end is closed
                break
            if not part:
                break
            text += part
        os.close(master_fd)
        assert done.stdout == b""
        return text.decode()

    piped = subprocess.run(
        program("sample", "a", "--records", "1100"), capture_output=True, text=True, check=True
    )
    assert piped.stderr == "a: 1100 records\n"
    assert "writing" in stderr_on_a_terminal("b", "--records", "1100")
    assert stderr_on_a_terminal("c", "--records", "1100", "--quiet") == ""


def test_signals_are_the_callers_again_after_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's signal handlers are restored: a later signal does not end it."""
    monkeypatch.setattr(sys, "argv", ["scoring", "--version"])
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    threshold = gc.get_threshold()
    with pytest.raises(SystemExit):
        cli.main()
    gc.unfreeze()
    gc.set_threshold(*threshold)
    assert {number: signal.getsignal(number) for number in before} == before
    assert signal.set_wakeup_fd(-1) == -1
    for thread in threading.enumerate():
        if thread.name == "signals":
            thread.join(30)
            assert not thread.is_alive()
