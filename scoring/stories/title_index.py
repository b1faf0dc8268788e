"""Incremental index of titles: pairs of a new record and earlier ones that share words, with their features.

A pair depends on the later record and on what was published before it, never on anything later, and not on
how the records are split into blocks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scoring.features.table import Floats
from scoring.features.text import word_set
from scoring.records.record import Record

MAX_EARLIER = 4096
"""Earlier records, the latest ones, that a record is compared with."""

MAX_PAIRS = 256
"""Pairs of one record: those with the rarest shared words."""

BLOCK = 256
"""Records that are compared at a time."""

FEATURES = (
    *("shared_word_count", "shared_rarity_sum", "shared_rarity_max"),
    *("shared_weight_sum", "shared_weight_max", "shared_weight_min"),
    *("title_similarity", "title_containment", "shorter_word_count", "longer_word_count"),
    *("gap_hours", "is_same_provider", "is_same_section", "shared_topic_count"),
)

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of records; each array has the shape (n_pairs,) unless noted.

    Parameters
    ----------
    later, earlier : ndarray of int
        Numbers of the records, from 0 in the order in which they were added.
    X : ndarray of shape (n_pairs, len(FEATURES))
        Features.
    """

    later: Rows
    earlier: Rows
    X: Floats

    def __len__(self) -> int:
        return len(self.later)

    def feature(self, name: str) -> Floats:
        """One feature."""
        return self.X[:, FEATURES.index(name)]


@dataclass(frozen=True, slots=True)
class _Title:
    """What the index keeps of a record: time in hours, words by number, provider, and topics."""

    hours: float
    words: NDArray[np.int64]
    rarities: Floats  # as of its publication
    provider: str
    topics: tuple[str, ...]


class TitleIndex:
    """Index of the records up to a time, in the order of publication.

    Parameters
    ----------
    window_hours : float
        Largest gap between the two records of a pair.
    weights : mapping of str to float
        Learned weight of a shared word; 0 for other words.
    """

    def __init__(self, window_hours: float, weights: Mapping[str, float]) -> None:
        self.window_hours = window_hours
        self.weights = weights
        self.n_records = 0
        self.words: dict[str, int] = {}
        self._counts: list[int] = []
        self._word_weights: list[float] = []
        self._latest: deque[_Title] = deque(maxlen=MAX_EARLIER)

    def add(self, records: Sequence[Record]) -> Iterator[Pairs]:
        """Add dated records in the order of publication, and yield their pairs with earlier ones, by block.

        Raises
        ------
        ValueError
            If a record has no date, or is earlier than one that was added before.
        """
        for start in range(0, len(records), BLOCK):
            earlier = list(self._latest)
            first = self.n_records - len(earlier)
            block = [self._title(record) for record in records[start : start + BLOCK]]
            yield self._pairs(block, [*earlier, *block], first)

    def _title(self, record: Record) -> _Title:
        """Add one record, its words rated by the records before it."""
        if record.published_at is None:
            raise ValueError("a record without a date cannot be related")
        hours = record.published_at.timestamp() / 3600
        if self._latest and hours < self._latest[-1].hours:
            raise ValueError(f"{record.published_at}: expected records in the order of publication")
        words = sorted(word_set(record.title))
        numbers = np.array([self._number(word) for word in words], dtype=np.int64)
        rarities = [log((self.n_records + 1) / (self._counts[number] + 1)) for number in numbers]
        for number in numbers:
            self._counts[number] += 1
        title = _Title(
            hours, numbers, np.array(rarities), record.provider.domain.lower(), tuple(record.topics)
        )
        self._latest.append(title)
        self.n_records += 1
        return title

    def _number(self, word: str) -> int:
        if word not in self.words:
            self.words[word] = len(self.words)
            self._counts.append(0)
            self._word_weights.append(self.weights.get(word, 0.0))
        return self.words[word]

    def _pairs(self, block: list[_Title], titles: list[_Title], first: int) -> Pairs:
        """Pairs of the titles of a block, the last of `titles`, whose first has the number `first`."""
        rarity = _matrix(block, [title.rarities for title in block], len(self.words))
        present = _matrix(titles, [np.ones(len(title.words)) for title in titles], len(self.words))
        own = present[len(titles) - len(block) :]
        rows, columns = self._candidates(block, titles, rarity, own, present)
        weights = np.array(self._word_weights)
        shared = own[rows].multiply(present[columns]).tocsr()
        shared_rarity = rarity[rows].multiply(present[columns]).tocsr()
        shared_weight = csr_array(shared * weights) if len(weights) else shared
        counts = np.asarray(present.sum(axis=1)).ravel()
        n_shared = np.asarray(shared.sum(axis=1)).ravel()
        n_own, n_other = counts[len(titles) - len(block) + rows], counts[columns]
        X = np.column_stack(
            [
                n_shared,
                np.asarray(shared_rarity.sum(axis=1)).ravel(),
                _extreme(shared_rarity, "max"),
                np.asarray(shared_weight.sum(axis=1)).ravel(),
                _extreme(shared_weight, "max"),
                _extreme(shared_weight, "min"),
                n_shared / (n_own + n_other - n_shared),
                n_shared / np.minimum(n_own, n_other),
                np.minimum(n_own, n_other),
                np.maximum(n_own, n_other),
                *_circumstances(titles, len(titles) - len(block) + rows, columns),
            ]
        )
        return Pairs(first + len(titles) - len(block) + rows, first + columns, X)

    def _candidates(
        self,
        block: list[_Title],
        titles: list[_Title],
        rarity: csr_array,
        own: csr_array,
        present: csr_array,
    ) -> tuple[Rows, Rows]:
        """Rows of the block and columns of `titles` that are compared: earlier, and with a shared word."""
        position = np.arange(len(titles))
        row = len(titles) - len(block) + np.arange(len(block))[:, None]
        hours = np.array([title.hours for title in titles])
        is_candidate = (position < row) & (position >= row - MAX_EARLIER)
        is_candidate &= hours[row] - hours <= self.window_hours
        is_candidate &= (own @ present.T).toarray() > 0
        shared_rarity = np.where(is_candidate, (rarity @ present.T).toarray(), -1.0)
        if len(titles) > MAX_PAIRS:
            # All of the same rarity as the last stay: a choice among them would depend on the blocks.
            limit = np.partition(shared_rarity, -MAX_PAIRS, axis=1)[:, -MAX_PAIRS]
            is_candidate &= shared_rarity >= limit[:, None]
        rows, columns = np.nonzero(is_candidate)
        return rows, columns


def _matrix(titles: Sequence[_Title], values: Sequence[Floats], n_words: int) -> csr_array:
    """Sparse matrix of shape (len(titles), n_words)."""
    ends = np.cumsum([0, *(len(title.words) for title in titles)])
    empty = np.zeros(0, dtype=np.int64)
    words = np.concatenate([empty, *(title.words for title in titles)])
    return csr_array((np.concatenate([np.zeros(0), *values]), words, ends), shape=(len(titles), n_words))


def _extreme(matrix: csr_array, name: str) -> Floats:
    """Largest or smallest value of each row, shape (n_rows,); absent words count as 0."""
    if 0 in matrix.shape:
        return np.zeros(matrix.shape[0])
    return np.asarray(getattr(matrix, name)(axis=1).toarray(), dtype=np.float64).ravel()


def _circumstances(titles: list[_Title], later: Rows, earlier: Rows) -> Iterator[Floats]:
    """The features of pairs besides words: gap, provider, section, topics."""
    hours = np.array([title.hours for title in titles])
    yield hours[later] - hours[earlier]
    providers = _numbered(title.provider for title in titles)
    is_named = np.array([bool(title.provider) for title in titles], dtype=bool)
    yield ((providers[later] == providers[earlier]) & is_named[later]).astype(float)
    sections = _numbered("".join(title.topics[:1]) for title in titles)
    yield (sections[later] == sections[earlier]).astype(float)
    topics = [frozenset(title.topics[1:]) for title in titles]
    has_topics = np.array([bool(names) for names in topics], dtype=bool)
    shared = np.zeros(len(later))
    for pair in np.flatnonzero(has_topics[later] & has_topics[earlier]):
        shared[pair] = len(topics[later[pair]] & topics[earlier[pair]])
    yield shared


def _numbered(names: Iterable[str]) -> Rows:
    """A number for each name; equal names have equal numbers."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.intp)
