"""Words: tokens, and mentions of names."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.features import text
from scoring.features.same_text import groups_of
from scoring.features.text import (
    NEAR_IDENTICAL_RATIO,
    similar_links,
    similar_pairs,
    similarity,
    terms_of,
    words_of,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("?! — …", []),
        ("Kites & kite strings", ["kite", "kite", "string"]),
        ("The glass press", ["the", "glass", "press"]),  # a double s is no plural
        ("Gas bus", ["gas", "bus"]),  # short words keep their s
        ("C# and C++ on F#", ["c#", "and", "c++", "on", "f#"]),
        ("v2.1, v3.", ["v2.1", "v3"]),
        ("Harbour's gulls", ["harbour", "s", "gull"]),
        ("snake_case words", ["snake", "case", "word"]),
        ("ÉTÉ à Zürich", ["été", "à", "zürich"]),
        ("日本 の 天気", ["日本", "の", "天気"]),
    ],
)
def test_words_are_lower_case_and_singular(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_terms_are_runs_of_three_words_at_most() -> None:
    assert terms_of(["a", "b", "a", "b"]) == ("a", "a b", "a b a", "b", "b a", "b a b")
    assert terms_of([]) == ()


@pytest.mark.parametrize("seed", range(20))
def test_similar_pairs_are_those_of_all_pairs(seed: int) -> None:
    """Short titles, long ones, and those between, which are looked up in two ways."""
    random = np.random.default_rng(seed)
    words = [f"w{number}" for number in range(50)]
    titles = [set(random.choice(words, random.integers(0, 50)).tolist()) for _ in range(10)]
    titles += [set([*title][1:]) for title in titles] + [title | {"more"} for title in titles]
    expected = [
        (first, second)
        for second, title in enumerate(titles)
        for first in range(second)
        if similarity(titles[first], title) >= NEAR_IDENTICAL_RATIO
    ]
    assert similar_pairs(titles) == expected
    assert expected
    links = similar_links(titles)
    assert set(links) <= set(expected)
    assert groups_of(len(titles), links).tolist() == groups_of(len(titles), expected).tolist()
    assert len(links) < len(titles)


def test_a_title_of_very_many_words_has_few_keys() -> None:
    title = {f"w{number}" for number in range(100_000)}
    assert similar_pairs([title, title - {"w0"}]) == [(0, 1)]
    assert similar_links([title, title - {"w0"}]) == [(0, 1)]


def test_a_title_is_near_a_member_of_a_cluster_that_is_not_its_leader() -> None:
    """Each title has one word less than the following one, of ten."""
    words = [f"w{number}" for number in range(14)]
    titles = [frozenset(words[start : start + 10]) for start in range(5)]
    assert similar_links(titles) == [(0, 1), (1, 2), (2, 3), (3, 4)]


@pytest.mark.parametrize(
    "title", ["Weekly roundup {}", "Weekly roundup of the gulls and the harbour: number {}"]
)
def test_titles_that_recur_with_a_number_are_compared_a_few_times_each(
    title: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_compared = 0

    def counted(words: frozenset[str], others: frozenset[str]) -> float:
        nonlocal n_compared
        n_compared += 1
        return similarity(words, others)

    monkeypatch.setattr(text, "similarity", counted)
    titles = [frozenset(words_of(title.format(number))) for number in range(1000)]
    links = similar_links(titles)
    assert len(links) in (0, 999)
    assert n_compared <= 2 * len(titles)
