"""Design matrix of the rubric: dense columns, text lengths, and sparse indicators of levels and terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from scoring.features.table import BODY_NAMES, NUMBER_COLUMNS, FeatureTable, Floats
from scoring.features.text import runs_of
from scoring.model.rubric import TOPICS
from scoring.training.config import RubricConfig
from scoring.training.lad_regression import Indices, ragged

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
    """Candidate columns of a rubric for `n_records` records.

    Parameters
    ----------
    dense : ndarray of shape (n_records, len(dense_names))
        Bools and counts; 0 where missing.
    lengths : ndarray of shape (n_records, len(HINGED_NAMES))
        Text lengths; characters.
    levels : csr_array of shape (n_records, n_levels)
        1 where a record has a level of :data:`LEVEL_NAMES`.
    level_names : list of (str, str)
        Column name and level.
    terms : csr_array of shape (n_records, n_terms)
        1 where a record has a topic and its title has a run of words.
    term_names : list of (str, str)
        Topic and run of words, sorted.
    dense_names : tuple of str
        Names of the dense columns: :data:`ADDITIVE_NAMES`, and those of bodies if a record has one.
    """

    dense: Floats
    lengths: Floats
    levels: csr_array
    level_names: list[Pair]
    terms: csr_array
    term_names: list[Pair]
    dense_names: tuple[str, ...] = ADDITIVE_NAMES

    def __len__(self) -> int:
        return len(self.dense)

    @classmethod
    def of(cls, table: FeatureTable, config: RubricConfig) -> DesignMatrix:
        """Design matrix of a feature table, without levels and terms below the minimum counts."""
        levels = [_indicators(_levels_of(table, name), config.min_level_count) for name in LEVEL_NAMES]
        topics = table.topics if config.term_support > 0 else [()] * len(table)
        runs = [
            runs_of(words) if record_topics else ()
            for words, record_topics in zip(table.title_words, topics, strict=True)
        ]
        min_count = config.min_term_count
        dense_names = (*ADDITIVE_NAMES, *BODY_NAMES) if table.has_bodies else ADDITIVE_NAMES
        return cls(
            np.nan_to_num(table.columns(dense_names)),
            table.columns(HINGED_NAMES),
            hstack([matrix for matrix, _ in levels], format="csr"),
            [(kind, level) for kind, (_, names) in zip(LEVEL_NAMES, levels, strict=True) for level in names],
            # A pair has no more records than its words.
            *_cross_indicators(_indicators(topics, 1), _indicators(runs, min_count), min_count),
            dense_names,
        )

    def take(self, rows: NDArray[np.bool_] | Indices) -> DesignMatrix:
        """Rows by index, or of a mask of shape (n_records,)."""
        return DesignMatrix(
            self.dense[rows],
            self.lengths[rows],
            self.levels[rows],
            self.level_names,
            self.terms[rows],
            self.term_names,
            self.dense_names,
        )


def _levels_of(table: FeatureTable, name: str) -> Sequence[tuple[str, ...]]:
    """Levels of each record: its topics, or the value of a text column."""
    return table.topics if name == TOPICS else [(level,) for level in table.text(name)]


def _indicators(rows: Sequence[Collection[str]], min_count: int) -> tuple[csr_array, list[str]]:
    """Indicators of the names in each row, and the sorted nonempty names of `min_count` rows or more."""
    name_sets = [set(row) for row in rows]
    all_names = list(chain.from_iterable(name_sets))
    names = sorted(name for name, count in Counter(all_names).items() if name and count >= min_count)
    index_of = {name: index for index, name in enumerate(names)}
    columns = np.fromiter(map(index_of.get, all_names, repeat(-1)), dtype=np.intp, count=len(all_names))
    row = np.arange(len(rows)).repeat([*map(len, name_sets)])
    return _indicator_matrix(row, columns, (len(rows), len(names))), names


def _cross_indicators(
    firsts: tuple[csr_array, list[str]], seconds: tuple[csr_array, list[str]], min_count: int
) -> tuple[csr_array, list[Pair]]:
    """Indicators of pairs of names in one row, and the sorted pairs of `min_count` rows or more."""
    (first, first_names), (second, second_names) = firsts, seconds
    # Pair every first name of a row with every second name of that row.
    row = np.arange(first.shape[0]).repeat(np.diff(first.indptr))
    sizes = np.diff(second.indptr).astype(np.intp)[row]
    second_index = second.indices[ragged(second.indptr.astype(np.intp)[row], sizes)]
    pair_keys = first.indices.repeat(sizes).astype(np.intp) * len(second_names) + second_index
    unique_keys, pair, counts = np.unique(pair_keys, return_inverse=True, return_counts=True)
    is_kept = counts >= min_count
    new_index = np.where(is_kept, np.cumsum(is_kept) - 1, -1)
    names = [
        (first_names[key // len(second_names)], second_names[key % len(second_names)])
        for key in unique_keys[is_kept].tolist()
    ]
    return _indicator_matrix(row.repeat(sizes), new_index[pair], (first.shape[0], len(names))), names


def _indicator_matrix(row: Indices, column: Indices, shape: tuple[int, int]) -> csr_array:
    """Sparse matrix of ones at (row, column); column -1 is skipped."""
    is_kept = column >= 0
    matrix = csr_array((np.ones(np.count_nonzero(is_kept)), (row[is_kept], column[is_kept])), shape=shape)
    matrix.sort_indices()  # sets have no order, and the order of a sum changes its last digits
    return matrix


def distinct(indicators: csr_array, min_count: int) -> NDArray[np.intp]:
    """Distinct indicator columns that at least `min_count` records have, and not all."""
    n_records, by_column = indicators.shape[0], indicators.tocsc()
    sizes = np.diff(by_column.indptr)
    # Columns with equal sums of random hashes have equal records (Zobrist hashing, 1970).
    hashes = np.random.default_rng(0).integers(2**64, size=n_records, dtype=np.uint64)
    sums = np.concatenate([[np.uint64(0)], np.cumsum(hashes[by_column.indices])])[by_column.indptr]
    candidates = np.flatnonzero((sizes >= min_count) & (sizes < n_records))
    _, first = np.unique(np.diff(sums)[candidates], return_index=True)
    columns: NDArray[np.intp] = candidates[np.sort(first)]
    return columns
