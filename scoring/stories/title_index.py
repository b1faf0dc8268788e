"""Incremental index of titles: pairs of a new record and earlier ones that share words, with their features.

A pair depends on the later record and on what was published before it, never on anything later, and not on
how the records are split into blocks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scoring.features.table import Floats
from scoring.features.text import word_set, words_of
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
    *("text_rarity_sum", "text_rarity_ratio"),
    *("gap_hours", "is_same_provider", "is_same_section", "shared_topic_count"),
)

MAX_EXCERPT_CHARS = 500
"""Characters of an excerpt that are compared."""

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


class _Words(NamedTuple):
    """Words by number, and how rare each was before."""

    numbers: NDArray[np.int64]
    rarities: Floats


class _Vocabulary:
    """Numbers of words, and how many records have had each so far."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self._counts: list[int] = []
        self._n_records = 0

    def __len__(self) -> int:
        return len(self.numbers)

    def add(self, words: Iterable[str]) -> _Words:
        """Words of one more record, rated by the records before it."""
        numbers = [self._number(word) for word in sorted(words)]
        rarities = [log((self._n_records + 1) / (self._counts[number] + 1)) for number in numbers]
        for number in numbers:
            self._counts[number] += 1
        self._n_records += 1
        return _Words(np.array(numbers, dtype=np.int64), np.array(rarities, dtype=np.float64))

    def _number(self, word: str) -> int:
        if word not in self.numbers:
            self.numbers[word] = len(self.numbers)
            self._counts.append(0)
        return self.numbers[word]


@dataclass(frozen=True, slots=True)
class _Title:
    """What the index keeps of a record: time in hours, words, provider, and topics."""

    hours: float
    words: _Words  # of the title
    weights: Floats  # of these words
    text_words: _Words  # of title and excerpt
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
        self._words = _Vocabulary()
        self._text_words = _Vocabulary()
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
        words = word_set(record.title)
        title = _Title(
            hours,
            self._words.add(words),
            np.array([self.weights.get(word, 0.0) for word in sorted(words)], dtype=np.float64),
            self._text_words.add(words | set(words_of(record.excerpt[:MAX_EXCERPT_CHARS]))),
            record.provider.domain.lower(),
            tuple(record.topics),
        )
        self._latest.append(title)
        self.n_records += 1
        return title

    def _pairs(self, block: list[_Title], titles: list[_Title], first: int) -> Pairs:
        """Pairs of the titles of a block, the last of `titles`, whose first has the number `first`."""
        n_earlier = len(titles) - len(block)
        words = [title.words for title in titles]
        rarity, present = _matrices(words, n_earlier, [title.words.rarities for title in block])
        weight, _ = _matrices(words, n_earlier, [title.weights for title in block])
        rows, columns = self._candidates(titles, rarity, present)
        shared = present[n_earlier + rows].multiply(present[columns]).tocsr()
        shared_rarity = rarity[rows].multiply(present[columns]).tocsr()
        shared_weight = weight[rows].multiply(present[columns]).tocsr()
        counts = np.asarray(present.sum(axis=1)).ravel()
        n_shared = np.asarray(shared.sum(axis=1)).ravel()
        n_own, n_other = counts[n_earlier + rows], counts[columns]
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
                *self._texts(titles, n_earlier, rows, columns),
                *_circumstances(titles, n_earlier + rows, columns),
            ]
        )
        return Pairs(first + n_earlier + rows, first + columns, X)

    def _texts(
        self, titles: list[_Title], n_earlier: int, rows: Rows, columns: Rows
    ) -> tuple[Floats, Floats]:
        """Rarity of the words that titles and excerpts share: sum, and share of those of the later record."""
        words = [title.text_words for title in titles]
        rated = [title.text_words.rarities for title in titles[n_earlier:]]
        rarity, present = _matrices(words, n_earlier, rated)
        shared = np.asarray(rarity[rows].multiply(present[columns]).sum(axis=1)).ravel()
        own = np.asarray(rarity.sum(axis=1)).ravel()[rows]
        return shared, shared / np.maximum(own, 1e-9)

    def _candidates(self, titles: list[_Title], rarity: csr_array, present: csr_array) -> tuple[Rows, Rows]:
        """Rows of the block and columns of `titles` that are compared: earlier, and with a shared word."""
        position = np.arange(len(titles))
        n_earlier = len(titles) - rarity.shape[0]
        row = position[n_earlier:, None]
        hours = np.array([title.hours for title in titles])
        is_candidate = (position < row) & (position >= row - MAX_EARLIER)
        is_candidate &= hours[row] - hours <= self.window_hours
        is_candidate &= (present[n_earlier:] @ present.T).toarray() > 0
        shared_rarity = np.where(is_candidate, (rarity @ present.T).toarray(), -1.0)
        if len(titles) > MAX_PAIRS:
            # All of the same rarity as the last stay: a choice among them would depend on the blocks.
            limit = np.partition(shared_rarity, -MAX_PAIRS, axis=1)[:, -MAX_PAIRS]
            is_candidate &= shared_rarity >= limit[:, None]
        rows, columns = np.nonzero(is_candidate)
        return rows, columns


def _matrices(
    records: Sequence[_Words], n_earlier: int, values: Sequence[Floats]
) -> tuple[csr_array, csr_array]:
    """Sparse matrices of the values of the words of the later records, and of the words that each record has.

    Columns are the words of these records alone, so that the time does not grow with the vocabulary.
    """
    lengths = [len(words.numbers) for words in records]
    ends = np.cumsum([0, *lengths])
    numbers = np.concatenate([np.zeros(0, dtype=np.int64), *(words.numbers for words in records)])
    names, columns = np.unique(numbers, return_inverse=True)
    present = csr_array((np.ones(len(columns)), columns, ends), shape=(len(records), len(names)))
    first = ends[n_earlier]
    rated = csr_array(
        (np.concatenate([np.zeros(0), *values]), columns[first:], ends[n_earlier:] - first),
        shape=(len(records) - n_earlier, len(names)),
    )
    return rated, present


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
