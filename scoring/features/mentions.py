"""Search for many names in a text in linear time (Aho-Corasick)."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence

_SMALL = 2_000_000
"""Number of names times characters up to which a separate search per name is faster."""


def mentioned(names: Sequence[str], text: str) -> list[bool]:
    """Whether a text contains each name: its words in sequence, of which the last may be a prefix of a word.

    Parameters
    ----------
    names : sequence of str
        Words, each preceded by a blank; a name without words is never contained.
    text : str
        Words in the same form.

    Returns
    -------
    list of bool
        ``name in text`` for each name, in time linear in their total length.

    Examples
    --------
    >>> mentioned([" data", " new base", " base"], " new database")
    [True, False, False]
    """
    if len(names) * len(text) <= _SMALL:
        return [len(name) > 1 and name in text for name in names]
    contained = _find(dict.fromkeys(names), text.split())
    return [name in contained for name in names]


def _find(names: Iterable[str], words: list[str]) -> set[str]:
    """Find the names in a text, given its words."""
    vocabulary = sorted(set(words))
    numbers = {word: number for number, word in enumerate(vocabulary)}
    names_in_text: set[str] = set()
    automaton = _Automaton()
    for name in names:
        *first, last = name.split() or [""]
        if not last or not _has_prefix(vocabulary, last):
            continue
        if not first:
            names_in_text.add(name)
        elif all(word in numbers for word in first):
            automaton.add([numbers[word] for word in first], (last, name))
    followers = automaton.followers([numbers[word] for word in words]) if automaton.ends else {}
    for node, next_words in followers.items():
        ordered = sorted(vocabulary[number] for number in next_words)
        names_in_text |= {name for last, name in automaton.ends[node] if _has_prefix(ordered, last)}
    return names_in_text


def _has_prefix(ordered: Sequence[str], prefix: str) -> bool:
    """Whether one of the sorted words has a prefix."""
    index = bisect_left(ordered, prefix)
    return index < len(ordered) and ordered[index].startswith(prefix)


class _Automaton:
    """Finds many sequences of words at once (Aho & Corasick, 1975), with the words that follow them.

    Attributes
    ----------
    ends : dict of int to list of (str, str)
        Last word and name, by the node of the name's other words.
    """

    def __init__(self) -> None:
        self.ends: dict[int, list[tuple[str, str]]] = {}
        self._children: dict[tuple[int, int], int] = {}
        self._n_nodes = 1

    def add(self, sequence: Iterable[int], end: tuple[str, str]) -> None:
        """Add a sequence, of at least one word."""
        node = 0
        for word in sequence:
            child = self._children.get((node, word))
            if child is None:
                child = self._children[node, word] = self._n_nodes
                self._n_nodes += 1
            node = child
        self.ends.setdefault(node, []).append(end)

    def followers(self, text: Iterable[int]) -> dict[int, set[int]]:
        """Return the words that follow the sequences in a text, by nodes of :attr:`ends`."""
        fail, nearest_end = self._links()
        children, followers = self._children, {node: set[int]() for node in self.ends}
        state = 0
        for word in text:
            node = nearest_end[state]
            # A word recorded for a sequence is also recorded for its suffixes.
            while node and word not in followers[node]:
                followers[node].add(word)
                node = nearest_end[fail[node]]
            while state and (state, word) not in children:
                state = fail[state]
            state = children.get((state, word), 0)
        return followers

    def _links(self) -> tuple[list[int], list[int]]:
        """Longest proper suffix of each node, and longest suffix (or the node itself) where a name ends."""
        edges: list[list[tuple[int, int]]] = [[] for _ in range(self._n_nodes)]
        for (node, word), child in self._children.items():
            edges[node].append((word, child))
        fail, nearest_end = [0] * self._n_nodes, [0] * self._n_nodes
        waiting = deque([0])
        while waiting:
            node = waiting.popleft()
            for word, child in edges[node]:
                state = fail[node]
                while state and (state, word) not in self._children:
                    state = fail[state]
                fail[child] = self._children.get((state, word), 0) if node else 0
                nearest_end[child] = child if child in self.ends else nearest_end[fail[child]]
                waiting.append(child)
        return fail, nearest_end
