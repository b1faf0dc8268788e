"""What a record costs as records grow in number: made-up JSON lines on standard input, time and peak memory.

    python experiments/benchmarks/growth.py
    python experiments/benchmarks/growth.py --smoke

The lines come round again after some thousand, each with a number of its own, so that no two have the same
bytes and the cache of features, which is on, finds none of them.
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
    """One run: records, seconds, those until the first score was there, peak memory of all processes."""

    n_records: int
    seconds: float
    first_seconds: float
    peak_mb: float


def feed(stdin: IO[bytes], lines: Sequence[bytes], n_records: int) -> None:
    """Write so many records, no two alike."""
    with stdin:
        for number, line in enumerate(islice(cycle(lines), n_records)):
            stdin.write(b'{"number":"%d",' % number + line[1:])


def memory_of(process: int) -> float:
    """Memory of a process and of those below it, what they share counted once; MB."""
    try:
        below = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        fields = Path(f"/proc/{process}/smaps_rollup").read_text().split()
    except OSError:  # it has just ended
        return 0.0
    own = int(fields[fields.index("Pss:") + 1]) / 1024
    return own + sum(memory_of(int(one)) for one in below)


def watch(process: subprocess.Popen[bytes], seen: list[float]) -> None:
    """Note the memory until the process ends."""
    while process.poll() is None:
        seen.append(memory_of(process.pid))
        time.sleep(POLL_SECONDS)


def run(lines: Sequence[bytes], n_records: int) -> Run:
    """Score so many records in a process of its own."""
    seen = [0.0]
    begins = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 -- our own
        scoring("score", "-", "--format", "jsonl", "--quiet"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        threads = [
            Thread(target=feed, args=(process.stdin, lines, n_records)),
            Thread(target=watch, args=(process, seen)),
        ]
        for thread in threads:
            thread.start()
        process.stdout.readline()
        first = time.perf_counter() - begins
        n_scores = 1 + sum(1 for _ in process.stdout)
        for thread in threads:
            thread.join()
    if process.returncode or n_scores != n_records:
        told = f"{n_scores} scores and exit code {process.returncode}"
        raise SystemExit(f"got {told}, expected {n_records} and 0")
    return Run(n_records, time.perf_counter() - begins, first, max(seen))


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
    each = {one.n_records: (one.seconds - start) / one.n_records * 1000 for one in runs}
    rows = [
        [
            f"{one.n_records:,}",
            f"{one.seconds:.1f}",
            f"{one.first_seconds:.1f}",
            f"{each[one.n_records]:.3f}",
            f"{one.n_records / one.seconds:,.0f}",
            f"{one.peak_mb:.0f}",
        ]
        for one in runs
    ]
    base = 10_000 if 10_000 in each else sizes[0]
    figures = [
        Figure(f"a record at {sizes[-1]:,} against {base:,}", each[sizes[-1]] / each[base], 1.2),
        Figure("peak memory, GB", max(one.peak_mb for one in runs) / 1000, 1.5),
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
