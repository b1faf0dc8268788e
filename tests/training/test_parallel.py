"""Fit pool: parallel fits call LightGBM with equal numbers of threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

from scoring.model.booster import Booster
from scoring.training.lightgbm_trainer import StoppedError, train_booster
from scoring.training.parallel import fit_pool

MANY = 10**6  # enough records for many threads to pay off
# How many threads a process has after LightGBM was asked for four, inside a pool and outside.
SCRIPT = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import lightgbm
from scoring.training.lightgbm_trainer import train_booster
from scoring.training.parallel import fit_pool

X = np.random.default_rng(0).normal(size=(2000, 5))
options = {"names": list("abcde"), "params": {"objective": "regression"}, "num_iterations": 3, "seed": 0}
booster = train_booster(X, X[:, 0], num_threads=1, **options)
count = lambda: len(os.listdir("/proc/self/task"))
before = count()
with fit_pool(int(sys.argv[1]), len(X)) as pool:
    pool.executor.submit(booster.predict, X, 4).result()
    booster.predict(X, 4)
    worker = isinstance(pool.executor, ThreadPoolExecutor)
    print(pool.num_threads, count() - before - worker)
booster.predict(X, 4)
print(count() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted on Linux")
@pytest.mark.parametrize(
    ("num_threads", "expected"), [(2, ["1 0", "3"]), (4, ["1 0", "3"]), (1, ["1 3", "3"])]
)
def test_in_lanes_no_call_gets_more_threads_than_another(num_threads: int, expected: list[str]) -> None:
    command = [sys.executable, "-c", SCRIPT, str(num_threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == expected


@pytest.mark.parametrize(
    ("num_threads", "n_records", "n_workers", "expected"),
    [(1, 100, 2, 1), (2, 100, 2, 1), (8, 100, 2, 1), (8, MANY, 2, 8), (2, MANY, 2, 1), (8, 100, 1, 8)],
)
def test_number_of_threads_follows_number_of_records(
    num_threads: int, n_records: int, n_workers: int, expected: int
) -> None:
    with fit_pool(num_threads, n_records, n_workers) as pool:
        assert pool.num_threads == expected


def test_single_worker_runs_inline() -> None:
    def fail() -> None:
        raise ValueError("of the fit")

    current = threading.current_thread()
    with fit_pool(1, 100) as pool:
        assert pool.executor.submit(threading.current_thread).result() is current
        failed = pool.executor.submit(fail)
        with pytest.raises(ValueError, match="of the fit"):
            failed.result()


def test_fits_stop_where_another_fails() -> None:
    X = np.random.default_rng(0).normal(size=(500, 5))
    has_begun = threading.Event()

    def fit() -> Booster:
        has_begun.set()
        options: dict[str, Any] = {"num_iterations": 5000, "num_threads": 1, "seed": 0}
        params = {"objective": "regression"}
        return train_booster(X, X[:, 0], names=list("abcde"), params=params, **options)

    with pytest.raises(ValueError, match="elsewhere"), fit_pool(2, 500) as pool:  # noqa: PT012
        future = pool.executor.submit(fit)
        has_begun.wait()
        raise ValueError("elsewhere")
    assert isinstance(future.exception(), StoppedError)
