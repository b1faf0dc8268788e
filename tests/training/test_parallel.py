"""Lanes: pieces side by side, none of which may have LightGBM use more threads than another."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from scoring.training.parallel import fit_pool

MANY = 10**6  # records that make many threads worth their while
# How many threads a process has after LightGBM was asked for four, with lanes open and without.
SCRIPT = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import lightgbm
from scoring.training.lightgbm_trainer import train_booster
from scoring.training.parallel import opened_lanes

X = np.random.default_rng(0).normal(size=(2000, 5))
options = {"names": list("abcde"), "params": {"objective": "regression"}, "num_iterations": 3, "seed": 0}
booster = train_booster(X, X[:, 0], num_threads=1, **options)
count = lambda: len(os.listdir("/proc/self/task"))
before = count()
with opened_lanes(int(sys.argv[1]), len(X)) as lanes:
    lanes.executor.submit(booster.predict, X, 4).result()
    booster.predict(X, 4)
    lane = isinstance(lanes.executor, ThreadPoolExecutor)
    print(lanes.num_threads, count() - before - lane)
booster.predict(X, 4)
print(count() - before)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted on Linux")
@pytest.mark.parametrize(
    ("num_threads", "expected"), [(2, ["1 0", "3"]), (4, ["1 0", "3"]), (1, ["1 3", "3"])]
)
def test_in_lanes_no_call_gets_more_threads_than_another(num_threads: int, expected: list[str]) -> None:
    command = [sys.executable, "-c", SCRIPT, str(num_threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == expected


@pytest.mark.parametrize(
    ("num_threads", "n_records", "n_lanes", "expected"),
    [(1, 100, 2, 1), (2, 100, 2, 1), (8, 100, 2, 1), (8, MANY, 2, 8), (2, MANY, 2, 1), (8, 100, 1, 8)],
)
def test_as_many_threads_as_are_worth_their_while(
    num_threads: int, n_records: int, n_lanes: int, expected: int
) -> None:
    with fit_pool(num_threads, n_records, n_lanes) as lanes:
        assert lanes.num_threads == expected


def test_one_lane_does_a_piece_where_it_is_handed_out() -> None:
    def fail() -> None:
        raise ValueError("of the piece")

    here = threading.current_thread()
    with fit_pool(1, 100) as lanes:
        assert lanes.executor.submit(threading.current_thread).result() is here
        failed = lanes.executor.submit(fail)
        with pytest.raises(ValueError, match="of the piece"):
            failed.result()
