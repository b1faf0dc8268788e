"""Scoring of requests: small ones batched in the event loop, large ones in a thread pool.

The cost of scoring one record is mostly call overhead, and a repeated call takes half the time: concurrent
small requests are therefore decoded together and scored together.
Slow work (YAML, a large body, many records, reasons) runs in threads, where it delays other requests by no
more than Python's switch interval.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import msgspec

from scoring.explanation.attribution import explain
from scoring.explanation.results import Explanation
from scoring.features.as_of import AsOf
from scoring.features.extraction import extracted
from scoring.model.score import Score
from scoring.records.record import Document
from scoring.service.model_manager import ModelManager, Served
from scoring.service.options import RequestLimits
from scoring.service.problem_details import Problem, ProblemError
from scoring.service.request_body import Body, read_part

N_THREADS = 4
MAX_BATCH_SIZE = 32
"""Maximum batch size in the event loop, in records: about 5 ms."""

MAX_WAIT_TURNS = 8
"""Event loop iterations for which a batch waits for more records under concurrent load: about 50 us."""

Result = Score | Explanation | Problem


class Done(NamedTuple):
    """Results in the order of the records, the records that were scored, and the name of the model."""

    results: list[Result]
    documents: list[Document]
    model: str


class AdmissionControl:
    """Limits the requests in progress, and the total size of their bodies.

    Parameters
    ----------
    limits : RequestLimits
        ``requests`` and ``waiting_bytes`` apply.
    on_change : callable
        Called with the number of requests after each change.
    """

    def __init__(
        self, limits: RequestLimits, on_change: Callable[[int], None] = lambda n_requests: None
    ) -> None:
        self._limits = limits
        self._on_change = on_change
        self.n_requests = 0
        self.n_bytes = 0

    def enter(self) -> Admission:
        """Admit a request.

        Raises
        ------
        ProblemError
            If there are too many: status 503.
        """
        if self.n_requests >= self._limits.requests:
            raise _busy(f"{self.n_requests} requests are in progress", "requests")
        return Admission(self)

    def hold(self, n_bytes: int) -> None:
        """Count bytes of an admitted request.

        Raises
        ------
        ProblemError
            If there are too many: status 503.
        """
        if self.n_bytes + n_bytes > self._limits.waiting_bytes:
            raise _busy(f"{self.n_bytes:,} bytes of requests are in progress", "waiting_bytes")
        self.n_bytes += n_bytes

    def count(self, step: int) -> None:
        """Change the number of requests."""
        self.n_requests += step
        self._on_change(self.n_requests)


class Admission:
    """Context manager of an admitted request: its end releases the request and its bytes."""

    def __init__(self, control: AdmissionControl) -> None:
        self._control = control
        self._n_bytes = 0

    def __enter__(self) -> Admission:
        self._control.count(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._control.n_bytes -= self._n_bytes
        self._control.count(-1)

    def hold(self, n_bytes: int) -> None:
        """See :meth:`AdmissionControl.hold`."""
        self._control.hold(n_bytes)
        self._n_bytes += n_bytes


def _busy(detail: str, limit: str) -> ProblemError:
    return ProblemError(503, "busy", detail, limit=limit, headers={"Retry-After": "1"})


class BatchScorer:
    """Scores the records of requests.

    Parameters
    ----------
    manager : ModelManager
        Has the current model.
    limits : RequestLimits
        Limits of a record.
    """

    def __init__(self, manager: ModelManager, limits: RequestLimits) -> None:
        self._manager = manager
        self._limits = limits
        self._threads = ThreadPoolExecutor(N_THREADS, "scoring")
        self._waiting: list[_Waiting] = []
        self._n_turns = 0
        self._n_previous = 1  # size of the previous batch

    async def score_one(self, body: Body, as_of: AsOf) -> Done:
        """Decode and score a body of one small record, in a batch with the others that wait."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._score_waiting)
        future: asyncio.Future[Done] = loop.create_future()
        self._waiting.append(_Waiting(body, as_of, future))
        return await future

    async def work(self, body: Body, as_of: AsOf, *, is_explained: bool) -> Done:
        """Decode and score all records of a body, in a thread."""
        served = self._manager.current
        job = _Job(body, self._limits, as_of, is_explained=is_explained)
        return await asyncio.get_running_loop().run_in_executor(self._threads, job.run, served)

    def close(self) -> None:
        """Shut down the threads without waiting for running jobs."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _score_waiting(self) -> None:
        """Score the waiting records, or wait one more iteration: batched clients tend to return together."""
        if self._n_previous > 1 and self._n_turns < MAX_WAIT_TURNS and len(self._waiting) < MAX_BATCH_SIZE:
            self._n_turns += 1
            asyncio.get_running_loop().call_soon(self._score_waiting)
            return
        self._n_turns, self._n_previous = 0, len(self._waiting)
        batch, self._waiting = self._waiting[:MAX_BATCH_SIZE], self._waiting[MAX_BATCH_SIZE:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._score_waiting)
        self._settle(batch)

    def _settle(self, batch: Sequence[_Waiting]) -> None:
        """Resolve the futures of a batch; if it fails, score each alone, so that one cannot fail another."""
        try:
            done = self._score_batch(batch)
        except Exception as error:
            if len(batch) > 1:
                for waiting in batch:
                    self._settle([waiting])
            elif not batch[0].future.done():
                batch[0].future.set_exception(error)
            return
        for waiting, result in zip(batch, done, strict=True):
            if not waiting.future.done():  # the client may have disconnected
                waiting.future.set_result(result)

    def _score_batch(self, batch: Sequence[_Waiting]) -> list[Done]:
        """Run each step for the whole batch: repeated calls of one function are faster."""
        served = self._manager.current
        scorer = served.scorer
        read = partial(
            read_part, limits=self._limits, field_map=served.field_map, reads_body=scorer.reads_bodies
        )
        decoded = [read(waiting.body.parts[0], waiting.body.form) for waiting in batch]
        pairs = zip(decoded, batch, strict=True)
        scores = scorer.score_features(
            [
                extracted(item, waiting.as_of, scorer.sections)
                for item, waiting in pairs
                if isinstance(item, Document)
            ]
        )
        return [
            Done([next(scores)], [item], scorer.name) if isinstance(item, Document) else Done([item], [], "")
            for item in decoded
        ]


class _Waiting(NamedTuple):
    """A body of one record, with the future of its result."""

    body: Body
    as_of: AsOf
    future: asyncio.Future[Done]


class _Job:
    """Decodes and scores all records of a body."""

    def __init__(self, body: Body, limits: RequestLimits, as_of: AsOf, *, is_explained: bool) -> None:
        self._body, self._limits, self._as_of = body, limits, as_of
        self._is_explained = is_explained

    def run(self, served: Served) -> Done:
        read = partial(
            read_part,
            form=self._body.form,
            limits=self._limits,
            field_map=served.field_map,
            reads_body=served.scorer.reads_bodies,
        )
        decoded = list(map(read, self._body.parts))
        documents = [item for item in decoded if isinstance(item, Document)]
        scores = self._scores(documents, served)
        results = [item if isinstance(item, Problem) else next(scores) for item in decoded]
        return Done(results, documents, served.saved.name)

    def _scores(self, documents: Sequence[Document], served: Served) -> Iterator[Score | Explanation]:
        scores = served.scorer.score_together(documents, self._as_of)
        if not self._is_explained:
            return scores
        return (
            msgspec.structs.replace(explain(served.scorer, document, self._as_of), score=score)
            for document, score in zip(documents, scores, strict=True)
        )
