"""`POST /v1/score`: every form of body, in order, with the position of each fault."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from scoring.artifact.saved_model import SavedModel
from scoring.explanation.attribution import explain
from scoring.features.as_of import parse_as_of
from scoring.features.extraction import Extracted
from scoring.model.score import Score
from scoring.model.scorer import Scorer
from scoring.records.decode import decode_file, decode_json
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.record import Document
from scoring.service import batching
from scoring.service.batching import BatchScorer
from scoring.service.options import RequestLimits
from scoring.service.problem_details import Problem
from scoring.service.request_body import Part, part, read_part
from scoring.service.score import SMALL_BYTES

JSON = {"content-type": "application/json"}
LINES = {"content-type": "application/x-ndjson"}
MARKDOWN = {"content-type": "text/markdown; charset=UTF-8"}


def documents(lines: list[bytes], numbers: Iterable[int]) -> list[Document]:
    return [decode_json(line, "-", number) for line, number in zip(lines, numbers, strict=False)]


def scores(
    saved: SavedModel, lines: list[bytes], as_of: str | None = None, numbers: Iterable[int] | None = None
) -> list[dict[str, Any]]:
    """Scores by the library."""
    moment = parse_as_of(as_of) if as_of else None
    read = documents(lines, numbers or itertools.count(1))
    expected: list[dict[str, Any]] = msgspec.to_builtins(list(saved.scorer.score(read, moment)))
    return json.loads(json.dumps(expected))  # type: ignore[no-any-return]


@pytest.mark.parametrize("as_of", [None, "published+6h", "2018-06-01T00:00:00Z"])
def test_one_record_of_json(
    client: TestClient, saved: SavedModel, lines: list[bytes], as_of: str | None
) -> None:
    for line in lines[:5]:
        answer = client.post(
            "/v1/score", content=line, headers=JSON, params={"as_of": as_of} if as_of else None
        )
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == scores(saved, [line], as_of)[0]


def test_many_records_as_an_array_and_as_lines(
    client: TestClient, saved: SavedModel, lines: list[bytes]
) -> None:
    expected = scores(saved, lines)
    array = client.post("/v1/score", content=b"[" + b",".join(lines) + b"]", headers=JSON)
    assert array.json() == expected
    for kind in ("application/x-ndjson", "application/jsonl"):
        # A blank line is no record, and a byte order mark is none either.
        body = b"\xef\xbb\xbf" + b"\n\n".join(lines) + b"\r\n"
        response = client.post("/v1/score", content=body, headers={"content-type": kind})
        assert response.headers["content-type"] == "application/x-ndjson"
        numbered = scores(saved, lines, numbers=itertools.count(1, 2))
        assert [json.loads(line) for line in response.text.splitlines()] == numbered
    assert client.post("/v1/score", content=b" [] ", headers=JSON).json() == []


def test_a_markdown_file(client: TestClient, saved: SavedModel, archive: Path) -> None:
    for file in sorted(archive.glob("*.md"))[:5]:
        data = file.read_bytes()
        expected = msgspec.to_builtins(next(saved.scorer.score([decode_file(data, "-")])))
        answer = client.post("/v1/score", content=data, headers=MARKDOWN)
        assert answer.json() == json.loads(json.dumps(expected))


def test_a_record_too_large_for_the_event_loop(
    client: TestClient, saved: SavedModel, lines: list[bytes]
) -> None:
    line = msgspec.json.encode(msgspec.json.decode(lines[0]) | {"excerpt": "gulls " * SMALL_BYTES})
    assert client.post("/v1/score", content=line, headers=JSON).json() == scores(saved, [line])[0]


def test_requests_at_the_same_time_are_scored_together_and_answered_apart(
    client: TestClient, saved: SavedModel, lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_scorer = client.app.state.scoring.batch_scorer  # type: ignore[attr-defined]
    together: list[int] = []
    score_features = Scorer.score_features

    def count(scorer: Scorer, records: Iterable[Extracted]) -> Iterator[Score]:
        batch = list(records)
        together.append(len(batch))
        return score_features(scorer, batch)

    monkeypatch.setattr(Scorer, "score_features", count)

    results = at_once(client, batch_scorer, lines)
    assert together == [32, 8]
    assert json.loads(json.dumps(msgspec.to_builtins([done.results[0] for done in results]))) == scores(
        saved, lines, numbers=itertools.repeat(1)
    )


def test_what_one_request_brings_down_fails_that_one_alone(
    client: TestClient, saved: SavedModel, lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(
        part: Part, form: str, limits: RequestLimits, field_map: FieldMap | None, *, reads_body: bool
    ) -> Document | Problem:
        if part.data == lines[3]:
            raise ZeroDivisionError
        return read_part(part, form, limits, field_map, reads_body=reads_body)

    monkeypatch.setattr(batching, "read_part", fail)
    batch_scorer = client.app.state.scoring.batch_scorer  # type: ignore[attr-defined]
    results = at_once(client, batch_scorer, lines[:6])
    assert isinstance(results.pop(3), ZeroDivisionError)
    expected = scores(saved, [*lines[:3], *lines[4:6]], numbers=itertools.repeat(1))
    assert json.loads(json.dumps(msgspec.to_builtins([done.results[0] for done in results]))) == expected


def at_once(client: TestClient, batch_scorer: BatchScorer, lines: list[bytes]) -> list[Any]:
    """Results of records that are submitted at the same moment."""

    async def ask() -> list[Any]:
        bodies = [part(line, "application/json", 1) for line in lines]
        return await asyncio.gather(
            *(batch_scorer.score_one(body, None) for body in bodies), return_exceptions=True
        )

    assert client.portal is not None
    return client.portal.call(ask)


def test_clients_side_by_side_get_their_own(
    client: TestClient, saved: SavedModel, lines: list[bytes]
) -> None:
    def ask(line: bytes) -> Any:
        return client.post("/v1/score", content=line, headers=JSON).json()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, lines)) == [scores(saved, [line])[0] for line in lines]


def test_faults_are_answered_at_their_place(
    client: TestClient, saved: SavedModel, lines: list[bytes]
) -> None:
    bad = b'{"title": ["Rain"], "images": "high"}'
    for body, headers in (
        (b"[" + b",".join([lines[0], bad, lines[1]]) + b"]", JSON),
        (b"\n".join([lines[0], bad, lines[1]]), LINES),
    ):
        answer = client.post("/v1/score", content=body, headers=headers)
        assert answer.status_code == 200
        first, fault, last = map(json.loads, answer.text.splitlines()) if headers is LINES else answer.json()
        assert [first, last] == scores(saved, lines[:2], numbers=(1, 3))
        assert fault == {
            "type": "/docs#record",
            "title": "The record cannot be used",
            "status": 422,
            "detail": "title: got a list, expected text (and 1 more)",
            "faults": [
                {"line": 2, "field": "title", "got": "a list", "expected": "text"},
                {"line": 2, "field": "images", "got": "the text 'high'", "expected": "a list"},
            ],
        }


def test_a_single_faulty_record_is_a_problem(client: TestClient) -> None:
    answer = client.post(
        "/v1/score", content=b"---\ntitle: Rain\npublishedDateTime: soon\n---\n", headers=MARKDOWN
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.pop("request_id") == answer.headers["x-request-id"]
    assert problem["type"] == "/docs#record"
    (fault,) = problem["faults"]
    assert (fault["line"], fault["field"], fault["got"]) == (3, "publishedDateTime", "'soon'")


def test_reasons(client: TestClient, saved: SavedModel, lines: list[bytes]) -> None:
    body = b"[" + b",".join([lines[0], b"{}", lines[1]]) + b"]"
    answer = client.post("/v1/score?explain=true&as_of=published", content=body, headers=JSON)
    first, fault, last = answer.json()
    assert fault["status"] == 422
    for explained, document in zip((first, last), documents(lines[:2], (1, 3)), strict=True):
        expected = explain(saved.scorer, document, parse_as_of("published"))
        assert explained == json.loads(msgspec.json.encode(expected))


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("as_of=noon", "as_of: got 'noon', expected a time such as"),
        ("as_of=", "as_of: got '', expected a time such as"),
        ("explain=perhaps", "explain: got 'perhaps', expected true or false"),
        ("asof=published", "got 'asof', expected as_of or explain"),
        ("explain=true&explain=false", "explain: given more than once"),
    ],
)
def test_queries_that_cannot_be_used(client: TestClient, lines: list[bytes], query: str, detail: str) -> None:
    answer = client.post(f"/v1/score?{query}", content=lines[0], headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["type"] == "/docs#query"
    assert detail in answer.json()["detail"]


def test_a_defect_is_a_problem_and_the_next_request_is_served(
    client: TestClient, lines: list[bytes], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("-".join(["some", "words"]))

    with monkeypatch.context() as patch:
        patch.setattr("scoring.model.scorer.Scorer.predict", fail)
        for content in (lines[0], b"[" + lines[0] + b"]"):
            answer = client.post("/v1/score", content=content, headers=JSON)
            assert (answer.status_code, answer.json()["type"]) == (500, "/docs#defect")
            assert "words" not in answer.text
    fields = [record.fields for record in caplog.records if record.getMessage() == "defect"]  # type: ignore[attr-defined]
    assert [entry["error"] for entry in fields] == ["RuntimeError"] * 2
    assert "some-words" not in str(fields)  # an error's message may quote a record
    assert client.post("/v1/score", content=lines[0], headers=JSON).status_code == 200
