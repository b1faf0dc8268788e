"""What `scoring serve` says on a terminal: its address once it listens, then its requests."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scoring.cli import app
from scoring.cli.console import Terminal
from scoring.cli.serve import RATE_SECONDS, serve
from scoring.service import server
from scoring.service.options import ServiceOptions
from scoring.service.process import Watcher
from scoring.settings import load_settings
from tests.cli.test_status import stderr_as_screen


def test_terminal_gets_the_address_then_the_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = stderr_as_screen(monkeypatch)

    def run(*_: Any, on_listening: Any, watcher: Watcher, **__: Any) -> None:
        assert screen.getvalue() == ""
        on_listening("http://127.0.0.1:8080/")
        for n_requests in (*range(RATE_SECONDS), 31):
            watcher.on_second(n_requests)
        watcher.log.write('{"event":"request"}\n')

    monkeypatch.setattr(server, "run", run)
    Path("news").mkdir()
    serve(Terminal(), model="shipped", inbox=Path("news"))
    shown = screen.getvalue()
    assert shown.startswith("the desk, with the records of news: http://127.0.0.1:8080/\nscores: POST ")
    status = "serving http://127.0.0.1:8080/: 31 requests, 3.1/s, 0:00:11; Ctrl-C stops"
    assert shown.endswith(f'{status}\r\x1b[2K{{"event":"request"}}\n{status}')


def test_log_of_several_processes_has_no_status(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = stderr_as_screen(monkeypatch)

    def run(*_: Any, on_listening: Any, watcher: Watcher | None, **__: Any) -> None:
        assert watcher is None
        on_listening("http://127.0.0.1:8080/")

    monkeypatch.setattr(server, "run", run)
    serve(Terminal(), model="shipped", workers=2)
    assert "--inbox DIR shows the records of a folder" in screen.getvalue()


def test_address_is_printed_once_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses: list[str] = []

    def serve_at(_: Any, listener: socket.socket, *__: Any, **___: Any) -> int:
        (address,) = addresses
        with socket.create_connection(listener.getsockname()[:2], timeout=60):
            assert address == f"http://localhost:{listener.getsockname()[1]}/"
        return signal.SIGTERM

    monkeypatch.setattr(server, "serve", serve_at)
    service = ServiceOptions(load_settings(), model="shipped")
    server.run(service, host="localhost", port=0, log_level="error", on_listening=addresses.append)
    assert len(addresses) == 1


def test_without_a_terminal_nothing_but_the_log_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "run", lambda *_, on_listening, **__: on_listening("http://127.0.0.1:1/"))
    done = CliRunner().invoke(app, ["serve", "--model", "shipped"], prog_name="scoring")
    assert (done.exit_code, done.output) == (0, "")
