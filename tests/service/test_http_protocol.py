"""The HTTP protocol: slow heads and input that is not HTTP."""

from __future__ import annotations

import functools
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from scoring.service.app import create_app
from scoring.service.http_protocol import Protocol
from scoring.service.options import RequestLimits, ServiceOptions
from scoring.settings import Settings
from scoring.workflows.train import TrainOutcome

HEAD_SECONDS = 0.3


@pytest.fixture
def port(training: TrainOutcome, settings: Settings) -> Iterator[int]:
    limits = RequestLimits(head_seconds=HEAD_SECONDS, body_seconds=HEAD_SECONDS)
    config = uvicorn.Config(
        create_app(ServiceOptions(settings, training.model, limits=limits)),
        http=functools.partial(Protocol, limits),  # type: ignore[arg-type]
        port=0,
        ws="none",
        log_config=None,
        server_header=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def answers(port: int, *parts: bytes, seconds: float = 0.0) -> tuple[bytes, float]:
    """Bytes received on one connection until the server closes it, and the seconds it took."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(seconds)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received, time.monotonic() - began


def problem(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.rpartition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    content: dict[str, Any] = json.loads(body)
    return content


@pytest.mark.parametrize(
    "parts", [(), (b"POST /v1/sc",), (b"GET /healthz HTTP/1.1\r\nHost: a\r\n",)], ids=["none", "line", "host"]
)
def test_a_head_that_does_not_come_is_given_up(port: int, parts: tuple[bytes, ...]) -> None:
    answer, seconds = answers(port, *parts)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert problem(answer)["limit"] == "head_seconds"
    assert 0.9 * HEAD_SECONDS <= seconds < 20 * HEAD_SECONDS


def test_a_head_that_drips_is_given_up(port: int) -> None:
    drips = [b"GET /healthz HTTP/1.1\r\n", *[b"X-A: b\r\n"] * 2]
    answer, _ = answers(port, *drips, seconds=HEAD_SECONDS / 2.5)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_second_head_on_the_same_connection_has_its_own_time(port: int) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    answer, _ = answers(port, request, request, request, b"GET /", seconds=HEAD_SECONDS / 2)
    assert answer.count(b"HTTP/1.1 200 ") == 3
    assert answer.count(b"HTTP/1.1 408 ") == 1


def test_a_body_that_does_not_come_is_given_up(port: int) -> None:
    head = (
        b"POST /v1/score HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    )
    answer, seconds = answers(port, head, b"{")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert problem(answer)["limit"] == "body_seconds"
    assert seconds < 20 * HEAD_SECONDS


def test_what_is_no_http_is_a_problem_too(port: int) -> None:
    answer, _ = answers(port, b"\x16\x03\x01 hello\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert problem(answer)["type"] == "/docs#request"


def test_too_large_a_body_is_answered_before_it_has_come(port: int) -> None:
    head = "POST /v1/score HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    length = RequestLimits().body_bytes + 1
    answer, _ = answers(port, f"{head}Content-Length: {length}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert problem(answer)["limit"] == "body_bytes"
