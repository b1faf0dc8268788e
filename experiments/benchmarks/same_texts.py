"""Processor time and memory to find records of the same text, by number of records.

    python experiments/benchmarks/same_texts.py ARCHIVE...
    python experiments/benchmarks/same_texts.py --smoke

Synthetic records: with titles of their own; all with one title, and excerpts of their own, as a weekly
roundup; and all with a title that differs in a number. Their excerpts have few forms, so that they are
similar more often than real ones: those of archives are measured under one title too. Each runs in a process
of its own; making the records is not measured. The alternative is what others set up: the product of the
matrix of titles and words with itself, which has every pair of titles that share a word.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import islice

import msgspec
from blocks import markdown
from processor import exponent, measured, peak_mb, processor_seconds
from timing import Figure, arguments, machine, publish

from scoring.features.same_text import groups_of, same_texts
from scoring.features.text import NEAR_IDENTICAL_RATIO
from scoring.records.corpus import read_documents
from scoring.records.record import Record
from scoring.records.synthetic.generate import sample_documents

KINDS = {
    "own titles": (5_000, 20_000, 60_000),
    "one title": (1_000, 2_000, 4_000),
    "one title with a number": (1_000, 2_000, 4_000),
    "one title, excerpts of the archives": (1_000, 2_000, 4_000),
    "own titles, by scipy.sparse": (2_500, 5_000),
}


def records_of(kind: str, n_records: int, archives: Sequence[str]) -> list[Record]:
    """Records of a kind."""
    if kind.endswith("archives"):
        documents = read_documents(archives, on_fault=lambda error: print(error, file=sys.stderr))
        records = [document.record for document in islice(documents, n_records)]
        return [msgspec.structs.replace(record, title="The week at the harbour") for record in records]
    records = [record for record, _ in sample_documents(n_records=n_records, seed=1)]
    title = "The week at the harbour and in the villages around"
    if kind.startswith("one title"):
        return [
            msgspec.structs.replace(
                record,
                title=f"{title}: number {number}" if kind.endswith("number") else title,
                excerpt=f"{record.title}. {record.excerpt}",
            )
            for number, record in enumerate(records)
        ]
    return records


def by_product(records: list[Record]) -> list[tuple[int, int]]:
    """Links of nearly the same titles by the product of a sparse matrix with itself."""
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer

    X = CountVectorizer(binary=True, dtype=np.int32).fit_transform([record.title for record in records])
    n_words = np.asarray(X.sum(axis=1)).ravel()
    shared = (X @ X.T).tocoo()
    similarity = shared.data / (n_words[shared.row] + n_words[shared.col] - shared.data)
    is_near = (similarity >= NEAR_IDENTICAL_RATIO) & (shared.row < shared.col)
    return list(zip(shared.row[is_near].tolist(), shared.col[is_near].tolist(), strict=True))


def measure(kind: str, n_records: int, archives: Sequence[str]) -> dict[str, float]:
    """Find the texts; processor seconds, growth of memory, and links."""
    records = records_of(kind, n_records, archives)
    before_mb, begins = peak_mb(), processor_seconds()
    links = by_product(records) if kind.endswith("scipy.sparse") else list(same_texts(records))
    n_texts = len(set(groups_of(n_records, links).tolist()))
    seconds = processor_seconds() - begins
    return {"seconds": seconds, "mb": peak_mb() - before_mb, "n_links": len(links), "n_texts": n_texts}


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=1)
    parser.add_argument("--measure", nargs=2, metavar=("KIND", "N"), help="measure one size, and print JSON")
    options = parser.parse_args()
    if options.measure:
        kind, n_records = options.measure
        print(json.dumps(measure(kind, int(n_records), options.archives)))
        return
    rows, figures = [], []
    kinds = dict.fromkeys(["own titles", "one title"], (100, 200)) if options.smoke else KINDS
    if not options.archives:
        kinds = {kind: sizes for kind, sizes in kinds.items() if not kind.endswith("archives")}
    for kind, sizes in kinds.items():
        runs = [measured(__file__, *options.archives, "--measure", kind, str(size)) for size in sizes]
        power = exponent(sizes, [run["seconds"] for run in runs])
        for size, run in zip(sizes, runs, strict=True):
            numbers = (
                f"{run['seconds']:.2f}",
                f"{run['mb']:.0f}",
                f"{run['n_links']:,}",
                f"{run['n_texts']:,}",
            )
            rows.append([kind, f"{size:,}", *numbers, f"{power:.2f}" if size == sizes[-1] else ""])
        if kind == "own titles":
            figures.append(Figure("own titles: exponent", power, 1.2))
            figures.append(Figure(f"own titles: seconds of {sizes[-1]:,}", runs[-1]["seconds"], 10))
        elif kind.startswith("one title"):
            figures.append(Figure(f"{kind}: exponent", power, 1.2))
            figures.append(Figure(f"{kind}: seconds of {sizes[-1]:,}", runs[-1]["seconds"], 1))
            figures.append(Figure(f"{kind}: growth of memory, MB", runs[-1]["mb"], 100))
    publish(
        "records of the same text",
        [
            f"Processor seconds; memory is the growth of the peak. {machine()}.",
            markdown(["titles", "records", "seconds", "growth, MB", "links", "texts", "exponent"], rows),
            "\n".join(f"- {figure}" for figure in figures),
        ],
        options,
    )


if __name__ == "__main__":
    main()
