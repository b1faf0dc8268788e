"""Which of many names stand in a text: one pass over both, however many names there are."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence

_SMALL = 2_000_000
"""Names times characters up to which each name is looked for by itself, which is faster."""


def mentioned(names: Sequence[str], text: str) -> list[bool]:
    """Whether a text has each name: the name's words in a row, the last of them perhaps cut short.

    Parameters
    ----------
    names : sequence of str
        Words, each with a blank before it; a name without a word is in no text.
    text : str
        Words in the same form.

    Returns
    -------
    list of bool
        What ``name in text`` gives for each name, in time linear in the length of all of them.

    Examples
    --------
    >>> mentioned([" data", " new base", " base"], " new database")
    [True, False, False]
    """
    if len(names) * len(text) <= _SMALL:
        return [len(name) > 1 and name in text for name in names]
    found = _found(dict.fromkeys(names), text.split())
    return [name in found for name in names]


def _found(names: Iterable[str], words: list[str]) -> set[str]:
    """The names that stand in a text, given its words."""
    vocabulary = sorted(set(words))
    numbers = {word: number for number, word in enumerate(vocabulary)}
    found: set[str] = set()
    automaton = _Automaton()
    for name in names:
        *first, last = name.split() or [""]
        if not last or not _has_beginning(vocabulary, last):
            continue
        if not first:
            found.add(name)
        elif all(word in numbers for word in first):
            automaton.add([numbers[word] for word in first], (last, name))
    followers = automaton.followers([numbers[word] for word in words]) if automaton.ends else {}
    for node, next_words in followers.items():
        ordered = sorted(vocabulary[number] for number in next_words)
        found |= {name for last, name in automaton.ends[node] if _has_beginning(ordered, last)}
    return found


def _has_beginning(ordered: Sequence[str], beginning: str) -> bool:
    """Whether one of the sorted words begins like this."""
    place = bisect_left(ordered, beginning)
    return place < len(ordered) and ordered[place].startswith(beginning)


class _Automaton:
    """Finds many sequences of words at once (Aho & Corasick, 1975); what follows each is told.

    Attributes
    ----------
    ends : dict of int to list of (str, str)
        By the node of a name's words but the last: its last word, and the name.
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
        """Words that follow the sequences in a text, by the nodes in :attr:`ends`."""
        fail, nearest_end = self._links()
        children, followers = self._children, {node: set[int]() for node in self.ends}
        state = 0
        for word in text:
            node = nearest_end[state]
            # What was noted of a sequence was noted of all that end like it.
            while node and word not in followers[node]:
                followers[node].add(word)
                node = nearest_end[fail[node]]
            while state and (state, word) not in children:
                state = fail[state]
            state = children.get((state, word), 0)
        return followers

    def _links(self) -> tuple[list[int], list[int]]:
        """Each node's longest proper suffix, and its longest suffix (or itself) at which a name ends."""
        below: list[list[tuple[int, int]]] = [[] for _ in range(self._n_nodes)]
        for (node, word), child in self._children.items():
            below[node].append((word, child))
        fail, nearest_end = [0] * self._n_nodes, [0] * self._n_nodes
        waiting = deque([0])
        while waiting:
            node = waiting.popleft()
            for word, child in below[node]:
                state = fail[node]
                while state and (state, word) not in self._children:
                    state = fail[state]
                fail[child] = self._children.get((state, word), 0) if node else 0
                nearest_end[child] = child if child in self.ends else nearest_end[fail[child]]
                waiting.append(child)
        return fail, nearest_end
