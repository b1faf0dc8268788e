"""Drift of unseen records, as reported by `scoring drift`: months, small sets, and corrupted features.

    python experiments/benchmarks/drift.py ARCHIVE OTHER... --cut 2021-05-01T00:00Z
    python experiments/benchmarks/drift.py --smoke

The model is trained on the first archive as of the cut. Its later months, sets of 50 later records, and the
other archives are compared with it; then the first month again with a deliberately corrupted feature. Prints
numbers, no records.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from blocks import markdown

from scoring.artifact.saved_model import SavedModel, load_model
from scoring.drift.detect import Drift, measure_drift
from scoring.drift.reference_profile import AS_OF, EXPECTED_ERROR, Profile
from scoring.errors import RecordError
from scoring.features.table import build_table
from scoring.progress import SILENT
from scoring.records.corpus import read_documents
from scoring.records.record import Document, Record
from scoring.records.synthetic.generate import write_sample
from scoring.settings import load_settings
from scoring.training.training_set import as_floats
from scoring.workflows.train import load_config, train

FEW = 50
MONTHS = 3
Change = Callable[[Record], Record]


def without_pictures(record: Record) -> Record:
    """Remove the images, as if their address was no longer read."""
    return msgspec.structs.replace(record, images=())


def without_excerpt(record: Record) -> Record:
    """Remove the excerpt, as if the feed left it out."""
    return msgspec.structs.replace(record, excerpt="")


def of_another_provider(record: Record) -> Record:
    """Change the provider's domain, as if providers were spelled differently."""
    provider = msgspec.structs.replace(record.provider, domain=f"www2.{record.provider.domain}")
    return msgspec.structs.replace(record, provider=provider)


class Measured(NamedTuple):
    """Measured drift of some records, and their absolute errors by labels; points."""

    drift: Drift
    errors: np.ndarray

    @property
    def farthest(self) -> tuple[float, str]:
        """Largest distance of a family as a multiple of its limit, and the family."""
        return max((family.distance / family.limit, family.family) for family in self.drift.families)

    def cells(self, name: str) -> list[str]:
        """Row of the table."""
        (expected,) = (shift.new for shift in self.drift.shifts if shift.name == EXPECTED_ERROR)
        ratio, family = self.farthest
        deviation = self.errors.std(ddof=1) / np.sqrt(len(self.errors))
        return [
            name,
            str(self.drift.n_records),
            "3" if self.drift.reasons else "0",
            f"{ratio:.2f} ({family})",
            f"{expected:.2f} ({self.drift.error_ratio or np.nan:.2f} x)",
            f"{self.errors.mean():.2f} +- {deviation:.2f}",
        ]


class Bench(NamedTuple):
    """A model with its profile, and unseen records by date."""

    saved: SavedModel
    profile: Profile
    later: list[Document]
    others: dict[str, list[Document]]

    @property
    def usual_error(self) -> float:
        """Expected error of the training's test records; points."""
        shifts = self.measure(self.later).drift.shifts
        return next(shift.before for shift in shifts if shift.name == EXPECTED_ERROR)

    def measure(self, documents: Sequence[Document], change: Change = lambda record: record) -> Measured:
        """Measure the drift of records, optionally corrupted."""
        table = build_table([change(document.record) for document in documents], AS_OF)
        labels = as_floats([document.labels.quality for document in documents])
        drift = measure_drift(self.profile, self.saved.scorer, table, labels)
        errors = np.abs(self.saved.scorer.predict(table).quality - labels)
        return Measured(drift, errors[~np.isnan(errors)])


def _stop(error: RecordError) -> None:
    raise error


def _moment(document: Document) -> datetime:
    return document.record.published_at or datetime.min.replace(tzinfo=UTC)


def _read(archive: str) -> list[Document]:
    return sorted(read_documents([archive], on_fault=_stop), key=_moment)


def trained(archives: Sequence[str], cut: datetime, threads: int) -> Bench:
    """Train on the first archive as of the cut."""
    first, *others = archives
    with tempfile.TemporaryDirectory() as folder:
        config = msgspec.structs.replace(load_config(None), as_of=cut.isoformat())
        train(
            [first],
            config=config,
            settings=load_settings(home=Path(folder), threads=threads),
            now=cut,
            output=Path(folder) / "model",
            is_tracked=False,
            on_fault=_stop,
            reporter=SILENT,
        )
        saved = load_model(Path(folder) / "model")
    if (profile := saved.manifest.profile) is None:
        raise SystemExit("too few records for a profile")
    later = [document for document in _read(first) if _moment(document) > cut]
    return Bench(saved, profile, later, {Path(other).name: _read(other) for other in others})


def rows_of(bench: Bench) -> Iterator[list[str]]:
    """Rows of the table."""
    months: dict[str, list[Document]] = {}
    for document in bench.later:
        months.setdefault(f"{_moment(document):%Y-%m}", []).append(document)
    for month, documents in list(months.items())[:MONTHS]:
        yield bench.measure(documents).cells(month)
    sets = [bench.later[start : start + FEW] for start in range(0, len(bench.later) - FEW + 1, FEW)]
    *nearer, (farthest, documents) = sorted(
        ((bench.measure(some), some) for some in sets), key=lambda pair: pair[0].farthest
    )
    ratios = [measured.drift.error_ratio or np.nan for measured, _ in nearer]
    errors = [measured.errors.mean() for measured, _ in nearer]
    yield [
        f"{FEW} at a time, but for the next line",
        f"{len(nearer)} sets",
        ", ".join(sorted({"3" if measured.drift.reasons else "0" for measured, _ in nearer})),
        f"{nearer[0][0].farthest[0]:.2f} to {nearer[-1][0].farthest[0]:.2f}",
        f"{min(ratios):.1f} to {max(ratios):.1f} x",
        f"{min(errors):.2f} to {max(errors):.2f}",
    ]
    yield farthest.cells(f"the set that is farthest off, from {_moment(documents[0]):%Y-%m-%d %H:%M} on")
    for name, others in bench.others.items():
        yield bench.measure(others).cells(f"another section: {name}")
    month, documents = next(iter(months.items()))
    yield bench.measure(documents, without_pictures).cells(f"{month}, pictures dropped")
    yield bench.measure(documents[:FEW], without_pictures).cells(f"the same, first {FEW}")
    yield bench.measure(documents, without_excerpt).cells(f"{month}, excerpts dropped")
    yield bench.measure(documents, of_another_provider).cells(f"{month}, providers renamed: all unseen")
    yield bench.measure(bench.later).cells("all later records")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("archives", nargs="*", metavar="ARCHIVE", help="what to learn from, then others")
    moment = "2021-05-01T00:00Z"
    parser.add_argument("--cut", type=datetime.fromisoformat, default=moment, help="up to when it is known")
    parser.add_argument("--threads", type=int, default=2, help="threads of the training")
    parser.add_argument("--smoke", action="store_true", help="synthetic records instead: a dry run")
    parser.add_argument("--sample-records", type=int, default=600, help="synthetic records of a dry run")
    options = parser.parse_args(arguments)
    if not (options.archives or options.smoke):
        parser.error("archives: got none, expected folders of labelled records (or --smoke)")
    cut = options.cut
    with tempfile.TemporaryDirectory() as folder:
        archives = options.archives
        if options.smoke:
            archives = [f"{folder}/news"]
            write_sample(Path(archives[0]), n_records=options.sample_records, seed=1)
            cut = datetime(2018, 1, 1, tzinfo=UTC) + timedelta(days=270)
        bench = trained(archives, cut, options.threads)
    n_records = bench.saved.manifest.training.n_records
    print(f"{n_records:,} records before {cut:%Y-%m-%d}; error of those held back: {bench.usual_error:.2f}\n")
    heads = ["new records", "count", "exit code", "farthest family, of its limit"]
    print(markdown([*heads, "expected error", "error by labels"], list(rows_of(bench))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
