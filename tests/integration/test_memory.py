"""Scoring takes bounded memory, and time proportional to the number of records."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from scoring.records.synthetic.generate import sample_documents

FEW, MANY = 5_000, 20_000
MAX_GROWTH_MB, MAX_RATIO = 40, 1.5 * MANY / FEW

# Scores, then prints memory and time. getrusage(2) does not give its own size: there it is at least that of
# the process which started it, and so that of pytest.
SCRIPT = """\
import json, re, resource, sys
from scoring.cli import app
app(["score", sys.argv[1], "--no-cache", "--output", "scores.csv", "--quiet"], standalone_mode=False)
own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
seconds = sum(usage.ru_utime + usage.ru_stime for usage in (own, others))
(own_kb,) = re.findall(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())
print(json.dumps([int(own_kb) / 1024, others.ru_maxrss / 1024, seconds]))
"""


class Cost(NamedTuple):
    """Peak memory of a process and of its children, in MB, and the seconds of all of them."""

    own_mb: float
    others_mb: float
    seconds: float


def cost(lines: list[bytes], n_records: int, threads: int) -> Cost:
    name = f"{n_records}.jsonl"
    with Path(name).open("wb") as file:
        for number in range(n_records):
            file.write(lines[number % len(lines)])
    env = os.environ | {"SCORING_HOME": "home", "SCORING_THREADS": str(threads)}
    command = [sys.executable, "-c", SCRIPT, name]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    with Path("scores.csv").open() as scores:
        assert sum(1 for _ in scores) == n_records + 1
    return Cost(*json.loads(done.stdout))


@pytest.mark.exhaustive
def test_four_times_the_records_take_four_times_as_long_in_the_same_memory() -> None:
    documents = sample_documents(n_records=1000, seed=4)
    lines = [msgspec.json.encode(record) + b"\n" for record, _ in documents]
    few, many = (cost(lines, n_records, threads=2) for n_records in (FEW, MANY))
    assert many.own_mb - few.own_mb < MAX_GROWTH_MB
    assert many.others_mb - few.others_mb < MAX_GROWTH_MB
    assert many.seconds < MAX_RATIO * few.seconds
