"""Derived coverage: related records of an archive without lists, found in the archive itself.

A link depends on nothing later than the later of its two records, and each related record has its date. So
the coverage of a record as of a time is that of the archive as it was then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np

from scoring.records.corpus import archive_names
from scoring.records.record import Coverage, Document, Record
from scoring.stories.derivation import DerivedCoverage
from scoring.stories.links import Linker, LinkModel, Links, joined

WARNING = "coverage is derived from the archive: an estimate"


def links_among(records: Sequence[Record], model: LinkModel, threshold: float | None = None) -> Links:
    """Links among records.

    Parameters
    ----------
    records : sequence of Record
        In any order; those without a date have no links.
    model : LinkModel
        Learned links.
    threshold : float, optional
        Smallest probability of a link; that of the rule if not given.

    Returns
    -------
    Links
        Their numbers are indices of `records`.
    """
    dated = [(record.published_at, record.title, record.url, row) for row, record in enumerate(records)]
    order = np.array([key[-1] for key in sorted(filter(_has_date, dated), key=_order)], dtype=np.intp)
    links = joined(list(Linker(model, threshold).add([records[row] for row in order])))
    return Links(order[links.later], order[links.earlier], links.probability, links.is_copy)


_Key = tuple[datetime | None, str, str, int]


def _has_date(key: _Key) -> bool:
    return key[0] is not None


def _order(key: _Key) -> tuple[float, str, str, int]:
    return (key[0].timestamp() if key[0] else 0.0, *key[1:])


def derive_coverage(
    documents: Sequence[Document],
    archives: Sequence[str],
    model: LinkModel,
    qualities: Sequence[int | None] | None = None,
) -> list[Document]:
    """Give the records of archives without any list the coverage that is found in the archive.

    Parameters
    ----------
    documents : sequence of Document
        `n_records` documents.
    archives : sequence of str
        Archive of each document: see :func:`scoring.records.corpus.archive_names`. Coverage is found within
        an archive; one in which any record has a list is left as it is.
    model : LinkModel
        Learned links.
    qualities : sequence of int or None, optional
        Quality of each record as coverage of others; points, None if unknown. Default: the labels.

    Returns
    -------
    list of Document
        In the same order; each that was given coverage, even if none was found, has :data:`WARNING`.
    """
    qualities = [document.labels.quality for document in documents] if qualities is None else qualities
    rows_by_archive: defaultdict[str, list[int]] = defaultdict(list)
    for row, archive in enumerate(archives):
        rows_by_archive[archive].append(row)
    derived = list(documents)
    for rows in rows_by_archive.values():
        if not has_lists([documents[row] for row in rows]):
            own = [documents[row] for row in rows]
            records = [document.record for document in own]
            links = links_among(records, model, model.rule.coverage_threshold_)
            for row, document in zip(
                rows, with_links(own, links, [qualities[row] for row in rows]), strict=True
            ):
                derived[row] = document
    return derived


@dataclass(frozen=True, slots=True)
class CoverageDeriver:
    """Derives the coverage of documents with links of this name and version."""

    links: str
    model: LinkModel

    def put_to(self, documents: Sequence[Document], paths: Sequence[str]) -> list[Document]:
        """Documents with derived coverage, where their archive has no lists: see :func:`derive_coverage`."""
        return derive_coverage(documents, archive_names(documents, paths), self.model)

    def counted(self, documents: Sequence[Document]) -> DerivedCoverage | None:
        """What is derived in documents; None if nothing is."""
        derived = [document for document in documents if WARNING in document.warnings]
        n_related = sum(len(document.record.related) for document in derived)
        return DerivedCoverage(self.links, len(derived), n_related) if derived else None


def with_links(
    documents: Sequence[Document], links: Links, qualities: Sequence[int | None] | None = None
) -> list[Document]:
    """Documents whose coverage is what they are linked with; see :func:`derive_coverage`."""
    qualities = [document.labels.quality for document in documents] if qualities is None else qualities
    entries = [
        _coverage(document.record, quality) for document, quality in zip(documents, qualities, strict=True)
    ]
    return [
        _with_coverage(document, related)
        for document, related in zip(documents, _related(entries, links), strict=True)
    ]


def n_derived(documents: Sequence[Document]) -> int:
    """Number of documents with derived coverage."""
    return sum(WARNING in document.warnings for document in documents)


def has_lists(documents: Sequence[Document]) -> bool:
    """Whether any record lists related coverage."""
    return any(document.record.related for document in documents)


def _related(entries: Sequence[Coverage], links: Links) -> list[tuple[Coverage, ...]]:
    """Coverage of each record, in the order of the records."""
    rows: list[list[int]] = [[] for _ in entries]
    for later, earlier in zip(links.later.tolist(), links.earlier.tolist(), strict=True):
        rows[later].append(earlier)
        rows[earlier].append(later)
    return [tuple(entries[other] for other in sorted(others)) for others in rows]


def _coverage(record: Record, quality: int | None) -> Coverage:
    shared = set(Coverage.__struct_fields__) & set(Record.__struct_fields__)
    return Coverage(**{name: getattr(record, name) for name in shared}, quality=quality)


def _with_coverage(document: Document, related: tuple[Coverage, ...]) -> Document:
    return msgspec.structs.replace(
        document,
        record=msgspec.structs.replace(document.record, related=related),
        warnings=(*document.warnings, WARNING),
    )
