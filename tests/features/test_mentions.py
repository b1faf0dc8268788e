"""Which names stand in a text: by one pass over all what a search for each gives."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.features import mentions
from scoring.features.mentions import mentioned

WORD = st.text("ab", min_size=1, max_size=3)
NAME = st.lists(WORD, max_size=4).map(lambda words: " " + " ".join(words))
TEXT = st.lists(WORD, max_size=30).map(lambda words: " " + " ".join(words))


@given(st.lists(NAME, max_size=12), TEXT)
def test_one_pass_finds_what_a_search_for_each_finds(names: list[str], text: str) -> None:
    expected = [len(name) > 1 and name in text for name in names]
    found = mentions._find(dict.fromkeys(names), text.split())
    assert [name in found for name in names] == expected
    assert mentioned(names, text) == expected


def n_calls(work: Callable[[], object]) -> int:
    """Calls of functions, C's among them, that a piece of work makes."""
    counts = [0]

    def count(*_: object) -> None:
        counts[0] += 1

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return counts[0]


def distinct(n: int) -> tuple[list[str], str]:
    """Names of three of a few words each, and a text of the same words."""
    names = [f" a{at % 40} b{at // 40 % 40} c{at // 1600}" for at in range(n)]
    return names, "".join(f" a{at % 40} b{at % 39} c{at % 38}" for at in range(n))


def nested(n: int) -> tuple[list[str], str]:
    """Names that are all beginnings of each other, and a text that has each of them everywhere."""
    return [" a" * length for length in range(1, int(n**0.5))], " a" * n


def branching(n: int) -> tuple[list[str], str]:
    """Names that differ in their last word, and a text in which none of these follows the first."""
    return [f" a x{at}" for at in range(n)], "".join(f" a y{at} b x{at}" for at in range(n))


@pytest.mark.parametrize("make", [distinct, nested, branching])
def test_four_times_as_much_takes_four_times_the_work(make: Callable[[int], tuple[list[str], str]]) -> None:
    calls = []
    for n in (5000, 20_000):
        names, text = make(n)
        calls.append(n_calls(partial(mentions._find, names, text.split())))
    assert calls[1] < 5 * calls[0]
