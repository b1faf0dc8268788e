"""Processor time of an event of `scoring watch`, by number of files in the folder.

    python experiments/benchmarks/watch.py
    python experiments/benchmarks/watch.py --smoke

Files arrive one by one in a watched folder of synthetic records; the time of an event includes reading and
scoring the new record, and updating the state of the watch. Compared is a sweep, which lists the whole
folder, as a script with `glob` in a loop does it. Watching is in this process; file events themselves are
left out.
"""

from __future__ import annotations

import json
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from blocks import markdown
from processor import exponent, measured, processor_seconds
from timing import Figure, arguments, machine, own_home, publish

from scoring.inbox.folder_watch import Look
from scoring.inbox.watch_state import Seen
from scoring.progress import SILENT
from scoring.records.field_maps.lookup import field_maps_of
from scoring.records.synthetic.generate import write_sample
from scoring.settings import load_settings
from scoring.workflows import watch
from scoring.workflows.watch import _Callbacks, _Clock, _Follower, _Watch

SIZES = (5_000, 50_000)
N_ARRIVALS = 20
RECORD = """---
title: Rain again
publishedDateTime: 2021-03-04T05:06:07Z
topics: [Sea]
provider:
  name: Gull
originalUrl: https://gull.example/{number}
---
"""


def measure(folder: Path, n_files: int) -> dict[str, float]:
    """Let files arrive; processor seconds of the first look, of an event and of a sweep."""
    write_sample(folder / "inbox", n_records=n_files, seed=1, is_labelled=False)
    settings = load_settings(home=folder / "home", threads=1)
    inbox = str(folder / "inbox")
    parts = _Callbacks(lambda error: print(error), SILENT)
    with closing(Seen(folder / "watch.db")) as seen:
        watched = _Watch(
            inbox,
            _Follower("shipped", settings, SILENT),
            seen,
            _Clock(datetime.now(UTC)),
            threading.Event(),
            parts,
            None,
            field_maps_of([inbox], settings),
        )

        def seconds_of(look: Look) -> float:
            begins = processor_seconds()
            n_scores = sum(1 for _ in watched._take(look))
            if not n_scores and look.names is not None:
                raise SystemExit(f"{look.names}: not scored")
            return processor_seconds() - begins

        first = seconds_of(Look(is_due=True))
        events = []
        for number in range(N_ARRIVALS):
            name = f"arrival-{number}.md"
            (Path(inbox) / name).write_text(RECORD.format(number=number))
            events.append(seconds_of(Look(is_due=True, names=frozenset([name]))))
        sweep = seconds_of(Look(is_due=True))
    return {"first": first, "event": median(events), "sweep": sweep}


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=1)
    parser.add_argument("--measure", type=int, metavar="N", help="measure one size, and print JSON")
    options = parser.parse_args()
    if options.measure:
        with own_home(options) as folder:
            print(json.dumps(measure(folder, options.measure)))
        return
    sizes = (20, 40) if options.smoke else SIZES
    runs = [measured(__file__, "--measure", str(size)) for size in sizes]
    rows = []
    for what in ("first", "sweep", "event"):
        seconds = [run[what] for run in runs]
        cells = [f"{value * 1000:,.1f}" for value in seconds]
        rows.append([what, *cells, f"{exponent(sizes, seconds):.2f}"])
    figures = [
        Figure(f"an event with {sizes[-1]:,} files, ms", runs[-1]["event"] * 1000, 50),
        Figure("a sweep a minute, ratio of a core", runs[-1]["sweep"] / watch.SWEEP_SECONDS, 0.05),
    ]
    publish(
        "watch",
        [
            f"Processor milliseconds; of an event the median of {N_ARRIVALS}. {machine()}.",
            markdown(["what", *(f"{size:,} files" for size in sizes), "exponent"], rows),
            "\n".join(f"- {figure}" for figure in figures),
        ],
        options,
    )


if __name__ == "__main__":
    main()
