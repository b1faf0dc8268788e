"""MLflow's pages for a store, and a store behind a server."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from scoring.errors import TrackingError
from scoring.tracking import Store, TrainingRun, champion, log_training, resolve_model, serve_ui, ui


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serving(store: Store, port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command's process, once its pages answer."""
    environment = {"SCORING_HOME": str(store.home), "SCORING_TRACKING_URI": store.tracking_uri}
    environment["SCORING_EXPERIMENT"] = "news"
    command = [sys.executable, "-m", "scoring", "ui", "--port", str(port)]
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=os.environ | environment, stdout=output, stderr=output) as process,
    ):
        try:
            end = time.monotonic() + 120
            while f"http://127.0.0.1:{port}\n" not in log.read_text("utf-8"):
                assert process.poll() is None, log.read_text("utf-8")
                assert time.monotonic() < end, log.read_text("utf-8")
                time.sleep(0.1)
            yield process
        finally:
            process.terminate()


def started_by(pid: int) -> set[int]:
    """Descendants of a process."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # one that has ended
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    pids, more = set[int](), {pid}
    while more := {child for child, parent in parents.items() if parent in more}:
        pids |= more
    return pids


def has_ended(pid: int) -> bool:
    """Whether a process has ended or is a zombie that its parent has not reaped yet."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


@pytest.mark.exhaustive
def test_pages_are_served_until_a_signal_ends_all_processes_and_give_the_same_model(
    store: Store, make_run: Callable[..., TrainingRun], tmp_path: Path, port: int
) -> None:
    run_id = log_training(store, make_run()).run_id
    # Served from a copy of the home, whose own files the pages have to show.
    copy = tmp_path / "copy"
    shutil.copytree(store.home, copy)
    (copy / "artifacts" / run_id / "artifacts" / "config.json").write_text('{"of": "the copy"}')
    store = Store(f"sqlite:///{copy}/mlflow.db", copy)
    with serving(store, port, tmp_path) as process:
        # It answers from the moment that the address is printed.
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30) as answer:
            assert answer.status == 200
        started = started_by(process.pid)
        assert started
        runs = rf"http://127.0.0.1:{port}/#/experiments/1/runs\?workflowType=machine_learning&view"
        assert re.search(runs, (tmp_path / "log").read_text())
        with pytest.raises(TrackingError, match=rf"^127\.0\.0\.1:{port}: cannot listen there: .*--port$"):
            serve_ui(store, port=port)
        remote = Store(f"http://127.0.0.1:{port}", tmp_path / "elsewhere")
        manifest = resolve_model(remote, f"runs:/{run_id}") / "manifest.json"
        assert manifest.read_text() == '{"name": "default"}'
        assert champion(remote, "scoring") is None
        page = f"http://127.0.0.1:{port}/get-artifact?path=config.json&run_uuid={run_id}"
        with urllib.request.urlopen(page, timeout=60) as answer:
            assert answer.read() == b'{"of": "the copy"}'
        process.terminate()
        assert process.wait(timeout=60) == 0
        assert all(map(has_ended, started))
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake Python: a server that starts another process and ignores SIGTERM."""
    script = tmp_path / "stub"
    script.write_text("#!/bin/sh\ntrap '' TERM\nsleep 600 &\necho $! >child\necho $$ >self\nwait\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(ui, "_answers", lambda host, port: (tmp_path / "self").exists())
    return script


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda member: member.name
)
def test_each_signal_ends_what_does_not_end_by_itself(
    store: Store, port: int, stub: Path, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    addresses: list[str] = []

    def on_up(address: str) -> None:
        addresses.append(address)
        signal.raise_signal(number)

    serve_ui(store, port=port, on_up=on_up)
    assert addresses == [f"http://127.0.0.1:{port}"]
    for name in ("self", "child"):
        assert has_ended(int((stub.parent / name).read_text()))
    assert signal.getsignal(number) is before


def test_a_signal_before_it_is_up_ends_it(
    store: Store, port: int, stub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def interrupted(*_: object, **options: object) -> Iterator[None]:
        signal.raise_signal(signal.SIGTERM)
        yield

    monkeypatch.setattr(ui, "opened", interrupted)
    serve_ui(store, port=port)
    assert not (stub.parent / "self").exists()


def test_a_server_that_does_not_start_is_reported(
    store: Store, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    addresses: list[str] = []
    with pytest.raises(TrackingError, match=r"MLflow's server ended with exit code 1$"):
        serve_ui(store, port=port, on_up=addresses.append)
    assert addresses == []


def test_a_server_needs_no_second_one(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match=r"^http://mlflow\.example\.org: is an MLflow server"):
        serve_ui(Store("http://mlflow.example.org", tmp_path))
