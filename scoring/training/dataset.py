"""Labelled records, ready to train on or to compare with: what train and evaluate share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import BinaryIO, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from scoring.errors import RecordError
from scoring.features import story
from scoring.features.as_of import AsOf, moment_of, parse_as_of
from scoring.features.extraction import tables_of
from scoring.features.table import FeatureTable
from scoring.labels.corrections import Corrections
from scoring.labels.own_scores import OwnScores
from scoring.progress import Reporter
from scoring.records.corpus import OnFault, data_sha256, read_documents
from scoring.records.record import Document, Record
from scoring.training.cascade import CascadeLabels
from scoring.training.config import TrainConfig
from scoring.training.splits import to_moment
from scoring.training.training_set import TrainingSet, as_floats

INGEST_AGES = ("published", "published+6h", "published+48h")


class FeatureSource(Protocol):
    """Where the features of labelled records come from."""

    def tables(
        self, documents: Sequence[Document], moments: Sequence[Sequence[datetime | None]]
    ) -> tuple[FeatureTable, ...]:
        """As :func:`scoring.features.extraction.tables_of` gives them."""

    def whole(self, documents: Sequence[Document]) -> Sequence[Document]:
        """The documents with all that was read of their records."""


class _LocalFeatures:
    """The records are here, whole."""

    def tables(
        self, documents: Sequence[Document], moments: Sequence[Sequence[datetime | None]]
    ) -> tuple[FeatureTable, ...]:
        return tables_of(documents, moments)

    def whole(self, documents: Sequence[Document]) -> Sequence[Document]:
        return documents


_HERE: FeatureSource = _LocalFeatures()


@dataclass(frozen=True)
class LabelledDataset:
    """Labelled records as they were read.

    Parameters
    ----------
    documents : list of Document
        Those with a quality and a date, in the order of their dates.
    n_faults : int
        Records that could not be used.
    n_unlabelled : int
        Records without a quality or a date, left out; not those whose quality scoring has written.
    data_sha256 : str
        Hex digest of the content of the documents, corrected labels included.
    extractor : FeatureSource
        What makes features of them.
    corrections : Corrections or None
        What stands in the place of labels of the files.
    own_scores : OwnScores or None
        What was looked up of the labels that scoring has written; None where nothing was.
    n_own_labels : int
        How many such labels the records had, those that were left out for it included.
    """

    documents: list[Document]
    n_faults: int
    n_unlabelled: int
    data_sha256: str
    extractor: FeatureSource = _HERE
    corrections: Corrections | None = None
    own_scores: OwnScores | None = None
    n_own_labels: int = 0

    @property
    def tags(self) -> dict[str, str]:
        """What a run tells of where the labels are from."""
        own = self.own_scores.tags(self.n_own_labels) if self.own_scores else {}
        return own | (self.corrections.tags if self.corrections else {})

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

    @property
    def n_days(self) -> int:
        """Days (UTC) on which they were published."""
        return len(np.unique(self.moments.astype("datetime64[D]")))

    def take(self, mask: NDArray[np.bool_]) -> LabelledDataset:
        """The records of a mask of shape (n_records,), as if they had been read alone."""
        chosen = self.chosen(mask)
        digest = data_sha256(document.sha256 for document in chosen)
        return replace(self, documents=chosen, data_sha256=digest)

    def chosen(self, mask: NDArray[np.bool_]) -> list[Document]:
        """The documents of a mask of shape (n_records,)."""
        return [document for document, is_chosen in zip(self.documents, mask, strict=True) if is_chosen]

    def whole(self, mask: NDArray[np.bool_]) -> Sequence[Document]:
        """The documents of a mask of shape (n_records,), with all that was read of their records."""
        return self.extractor.whole(self.chosen(mask))

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
        chosen = self.chosen(mask)
        moments = [moment_of(document.record, as_of) for document in chosen]
        (table,) = self.extractor.tables(chosen, [moments])
        return replace(whole, table=table)

    def at_ingest(self, mask: NDArray[np.bool_]) -> dict[str, TrainingSet]:
        """The records of a mask as they stood at each age of :data:`INGEST_AGES`."""
        return {name: self.as_seen(mask, parse_as_of(name)) for name in INGEST_AGES}

    def training_set(
        self,
        mask: NDArray[np.bool_],
        cuts: dict[str, datetime] | None = None,
        *,
        age: timedelta | None = None,
        forecast_ages_hours: Sequence[float] = (),
    ) -> TrainingSet:
        """Features and labels of the records that a mask names.

        Parameters
        ----------
        mask : ndarray of bool, shape (n_records,)
            Which records.
        cuts : dict of str to datetime, optional
            By section: the moment after which nothing is seen. A record whose coverage goes on after it
            keeps its quality, but its heat and whether it was published, which hang on that coverage, are
            left out.
        age : timedelta, optional
            Age at which each record is looked at; its labels are taken as they settled.
        forecast_ages_hours : sequence of float
            Ages at which the forecast is to see them too.
        """
        chosen = self.chosen(mask)
        ages = (age, *(timedelta(hours=hours) for hours in forecast_ages_hours))
        moments: list[list[datetime | None]] = [[] for _ in ages]
        heats, published = [], []
        for document in chosen:
            cut = cuts.get(section_of(document.record)) if cuts else None
            for look, each in zip(moments, ages, strict=True):
                look.append(_earliest(cut, moment_of(document.record, each)))
            is_settled = cut is None or not _has_coverage_after(document.record, cut)
            heats.append(document.labels.heat if is_settled else None)
            published.append(document.labels.published if is_settled else None)
        labels = CascadeLabels(
            as_floats([document.labels.quality for document in chosen]),
            as_floats(heats),
            as_floats(published),
        )
        table, *early = self.extractor.tables(chosen, moments)
        sections = [section_of(document.record) for document in chosen]
        return TrainingSet(table, labels, self.moments[mask], sections, self.copies[mask], tuple(early))

    def training_split(
        self, is_held: NDArray[np.bool_], cuts: dict[str, datetime], config: TrainConfig
    ) -> TrainingSet:
        """What a training may learn from, where some records are held back.

        Parameters
        ----------
        is_held : ndarray of bool, shape (n_records,)
            Records that are held back: neither they nor what the split keeps with them are learned from.
        cuts : dict of str to datetime
            By section: the moment after which nothing is seen.
        config : TrainConfig
            What is kept apart, the age at which records are looked at, and the ages of the forecast.
        """
        at = parse_as_of(config.as_of) if config.as_of else None
        return self.training_set(
            self.mask_apart(is_held, cuts, config.split.apart),
            cuts,
            age=at if isinstance(at, timedelta) else None,
            forecast_ages_hours=config.model.forecast_ages_hours,
        )

    def mask_apart(
        self, is_held: NDArray[np.bool_], cuts: dict[str, datetime], apart: Literal["copies", "stories"]
    ) -> NDArray[np.bool_]:
        """Mask, shape (n_records,), of the records that :meth:`training_apart` takes."""
        groups = self.stories if apart == "stories" else self.copies
        last = np.array([to_moment(cuts.get(section)) for section in self.sections], dtype="datetime64[us]")
        is_apart: NDArray[np.bool_] = ~is_held & ~np.isin(groups, groups[is_held]) & (self.moments <= last)
        return is_apart

    @cached_property
    def copies(self) -> NDArray[np.intp]:
        """Group of each record; see :func:`scoring.features.story.copies`."""
        return story.copies([document.record for document in self.documents])

    @cached_property
    def stories(self) -> NDArray[np.intp]:
        """Group of each record; see :func:`scoring.features.story.stories`."""
        return story.stories([document.record for document in self.documents])


def section_of(record: Record) -> str:
    """The site's section that a record belongs to: its first topic."""
    return record.topics[0] if record.topics else ""


def cutoffs_before(
    corpus: LabelledDataset, is_held: NDArray[np.bool_], gap_hours: float = 0.0
) -> dict[str, datetime]:
    """By section: the moment before the held-back records begin, after which no training may see anything.

    Parameters
    ----------
    corpus : LabelledDataset
        Labelled records.
    is_held : ndarray of bool, shape (n_records,)
        Which of them are held back.
    gap_hours : float
        Time between the moment and the first of them; hours, >= 0.
    """
    gap = timedelta(hours=gap_hours, microseconds=1)
    begins: dict[str, datetime] = {}
    for document, section, is_one_held in zip(corpus.documents, corpus.sections, is_held, strict=True):
        if is_one_held and document.record.published_at is not None:
            # A record of the block's first moment may be others' coverage, and its quality is a label.
            begins.setdefault(section, document.record.published_at - gap)
    return begins | {
        section: moment
        for section, moment in latest_moments(corpus, ~is_held).items()
        if section not in begins
    }


def latest_moments(
    corpus: LabelledDataset, mask: NDArray[np.bool_], until: datetime | None = None
) -> dict[str, datetime]:
    """By section: the last moment, up to a limit, that the records of a mask and their coverage know of."""
    latest: dict[str, datetime] = {}
    for document, section, is_chosen in zip(corpus.documents, corpus.sections, mask, strict=True):
        if is_chosen:
            moments = [
                document.record.published_at,
                *(entry.published_at for entry in document.record.related),
            ]
            known = [moment for moment in moments if moment is not None and (not until or moment <= until)]
            latest[section] = max([*known, latest.get(section, known[0])])
    return latest


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _has_coverage_after(record: Record, moment: datetime) -> bool:
    return any(entry.published_at is not None and entry.published_at > moment for entry in record.related)


def read_dataset(
    paths: Sequence[str],
    *,
    stdin: BinaryIO | None,
    on_fault: OnFault,
    reporter: Reporter,
    since: datetime | None = None,
    until: datetime | None = None,
    corrections: Corrections | None = None,
    own_scores: OwnScores | None = None,
) -> LabelledDataset:
    """Read every record that can be used and has a quality and a date.

    Parameters
    ----------
    paths : sequence of str
        As :func:`scoring.records.corpus.read_documents` takes them.
    stdin : binary file, optional
        What ``-`` reads.
    on_fault : callable
        Called with the error of each record that cannot be used, and of each line of the corrections.
    reporter : Reporter
        Told how far the reading is.
    since, until : datetime, optional
        Leave out records that were published earlier, or later, aware UTC.
    corrections : Corrections, optional
        What is to stand in the place of labels.
    own_scores : OwnScores, optional
        Leaves out the labels that scoring has written, but for those that are corrected; without it every
        label counts.

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
    if own_scores is not None:
        read = own_scores.put_to(read)
    if corrections is not None:
        for fault in corrections.ledger.torn:
            on_fault(RecordError(fault))
        read = corrections.put_to(read, reporter)
    corpus = dataset_of(read, faults, reporter=reporter, since=since, until=until, own_scores=own_scores)
    return replace(corpus, corrections=corrections)


def dataset_of(
    read: Sequence[Document],
    n_faults: int,
    *,
    reporter: Reporter,
    since: datetime | None = None,
    until: datetime | None = None,
    extractor: FeatureSource = _HERE,
    own_scores: OwnScores | None = None,
) -> LabelledDataset:
    """Those of the documents that were read that can be used and have a quality and a date.

    Parameters
    ----------
    read : sequence of Document
        What was read.
    n_faults : int
        Records that could not be used.
    reporter, since, until
        As :func:`read_dataset` takes them.
    extractor : FeatureSource
        What makes features of the documents.
    own_scores : OwnScores, optional
        What has looked at the labels of each of the documents.
    """
    usable = [one for one in read if one.labels.quality is not None and one.record.published_at is not None]
    own_labels = own_scores.names if own_scores else [frozenset[str]()] * len(read)
    n_own_qualities = sum(
        document.labels.quality is None and document.record.published_at is not None and "quality" in names
        for document, names in zip(read, own_labels, strict=True)
    )
    n_unlabelled = len(read) - len(usable) - n_own_qualities
    if n_unlabelled:
        reporter.note(f"{n_unlabelled} records without a quality or a date are left out")
    if since is not None or until is not None:
        n_usable = len(usable)
        usable = [one for one in usable if _is_between(one.record.published_at, since, until)]
        reporter.note(f"{n_usable - len(usable)} records outside of the chosen time are left out")
    n_own_labels = sum(
        len(names)
        for document, names in zip(read, own_labels, strict=True)
        if (since is None and until is None) or _is_between(document.record.published_at, since, until)
    )
    if own_scores is not None:
        own_scores.note(len(usable), n_own_labels, reporter)
    usable.sort(key=_order)
    digest = data_sha256(document.sha256 for document in usable)
    return LabelledDataset(
        usable,
        n_faults,
        n_unlabelled,
        digest,
        extractor,
        own_scores=own_scores,
        n_own_labels=n_own_labels,
    )


def _is_between(moment: datetime | None, since: datetime | None, until: datetime | None) -> bool:
    return moment is not None and (since is None or moment >= since) and (until is None or moment <= until)


def _order(document: Document) -> tuple[datetime, str]:
    assert document.record.published_at is not None  # noqa: S101 -- read_corpus has left such records out
    return document.record.published_at, document.sha256
