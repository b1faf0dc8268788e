"""What `scoring drift` says of records that a model has not seen: whole, in part, and spoilt.

    python experiments/benchmarks/drift.py ARCHIVE OTHER... --cut 2021-05-01T00:00Z
    python experiments/benchmarks/drift.py --smoke

The model learns from what the first archive knew at the cut. Its later months, sets of 50 of these, and the
other archives are held against it; then the first month once more with a feature spoilt on purpose. Prints
numbers, no record.
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
from scoring.drift.detect import EXPECTED_ERROR, Drift, measure_drift
from scoring.drift.reference_profile import AS_OF, Profile
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
    """As where the address of pictures is not read any more."""
    return msgspec.structs.replace(record, images=())


def without_excerpt(record: Record) -> Record:
    """As where a feed has left them out."""
    return msgspec.structs.replace(record, excerpt="")


def of_another_provider(record: Record) -> Record:
    """As where providers are written in another way."""
    provider = msgspec.structs.replace(record.provider, domain=f"www2.{record.provider.domain}")
    return msgspec.structs.replace(record, provider=provider)


class Held(NamedTuple):
    """Some records against the model: what `drift` finds, and the errors by their labels; points."""

    drift: Drift
    errors: np.ndarray

    @property
    def farthest(self) -> tuple[float, str]:
        """Distance of a family in times its limit, and the family."""
        return max((family.distance / family.limit, family.family) for family in self.drift.families)

    def cells(self, name: str) -> list[str]:
        """A row of the table."""
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
    """A model with its profile, and the records that it has not seen, in the order of their dates."""

    saved: SavedModel
    profile: Profile
    later: list[Document]
    others: dict[str, list[Document]]

    @property
    def usual_error(self) -> float:
        """That of the records which the training held back; points."""
        shifts = self.hold(self.later).drift.shifts
        return next(shift.before for shift in shifts if shift.name == EXPECTED_ERROR)

    def hold(self, documents: Sequence[Document], change: Change = lambda record: record) -> Held:
        """Some of them, spoilt or not, against the model."""
        table = build_table([change(one.record) for one in documents], AS_OF)
        labels = as_floats([one.labels.quality for one in documents])
        found = measure_drift(self.profile, self.saved.scorer, table, labels)
        errors = np.abs(self.saved.scorer.predict(table).quality - labels)
        return Held(found, errors[~np.isnan(errors)])


def _stop(error: RecordError) -> None:
    raise error


def _moment(document: Document) -> datetime:
    return document.record.published_at or datetime.min.replace(tzinfo=UTC)


def _read(archive: str) -> list[Document]:
    return sorted(read_documents([archive], on_fault=_stop), key=_moment)


def trained(archives: Sequence[str], cut: datetime, threads: int) -> Bench:
    """Train on the first archive as it was known at the cut."""
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
    later = [one for one in _read(first) if _moment(one) > cut]
    return Bench(saved, profile, later, {Path(other).name: _read(other) for other in others})


def rows_of(held: Bench) -> Iterator[list[str]]:
    """The table, row by row."""
    months: dict[str, list[Document]] = {}
    for one in held.later:
        months.setdefault(f"{_moment(one):%Y-%m}", []).append(one)
    for month, documents in list(months.items())[:MONTHS]:
        yield held.hold(documents).cells(month)
    sets = [held.later[at : at + FEW] for at in range(0, len(held.later) - FEW + 1, FEW)]
    *nearer, (farthest, documents) = sorted(
        ((held.hold(some), some) for some in sets), key=lambda pair: pair[0].farthest
    )
    ratios = [one.drift.error_ratio or np.nan for one, _ in nearer]
    errors = [one.errors.mean() for one, _ in nearer]
    yield [
        f"{FEW} at a time, but for the next line",
        f"{len(nearer)} sets",
        ", ".join(sorted({"3" if one.drift.reasons else "0" for one, _ in nearer})),
        f"{nearer[0][0].farthest[0]:.2f} to {nearer[-1][0].farthest[0]:.2f}",
        f"{min(ratios):.1f} to {max(ratios):.1f} x",
        f"{min(errors):.2f} to {max(errors):.2f}",
    ]
    yield farthest.cells(f"the set that is farthest off, from {_moment(documents[0]):%Y-%m-%d %H:%M} on")
    for name, others in held.others.items():
        yield held.hold(others).cells(f"another section: {name}")
    month, documents = next(iter(months.items()))
    yield held.hold(documents, without_pictures).cells(f"{month}, pictures dropped")
    yield held.hold(documents[:FEW], without_pictures).cells(f"the same, first {FEW}")
    yield held.hold(documents, without_excerpt).cells(f"{month}, excerpts dropped")
    yield held.hold(documents, of_another_provider).cells(f"{month}, providers renamed: all unseen")
    yield held.hold(held.later).cells("all later records")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("archives", nargs="*", metavar="ARCHIVE", help="what to learn from, then others")
    moment = "2021-05-01T00:00Z"
    parser.add_argument("--cut", type=datetime.fromisoformat, default=moment, help="up to when it is known")
    parser.add_argument("--threads", type=int, default=2, help="threads of the training")
    parser.add_argument("--smoke", action="store_true", help="made-up records instead: a dry run")
    parser.add_argument("--sample-records", type=int, default=600, help="made-up records of a dry run")
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
        held = trained(archives, cut, options.threads)
    n_records = held.saved.manifest.training.n_records
    print(f"{n_records:,} records before {cut:%Y-%m-%d}; error of those held back: {held.usual_error:.2f}\n")
    heads = ["new records", "count", "exit code", "farthest family, of its limit"]
    print(markdown([*heads, "expected error", "error by labels"], list(rows_of(held))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
