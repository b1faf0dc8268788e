"""Tokenization and similarity of titles and excerpts."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set
from functools import lru_cache
from itertools import combinations
from math import ceil

_WORD = re.compile(r"[^\W_]+(?:[.+#][^\W_]+|[+#]+)*")
MAX_TERM_WORDS = 3
NEAR_IDENTICAL_RATIO = 0.8
_MAX_TOGETHER = 3  # rare words that are looked up together
_MAX_WORDS_TOGETHER = 40  # words of a title of which several are: a long title has too many combinations
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


def similar_pairs(titles: Sequence[set[str]]) -> Iterator[tuple[int, int]]:
    """Find pairs of nearly the same title (:data:`NEAR_IDENTICAL_RATIO`), the smaller index first.

    Not all pairs are compared. If titles of similarity ``t`` share at least ``k`` words, they share ``k`` of
    the ``n - ceil(t * n) + k`` rarest of the ``n`` words of each (extended prefix filter; Wang, Li and Feng,
    2012), and their numbers of words differ by the share ``1 - t`` at most.

    Examples
    --------
    >>> list(similar_pairs([{"tide", "rises"}, {"bees", "rest"}, {"tide", "rises"}]))
    [(0, 2)]
    """
    counts = Counter(word for words in titles for word in words)
    by_rarity = sorted(counts, key=lambda word: (counts[word], word))
    number_of = {word: number for number, word in enumerate(by_rarity)}
    seen: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, words in enumerate(titles):
        n_least = ceil(NEAR_IDENTICAL_RATIO * len(words))  # fewest words that a similar title shares
        rarest = sorted(number_of[word] for word in words)[: len(words) - n_least + _MAX_TOGETHER]
        keys: list[tuple[int, ...]] = []
        if 0 < len(words) <= _MAX_WORDS_TOGETHER:
            keys += combinations(rarest, min(_MAX_TOGETHER, n_least))
        if len(words) > NEAR_IDENTICAL_RATIO * _MAX_WORDS_TOGETHER:  # or a similar title is that long
            keys += [(number,) for number in rarest[: len(words) - n_least + 1]]
        for other in sorted({earlier for key in keys for earlier in seen[key]}):
            is_near = n_least <= len(titles[other]) <= len(words) / NEAR_IDENTICAL_RATIO
            if is_near and similarity(words, titles[other]) >= NEAR_IDENTICAL_RATIO:
                yield other, index
        for key in keys:
            seen[key].append(index)
