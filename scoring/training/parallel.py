"""Parallel fits of independent components."""

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

_T = TypeVar("_T")
N_WORKERS = 2


@dataclass(frozen=True, slots=True)
class FitPool:
    """Executor of fits, and the number of threads of each fit."""

    executor: Executor
    num_threads: int


@contextmanager
def fit_pool(num_threads: int, n_records: int, n_workers: int = N_WORKERS) -> Iterator[FitPool]:
    """Run fits in `n_workers` workers of one thread each, or inline with all threads for large data.

    Inline fits run in the calling thread, one at a time: LightGBM must not be called concurrently with
    different numbers of threads (:func:`scoring.model.booster.capped_threads`). BLAS has one thread, since
    threads change the last digits of sums and small matrices gain nothing.
    """
    with threadpool_limits(1, "blas"):
        if min(num_threads, n_workers) < N_WORKERS or useful_threads(num_threads, n_records) > n_workers:
            yield FitPool(_InlineExecutor(), num_threads)
            return
        stop = Event()
        with capped_threads(1), ThreadPoolExecutor(n_workers, "fit", stop_with, (stop,)) as executor:
            try:
                yield FitPool(executor, 1)
            except BaseException:
                stop.set()  # so that an interrupt does not wait for unfinished boosters
                executor.shutdown(cancel_futures=True)
                raise


class _InlineExecutor(Executor):
    """Runs each call at once in the calling thread."""

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """Call the function and return its finished future."""
        future: Future[_T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future
