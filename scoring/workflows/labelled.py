"""Labelled records, ready to train on or to compare with: what train and evaluate share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from scoring.errors import RecordError
from scoring.features.moment import AsOf, parse_as_of
from scoring.features.table import assemble, extract
from scoring.model.cascade import CascadeLabels
from scoring.model.fit import TrainingSet, as_floats
from scoring.model.splits import to_moment
from scoring.progress import Reporter
from scoring.records.corpus import data_sha256, read_documents
from scoring.records.record import Document, Record

INGEST_AGES = ("published", "published+6h", "published+48h")
OnFault = Callable[[RecordError], None]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Labelled records as they were read.

    Parameters
    ----------
    documents : list of Document
        Those with a quality and a date, in the order of their dates.
    n_faults : int
        Records that could not be used.
    n_unlabelled : int
        Records without a quality or a date, left out.
    data_sha256 : str
        Hex digest of the content of the documents.
    """

    documents: list[Document]
    n_faults: int
    n_unlabelled: int
    data_sha256: str

    @property
    def moments(self) -> NDArray[np.datetime64]:
        """Dates of publication, shape (n_records,)."""
        return np.array(
            [to_moment(document.record.published_at) for document in self.documents], dtype="datetime64[us]"
        )

    @property
    def sections(self) -> list[str]:
        """First topic of each record; empty where it has none."""
        return [section_of(document.record) for document in self.documents]

    def as_seen(self, mask: NDArray[np.bool_], as_of: AsOf = None) -> TrainingSet:
        """Features as they stood at `as_of` beside the labels as they settled, of the records of a mask.

        Parameters
        ----------
        mask : ndarray of bool, shape (n_records,)
            Which records.
        as_of : datetime, timedelta or None
            As :func:`scoring.features.table.extract` takes it.
        """
        whole = self.training_set(mask)
        if as_of is None:
            return whole
        chosen = [document for document, is_chosen in zip(self.documents, mask, strict=True) if is_chosen]
        return replace(whole, table=assemble([extract(document.record, as_of) for document in chosen]))

    def at_ingest(self, mask: NDArray[np.bool_]) -> dict[str, TrainingSet]:
        """The records of a mask as they stood at each age of :data:`INGEST_AGES`."""
        return {name: self.as_seen(mask, parse_as_of(name)) for name in INGEST_AGES}

    def training_set(self, mask: NDArray[np.bool_], as_of: dict[str, datetime] | None = None) -> TrainingSet:
        """Features and labels of the records that a mask names.

        Parameters
        ----------
        mask : ndarray of bool, shape (n_records,)
            Which records.
        as_of : dict of str to datetime, optional
            By section: the moment after which nothing is seen. A record whose coverage goes on after it
            keeps its quality, but its heat and whether it was published, which hang on that coverage, are
            left out.
        """
        chosen = [document for document, is_chosen in zip(self.documents, mask, strict=True) if is_chosen]
        rows, heats, published = [], [], []
        for document in chosen:
            moment = as_of.get(section_of(document.record)) if as_of else None
            rows.append(extract(document.record, moment))
            is_settled = moment is None or not _has_coverage_after(document.record, moment)
            heats.append(document.labels.heat if is_settled else None)
            published.append(document.labels.published if is_settled else None)
        labels = CascadeLabels(
            as_floats([document.labels.quality for document in chosen]),
            as_floats(heats),
            as_floats(published),
        )
        moments = self.moments[mask]
        return TrainingSet(
            assemble(rows), labels, moments, [section_of(document.record) for document in chosen]
        )


def section_of(record: Record) -> str:
    """The site's section that a record belongs to: its first topic."""
    return record.topics[0] if record.topics else ""


def cuts_before(corpus: Corpus, is_held: NDArray[np.bool_]) -> dict[str, datetime]:
    """By section: the moment before the held-back records begin, after which no training may see anything.

    Parameters
    ----------
    corpus : Corpus
        Labelled records.
    is_held : ndarray of bool, shape (n_records,)
        Which of them are held back.
    """
    begins: dict[str, datetime] = {}
    for document, section, is_one_held in zip(corpus.documents, corpus.sections, is_held, strict=True):
        if is_one_held and document.record.published_at is not None:
            # A record of the block's first moment may be others' coverage, and its quality is a label.
            begins.setdefault(section, document.record.published_at - timedelta(microseconds=1))
    return begins | {
        section: moment
        for section, moment in latest_moments(corpus, ~is_held).items()
        if section not in begins
    }


def latest_moments(corpus: Corpus, mask: NDArray[np.bool_]) -> dict[str, datetime]:
    """By section: the last moment that the records of a mask and their coverage know of."""
    latest: dict[str, datetime] = {}
    for document, section, is_chosen in zip(corpus.documents, corpus.sections, mask, strict=True):
        if is_chosen:
            moments = [
                document.record.published_at,
                *(entry.published_at for entry in document.record.related),
            ]
            known = [moment for moment in moments if moment is not None]
            latest[section] = max([*known, latest.get(section, known[0])])
    return latest


def _has_coverage_after(record: Record, moment: datetime) -> bool:
    return any(entry.published_at is not None and entry.published_at > moment for entry in record.related)


def read_corpus(
    paths: Sequence[str], *, stdin: BinaryIO | None, on_fault: OnFault, reporter: Reporter
) -> Corpus:
    """Read every record that can be used and has a quality and a date.

    Parameters
    ----------
    paths : sequence of str
        As :func:`scoring.records.corpus.read_documents` takes them.
    stdin : binary file, optional
        What ``-`` reads.
    on_fault : callable
        Called with the error of each record that cannot be used.
    reporter : Reporter
        Told how far the reading is.

    Returns
    -------
    Corpus
    """
    faults = 0

    def count(error: RecordError) -> None:
        nonlocal faults
        faults += 1
        on_fault(error)

    def tell(done: int, total: int) -> None:
        reporter.step("reading", done, total)

    read = list(read_documents(paths, stdin=stdin, on_fault=count, on_progress=tell))
    usable = [one for one in read if one.labels.quality is not None and one.record.published_at is not None]
    if len(usable) < len(read):
        reporter.note(f"{len(read) - len(usable)} records without a quality or a date are left out")
    usable.sort(key=_order)
    return Corpus(usable, faults, len(read) - len(usable), data_sha256(one.sha256 for one in usable))


def _order(document: Document) -> tuple[datetime, str]:
    assert document.record.published_at is not None  # noqa: S101 -- read_corpus has left such records out
    return document.record.published_at, document.sha256
