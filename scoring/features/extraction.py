"""Features of documents: the input of scoring, and tables at several times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features import coverage, recency
from scoring.features.as_of import AsOf, known_coverage, moment_of
from scoring.features.sections import SectionRule
from scoring.features.table import (
    NUMBER_INDEX,
    FeatureTable,
    Row,
    assemble,
    concatenated,
    extract,
    extract_known,
)
from scoring.records.record import Coverage, Document, Record

Indices = NDArray[np.intp]
_RECENCY = slice(start := NUMBER_INDEX[recency.COLUMNS[0].name], start + len(recency.COLUMNS))
_COVERAGE = slice(start := NUMBER_INDEX[coverage.COLUMNS[0].name], start + len(coverage.COLUMNS))


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
        document.name,
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
    """Features of documents at several times; each document is extracted once.

    Only the columns of recency and coverage depend on the time. The other columns are extracted when a
    document is first used, and those of coverage once for each number of known related records.
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
        extraction = self._by_rule.setdefault(sections, _Extraction(sections))
        rows = extraction.rows_of(documents)
        return tuple(extraction.table_at(rows, times) for times in moments)


class _Extraction:
    """Features of the documents used so far, with one rule for sections."""

    def __init__(self, sections: SectionRule) -> None:
        self._sections = sections
        self._documents: list[Document] = []
        self._rows: dict[int, int] = {}  # by identity, which stays valid since the documents are kept
        self._table = assemble([])  # with all coverage
        self._coverage: dict[tuple[int, int], tuple[float, ...]] = {}  # by row and number of known records

    def rows_of(self, documents: Sequence[Document]) -> Indices:
        """Rows of documents, shape (n_documents,); the features of new ones are extracted."""
        new = [document for document in documents if id(document) not in self._rows]
        if new:
            self._rows |= {id(document): row for row, document in enumerate(new, start=len(self._documents))}
            self._documents += new
            placed = [self._sections.placed(document.record, document.path) for document in new]
            self._table = concatenated([self._table, assemble([extract(record) for record in placed])])
        return np.array([self._rows[id(document)] for document in documents], dtype=np.intp)

    def table_at(self, rows: Indices, times: Sequence[datetime | None]) -> FeatureTable:
        """Features of some rows, each at its own time; None uses the record as it is."""
        table = self._table.take(rows)
        for numbers, row, time in zip(table.numbers, rows.tolist(), times, strict=True):
            if time is not None:
                record = self._documents[row].record
                known = known_coverage(record, time)
                numbers[_RECENCY] = recency.extract(record, known, time)
                if len(known) < len(record.related):
                    numbers[_COVERAGE] = self._coverage_values(row, known)
        return table

    def _coverage_values(self, row: int, known: tuple[Coverage, ...]) -> tuple[float, ...]:
        """Coverage columns of a row; related records only become known, so their number identifies them."""
        key = row, len(known)
        if key not in self._coverage:
            title_words = list(self._table.title_words[row])
            self._coverage[key] = coverage.extract(self._documents[row].record, known, title_words)
        return self._coverage[key]


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
