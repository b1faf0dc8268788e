"""Requests that are too large, too slow or invalid get a clear answer, and the next one is served."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from scoring.errors import SettingsError
from scoring.records.forms.node import MAX_DEPTH
from scoring.service.app import create_app
from scoring.service.options import RequestLimits, ServiceOptions, read_limits
from scoring.settings import Settings
from scoring.workflows.train import TrainOutcome
from tests.service.conftest import Serve

JSON = {"content-type": "application/json"}
MARKDOWN = {"content-type": "text/markdown"}
GOOD = b'{"title": "Rain", "topics": ["Weather"]}'


def refused(client: TestClient, content: bytes, headers: dict[str, str], query: str = "") -> dict[str, Any]:
    """The problem with which a body is answered; the next body is answered normally."""
    answer = client.post(f"/v1/score{query}", content=content, headers=headers)
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    assert client.post("/v1/score", content=GOOD, headers=JSON).status_code == 200
    return problem


def markdown(text: str) -> bytes:
    return f"---\n{text}\n---\n".encode()


BOMB = "\n".join(
    [
        "a: &a [x, x, x, x, x, x, x, x, x]",
        *(f"{chr(98 + k)}: &{chr(98 + k)} [{', '.join(['*' + chr(97 + k)] * 9)}]" for k in range(9)),
        "title: Rain",
        "topics: *j",
    ]
)


@pytest.mark.parametrize(
    ("content", "headers", "words"),
    [
        (markdown(BOMB), MARKDOWN, "topics[0]: got a list"),
        (markdown("title: Rain\nrelated: &r [{title: x, images: *r}]"), MARKDOWN, "an alias inside its own"),
        (markdown("title: " + "[" * 5000 + "]" * 5000), MARKDOWN, "deeper nesting"),
        (markdown("title: Rain\nimages: [{width: " + "9" * 5000 + "}]"), MARKDOWN, "images[0].width"),
        (markdown("title: !python/object:os.system rain"), MARKDOWN, "a custom tag"),
        (b"---\ntitle: Ra\x00in\n---\n", MARKDOWN, "title: got a control character"),
        (b"---\ntitle: Ra\xffin\n---\n", MARKDOWN, "byte 0xff"),
        (b"---\ntitle: Rain\n", MARKDOWN, "front matter without a closing line"),
        (b"Rain\n", MARKDOWN, "a first line that is not '---'"),
        (b'{"title": "Ra\x00in"}', JSON, "JSON that does not parse"),
        (b'{"title": "Ra\xffin"}', JSON, "byte 0xff"),
        (b'{"title": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", JSON, "deeper nesting"),
        (b"[" * 100_000, JSON, "deeper nesting"),
        (b'{"title": "Rain", "images": [{"width": ' + b"9" * 6000 + b"}]}", JSON, "images[0].width"),
        (b'{"title": "Rain", "images": [{"width": 1e999}]}', JSON, "images[0].width"),
        (b'{"title": "Rain", "title": "Sun"}', JSON, "a repeated field"),
        (b'{"title": "Rain"', JSON, "JSON that does not parse"),
        (b'{"title": "Rain"}{"title": "Sun"}', JSON, "JSON that does not parse"),
        (b'[{"title": "Rain"},]', JSON, "JSON that does not parse"),
        (b'[{"title": "Rain"}', JSON, "JSON that does not parse"),
        (b"", JSON, "an empty body"),
        (b" \n", MARKDOWN, "an empty body"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else None,
)
def test_bodies_that_cannot_be_read(
    client: TestClient, content: bytes, headers: dict[str, str], words: str
) -> None:
    problem = refused(client, content, headers)
    assert problem["status"] == 422
    assert words in json.dumps(problem)


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (markdown("title: Rain\nquality: " + "9" * 5000), MARKDOWN),
        (b'{"title": "Rain", "quality": ' + b"9" * 6000 + b"}", JSON),
        (b'{"title": "Rain", "quality": 1e999}', JSON),
    ],
    ids=["markdown", "json", "1e999"],
)
def test_a_label_that_cannot_be_used_is_a_missing_one(
    client: TestClient, content: bytes, headers: dict[str, str]
) -> None:
    answer = client.post("/v1/score", content=content, headers=headers)
    assert answer.status_code == 200
    assert "expected an integer" in answer.json()["warnings"][0]


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "content-type: got ''"),
        ({"content-type": "text/html"}, "content-type: got 'text/html', expected one of application/json"),
        ({"content-type": "application/json; charset=latin-1"}, "charset: expected utf-8"),
        (JSON | {"content-encoding": "gzip"}, "not compressed"),
    ],
)
def test_types_that_are_not_read(client: TestClient, headers: dict[str, str], words: str) -> None:
    problem = refused(client, GOOD, headers)
    assert (problem["status"], problem["type"]) == (415, "/docs#media-type")
    assert words in problem["detail"]


def test_limits_are_named(serve: Serve) -> None:
    limits = RequestLimits(body_bytes=2000, record_bytes=300, records=3, explained=1, coverage=2, topics=2)
    client = serve(limits=limits)
    for content, query, status, limit in [
        (b'{"title": "' + b"x" * 3000 + b'"}', "", 413, "body_bytes"),
        (b'{"title": "' + b"x" * 400 + b'"}', "", 422, "record_bytes"),
        (b"[" + b",".join([GOOD] * 4) + b"]", "", 413, "records"),
        (b"[" + b",".join([GOOD] * 2) + b"]", "?explain=true", 413, "explained"),
        (b'{"title": "x", "related": [{}, {}, {}]}', "", 422, "coverage"),
        (b'{"title": "x", "topics": ["a", "b", "c"]}', "", 422, "topics"),
    ]:
        problem = refused(client, content, JSON, query)
        assert (problem["status"], problem["limit"]) == (status, limit)
    # Of many, each is held against the limits of a record by itself.
    answer = client.post(
        "/v1/score", content=b"[" + GOOD + b', {"title": "x", "related": [{}, {}, {}]}]', headers=JSON
    )
    assert [result.get("limit") for result in answer.json()] == [None, "coverage"]


def test_every_route_that_takes_a_body_has_the_bounds_of_bodies(serve: Serve) -> None:
    client = serve(limits=RequestLimits(body_bytes=2000))
    routes = {
        path
        for path, methods in client.get("/openapi.json").json()["paths"].items()
        if methods.keys() & {"post", "put", "patch"}
    } | {
        "/desk/preview",
        "/desk/preview/details",
        "/desk/rule",
        "/desk/here",
        "/desk/search",
        "/desk/decide",
        "/desk/save",
        "/desk/undo",
        "/desk/learning/start",
        "/desk/learning/cancel",
    }
    posted = {route.path for route in routes_of(client.app) if "POST" in (route.methods or ())}
    assert posted == routes  # a new route has to be looked at here
    for path in sorted(routes):
        headers = JSON | {"x-scoring-desk": "1"}
        whole = client.post(path, content=b'"' + b"a" * 3000 + b'"', headers=headers)
        chunked = client.post(path, content=iter([b" " * 100] * 100), headers=headers)
        for answer in (whole, chunked):
            assert (answer.status_code, answer.json()["limit"]) == (413, "body_bytes"), path
        assert (
            client.post(path, content=b"{}", headers=headers | {"content-encoding": "gzip"}).status_code
            == 415
        )
        assert client.post(path, content=b"[" * 1500, headers=headers).status_code == 422


def routes_of(app: Any) -> list[Any]:
    """All routes, including those of included routers."""
    routes: list[Any] = []
    waiting = list(app.router.routes)
    while waiting:
        route = waiting.pop()
        inner = getattr(route, "routes", None) or getattr(
            getattr(route, "original_router", None), "routes", None
        )
        waiting += inner or []
        if not inner:
            routes.append(route)
    return routes


def test_a_body_without_a_length_is_counted_as_it_comes(serve: Serve) -> None:
    client = serve(limits=RequestLimits(body_bytes=2000))
    answer = client.post("/v1/score", content=iter([b" " * 100] * 100), headers=JSON)
    assert (answer.status_code, answer.json()["limit"]) == (413, "body_bytes")


class Request:
    """One request, passed to the application message by message, as by a server."""

    def __init__(self, app: Any, *, n_bytes: int | None = None) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.answer: list[Message] = []
        headers = [(b"content-type", b"application/json"), (b"host", b"test")]
        if n_bytes is not None:
            headers.append((b"content-length", b"%d" % n_bytes))
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/score",
            "root_path": "",
            "query_string": b"",
            "headers": headers,
        }
        self.task = asyncio.create_task(app(scope, self.messages.get, self.send))

    async def send(self, message: Message) -> None:
        self.answer.append(message)

    async def finish(self, body: bytes | None = None) -> int:
        if body is not None:
            self.messages.put_nowait({"type": "http.request", "body": body, "more_body": False})
        await self.task
        return int(self.answer[0]["status"])

    @property
    def problem(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.answer[1]["body"])
        return content

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.answer[0]["headers"])


@pytest.fixture
def options(training: TrainOutcome, settings: Settings) -> Any:
    def make(**limits: Any) -> ServiceOptions:
        return ServiceOptions(settings, training.model, limits=RequestLimits(**limits))

    return make


def test_what_is_too_much_at_once_is_put_off(options: Any) -> None:
    app = create_app(options(requests=1, waiting_bytes=100))

    async def play() -> None:
        async with app.router.lifespan_context(app):
            first = Request(app)
            await asyncio.sleep(0.01)
            second = Request(app)
            assert await second.finish(GOOD) == 503
            assert second.headers[b"retry-after"] == b"1"
            assert second.problem["limit"] == "requests"
            assert await first.finish(GOOD) == 200
            large = Request(app)
            assert await large.finish(b'{"title": "' + b"x" * 200 + b'"}') == 503
            assert large.problem["limit"] == "waiting_bytes"
            assert await Request(app).finish(GOOD) == 200  # what was held is free again
            assert (
                app.state.scoring.admission_control.n_requests,
                app.state.scoring.admission_control.n_bytes,
            ) == (0, 0)

    asyncio.run(play())


def test_a_slow_body_is_given_up(options: Any) -> None:
    app = create_app(options(body_seconds=0.05))

    async def play() -> None:
        async with app.router.lifespan_context(app):
            slow = Request(app, n_bytes=len(GOOD))
            slow.messages.put_nowait({"type": "http.request", "body": GOOD[:5], "more_body": True})
            assert await slow.finish() == 408
            assert (slow.problem["limit"], slow.headers[b"connection"]) == ("body_seconds", b"close")
            assert await Request(app).finish(GOOD) == 200
            assert app.state.scoring.admission_control.n_requests == 0

    asyncio.run(play())


def test_who_goes_away_leaves_nothing_behind(options: Any) -> None:
    app = create_app(options())

    async def play() -> None:
        async with app.router.lifespan_context(app):
            gone = Request(app)
            gone.messages.put_nowait({"type": "http.request", "body": GOOD[:5], "more_body": True})
            gone.messages.put_nowait({"type": "http.disconnect"})
            await gone.task
            assert gone.answer == []
            assert app.state.scoring.admission_control.n_requests == 0
            dropped = Request(app)
            dropped.messages.put_nowait({"type": "http.request", "body": GOOD, "more_body": False})
            await asyncio.sleep(0)
            dropped.task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await dropped.task
            assert await Request(app).finish(GOOD) == 200
            assert app.state.scoring.admission_control.n_requests == 0

    asyncio.run(play())


def test_bounds_are_those_of_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operate.md").read_text("utf-8")
    section = page.partition("## Limits")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| [^|]+ \| ([\d,]+)[^|]*\| [^|]+ \| `?(\w*)`? *\|", section, re.M)
    known = {name: int(value) for name, value in dataclasses.asdict(RequestLimits()).items()}
    assert {name: int(number.replace(",", "")) for number, name in documented} == known | {"": MAX_DEPTH}


def test_bounds_are_set_by_name(serve: Serve) -> None:
    limits = read_limits(["records=3", "head_seconds=0.5", "records=2"])
    assert limits == RequestLimits(records=2, head_seconds=0.5)
    client = serve(limits=limits)
    problem = refused(client, b"\n".join([GOOD] * 3), {"content-type": "application/x-ndjson"})
    assert (problem["limit"], problem["detail"]) == ("records", "got 3 records, expected at most 2")
    assert "up to 2 of them" in client.get("/openapi.json").text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("record=5", "got 'record=5', expected NAME=NUMBER with one of body_bytes, record_bytes, "),
        ("records", "records: got '', expected an integer above 0"),
        ("records=0", "records: got '0', expected an integer above 0"),
        ("records=2.5", "records: got '2.5', expected an integer above 0"),
        ("body_seconds=nan", "body_seconds: got 'nan', expected a number above 0"),
        ("body_seconds=1e99", "body_seconds: got '1e99', expected a number above 0 and below 10,000,000,000"),
    ],
)
def test_bounds_that_are_none(text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(words)):
        read_limits([text])
