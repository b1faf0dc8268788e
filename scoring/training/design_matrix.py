"""What a rubric is fitted on: numbers, lengths, and which records bear which level and which word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from scoring.features.table import NUMBER_COLUMNS, FeatureTable, Floats
from scoring.features.text import runs_of
from scoring.model.rubric import TOPICS
from scoring.training.config import RubricConfig
from scoring.training.lad_regression import Places, ragged

ADDITIVE_NAMES = tuple(
    column.name
    for column in NUMBER_COLUMNS
    if column.family in ("provider", "topic", "content") and column.type in ("bool", "count")
)
HINGED_NAMES = ("title_chars", "excerpt_chars")
LEVEL_NAMES = ("provider_domain", "provider_section", "provider_form", TOPICS)

Pair = tuple[str, str]


@dataclass(frozen=True)
class DesignMatrix:
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
    def of(cls, table: FeatureTable, config: RubricConfig) -> DesignMatrix:
        """The material of a feature table, without levels and words of fewer records than are asked for."""
        levels = [_incidence(_levels_of(table, name), config.min_level_count) for name in LEVEL_NAMES]
        topics = table.topics if config.term_support > 0 else [()] * len(table)
        runs = [
            runs_of(words) if under else () for words, under in zip(table.title_words, topics, strict=True)
        ]
        count = config.min_term_count
        return cls(
            np.nan_to_num(table.columns(ADDITIVE_NAMES)),
            table.columns(HINGED_NAMES),
            hstack([marks for marks, _ in levels], format="csr"),
            [(kind, level) for kind, (_, names) in zip(LEVEL_NAMES, levels, strict=True) for level in names],
            # A pair can be of no more records than its words.
            *_crossed(_incidence(topics, 1), _incidence(runs, count), count),
        )

    def take(self, rows: NDArray[np.bool_]) -> DesignMatrix:
        """The material of the records that a mask of shape (n_records,) names."""
        return DesignMatrix(
            self.numbers[rows],
            self.lengths[rows],
            self.levels[rows],
            self.level_names,
            self.terms[rows],
            self.term_names,
        )


def _levels_of(table: FeatureTable, name: str) -> Sequence[tuple[str, ...]]:
    """Levels of each record: its topics, or the one of a text column."""
    return table.topics if name == TOPICS else [(level,) for level in table.text(name)]


def _incidence(rows: Sequence[Collection[str]], min_count: int) -> tuple[csr_array, list[str]]:
    """Which rows hold which names, and the names that so many hold, sorted; an empty name is none."""
    held = [set(row) for row in rows]
    found = list(chain.from_iterable(held))
    names = sorted(name for name, count in Counter(found).items() if name and count >= min_count)
    place = {name: at for at, name in enumerate(names)}
    column = np.fromiter(map(place.get, found, repeat(-1)), dtype=np.intp, count=len(found))
    return _marks(np.arange(len(rows)).repeat([*map(len, held)]), column, (len(rows), len(names))), names


def _crossed(
    firsts: tuple[csr_array, list[str]], seconds: tuple[csr_array, list[str]], min_count: int
) -> tuple[csr_array, list[Pair]]:
    """Which rows hold which pair of a first and a second name, and the pairs that so many hold, sorted."""
    (one, one_names), (two, two_names) = firsts, seconds
    # Each first name of a row, beside every second name of that row.
    row = np.arange(one.shape[0]).repeat(np.diff(one.indptr))
    sizes = np.diff(two.indptr).astype(np.intp)[row]
    second = two.indices[ragged(two.indptr.astype(np.intp)[row], sizes)]
    key = one.indices.repeat(sizes).astype(np.intp) * len(two_names) + second
    keys, pair, counts = np.unique(key, return_inverse=True, return_counts=True)
    is_kept = counts >= min_count
    place = np.where(is_kept, np.cumsum(is_kept) - 1, -1)
    names = [
        (one_names[at // len(two_names)], two_names[at % len(two_names)]) for at in keys[is_kept].tolist()
    ]
    return _marks(row.repeat(sizes), place[pair], (one.shape[0], len(names))), names


def _marks(row: Places, column: Places, shape: tuple[int, int]) -> csr_array:
    """Ones at some places; none where the column is -1."""
    is_kept = column >= 0
    marks = csr_array((np.ones(np.count_nonzero(is_kept)), (row[is_kept], column[is_kept])), shape=shape)
    marks.sort_indices()  # sets have no order, and sums in another order have other last digits
    return marks


def distinct(marks: csr_array, min_count: int) -> NDArray[np.intp]:
    """Marks of at least so many records, not of all, and of other records than an earlier mark."""
    n_records, by_mark = marks.shape[0], marks.tocsc()
    sizes = np.diff(by_mark.indptr)
    # Equal sums of random numbers, one for each record: equal records (Zobrist hashing, 1970).
    numbers = np.random.default_rng(0).integers(2**64, size=n_records, dtype=np.uint64)
    sums = np.concatenate([[np.uint64(0)], np.cumsum(numbers[by_mark.indices])])[by_mark.indptr]
    candidates = np.flatnonzero((sizes >= min_count) & (sizes < n_records))
    _, first = np.unique(np.diff(sums)[candidates], return_index=True)
    found: NDArray[np.intp] = candidates[np.sort(first)]
    return found
