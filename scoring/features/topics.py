"""What the record is about, and whether its own words say so."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import unquote, urlsplit

from scoring.features.column import Column
from scoring.features.text import words_of
from scoring.records.record import Record

TEXT_COLUMNS = (
    Column(
        "topic_section", "topic", "category", "", "text, missing", "first topic: the site's section", False
    ),
    Column("topic_first", "topic", "category", "", "text, missing", "first finer topic", False),
)
_NAMED = (
    ("title", "title"),
    ("excerpt", "excerpt"),
    ("url", "address"),
)
COLUMNS = (
    Column("topic_count", "topic", "count", "topics", ">= 0", "topics, the section among them"),
    *(
        Column(f"{name}_names_section", "topic", "bool", "", "0, 1", f"the {what} names the record's section")
        for name, what in _NAMED
    ),
    *(
        Column(
            f"{name}_names_topic_count",
            "topic",
            "count",
            "topics",
            ">= 0",
            f"finer topics that the {what} names",
        )
        for name, what in _NAMED
    ),
    Column(
        "title_section_position_ratio",
        "topic",
        "number",
        "",
        "0 to 1, missing",
        "where in the title the section is named",
    ),
)


def extract(
    record: Record, title_words: list[str], excerpt_words: list[str]
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Texts of :data:`TEXT_COLUMNS` and values of :data:`COLUMNS` for one record.

    Parameters
    ----------
    record : Record
        The record.
    title_words, excerpt_words : list of str
        Its words, as :func:`scoring.features.text.words_of` gives them.

    Returns
    -------
    texts : tuple of str
        Empty where the record has no such topic.
    values : tuple of float
    """
    try:
        path = urlsplit(record.url).path
    except ValueError:
        path = ""
    texts = [
        f" {' '.join(words)}"
        for words in (title_words, excerpt_words, words_of(unquote(path).replace("-", " ")))
    ]
    names = [_name(topic) for topic in record.topics]
    section, finer = (names[0], names[1:]) if names else (" ", [])
    has_section = len(section) > 1
    at = texts[0].find(section) if has_section else -1
    return (
        (record.topics[0] if names else "", record.topics[1] if finer else ""),
        (
            float(len(names)),
            *(float(has_section and section in text) for text in texts),
            *(float(sum(len(name) > 1 and name in text for name in finer)) for text in texts),
            at / len(texts[0]) if at >= 0 else float("nan"),
        ),
    )


@lru_cache(maxsize=2**12)
def _name(topic: str) -> str:
    """A topic as texts would name it; a site has few of them."""
    return f" {' '.join(words_of(topic))}"
