"""Shared by the benchmarks of growth: processor time and peak memory of a process, and the exponent."""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any

Run = dict[str, Any]


def processor_seconds() -> float:
    """Processor time of this process and of the processes that it has waited for; seconds."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_mb() -> float:
    """Largest memory of this process, or of a process that it has waited for; MB."""
    usages = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return max(usages) / 1024


def measured(program: str, *arguments: str) -> Run:
    """Run a benchmark's own program with arguments, and return the JSON that it prints."""
    command = [sys.executable, program, *arguments]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 -- our own
    print(f"{' '.join(arguments)}: {printed.strip()}", file=sys.stderr, flush=True)
    run: Run = json.loads(printed)
    return run


def program_costs(*command: str) -> Run:
    """Processor time and peak memory of a program and the processes that it waits for, without its output."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603 -- our own
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    return {"seconds": usage.ru_utime + usage.ru_stime, "mb": usage.ru_maxrss / 1024}


def exponent(sizes: Iterable[float], costs: Sequence[float]) -> float:
    """Exponent of the power of the size that the costs follow between the smallest and the largest size."""
    first, *_, last = sorted(zip(sizes, costs, strict=True))
    return math.log(max(last[1], 1e-9) / max(first[1], 1e-9)) / math.log(last[0] / first[0])
