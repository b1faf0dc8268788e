"""Labelled dataset for training and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from scoring.features import story
from scoring.features.as_of import AsOf, moment_of, parse_as_of
from scoring.features.extraction import ExtractedFeatures
from scoring.features.sections import FIRST_TOPIC, SectionRule
from scoring.features.table import FeatureTable
from scoring.labels.corrections import Corrections
from scoring.labels.own_scores import OwnScores
from scoring.model.targets import TARGETS, Target, Targets
from scoring.records.corpus import data_sha256
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.ledger import digests_of
from scoring.records.record import Document, Record
from scoring.stories.derivation import DerivedCoverage
from scoring.stories.derived_coverage import CoverageDeriver
from scoring.training.cascade import CascadeLabels
from scoring.training.config import TrainConfig
from scoring.training.splits import to_moment
from scoring.training.training_set import TrainingSet, as_floats

SECTION_TAG = "section"
COVERAGE_TAG = "coverage"
INGEST_AGES = ("published", "published+6h", "published+48h")


class FeatureSource(Protocol):
    """Source of the features of labelled records."""

    def tables(
        self,
        documents: Sequence[Document],
        moments: Sequence[Sequence[datetime | None]],
        sections: SectionRule,
    ) -> tuple[FeatureTable, ...]:
        """Return feature tables, as :func:`scoring.features.extraction.tables_of` does."""

    def whole(self, documents: Sequence[Document]) -> Sequence[Document]:
        """Return the documents with complete records."""


class LocalFeatures(ExtractedFeatures):
    """Features of complete records in this process."""

    def whole(self, documents: Sequence[Document]) -> Sequence[Document]:
        """Return the documents, which are complete."""
        return documents


@dataclass(frozen=True)
class LabelledDataset:
    """Labelled records.

    Parameters
    ----------
    documents : list of Document
        Records with a date and the first of the targets, by date.
    n_faults : int
        Records that could not be read.
    n_unlabelled : int
        Records skipped without that label or a date; not those whose label scoring wrote itself.
    data_sha256 : str
        Hex digest of the content of the documents, corrected labels included.
    extractor : FeatureSource
        Source of the features.
    corrections : Corrections or None
        Corrected labels that replace those of the files.
    own_scores : OwnScores or None
        Lookup of labels that scoring wrote itself; None if not looked up.
    n_own_labels : int
        Labels that scoring wrote itself, including those of skipped records.
    section_rule : SectionRule
        How the section of each record is found.
    field_map : FieldMap or None
        The field map of all records; None for scoring's own layout, or if they have several.
    deriver : CoverageDeriver or None
        Has derived the coverage of archives without lists; None if all coverage is listed.
    targets : tuple of str
        The labels to learn, or to evaluate on.
    """

    documents: list[Document]
    n_faults: int
    n_unlabelled: int
    data_sha256: str
    extractor: FeatureSource = field(default_factory=LocalFeatures, compare=False)
    corrections: Corrections | None = None
    own_scores: OwnScores | None = None
    n_own_labels: int = 0
    section_rule: SectionRule = FIRST_TOPIC
    field_map: FieldMap | None = None
    deriver: CoverageDeriver | None = None

    @property
    def derived_coverage(self) -> DerivedCoverage | None:
        """What coverage is derived; None if all is listed."""
        return self.deriver.counted(self.documents) if self.deriver else None

    targets: Targets = TARGETS

    @property
    def label_counts(self) -> dict[Target, int]:
        """Number of records that have each of the targets."""
        labels = [document.labels for document in self.documents]
        return {name: sum(getattr(label, name) is not None for label in labels) for name in self.targets}

    @property
    def n_corrections(self) -> int:
        """Corrections of the ledger that apply to these records."""
        if self.corrections is None:
            return 0
        holding = self.corrections.holding
        return sum(len(digests_of(document.record).pick(holding)) for document in self.documents)

    @property
    def tags(self) -> dict[str, str]:
        """Tags of the run: origin of the labels, rule of sections unless by topic, derived coverage."""
        own_score_tags = self.own_scores.tags(self.n_own_labels) if self.own_scores else {}
        setting = self.section_rule.setting
        section_tags = {} if setting == "topic" else {SECTION_TAG: setting}
        coverage_tags = {COVERAGE_TAG: f"derived by {self.deriver.links}"} if self.deriver else {}
        return (
            own_score_tags
            | section_tags
            | coverage_tags
            | (self.corrections.tags if self.corrections else {})
        )

    @property
    def moments(self) -> NDArray[np.datetime64]:
        """Dates of publication, shape (n_records,)."""
        return np.array(
            [to_moment(document.record.published_at) for document in self.documents], dtype="datetime64[us]"
        )

    @property
    def sections(self) -> list[str]:
        """Section of each record; empty if unknown."""
        return [self.section_of(document) for document in self.documents]

    def section_of(self, document: Document) -> str:
        """Section of one record; empty if unknown."""
        return self.section_rule.section_of(document.record, document.path)

    def under(self, section_rule: SectionRule) -> LabelledDataset:
        """The same records, their sections found by another rule."""
        return self if section_rule == self.section_rule else replace(self, section_rule=section_rule)

    @property
    def n_days(self) -> int:
        """Number of distinct publication days (UTC)."""
        return len(np.unique(self.moments.astype("datetime64[D]")))

    def take(self, mask: NDArray[np.bool_]) -> LabelledDataset:
        """Dataset of the records of a mask of shape (n_records,)."""
        chosen = self.chosen(mask)
        digest = data_sha256(document.sha256 for document in chosen)
        return replace(self, documents=chosen, data_sha256=digest)

    def chosen(self, mask: NDArray[np.bool_]) -> list[Document]:
        """Documents of a mask of shape (n_records,)."""
        return [document for document, is_chosen in zip(self.documents, mask, strict=True) if is_chosen]

    def whole(self, mask: NDArray[np.bool_]) -> Sequence[Document]:
        """Documents of a mask of shape (n_records,), with complete records."""
        return self.extractor.whole(self.chosen(mask))

    def as_seen(self, mask: NDArray[np.bool_], as_of: AsOf = None) -> TrainingSet:
        """Features as of a time, with settled labels, of the records of a mask.

        Parameters
        ----------
        mask : ndarray of bool, shape (n_records,)
            Records to take.
        as_of : datetime, timedelta or None
            See :func:`scoring.features.table.extract`.
        """
        training_set = self.training_set(mask)
        if as_of is None:
            return training_set
        chosen = self.chosen(mask)
        moments = [moment_of(document.record, as_of) for document in chosen]
        (table,) = self.extractor.tables(chosen, [moments], self.section_rule)
        return replace(training_set, table=table)

    def at_ingest(self, mask: NDArray[np.bool_]) -> dict[str, TrainingSet]:
        """Records of a mask at each age of :data:`INGEST_AGES`."""
        return {name: self.as_seen(mask, parse_as_of(name)) for name in INGEST_AGES}

    def training_set(
        self,
        mask: NDArray[np.bool_],
        cuts: dict[str, datetime] | None = None,
        *,
        age: timedelta | None = None,
        forecast_ages_hours: Sequence[float] = (),
    ) -> TrainingSet:
        """Features and labels of the records of a mask.

        Parameters
        ----------
        mask : ndarray of bool, shape (n_records,)
            Records to take.
        cuts : dict of str to datetime, optional
            Cutoff by section: anything later is excluded. A record with later coverage keeps its quality, but
            its heat and published labels, which depend on that coverage, are NaN.
        age : timedelta, optional
            Age of each record's features; labels are the settled ones.
        forecast_ages_hours : sequence of float
            Ages of the additional tables of the forecast; hours.
        """
        chosen = self.chosen(mask)
        has_quality, has_heat, has_published = (name in self.targets for name in TARGETS)
        ages = (age, *(timedelta(hours=hours) for hours in forecast_ages_hours))
        moments: list[list[datetime | None]] = [[] for _ in ages]
        heats, published = [], []
        for document in chosen:
            cutoff = cuts.get(self.section_of(document)) if cuts else None
            for moments_at_age, record_age in zip(moments, ages, strict=True):
                moments_at_age.append(_earliest(cutoff, moment_of(document.record, record_age)))
            is_settled = cutoff is None or not _has_coverage_after(document.record, cutoff)
            heats.append(document.labels.heat if is_settled and has_heat else None)
            published.append(document.labels.published if is_settled and has_published else None)
        labels = CascadeLabels(
            as_floats([document.labels.quality if has_quality else None for document in chosen]),
            as_floats(heats),
            as_floats(published),
        )
        table, *early_tables = self.extractor.tables(chosen, moments, self.section_rule)
        sections = [self.section_of(document) for document in chosen]
        return TrainingSet(
            table,
            labels,
            self.moments[mask],
            sections,
            self.copies[mask],
            tuple(early_tables),
            self.section_rule,
            targets=self.targets,
        )

    def training_split(
        self, is_held: NDArray[np.bool_], cuts: dict[str, datetime], config: TrainConfig
    ) -> TrainingSet:
        """Training set that excludes held-out records and their copies or stories.

        Parameters
        ----------
        is_held : ndarray of bool, shape (n_records,)
            Held-out records.
        cuts : dict of str to datetime
            Cutoff by section: anything later is excluded.
        config : TrainConfig
            Split, age of the records and ages of the forecast.
        """
        as_of = parse_as_of(config.as_of) if config.as_of else None
        return self.training_set(
            self.mask_apart(is_held, cuts, config.split.apart),
            cuts,
            age=as_of if isinstance(as_of, timedelta) else None,
            forecast_ages_hours=config.model.forecast_ages_hours,
        )

    def mask_apart(
        self, is_held: NDArray[np.bool_], cuts: dict[str, datetime], apart: Literal["copies", "stories"]
    ) -> NDArray[np.bool_]:
        """Mask, shape (n_records,), of the records of :meth:`training_split`."""
        cutoffs = np.array(
            [to_moment(cuts.get(section)) for section in self.sections], dtype="datetime64[us]"
        )
        return ~is_held & ~self.copies_of(is_held, apart) & (self.moments <= cutoffs)

    def copies_of(self, is_held: NDArray[np.bool_], apart: Literal["copies", "stories"]) -> NDArray[np.bool_]:
        """Mask, shape (n_records,), of the records that are copies, or of the stories, of held-out ones."""
        groups = self.stories if apart == "stories" else self.copies
        mask: NDArray[np.bool_] = ~is_held & np.isin(groups, groups[is_held])
        return mask

    @cached_property
    def copies(self) -> NDArray[np.intp]:
        """Group of each record; see :func:`scoring.features.story.copies`."""
        return story.copies([document.record for document in self.documents])

    @cached_property
    def stories(self) -> NDArray[np.intp]:
        """Group of each record; see :func:`scoring.features.story.stories`."""
        return story.stories([document.record for document in self.documents])


def cutoffs_before(
    corpus: LabelledDataset, is_held: NDArray[np.bool_], gap_hours: float = 0.0
) -> dict[str, datetime]:
    """Cutoff by section: the last moment that training may see before the held-out records begin.

    Parameters
    ----------
    corpus : LabelledDataset
        Labelled records.
    is_held : ndarray of bool, shape (n_records,)
        Held-out records.
    gap_hours : float
        Time between the cutoff and the first held-out record; hours, >= 0.
    """
    gap = timedelta(hours=gap_hours, microseconds=1)
    cutoffs: dict[str, datetime] = {}
    for document, section, is_record_held in zip(corpus.documents, corpus.sections, is_held, strict=True):
        if is_record_held and document.record.published_at is not None:
            # The first held-out record may be coverage of others, and its quality is a label.
            cutoffs.setdefault(section, document.record.published_at - gap)
    return cutoffs | {
        section: moment
        for section, moment in latest_moments(corpus, ~is_held).items()
        if section not in cutoffs
    }


def latest_moments(
    corpus: LabelledDataset, mask: NDArray[np.bool_], until: datetime | None = None
) -> dict[str, datetime]:
    """Latest moment by section, up to `until`, of the records of a mask and their coverage."""
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
