"""Features of documents: the input of scoring, and tables at several times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from zlib import crc32

import msgspec
import numpy as np

from scoring.features.as_of import AsOf, known_coverage, moment_of
from scoring.features.sections import SectionRule
from scoring.features.table import (
    FeatureTable,
    Row,
    as_of_times,
    assemble,
    concatenated,
    extract,
    extract_known,
)
from scoring.records.record import Coverage, Document, Record


class Extracted(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Input of scoring for one record: path, features and warnings.

    Parameters
    ----------
    path : str
        Its file; ``-`` is standard input.
    row : tuple
        Features: see :func:`scoring.features.table.extract`.
    n_unscored : int
        Number of known related records without quality.
    warnings : tuple of str
        Assumptions made when it was read.
    own_addresses, listed_addresses : tuple of int
        Its addresses and those of its known coverage, as numbers (CRC-32).
    """

    path: str
    row: Row
    n_unscored: int
    warnings: tuple[str, ...]
    own_addresses: tuple[int, ...] = ()
    listed_addresses: tuple[int, ...] = ()


def extracted(document: Document, as_of: AsOf, sections: SectionRule) -> Extracted:
    """Extract the features of a document: see :func:`scoring.features.table.extract`."""
    record = sections.placed(document.record, document.path)
    moment = moment_of(record, as_of)
    known = known_coverage(record, moment)
    n_unscored = sum(entry.quality is None for entry in known)
    return Extracted(
        document.path,
        extract_known(record, known, moment),
        n_unscored,
        document.warnings,
        _numbers_of([record]) if known else (),
        _numbers_of(known),
    )


def _numbers_of(records: Iterable[Record | Coverage]) -> tuple[int, ...]:
    """Addresses as numbers."""
    return tuple(
        crc32(address.encode("utf-8", "surrogatepass"))
        for record in records
        for address in (record.original_url, record.web_url)
        if address
    )


class ExtractedFeatures:
    """Features of documents at several times, from each document once.

    What no time changes is extracted when a document is first asked for, and kept as arrays.
    """

    def __init__(self) -> None:
        self._by_rule: dict[SectionRule, _Extraction] = {}

    def tables(
        self,
        documents: Sequence[Document],
        moments: Sequence[Sequence[datetime | None]],
        sections: SectionRule,
    ) -> tuple[FeatureTable, ...]:
        """Return feature tables: see :func:`tables_of`."""
        table = self._by_rule.setdefault(sections, _Extraction(sections)).table_of(documents)
        records = [document.record for document in documents]
        return tuple(as_of_times(table, records, times) for times in moments)


class _Extraction:
    """Features, as they are now, of the documents asked for so far; sections are found by one rule."""

    def __init__(self, sections: SectionRule) -> None:
        self._sections = sections
        self._table = assemble([])
        self._documents: list[Document] = []  # keeps the identities valid
        self._rows: dict[int, int] = {}

    def table_of(self, documents: Sequence[Document]) -> FeatureTable:
        """Features of documents, in their order."""
        new = [document for document in documents if id(document) not in self._rows]
        if new:
            self._rows |= {id(document): row for row, document in enumerate(new, start=len(self._documents))}
            self._documents += new
            placed = [self._sections.placed(document.record, document.path) for document in new]
            self._table = concatenated([self._table, assemble([extract(record) for record in placed])])
        return self._table.take(np.array([self._rows[id(document)] for document in documents], dtype=np.intp))


def tables_of(
    documents: Sequence[Document], moments: Sequence[Sequence[datetime | None]], sections: SectionRule
) -> tuple[FeatureTable, ...]:
    """Extract the features of documents at several times.

    Parameters
    ----------
    documents : sequence of Document
        `n_records` documents.
    moments : sequence of sequence of datetime or None
        For each table, the time of each document: aware UTC, or None for the document as it is.
    sections : SectionRule
        How the section of each document is found.

    Returns
    -------
    tuple of FeatureTable
        One table per sequence of times, each with `n_records` rows.
    """
    return ExtractedFeatures().tables(documents, moments, sections)
