"""The endpoint ``POST /v1/score``."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from scoring.errors import FeatureError
from scoring.features.as_of import EXPECTED, AsOf, parse_as_of
from scoring.service.batching import AdmissionControl, BatchScorer, Done
from scoring.service.drift_monitor import DriftWindow
from scoring.service.metrics import Metrics
from scoring.service.options import RequestLimits
from scoring.service.problem_details import Problem, ProblemError
from scoring.service.request_body import IS_WHOLE, JSON, JSON_LINES, Body, form_of, part, read_body

SCORE_PATH = "/v1/score"
SMALL_BYTES = 32_768
"""Maximum size of a JSON record that is decoded in the event loop, in about 1 ms; bytes."""

_ENCODER = msgspec.json.Encoder()
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


class ScoreEndpoint:
    """ASGI application of the endpoint; ``scoring`` in the state of the service."""

    def __init__(self, limits: RequestLimits, batch_scorer: BatchScorer, metrics: Metrics) -> None:
        self.limits = limits
        self.batch_scorer = batch_scorer
        self.metrics = metrics
        self.admission_control = AdmissionControl(limits, metrics.in_hand.set)
        self.drift_window = DriftWindow()
        self._scored = metrics.records.labels("scored")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        state = scope["state"]
        state["route"] = SCORE_PATH
        content, media_type = await self._answer(scope["query_string"], state, receive)
        headers = [(b"content-type", media_type), (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, query: bytes, state: dict[str, Any], receive: Receive) -> tuple[bytes, bytes]:
        """Content and media type of the answer."""
        as_of, is_explained = _query(query) if query else (None, False)
        headers: dict[bytes, bytes] = state["headers"]
        form = form_of(headers)
        with self.admission_control.enter() as admission:
            is_whole = state.get(IS_WHOLE, False)
            data = await read_body(receive, headers, self.limits, admission.hold, is_whole=is_whole)
            limit = "explained" if is_explained else "records"
            max_records = self.limits.explained if is_explained else self.limits.records
            body = part(data, form, max_records, limit)
            if form == JSON and not body.is_many and not is_explained and len(data) <= SMALL_BYTES:
                done = await self.batch_scorer.score_one(body, as_of)
            else:
                done = await self.batch_scorer.work(body, as_of, is_explained=is_explained)
        self._record(state, done, len(data))
        return _content(body, done)

    def _record(self, state: dict[str, Any], done: Done, n_bytes: int) -> None:
        n_scored = len(done.documents)
        n_faulty = len(done.results) - n_scored
        self.drift_window.add(done.documents)
        self._scored.inc(n_scored)
        log = {"records": n_scored, "bytes": n_bytes, "model": done.model}
        if n_faulty:
            self.metrics.records.labels("faulty").inc(n_faulty)
            log["faulty"] = n_faulty
            if len(done.results) > 1:  # the fault of a single record is counted with its request
                self.metrics.faults.labels("record").inc(n_faulty)
        state["log"] = log


def _content(body: Body, done: Done) -> tuple[bytes, bytes]:
    """Content and media type of the answer."""
    if body.is_many:
        if body.form == JSON_LINES:
            return _ENCODER.encode_lines(done.results), JSON_LINES.encode()
        return _ENCODER.encode(done.results), JSON.encode()
    (result,) = done.results
    if isinstance(result, Problem):
        raise ProblemError(422, "record", result.detail, limit=result.limit, faults=result.faults)
    return _ENCODER.encode(result), JSON.encode()


def _query(query: bytes) -> tuple[AsOf, bool]:
    """Parse the query: ``as_of`` and ``explain``."""
    given = QueryParams(query)
    for name in given:
        if name not in ("as_of", "explain"):
            raise ProblemError(422, "query", f"got {name[:40]!r}, expected as_of or explain")
        if len(given.getlist(name)) > 1:
            raise ProblemError(422, "query", f"{name}: given more than once")
    is_explained = _BOOLEANS.get(given.get("explain", "false").lower())
    if is_explained is None:
        raise ProblemError(422, "query", f"explain: got {given['explain'][:40]!r}, expected true or false")
    try:
        as_of = parse_as_of(given["as_of"]) if "as_of" in given else None
    except FeatureError:
        raise ProblemError(422, "query", f"as_of: got {given['as_of'][:40]!r}, expected {EXPECTED}") from None
    return as_of, is_explained
