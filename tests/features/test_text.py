"""Words: tokens, and mentions of names."""

from __future__ import annotations

import pytest

from scoring.features.text import terms_of, words_of


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
