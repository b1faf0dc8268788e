"""The work on records: small requests together in the event loop, large ones beside it in a few threads.

Scoring one record costs mostly calls, not trees, and a call that was just made is made again in half the
time: the records that came in together are read together, and scored together.
What could take long (YAML, a large body, many records, reasons) is done in threads, where it delays others
by no more than Python's switch interval.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from scoring.explanation.attribution import explain
from scoring.explanation.results import Explanation
from scoring.features.as_of import AsOf
from scoring.features.extraction import extracted
from scoring.model.score import Score
from scoring.model.scorer import BATCH
from scoring.records.record import Document
from scoring.service.model_manager import ModelManager, Served
from scoring.service.options import RequestLimits
from scoring.service.problem_details import Problem, ProblemError
from scoring.service.request_body import Body, read_part

N_THREADS = 4
MAX_TOGETHER = 32
"""Records that are read and scored in one go in the event loop: about 5 ms."""

PATIENCE = 8
"""Turns of the event loop for which records wait for others while several come at once: some 50 us."""

Result = Score | Explanation | Problem


class Done(NamedTuple):
    """Results in the order of the records, and the name of the model that gave them."""

    results: list[Result]
    documents: list[Document]
    model: str


class AdmissionControl:
    """Counts what is in hand, and takes on no more than can be worked off soon.

    Parameters
    ----------
    limits : RequestLimits
        How much that is.
    on_change : callable
        Told of each change of the number of requests.
    """

    def __init__(
        self, limits: RequestLimits, on_change: Callable[[int], None] = lambda n_requests: None
    ) -> None:
        self._limits = limits
        self._on_change = on_change
        self.n_requests = 0
        self.n_bytes = 0

    def enter(self) -> Admission:
        """Take a request on.

        Raises
        ------
        ProblemError
            If there are too many: status 503.
        """
        if self.n_requests >= self._limits.requests:
            raise _busy(f"{self.n_requests} requests are in progress", "requests")
        return Admission(self)

    def hold(self, n_bytes: int) -> None:
        """Take bytes on.

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
    """A request that was taken on, as a context: at its end its place and its bytes are free."""

    def __init__(self, intake: AdmissionControl) -> None:
        self._intake = intake
        self._n_bytes = 0

    def __enter__(self) -> Admission:
        self._intake.count(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._intake.n_bytes -= self._n_bytes
        self._intake.count(-1)

    def hold(self, n_bytes: int) -> None:
        """See :meth:`AdmissionControl.hold`."""
        self._intake.hold(n_bytes)
        self._n_bytes += n_bytes


def _busy(detail: str, limit: str) -> ProblemError:
    return ProblemError(503, "busy", detail, limit=limit, headers={"Retry-After": "1"})


class BatchScorer:
    """Scores what requests bring.

    Parameters
    ----------
    keeper : ModelManager
        Who has the model at work.
    limits : RequestLimits
        What a record may hold.
    """

    def __init__(self, keeper: ModelManager, limits: RequestLimits) -> None:
        self._keeper = keeper
        self._limits = limits
        self._threads = ThreadPoolExecutor(N_THREADS, "scoring")
        self._waiting: list[_Waiting] = []
        self._n_turns = 0
        self._n_before = 1  # records that were scored together the last time

    async def score_one(self, body: Body, as_of: AsOf) -> Done:
        """Read and score a body of one small record, together with the others that wait in this moment."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._score_waiting)
        future: asyncio.Future[Done] = loop.create_future()
        self._waiting.append(_Waiting(body, as_of, future))
        return await future

    async def work(self, body: Body, as_of: AsOf, *, is_explained: bool) -> Done:
        """Read and score all records of a body, in a thread."""
        served = self._keeper.current
        job = _Job(body, self._limits, as_of, is_explained=is_explained)
        return await asyncio.get_running_loop().run_in_executor(self._threads, job.run, served)

    def close(self) -> None:
        """End the threads; nobody waits any more for what one of them still does."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _score_waiting(self) -> None:
        """Score what waits, or wait one more turn: clients who were answered together come back together."""
        if self._n_before > 1 and self._n_turns < PATIENCE and len(self._waiting) < MAX_TOGETHER:
            self._n_turns += 1
            asyncio.get_running_loop().call_soon(self._score_waiting)
            return
        self._n_turns, self._n_before = 0, len(self._waiting)
        together, self._waiting = self._waiting[:MAX_TOGETHER], self._waiting[MAX_TOGETHER:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._score_waiting)
        self._settle(together)

    def _settle(self, together: Sequence[_Waiting]) -> None:
        """Answer those who wait; where that fails, each by itself, so that nobody fails with another."""
        try:
            done = self._done(together)
        except Exception as error:
            if len(together) > 1:
                for one in together:
                    self._settle([one])
            elif not together[0].future.done():
                together[0].future.set_exception(error)
            return
        for one, its_own in zip(together, done, strict=True):
            if not one.future.done():  # who asked may have gone
                one.future.set_result(its_own)

    def _done(self, together: Sequence[_Waiting]) -> list[Done]:
        """Step by step for all of them: what is done again and again is done faster."""
        scorer = self._keeper.current.scorer
        read = [read_part(one.body.parts[0], one.body.form, self._limits) for one in together]
        asked = zip(read, together, strict=True)
        scores = scorer.score_features(
            [extracted(found, one.as_of) for found, one in asked if isinstance(found, Document)]
        )
        return [
            Done([next(scores)], [one], scorer.name) if isinstance(one, Document) else Done([one], [], "")
            for one in read
        ]


class _Waiting(NamedTuple):
    """A body of one record, and who waits for what it is worth."""

    body: Body
    as_of: AsOf
    future: asyncio.Future[Done]


class _Job:
    """All records of a body."""

    def __init__(self, body: Body, limits: RequestLimits, as_of: AsOf, *, is_explained: bool) -> None:
        self._body, self._limits, self._as_of = body, limits, as_of
        self._is_explained = is_explained

    def run(self, served: Served) -> Done:
        results: list[Result] = []
        documents: list[Document] = []
        for begin in range(0, len(self._body.parts), BATCH):
            parts = self._body.parts[begin : begin + BATCH]
            read = [read_part(one, self._body.form, self._limits) for one in parts]
            found = [one for one in read if isinstance(one, Document)]
            scores = self._scores(found, served)
            results += [one if isinstance(one, Problem) else next(scores) for one in read]
            documents += found
        return Done(results, documents, served.saved.name)

    def _scores(self, documents: Sequence[Document], served: Served) -> Iterator[Score | Explanation]:
        if self._is_explained:
            return (explain(served.scorer, document, self._as_of) for document in documents)
        return served.scorer.score(documents, self._as_of)
