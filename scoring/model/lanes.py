"""Parts of a fit that need not wait for each other, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

N_LANES = 2


@dataclass(frozen=True, slots=True)
class Lanes:
    """What takes work, and how many threads each piece of it may use."""

    executor: Executor
    num_threads: int


@contextmanager
def opened_lanes(num_threads: int, n_lanes: int = N_LANES) -> Iterator[Lanes]:
    """Lanes that use `num_threads` threads in all.

    numpy uses one thread in each: sums of many differ in their last digits, and small matrices gain nothing.
    """
    n_lanes = min(n_lanes, num_threads)
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(n_lanes, "fit") as executor:
        try:
            yield Lanes(executor, num_threads // n_lanes)
        except BaseException:
            executor.shutdown(cancel_futures=True)
            raise
