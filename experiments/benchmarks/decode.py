"""Processor time and memory of decoding an archive whose records list the same coverage again and again.

    python experiments/benchmarks/decode.py ARCHIVE...
    python experiments/benchmarks/decode.py --smoke

Decoding remembers the entries under `related` that it has parsed. Compared are decoding without that memory,
and the bare parser (rapidyaml) on whole documents, unchecked. Each runs in a process of its own that keeps
all records. Then `scoring score` as a whole process, without a feature cache and with that of the run before.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import ryml
from blocks import markdown
from processor import measured, peak_mb, processor_seconds, program_costs
from timing import Figure, arguments, machine, publish, records, scoring, size_of

from scoring.records import repeated_coverage
from scoring.records.decode import decode_file
from scoring.records.files import expand
from scoring.records.forms import front_matter
from scoring.records.forms.front_matter import find_front_matter, to_json
from scoring.records.record import Document

WAYS = ("as read", "without remembered entries", "its check of the form", "rapidyaml alone")


def _decode(files: dict[str, bytes], *, remembers: bool) -> list[Document]:
    span = repeated_coverage._list_span if remembers else lambda block: None
    with patch.object(repeated_coverage, "_list_span", span):
        return [decode_file(data, path) for path, data in files.items()]


def _checked_blocks(files: dict[str, bytes]) -> list[bytes]:
    """What `decode_file` passes to the check of the form."""
    blocks = []

    def recorded(block: bytes) -> memoryview | None:
        blocks.append(block)
        return to_json(block)

    with patch.object(repeated_coverage, "to_json", recorded):
        _decode(files, remembers=True)
    return blocks


def measure(way: str, folders: Sequence[str]) -> dict[str, float]:
    """Decode in one way; processor seconds, and growth of memory."""
    files = {path: Path(path).read_bytes() for path in expand(folders)}
    blocks = []
    for path, data in files.items():
        span = find_front_matter(data, path)
        blocks.append(data[span.start : span.stop])
    checked = _checked_blocks(files) if way == WAYS[2] else []
    before_mb, begins = peak_mb(), processor_seconds()
    kept: list[Document] | list[memoryview | None] | list[int]
    if way in WAYS[:2]:
        kept = _decode(files, remembers=way == WAYS[0])
    elif way == WAYS[2]:
        no_parser = patch.object(ryml, "parse_in_arena", lambda block: None)
        with no_parser, patch.object(front_matter, "_emit", lambda tree, n_bytes: memoryview(b"")):
            kept = [to_json(block) for block in checked]
    else:
        kept = [len(front_matter._emit(ryml.parse_in_arena(block), len(block))) for block in blocks]
    seconds = processor_seconds() - begins
    return {"seconds": seconds, "mb": peak_mb() - before_mb, "n_kept": len(kept)}


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=1)
    parser.add_argument("--measure", metavar="WAY", help="measure one way, and print JSON")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.archives)))
        return
    with records(options, parser) as folders:
        runs = {way: measured(__file__, *folders, "--measure", way) for way in WAYS}
        for cache in ("cold", "warm"):
            runs[f"scoring score, {cache} cache"] = program_costs(*scoring("score", *folders))
        size = size_of(folders)
    figures = [
        Figure("as read, times without remembered entries", _ratio(runs, WAYS[0], WAYS[1]), 0.6),
        Figure("check of the form, times rapidyaml alone", _ratio(runs, WAYS[2], WAYS[3]), 0.6),
        Figure("growth of memory, MB", runs[WAYS[0]]["mb"], 25),
    ]
    rows = [[name, f"{run['seconds']:.2f}", f"{run['mb']:.0f}"] for name, run in runs.items()]
    publish(
        "decode",
        [
            f"{size}. Processor seconds; memory is the growth of the peak, or a program's peak. {machine()}.",
            markdown(["what", "seconds", "MB"], rows),
            "\n".join(f"- {figure}" for figure in figures),
        ],
        options,
    )


def _ratio(runs: dict[str, dict[str, float]], way: str, other: str) -> float:
    return runs[way]["seconds"] / runs[other]["seconds"]


if __name__ == "__main__":
    main()
