"""Parts of a fit that need not wait for each other, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from scoring.model.booster import capped_threads
from scoring.training.lightgbm_trainer import stop_with, useful_threads

T = TypeVar("T")
N_LANES = 2


@dataclass(frozen=True, slots=True)
class FitPool:
    """What takes work, and how many threads each piece of it may use."""

    executor: Executor
    num_threads: int


@contextmanager
def fit_pool(num_threads: int, n_records: int, n_lanes: int = N_LANES) -> Iterator[FitPool]:
    """Lanes of one thread each; or one lane of all threads, where there are records enough for more.

    With one lane each piece is done where it is handed out: nothing is at work beside LightGBM, which must
    not be called at once with different numbers of threads (:func:`scoring.model.booster.capped_threads`).
    numpy uses one thread in each: sums of many differ in their last digits, and small matrices gain nothing.
    """
    with threadpool_limits(1, "blas"):
        if min(num_threads, n_lanes) < N_LANES or useful_threads(num_threads, n_records) > n_lanes:
            yield FitPool(_Inline(), num_threads)
            return
        stop = Event()
        with capped_threads(1), ThreadPoolExecutor(n_lanes, "fit", stop_with, (stop,)) as executor:
            try:
                yield FitPool(executor, 1)
            except BaseException:
                stop.set()  # an interrupt does not wait for boosters that nobody will use
                executor.shutdown(cancel_futures=True)
                raise


class _Inline(Executor):
    """Does each piece at once."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Do it, and give what it came to."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future
