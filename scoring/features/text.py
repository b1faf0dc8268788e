"""Words of titles and excerpts, as the topic and coverage families compare them."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+(?:[.+#][^\W_]+|[+#]+)*")
MAX_TERM_WORDS = 3


def words_of(text: str) -> list[str]:
    """Lower-case words of a text, in order; a plural ``s`` is taken off longer words.

    Examples
    --------
    >>> words_of("New databases & C++ tools: v2.1 ships")
    ['new', 'database', 'c++', 'tool', 'v2.1', 'ship']
    """
    return [
        word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] != "s" else word
        for word in _WORD.findall(text.lower())
    ]


def terms_of(words: list[str]) -> tuple[str, ...]:
    """Every run of one to three words, each once, sorted.

    Examples
    --------
    >>> terms_of(["blob", "store", "copy"])
    ('blob', 'blob store', 'blob store copy', 'copy', 'store', 'store copy')
    """
    n_words = len(words)
    return tuple(
        sorted(
            {
                " ".join(words[start : start + length])
                for length in range(1, MAX_TERM_WORDS + 1)
                for start in range(n_words - length + 1)
            }
        )
    )


def is_named(name: str, text: str) -> bool:
    """Whether a text names something: its words stand in the text, in a row.

    Case and plural do not count, and the name may be the beginning of a longer word.

    Examples
    --------
    >>> is_named("Databases", "A database for everyone"), is_named("AI", "Main street")
    (True, False)
    """
    wanted = " ".join(words_of(name))
    return bool(wanted) and f" {wanted}" in f" {' '.join(words_of(text))}"
