"""Tokenization and similarity of titles and excerpts."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence, Set
from functools import lru_cache
from itertools import combinations
from math import ceil

_WORD = re.compile(r"[^\W_]+(?:[.+#][^\W_]+|[+#]+)*")
MAX_TERM_WORDS = 3
NEAR_IDENTICAL_RATIO = 0.8
_SHORTER_SHARES = 2 * NEAR_IDENTICAL_RATIO / (1 + NEAR_IDENTICAL_RATIO)  # of its words, with a similar title
_MAY_BE_NEAR = 2 * NEAR_IDENTICAL_RATIO - 1 - 1e-9  # least similarity to the leader of a similar title
_MAX_TOGETHER = 3  # rare words that are looked up together
_MAX_WORDS_TOGETHER = 60  # words of a title of which several are: a long title has too many combinations
_MAX_CACHED_CHARS = 1000  # longest title whose words are cached


def words_of(text: str) -> list[str]:
    """Split a text into lower-case words; the plural ``s`` of longer words is removed.

    Examples
    --------
    >>> words_of("New databases & C++ tools: v2.1 ships")
    ['new', 'database', 'c++', 'tool', 'v2.1', 'ship']
    """
    return [
        word[:-1] if word[-1] == "s" and len(word) > 3 and word[-2] != "s" else word
        for word in _WORD.findall(text.lower())
    ]


def word_set(title: str) -> frozenset[str]:
    """Return the words of a title, cached since titles of coverage repeat in each record of a story."""
    return _cached_word_set(title) if len(title) <= _MAX_CACHED_CHARS else frozenset(words_of(title))


@lru_cache(maxsize=2**14)
def _cached_word_set(title: str) -> frozenset[str]:
    return frozenset(words_of(title))


def terms_of(words: Sequence[str]) -> tuple[str, ...]:
    """Return the distinct n-grams of one to three words, sorted.

    Examples
    --------
    >>> terms_of(["blob", "store", "copy"])
    ('blob', 'blob store', 'blob store copy', 'copy', 'store', 'store copy')
    """
    return tuple(sorted(runs_of(words)))


def runs_of(words: Sequence[str]) -> set[str]:
    """Return the terms of :func:`terms_of`, unordered."""
    n_words = len(words)
    return {
        " ".join(words[start : start + length])
        for length in range(1, MAX_TERM_WORDS + 1)
        for start in range(n_words - length + 1)
    }


def is_named(name: str, text: str) -> bool:
    """Whether a text contains the words of a name in sequence.

    Case and plural are ignored, and the last word may be a prefix of a longer word.

    Examples
    --------
    >>> is_named("Databases", "A database for everyone"), is_named("AI", "Main street")
    (True, False)
    """
    wanted = " ".join(words_of(name))
    return bool(wanted) and f" {wanted}" in f" {' '.join(words_of(text))}"


def similarity(words: Set[str], others: Set[str]) -> float:
    """Return the Jaccard similarity of the words of two titles; 0 to 1."""
    shared = len(words & others)
    return shared / (len(words) + len(others) - shared) if shared else 0.0


def similar_pairs(titles: Sequence[Set[str]]) -> list[tuple[int, int]]:
    """Find pairs of nearly the same title (:data:`NEAR_IDENTICAL_RATIO`), the smaller index first.

    Not all pairs are compared: see :class:`_RareWords`.

    Examples
    --------
    >>> similar_pairs([{"tide", "rises"}, {"bees", "rest"}, {"tide", "rises"}])
    [(0, 2)]
    """
    pairs = []
    index = _RareWords(titles)
    for number in index.order:
        words = titles[number]
        for other in index.candidates(number):
            if similarity(words, titles[other]) >= NEAR_IDENTICAL_RATIO:
                pairs.append((min(number, other), max(number, other)))
        index.add(number, number)
    return sorted(pairs, key=lambda pair: (pair[1], pair[0]))


def similar_links(titles: Sequence[Set[str]]) -> list[tuple[int, int]]:
    """Find links that connect the same titles as all of :func:`similar_pairs`: fewer than there are titles.

    Each title is compared with the leaders of clusters, which are near their leader. The distance
    ``1 - similarity`` of two sets obeys the triangle inequality, so a title that is farther from the leader
    than twice the largest distance is near no member. So the work grows with the clusters, not the pairs.

    Examples
    --------
    >>> similar_links([{"tide", "rises"}] * 4)
    [(0, 1), (0, 2), (0, 3)]
    """
    links = []
    index = _RareWords(titles)
    clusters: list[list[int]] = []  # the leader first
    joined: list[int] = []  # an earlier cluster that is connected with each cluster, or itself

    def root_of(cluster: int) -> int:
        while joined[cluster] != cluster:
            joined[cluster] = cluster = joined[joined[cluster]]
        return cluster

    for number in index.order:
        words = titles[number]
        own, roots = None, set[int]()
        for cluster in index.candidates(number):
            if own is not None and root_of(cluster) in roots:
                continue
            members = clusters[cluster]
            nearness = similarity(words, titles[members[0]])
            if nearness >= NEAR_IDENTICAL_RATIO:
                own, near = cluster if own is None else own, members[0]
            elif nearness < _MAY_BE_NEAR or root_of(cluster) in roots:
                continue
            else:
                near = next(
                    (
                        member
                        for member in members[1:]
                        if similarity(words, titles[member]) >= NEAR_IDENTICAL_RATIO
                    ),
                    number,
                )
            if near != number and root_of(cluster) not in roots:
                links.append((min(number, near), max(number, near)))
                roots.add(root_of(cluster))
        if own is None:
            own = len(clusters)
            clusters.append([])
            joined.append(own)
        clusters[own].append(number)
        for root in roots:
            first, second = sorted((root_of(root), root_of(own)))
            joined[second] = first
        index.add(number, own)
    return sorted(links)


class _RareWords:
    """Finds earlier titles that may be nearly the same by the rare words that both have.

    If titles of similarity ``t`` share at least ``k`` words, they share ``k`` of the ``n - ceil(t * n) + k``
    rarest of the ``n`` words of each (extended prefix filter; Wang, Li and Feng, 2012). Titles are added in
    the order of their length: the shorter one shares ``2 * t / (1 + t)`` of its words (Xiao and others,
    2008), so it is found under fewer of them. So titles that share many words, but not enough, do not meet.
    """

    def __init__(self, titles: Sequence[Set[str]]) -> None:
        counts = Counter(word for words in titles for word in words)
        by_rarity = sorted(counts, key=lambda word: (counts[word], word))
        self._numbers = {word: number for number, word in enumerate(by_rarity)}
        self._titles = titles
        self.order = sorted(range(len(titles)), key=lambda number: (len(titles[number]), number))
        self._seen: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)

    def candidates(self, number: int) -> list[int]:
        """Names of added titles that may be nearly the same, sorted."""
        keys = self._keys(number, NEAR_IDENTICAL_RATIO)
        return sorted({name for key in keys if key in self._seen for name in self._seen[key]})

    def add(self, number: int, name: int) -> None:
        """Add a title under a name, which several titles may have."""
        for key in self._keys(number, _SHORTER_SHARES):
            names = self._seen[key]
            if name not in names:
                names.append(name)

    def _keys(self, number: int, shared_ratio: float) -> list[tuple[int, ...]]:
        """Combinations of the rarest words of a title that shares at least this ratio of its words."""
        words = self._titles[number]
        rarest = sorted(map(self._numbers.__getitem__, words))
        # Rounding must not raise the number of words.
        n_least = ceil(shared_ratio * len(words) - 1e-9)
        keys: list[tuple[int, ...]] = []
        if 0 < len(words) <= _MAX_WORDS_TOGETHER:
            n_together = min(_MAX_TOGETHER, ceil(NEAR_IDENTICAL_RATIO * len(words) - 1e-9))
            keys += combinations(rarest[: len(words) - n_least + n_together], n_together)
        if len(words) > NEAR_IDENTICAL_RATIO * _MAX_WORDS_TOGETHER:  # or a similar title is that long
            keys += [(number,) for number in rarest[: len(words) - n_least + 1]]
        return keys
