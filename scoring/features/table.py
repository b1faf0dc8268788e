"""The feature table: one row per record, before any fitted encoding."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from scoring.features import body, content, coverage, provider, recency, topics
from scoring.features.as_of import AsOf, known_coverage, moment_of
from scoring.features.column import Column
from scoring.features.text import words_of
from scoring.records.record import Coverage, Record

TEXT_COLUMNS: tuple[Column, ...] = (*provider.TEXT_COLUMNS, *topics.TEXT_COLUMNS)
NUMBER_COLUMNS: tuple[Column, ...] = (
    *provider.COLUMNS,
    *topics.COLUMNS,
    *recency.COLUMNS,
    *coverage.COLUMNS,
    *content.COLUMNS,
)
TEXT_NAMES = tuple(column.name for column in TEXT_COLUMNS)
NUMBER_NAMES = tuple(column.name for column in NUMBER_COLUMNS)
BODY_NAMES = tuple(column.name for column in body.COLUMNS)
"""Columns that follow those of :data:`NUMBER_NAMES` in a table where a record has a body."""

NUMBER_INDEX = {name: index for index, name in enumerate((*NUMBER_NAMES, *BODY_NAMES))}

Floats = NDArray[np.float64]
Row = tuple[tuple[str, ...], tuple[float, ...], tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """Features of `n_records` records.

    Parameters
    ----------
    numbers : ndarray of shape (n_records, len(NUMBER_COLUMNS))
        Bools, counts and numbers; NaN if missing. With the columns of :data:`BODY_NAMES` after them if a
        record has a body.
    texts : ndarray of object, shape (n_records, len(TEXT_COLUMNS))
        Categories as text; empty if missing.
    topics : tuple of tuple of str
        Topics of each record, its section first.
    title_words : tuple of tuple of str
        Words of each title, in order.
    """

    numbers: Floats
    texts: NDArray[np.object_]
    topics: tuple[tuple[str, ...], ...]
    title_words: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def has_bodies(self) -> bool:
        """Whether the table has the columns of bodies."""
        return bool(self.numbers.shape[1] > len(NUMBER_NAMES))

    def number(self, name: str) -> Floats:
        """Return one column of numbers, shape (n_records,); NaN if no record has a body, and it is of one."""
        column: Floats = self._wide(name in BODY_NAMES)[:, NUMBER_INDEX[name]]
        return column

    def columns(self, names: Sequence[str]) -> Floats:
        """Return columns of numbers as :meth:`number` does, shape (n_records, len(names))."""
        indices = _column_indices(tuple(names))
        has_body = bool(len(indices)) and int(indices.max()) >= len(NUMBER_NAMES)
        values: Floats = self._wide(has_body).take(indices, axis=1)
        return values

    def _wide(self, has_body: bool) -> Floats:
        return _widened(self.numbers) if has_body else self.numbers

    def text(self, name: str) -> NDArray[np.object_]:
        """Return one column of texts, shape (n_records,)."""
        column: NDArray[np.object_] = self.texts[:, TEXT_NAMES.index(name)]
        return column

    def with_text(self, name: str, column: NDArray[np.object_]) -> FeatureTable:
        """Return the table with another column of texts, of shape (n_records,)."""
        texts = self.texts.copy()
        texts[:, TEXT_NAMES.index(name)] = column
        return replace(self, texts=texts)

    def with_number(self, name: str, column: Floats) -> FeatureTable:
        """Return the table with another column of numbers, of shape (n_records,)."""
        numbers = self.numbers.copy()
        numbers[:, NUMBER_INDEX[name]] = column
        return replace(self, numbers=numbers)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> FeatureTable:
        """Return the table of some rows, by index or mask."""
        index = np.arange(len(self))[rows]
        return FeatureTable(
            self.numbers[index],
            self.texts[index],
            tuple(map(self.topics.__getitem__, index.tolist())),
            tuple(map(self.title_words.__getitem__, index.tolist())),
        )


def concatenated(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Concatenate the rows of one or more tables."""
    numbers = [table.numbers for table in tables]
    if any(table.has_bodies for table in tables):
        numbers = list(map(_widened, numbers))
    return FeatureTable(
        np.concatenate(numbers),
        np.concatenate([table.texts for table in tables]),
        tuple(topics for table in tables for topics in table.topics),
        tuple(words for table in tables for words in table.title_words),
    )


def _widened(numbers: Floats) -> Floats:
    """Numbers with the columns of bodies, NaN if they were not there."""
    missing = len(NUMBER_INDEX) - numbers.shape[1]
    return np.pad(numbers, ((0, 0), (0, missing)), constant_values=np.nan) if missing else numbers


@functools.cache
def _column_indices(names: tuple[str, ...]) -> NDArray[np.intp]:
    return np.array([NUMBER_INDEX[name] for name in names], dtype=np.intp)


def extract(record: Record, as_of: AsOf = None) -> Row:
    """Extract the features of one record: texts, numbers, topics and title words.

    Parameters
    ----------
    record : Record
        The record, which has no labels that a feature could leak.
    as_of : datetime, timedelta or None
        Coverage newer than this time (aware UTC, or a delay after the record's publication) is ignored, and
        age is measured at it. None means the record as it is.

    Returns
    -------
    tuple
        Values of :data:`TEXT_COLUMNS` and :data:`NUMBER_COLUMNS`, with those of the body if the record has
        one, topics, and words of the title.
    """
    moment = moment_of(record, as_of)
    return extract_known(record, known_coverage(record, moment), moment)


def extract_known(record: Record, known: tuple[Coverage, ...], moment: datetime | None) -> Row:
    """Extract the features of one record with the coverage known at a time: see :func:`extract`.

    Its section is its first topic: see :meth:`scoring.features.sections.SectionRule.placed`.
    """
    title_words, excerpt_words = words_of(record.title), words_of(record.excerpt)
    provider_texts, provider_values = provider.extract(record)
    topic_texts, topic_values = topics.extract(record, title_words, excerpt_words)
    return (
        (*provider_texts, *topic_texts),
        (
            *provider_values,
            *topic_values,
            *recency.extract(record, known, moment),
            *coverage.extract(record, known, title_words),
            *content.extract(record, title_words, excerpt_words),
            *body.extract(record),
        ),
        tuple(dict.fromkeys(filter(None, record.topics))),
        tuple(title_words),
    )


def assemble(rows: Sequence[Row]) -> FeatureTable:
    """Assemble a table from rows of :func:`extract`."""
    texts = np.empty((len(rows), len(TEXT_NAMES)), dtype=object)
    for index, row in enumerate(rows):
        texts[index] = row[0]
    numbers = [row[1] for row in rows]
    n_numbers = max(map(len, numbers), default=len(NUMBER_NAMES))
    if n_numbers > len(NUMBER_NAMES):
        numbers = [(*values, *[np.nan] * (n_numbers - len(values))) for values in numbers]
    return FeatureTable(
        np.array(numbers, dtype=np.float64).reshape(len(rows), n_numbers),
        texts,
        tuple(row[2] for row in rows),
        tuple(row[3] for row in rows),
    )


def build_table(records: Iterable[Record], as_of: AsOf = None) -> FeatureTable:
    """Build the feature table of some records: see :func:`extract`."""
    return assemble([extract(record, as_of) for record in records])
