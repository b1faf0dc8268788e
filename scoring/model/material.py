"""What a rubric is fitted on: numbers, lengths, and which records bear which level and which word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scoring.features.table import NUMBER_COLUMNS, FeatureTable, Floats
from scoring.features.text import runs_of
from scoring.model.rubric import TOPICS, RubricConfig, levels_of

ADDITIVE_NAMES = tuple(
    column.name
    for column in NUMBER_COLUMNS
    if column.family in ("provider", "topic", "content") and column.type in ("bool", "count")
)
HINGED_NAMES = ("title_chars", "excerpt_chars")
LEVEL_NAMES = ("provider_domain", "provider_section", "provider_form", TOPICS)

Pair = tuple[str, str]


@dataclass(frozen=True)
class Material:
    """Columns that a rubric can be made of, for `n_records` records; fits on some of them share it.

    Parameters
    ----------
    numbers : ndarray of shape (n_records, len(ADDITIVE_NAMES))
        Bools and counts; 0 where missing.
    lengths : ndarray of shape (n_records, len(HINGED_NAMES))
        Characters.
    levels : csr_array of shape (n_records, n_levels)
        One where a record has a level of :data:`LEVEL_NAMES`.
    level_names : list of (str, str)
        What each has levels, and the level.
    terms : csr_array of shape (n_records, n_terms)
        One where a record's title has a run of words and the record a topic.
    term_names : list of (str, str)
        Topic and words, sorted.
    """

    numbers: Floats
    lengths: Floats
    levels: csr_array
    level_names: list[Pair]
    terms: csr_array
    term_names: list[Pair]

    def __len__(self) -> int:
        return len(self.numbers)

    @classmethod
    def of(cls, table: FeatureTable, config: RubricConfig) -> Material:
        """The material of a feature table, without levels and words of fewer records than are asked for."""
        rows = [levels_of(table, name) for name in LEVEL_NAMES]
        levels = [
            {(name, level) for name, row in zip(LEVEL_NAMES, found, strict=True) for level in row if level}
            for found in zip(*rows, strict=True)
        ]
        terms: Sequence[set[Pair]] = [set()] * len(table)
        if config.term_support > 0:
            terms = [
                {(topic, term) for term in runs_of(words) for topic in topics}
                for topics, words in zip(table.topics, table.title_words, strict=True)
            ]
        order = {name: at for at, name in enumerate(LEVEL_NAMES)}
        return cls(
            np.nan_to_num(table.columns(ADDITIVE_NAMES)),
            table.columns(HINGED_NAMES),
            *_incidence(levels, config.min_level_count, key=lambda pair: (order[pair[0]], pair[1])),
            *_incidence(terms, config.min_term_count),
        )

    def take(self, rows: NDArray[np.bool_]) -> Material:
        """The material of the records that a mask of shape (n_records,) names."""
        return Material(
            self.numbers[rows],
            self.lengths[rows],
            self.levels[rows],
            self.level_names,
            self.terms[rows],
            self.term_names,
        )


def _incidence(rows: Sequence[set[Pair]], min_count: int, key: Any = None) -> tuple[csr_array, list[Pair]]:
    """Which rows hold which pairs, and the pairs that so many hold, sorted."""
    codes: dict[Pair, int] = {}
    coded = np.array([codes.setdefault(pair, len(codes)) for row in rows for pair in row], dtype=np.intp)
    counts = np.bincount(coded, minlength=len(codes))
    names = sorted((pair for pair, count in zip(codes, counts, strict=True) if count >= min_count), key=key)
    place = np.full(len(codes), -1)
    place[[codes[pair] for pair in names]] = np.arange(len(names))
    column = place[coded]
    record = np.arange(len(rows)).repeat([len(row) for row in rows])
    is_kept = column >= 0
    shape = (len(rows), len(names))
    ones = np.ones(np.count_nonzero(is_kept))
    marks = csr_array((ones, (record[is_kept], column[is_kept])), shape=shape)
    marks.sort_indices()  # sets have no order, and sums in another order have other last digits
    return marks, names


def distinct(marks: csr_array, min_count: int) -> NDArray[np.intp]:
    """Marks of at least so many records, not of all, and of other records than an earlier mark."""
    by_mark = marks.tocsc()
    by_mark.sort_indices()
    seen: dict[bytes, int] = {}
    starts, sizes = by_mark.indptr, np.diff(by_mark.indptr)
    for mark in np.flatnonzero((sizes >= min_count) & (sizes < len(marks.indptr) - 1)).tolist():
        seen.setdefault(by_mark.indices[starts[mark] : starts[mark + 1]].tobytes(), mark)
    return np.fromiter(seen.values(), dtype=np.intp, count=len(seen))
