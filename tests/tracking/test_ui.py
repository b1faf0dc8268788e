"""MLflow's pages on a store, and a store behind a server."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from scoring.errors import TrackingError
from scoring.tracking import Store, TrainingRun, champion, log_training, resolve_model, serve_ui


def wait_until_up(url: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 -- our own server
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"no answer from {url}, exit code {process.poll()}")


def test_pages_are_served_until_interrupted_and_give_the_same_model(
    store: Store, make_run: Callable[..., TrainingRun], tmp_path: Path
) -> None:
    run_id = log_training(store, make_run()).run_id
    # Served from a copy of the home, whose own files the pages have to show.
    copy = tmp_path / "copy"
    shutil.copytree(store.home, copy)
    (copy / "artifacts" / run_id / "artifacts" / "config.json").write_text('{"of": "the copy"}')
    store = Store(f"sqlite:///{copy}/mlflow.db", copy)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "import sys; from pathlib import Path; from scoring.tracking import Store, serve_ui\n"
        "serve_ui(Store(sys.argv[1], Path(sys.argv[2])), port=int(sys.argv[3]))"
    )
    command = [sys.executable, "-c", code, store.tracking_uri, str(store.home), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_up(f"http://127.0.0.1:{port}/health", process)
        with pytest.raises(TrackingError, match=rf"^127\.0\.0\.1:{port}: cannot listen there: "):
            serve_ui(store, port=port)
        remote = Store(f"http://127.0.0.1:{port}", tmp_path / "elsewhere")
        assert (
            resolve_model(remote, f"runs:/{run_id}") / "manifest.json"
        ).read_text() == '{"name": "default"}'
        assert champion(remote, "scoring") is None
        page = f"http://127.0.0.1:{port}/get-artifact?path=config.json&run_uuid={run_id}"
        with urllib.request.urlopen(page, timeout=60) as answer:
            assert answer.read() == b'{"of": "the copy"}'
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0


def test_a_server_needs_no_second_one(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match=r"^http://mlflow\.example\.org: has its own pages"):
        serve_ui(Store("http://mlflow.example.org", tmp_path))
