"""Work queues of the desk: its pages delay neither its writes nor scoring requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from scoring.service.batching import AdmissionControl
from scoring.service.options import RequestLimits

N_PAGE_THREADS = 2
"""Details and previews computed in parallel."""

T = TypeVar("T")


class WorkQueue:
    """A thread pool with admission control.

    Parameters
    ----------
    limits : RequestLimits
        Maximum number of requests, and of bytes, in progress.
    n_threads : int
        Number of threads; >= 1.
    name : str
        Prefix of the thread names.
    """

    def __init__(self, limits: RequestLimits, n_threads: int, name: str) -> None:
        self.admission_control = AdmissionControl(limits)
        self._threads = ThreadPoolExecutor(n_threads, name)

    async def run(self, work: Callable[[], T]) -> T:
        """Run work in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Cancel waiting work; the threads end after their running work."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class DeskWork:
    """The five independent work queues of the desk.

    Parameters
    ----------
    limits : RequestLimits
        Limits of each queue.

    Attributes
    ----------
    pages : WorkQueue
        Details and previews.
    decisions : WorkQueue
        Decisions, in sequence.
    writes : WorkQueue
        Changes of files, in sequence.
    refreshes : WorkQueue
        Refreshes of the inbox, in sequence.
    suggestions : WorkQueue
        Searches for records to label next, in sequence.
    """

    def __init__(self, limits: RequestLimits) -> None:
        self.pages = WorkQueue(limits, N_PAGE_THREADS, "desk-page")
        self.decisions = WorkQueue(limits, 1, "desk-decide")
        self.writes = WorkQueue(limits, 1, "desk-write")
        self.refreshes = WorkQueue(limits, 1, "desk-refresh")
        self.suggestions = WorkQueue(limits, 1, "desk-suggest")

    def close(self) -> None:
        """Close all queues."""
        for queue in (self.pages, self.decisions, self.writes, self.refreshes, self.suggestions):
            queue.close()
