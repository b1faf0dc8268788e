"""Words: tokens, and mentions of names."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.features.text import NEAR_IDENTICAL_RATIO, similar_pairs, similarity, terms_of, words_of


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
    assert list(similar_pairs(titles)) == expected
    assert expected


def test_a_title_of_very_many_words_has_few_keys() -> None:
    title = {f"w{number}" for number in range(100_000)}
    assert list(similar_pairs([title, title - {"w0"}])) == [(0, 1)]
