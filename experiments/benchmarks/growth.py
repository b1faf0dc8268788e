"""Time and peak memory by number of records: synthetic JSON lines on standard input.

    python experiments/benchmarks/growth.py
    python experiments/benchmarks/growth.py --smoke

The lines repeat after some thousand, each with a unique number, so that all differ in their bytes and the
feature cache, which is on, never has a hit.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from threading import Thread
from typing import IO, NamedTuple

from blocks import markdown
from timing import Figure, arguments, machine, own_home, publish, scoring

from scoring.records.synthetic.generate import sample_json_lines

SIZES = (1_000, 10_000, 100_000, 1_000_000)
N_LINES = 10_000
POLL_SECONDS = 0.25
HEADER = ("records", "seconds", "first score after, s", "a record, ms", "records a second", "peak, MB")


class Run(NamedTuple):
    """One run: records, total seconds, seconds until the first score, peak memory of all processes."""

    n_records: int
    seconds: float
    first_seconds: float
    peak_mb: float


def feed(stdin: IO[bytes], lines: Sequence[bytes], n_records: int) -> None:
    """Write records to standard input, all different."""
    with stdin:
        for number, line in enumerate(islice(cycle(lines), n_records)):
            stdin.write(b'{"number":"%d",' % number + line[1:])


def memory_of(process: int) -> float:
    """Proportional memory (PSS) of a process and its children; MB."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        fields = Path(f"/proc/{process}/smaps_rollup").read_text().split()
    except OSError:  # it has just ended
        return 0.0
    own = int(fields[fields.index("Pss:") + 1]) / 1024
    return own + sum(memory_of(int(child)) for child in children)


def watch(process: subprocess.Popen[bytes], samples: list[float]) -> None:
    """Sample the memory until the process ends."""
    while process.poll() is None:
        samples.append(memory_of(process.pid))
        time.sleep(POLL_SECONDS)


def run(lines: Sequence[bytes], n_records: int) -> Run:
    """Score records in a separate process."""
    samples = [0.0]
    begins = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 -- our own
        scoring("score", "-", "--format", "jsonl", "--quiet"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None  # noqa: S101 -- for the type alone
        assert stdout is not None  # noqa: S101 -- for the type alone
        threads = [
            Thread(target=feed, args=(stdin, lines, n_records)),
            Thread(target=watch, args=(process, samples)),
        ]
        for thread in threads:
            thread.start()
        stdout.readline()
        first = time.perf_counter() - begins
        n_scores = 1 + sum(1 for _ in stdout)
        for thread in threads:
            thread.join()
    if process.returncode or n_scores != n_records:
        result = f"{n_scores} scores and exit code {process.returncode}"
        raise SystemExit(f"got {result}, expected {n_records} and 0")
    return Run(n_records, time.perf_counter() - begins, first, max(samples))


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=1)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="records of runs")
    options = parser.parse_args()
    sizes = sorted(options.sizes if not options.smoke else (200, 400))
    lines = list(sample_json_lines(n_records=min(N_LINES, sizes[-1]), seed=1, is_labelled=False))
    with own_home(options):
        start = min(run(lines, 1).seconds for _ in range(3))
        runs = [run(lines, n_records) for n_records in sizes]
    record_ms = {done.n_records: (done.seconds - start) / done.n_records * 1000 for done in runs}
    rows = [
        [
            f"{done.n_records:,}",
            f"{done.seconds:.1f}",
            f"{done.first_seconds:.1f}",
            f"{record_ms[done.n_records]:.3f}",
            f"{done.n_records / done.seconds:,.0f}",
            f"{done.peak_mb:.0f}",
        ]
        for done in runs
    ]
    base = 10_000 if 10_000 in record_ms else sizes[0]
    figures = [
        Figure(f"a record at {sizes[-1]:,} against {base:,}", record_ms[sizes[-1]] / record_ms[base], 1.2),
        Figure("peak memory, GB", max(done.peak_mb for done in runs) / 1000, 1.5),
    ]
    publish(
        "growth",
        [
            f"JSON lines of {sum(map(len, lines)) / len(lines) / 1000:.1f} kB on standard input, "
            f"{options.threads} processes; a record's time is without the {start:.2f} s of the start. "
            f"{machine()}.",
            markdown(HEADER, rows),
            "\n".join(f"- {figure}" for figure in figures),
        ],
        options,
    )


if __name__ == "__main__":
    main()
