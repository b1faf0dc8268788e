"""Threads of the desk's own: its pages wait for each other, and hold up neither writes nor scores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from scoring.service.batching import AdmissionControl
from scoring.service.options import RequestLimits

N_PAGE_THREADS = 2
"""How many details and previews are made at once."""

T = TypeVar("T")


class WorkQueue:
    """Some threads, and what waits for them, within the limits of a service.

    Parameters
    ----------
    limits : RequestLimits
        How many requests, and how many bytes, are taken on.
    n_threads : int
        How many are worked on at once; >= 1.
    name : str
        Of the threads.
    """

    def __init__(self, limits: RequestLimits, n_threads: int, name: str) -> None:
        self.intake = AdmissionControl(limits)
        self._threads = ThreadPoolExecutor(n_threads, name)

    async def run(self, work: Callable[[], T]) -> T:
        """Do something in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Begin nothing more, and end the threads once they have done what they have begun."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class DeskWork:
    """What the desk works with: three queues that do not wait for each other.

    Parameters
    ----------
    limits : RequestLimits
        Of each queue.

    Attributes
    ----------
    pages : WorkQueue
        Details and previews.
    writes : WorkQueue
        What is written, one after the other.
    looks : WorkQueue
        Looks at the inbox.
    """

    def __init__(self, limits: RequestLimits) -> None:
        self.pages = WorkQueue(limits, N_PAGE_THREADS, "desk-page")
        self.writes = WorkQueue(limits, 1, "desk-write")
        self.looks = WorkQueue(limits, 1, "desk-look")

    def close(self) -> None:
        """Close all three."""
        for queue in (self.pages, self.writes, self.looks):
            queue.close()
