"""Names mentioned in a text: a single pass equals a search for each name."""

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
    mentioned_names = mentions._find(dict.fromkeys(names), text.split())
    assert [name in mentioned_names for name in names] == expected
    assert mentioned(names, text) == expected


def n_calls(work: Callable[[], object]) -> int:
    """Number of function calls, including C functions, of a callable."""
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
    """Names of three words from a small vocabulary, and a text of the same words."""
    names = [f" a{index % 40} b{index // 40 % 40} c{index // 1600}" for index in range(n)]
    return names, "".join(f" a{index % 40} b{index % 39} c{index % 38}" for index in range(n))


def nested(n: int) -> tuple[list[str], str]:
    """Names that are prefixes of each other, and a text that contains each everywhere."""
    return [" a" * length for length in range(1, int(n**0.5))], " a" * n


def branching(n: int) -> tuple[list[str], str]:
    """Names with different last words, and a text in which none of these follows the first word."""
    return [f" a x{index}" for index in range(n)], "".join(f" a y{index} b x{index}" for index in range(n))


@pytest.mark.parametrize("make", [distinct, nested, branching])
def test_four_times_as_much_takes_four_times_the_work(make: Callable[[int], tuple[list[str], str]]) -> None:
    calls = []
    for n in (5000, 20_000):
        names, text = make(n)
        calls.append(n_calls(partial(mentions._find, names, text.split())))
    assert calls[1] < 5 * calls[0]
