"""Servers that are down or no MLflow servers: one plain line, without a long wait."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scoring.errors import TrackingError
from scoring.tracking import Store, champion
from scoring.tracking.error_messages import cause_of
from scoring.tracking.store import experiment_id, load_mlflow, opened


class Answers(BaseHTTPRequestHandler):
    """A server with the same answer to every request."""

    status = 200
    body = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    do_GET = do_POST  # noqa: N815

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Answers,), {})) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (500, b"<html>\n<h1>oops</h1>", "the server answered 500 each time"),
        (503, b'{"error_code": "TEMPORARILY_UNAVAILABLE"}', "the server answered 503 each time"),
        (
            200,
            b"<html>\n<h1>Hello</h1>",
            "the server answered with a page: is this the address of an MLflow server?",
        ),
        (404, b"<html>\n", "the server answered 404: is this the address of an MLflow server?"),
        (401, b"You are not\nauthenticated", "the server answered 401: user, password or token?"),
        (403, b'{"error_code": "PERMISSION_DENIED", "message": "not you"}', "PERMISSION_DENIED: not you"),
    ],
)
def test_an_answer_that_is_not_mlflows_is_one_line(
    server: ThreadingHTTPServer, tmp_path: Path, status: int, body: bytes, message: str
) -> None:
    handler = server.RequestHandlerClass
    handler.status, handler.body = status, body  # type: ignore[attr-defined]
    store = Store(f"http://me:hidden@127.0.0.1:{server.server_port}/elsewhere", tmp_path)
    load_mlflow()
    began = time.monotonic()
    with pytest.raises(TrackingError) as caught:
        champion(store, "scoring")
    assert time.monotonic() - began < 10
    where = f"http://***@127.0.0.1:{server.server_port}/elsewhere"
    assert str(caught.value) == f"{where}: cannot look up the champion: {message}"


def test_an_empty_answer_is_no_experiment(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    server.RequestHandlerClass.body = b"{}"  # type: ignore[attr-defined]
    store = Store(f"http://127.0.0.1:{server.server_port}", tmp_path)
    with (
        pytest.raises(TrackingError, match=r": got an empty answer, expected that of an MLflow server$"),
        opened(store, "log", writes=True) as client,
    ):
        experiment_id(store, client, "news")


def test_a_server_that_is_down_is_one_line_within_seconds(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = Store(f"http://me:hidden@127.0.0.1:{port}", tmp_path)
    load_mlflow()
    began = time.monotonic()
    with pytest.raises(TrackingError) as caught, opened(store, "read", writes=False) as client:
        client.search_experiments()
    assert time.monotonic() - began < 10
    assert str(caught.value) == f"http://***@127.0.0.1:{port}: cannot read: [Errno 111] Connection refused"


def test_the_systems_own_error_counts_and_has_no_credentials() -> None:
    error = RuntimeError("wrapped:\nin many lines")
    error.__cause__ = sqlite3.OperationalError("database is locked")
    assert cause_of(error) == "database is locked"
    assert cause_of(ValueError("https://me:hidden@host/api failed\nso")) == "https://***@host/api failed"
    assert cause_of(ValueError()) == "ValueError"
    assert cause_of(ValueError("x" * 1000)) == "x" * 300
