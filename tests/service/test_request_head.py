"""Request heads on a real connection: size, lines, and the rules of RFC 9112."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import socket
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import pytest
import uvicorn
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from scoring.service import http_protocol
from scoring.service.http_protocol import MAX_PIECES_PER_TURN, Protocol
from scoring.service.options import RequestLimits
from scoring.service.problem_details import ProblemError

LIMITS = RequestLimits(head_seconds=0.5, body_seconds=0.5, body_bytes=100_000)
HOST = b"Host: a\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
MEGABYTE = 1_000_000


class App:
    """An application that answers with what it received of the request, and records refusals."""

    def __init__(self) -> None:
        self.n_requests = 0
        self.refused: list[int] = []
        self.streams: list[Callable[[], object]] = []  # what ends each
        self.n_streams = 0  # that go on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["on_refused"] = self.refuse
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.n_requests += 1
        if scope["path"] == "/stream":
            loop = asyncio.get_running_loop()
            self.streams.append(partial(loop.call_soon_threadsafe, scope["state"]["end_stream"]))
            await StreamingResponse(self.stream(), media_type="text/event-stream")(scope, receive, send)
            return
        body = b""
        while scope["path"] != "/unread":
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        request = {
            "headers": [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]],
            "body": len(body),
        }
        content = json.dumps(request).encode()
        headers = [(b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def stream(self) -> AsyncIterator[bytes]:
        self.n_streams += 1
        try:
            while True:
                yield b"data: " + b"a" * MEGABYTE + b"\n\n"
                await asyncio.sleep(0)
        finally:
            self.n_streams -= 1

    def refuse(self, error: ProblemError) -> None:
        self.refused.append(error.status)


@contextmanager
def serving(app: App) -> Iterator[int]:
    config = uvicorn.Config(
        app,
        http=partial(Protocol, LIMITS),  # type: ignore[arg-type]
        port=0,
        ws="none",
        log_config=None,
        lifespan="on",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def port(app: App) -> Iterator[int]:
    with serving(app) as port:
        yield port


def answers(port: int, *parts: bytes, n_times: int = 1, seconds: float = 0.0) -> bytes:
    """Bytes received on one connection until the server closes it; sending stops at that point."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        with suppress(ConnectionError):
            for part in parts[:-1]:
                connection.sendall(part)
                time.sleep(seconds)
            for _ in range(n_times):
                connection.sendall(parts[-1])
        with suppress(ConnectionError):
            while chunk := connection.recv(65536):
                received += chunk
    return received


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


HOSTILE = {
    "value": (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: ", b"a" * MEGABYTE),
    "name": (b"GET / HTTP/1.1\r\nHost: a\r\n", b"a" * MEGABYTE),
    "target": (b"GET /", b"a" * MEGABYTE),
    "method": (b"A" * MEGABYTE,),
    "lines": (b"GET / HTTP/1.1\r\nHost: a\r\n", b"a: b\r\n" * (MEGABYTE // 6)),
    "trailer": (CHUNKED + b"0\r\nX-A: ", b"a" * MEGABYTE),
    "trailers": (CHUNKED + b"0\r\n", b"a: b\r\n" * (MEGABYTE // 6)),
    "second": (GET + b"GET /", b"a" * MEGABYTE),
    "empty lines": (b"\r\n" * (MEGABYTE // 2),),
}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[] if kind in ("value", "lines", "second") else [pytest.mark.exhaustive])
        for kind in HOSTILE
    ],
)
def test_what_is_above_its_limits_is_refused_unread(port: int, app: App, kind: str) -> None:
    answers(port, GET + b"\x00")  # what is made once
    gc.collect()
    n_before = app.n_requests
    tracemalloc.start()
    try:
        answer = answers(port, *HOSTILE[kind], n_times=5)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert statuses(answer) == ([200, 431] if kind == "second" else [431])
    problem = json.loads(answer.rpartition(b"\r\n\r\n")[2])
    assert problem["limit"] in ("head_bytes", "head_lines" if kind.endswith("s") else "")
    assert b"connection: close" in answer.rpartition(b"HTTP/1.1 431")[2]
    assert app.refused[-1] == 431
    assert app.n_requests - n_before <= 1
    assert peak < 2 * MEGABYTE  # of 5 MB that were sent
    assert statuses(answers(port, GET + b"\x00")) == [200, 400]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nhOST: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: \xe9\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\na", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\na", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (CHUNKED + b"zz\r\n", 400),
        (CHUNKED + b"1_0\r\n", 400),
        (CHUNKED + b"3\r\nabcde\r\n", 400),
        (CHUNKED + b"ffffffffffffffffff\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501),
        (b"\x16\x03\x01", 400),
        (b"GARBAGE\r\n\r\n", 400),
    ],
    ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else None,
)
def test_what_is_no_request_is_refused_and_the_connection_closed(
    port: int, app: App, request_: bytes, status: int
) -> None:
    answer = answers(port, request_ + GET)
    assert statuses(answer) == [status]
    assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["status"] == status
    assert app.refused == [status]
    assert statuses(answers(port, GET + b"\x00")) == [200, 400]


@pytest.mark.parametrize(
    ("request_", "host", "n_body_bytes"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", None, 0),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", "", 0),
        (b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "[::1]:80", 0),
        (b"GET http://b:81/ HTTP/1.1\r\nHost: a\r\n\r\n", "b:81", 0),
        (b"GET http://[::1]/ HTTP/1.1\r\nHost: a\r\n\r\n", "[::1]", 0),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "a", 0),
        (b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "a", 0),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
            b"Content-Length: 3\r\n\r\nabc",
            "a",
            3,
        ),
        (CHUNKED + b"3;a=b\r\nabc\r\n1\r\n\n\r\n0\r\nHost: b\r\nX-A: b\r\n\r\n", "a", 4),
        (CHUNKED + b"0\r\n\r\n", "a", 0),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", None, 3),
    ],
    ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else None,
)
@pytest.mark.parametrize("is_split", [False, True], ids=["whole", "split"])
def test_what_is_a_request_is_answered(
    port: int, request_: bytes, host: str | None, n_body_bytes: int, is_split: bool
) -> None:
    parts = [request_[index : index + 1] for index in range(len(request_))] if is_split else [request_]
    is_closed = b"HTTP/1.0" in request_
    answer = answers(port, *parts, *([] if is_closed else [GET, b"\x00"]))
    assert statuses(answer) == ([200] if is_closed else [200, 200, 400])
    request = json.loads(answer.partition(b"\r\n\r\n")[2].partition(b"HTTP/1.1")[0])
    assert dict(request["headers"]).get("host") == host
    assert request["body"] == n_body_bytes
    assert "x-a" not in dict(request["headers"])  # what came behind the body is no header


def test_each_of_many_requests_at_once_has_limits_of_its_own(port: int) -> None:
    wide = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n" + b"X-A: b\r\n" * 97 + b"\r\n"
    long = b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 60_000 + b"\r\n\r\n"
    assert statuses(answers(port, (wide + long) * 4 + b"\x00")) == [200] * 8 + [400]


def test_one_request_of_a_connection_is_parsed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[bool] = []
    original = Protocol.on_message_begin

    def begin(self: Protocol) -> None:
        begun.append(self.cycle is None or self.cycle.response_complete)
        original(self)

    monkeypatch.setattr(Protocol, "on_message_begin", begin)
    with serving(App()) as port:
        assert statuses(answers(port, GET * 3000 + b"\x00")) == [200] * 3000 + [400]
    assert begun == [True] * 3000


def test_many_chunks_are_parsed_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[int] = []
    original = Protocol._advance

    def advance(self: Protocol) -> None:
        count = 0
        parse = self._parse

        def counted(piece: bytes) -> None:
            nonlocal count
            count += 1
            parse(piece)

        monkeypatch.setattr(self, "_parse", counted)
        try:
            original(self)
        finally:
            monkeypatch.delattr(self, "_parse")
        fed.append(count)

    monkeypatch.setattr(Protocol, "_advance", advance)
    with serving(App()) as port:
        answer = answers(port, CHUNKED + b"1\r\na\r\n" * 20_000 + b"0\r\n\r\n" + GET + b"\x00")
    assert statuses(answer) == [200, 200, 400]
    assert b'"body": 20000' in answer
    assert max(fed) == MAX_PIECES_PER_TURN
    assert sum(fed) == 1 + 2 * 20_000 + 2 + 1


def test_a_body_that_nobody_reads_has_a_time(port: int) -> None:
    began = time.monotonic()
    answer = answers(port, b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
    assert statuses(answer) == [200]
    assert 0.9 * LIMITS.body_seconds <= time.monotonic() - began < 20 * LIMITS.body_seconds
    whole = b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + b"a" * 100
    assert statuses(answers(port, whole, GET, b"\x00", seconds=0.05)) == [200, 200, 400]


def test_a_body_that_nobody_reads_has_a_size(port: int) -> None:
    head = b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 900000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        n_sent = 0
        with suppress(ConnectionError):
            while n_sent < 900 * MEGABYTE:
                n_sent += connection.send(b"a" * 65536)
    assert n_sent < 50 * MEGABYTE  # as much as the sockets hold


@pytest.mark.parametrize("begin", [CHUNKED + b"0\r\nX-A: ", GET + b"GET / HTTP"], ids=["trailers", "head"])
def test_slow_lines_are_given_up(port: int, begin: bytes) -> None:
    answer = answers(port, begin, *[b"a"] * 4, seconds=LIMITS.head_seconds / 3)
    assert statuses(answer)[-1] == 408
    assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["limit"] == "head_seconds"


def test_empty_lines_keep_no_connection_open(port: int) -> None:
    assert statuses(answers(port, GET, *[b"\r\n"] * 10, seconds=LIMITS.head_seconds / 4)) == [200]


def test_a_stream_that_nobody_reads_can_be_ended(port: int, app: App) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(GET.replace(b"/", b"/stream", 1))
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        wait_until(lambda: app.n_streams == 1)
        time.sleep(0.1)  # until nothing more can be sent
        app.streams[0]()
        wait_until(lambda: app.n_streams == 0)
        received = b"..."
        with suppress(ConnectionError):
            while received:
                received = connection.recv(MEGABYTE)
    assert statuses(answers(port, GET + b"\x00")) == [200, 400]


def test_an_answer_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "STALL_SECONDS", 0.2)
    app = App()
    with serving(app) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(GET.replace(b"/", b"/stream", 1))
        wait_until(lambda: app.n_streams == 1)
        wait_until(lambda: app.n_streams == 0)


def wait_until(check: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not check():
        assert time.monotonic() < end
        time.sleep(0.01)
