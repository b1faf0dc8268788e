"""Time to relate a record by number of records, and peak memory, on synthetic records.

    python experiments/benchmarks/relate_growth.py
    python experiments/benchmarks/relate_growth.py --smoke

Each size runs in a process of its own, which relates the records in the order of publication, block by block,
as they would arrive; making them is not timed. Seconds are of the processor, so that other programs matter
little. The rate of records a day is the same at all sizes.
"""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice

from blocks import markdown
from timing import Figure, arguments, machine, publish

from scoring.artifact.links_file import load_links
from scoring.records.record import Record
from scoring.records.synthetic.generate import sample_documents
from scoring.stories.links import Linker
from scoring.stories.title_index import BLOCK

SIZES = (10_000, 100_000)
FAR = 1_000_000
RECORDS_A_DAY = 500


def records_of(n_records: int) -> Iterator[Record]:
    """Synthetic records by time, without their lists."""
    days = max(1, n_records // RECORDS_A_DAY)
    for record, _ in sample_documents(n_records=n_records, seed=1, days=days):
        yield record


def measure(n_records: int) -> dict[str, float]:
    """Relate records; seconds, links and peak memory."""
    linker, records = Linker(load_links().model), records_of(n_records)
    seconds, n_links = 0.0, 0
    while block := list(islice(records, BLOCK)):
        begins = time.process_time()
        n_links += sum(len(links.later) for links in linker.add(block))
        seconds += time.process_time() - begins
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"n_records": n_records, "seconds": seconds, "n_links": n_links, "peak_mb": peak_mb}


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=1)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="records of runs")
    parser.add_argument("--measure", type=int, metavar="N", help="measure one size, and print JSON")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    sizes = sorted(options.sizes if not options.smoke else (300, 600))
    runs = [_measured(size) for size in sizes]
    record_ms = [run["seconds"] / run["n_records"] * 1000 for run in runs]
    exponent = math.log(record_ms[-1] / record_ms[0]) / math.log(sizes[-1] / sizes[0])
    rows = []
    for size, run, each in zip(sizes, runs, record_ms, strict=True):
        numbers = (f"{run['seconds']:.1f}", f"{each:.3f}", f"{run['n_links']:,.0f}", f"{run['peak_mb']:.0f}")
        rows.append([f"{size:,}", *numbers])
    growth = (runs[-1]["peak_mb"] - runs[0]["peak_mb"]) / (sizes[-1] - sizes[0])
    far_mb = runs[-1]["peak_mb"] + growth * (FAR - sizes[-1])
    figures = [
        Figure(
            f"a record at {FAR:,} against {sizes[0]:,}, by the exponent", (FAR / sizes[0]) ** exponent, 1.5
        ),
        Figure(f"peak memory at {FAR:,}, GB", far_mb / 1000, 2.0),
    ]
    publish(
        "related records",
        [
            f"{RECORDS_A_DAY} records a day, one process. A record's time grows as the number of records "
            f"to the power {exponent:.3f}; figures for {FAR:,} are extrapolated. {machine()}.",
            markdown(["records", "seconds", "a record, ms", "links", "peak, MB"], rows),
            "\n".join(f"- {figure}" for figure in figures),
        ],
        options,
    )


def _measured(n_records: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", str(n_records)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 -- our own
    print(f"{n_records:,}: {printed.strip()}", file=sys.stderr, flush=True)
    measured: dict[str, float] = json.loads(printed)
    return measured


if __name__ == "__main__":
    main()
