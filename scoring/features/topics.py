"""Topic features: topics of the record, and whether its title, excerpt and URL name them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from scoring.features.column import Column
from scoring.features.mentions import mentioned
from scoring.features.sections import WHOLE
from scoring.features.text import words_of
from scoring.records.record import Record

TEXT_COLUMNS = (
    Column(
        "topic_section",
        "topic",
        "category",
        "",
        "text, missing",
        "the section of the site",
        False,
    ),
    Column("topic_first", "topic", "category", "", "text, missing", "first finer topic", False),
)
_NAMED = (
    ("title", "title"),
    ("excerpt", "excerpt"),
    ("url", "URL"),
)
_MAX_CACHED_CHARS = 200  # longest topic whose name is cached
COLUMNS = (
    Column("topic_count", "topic", "count", "topics", ">= 0", "topics, including the section"),
    *(
        Column(f"{name}_names_section", "topic", "bool", "", "0, 1", f"the {text} names the record's section")
        for name, text in _NAMED
    ),
    *(
        Column(
            f"{name}_names_topic_count",
            "topic",
            "count",
            "topics",
            ">= 0",
            f"finer topics that the {text} names",
        )
        for name, text in _NAMED
    ),
    Column(
        "title_section_position_ratio",
        "topic",
        "number",
        "",
        "0 to 1, missing",
        "relative position of the section's name in the title",
    ),
)


def extract(
    record: Record, title_words: list[str], excerpt_words: list[str]
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Compute the texts of :data:`TEXT_COLUMNS` and values of :data:`COLUMNS` for one record.

    Parameters
    ----------
    record : Record
        The record.
    title_words, excerpt_words : list of str
        Its words, from :func:`scoring.features.text.words_of`.

    Returns
    -------
    texts : tuple of str
        Empty if the record has no such topic.
    values : tuple of float
    """
    texts = searched_texts(record, title_words, excerpt_words)
    names = names_of(record.topics)
    counts = [sum(mentioned(names[1:], text)) for text in texts]
    return texts_of(record), values_of(topic_count(record), names, texts, counts)


def texts_of(record: Record) -> tuple[str, str]:
    """Return the texts of :data:`TEXT_COLUMNS`."""
    section, first, *_ = (*record.topics[:2], "", "")
    return section, first


def topic_count(record: Record) -> int:
    """Return the number of topics of a placed record, without the placeholder of a missing section."""
    return len(record.topics) - (record.topics[:1] in (("",), (WHOLE,)))


def values_of(
    n_topics: int, names: Sequence[str], texts: Sequence[str], named_counts: Sequence[int]
) -> tuple[float, ...]:
    """Return the values of :data:`COLUMNS`, given the number of finer topics that each text names."""
    section = names[0] if names else " "
    has_section = len(section) > 1
    position = texts[0].find(section) if has_section else -1
    return (
        float(n_topics),
        *(float(has_section and section in text) for text in texts),
        *map(float, named_counts),
        position / len(texts[0]) if position >= 0 else float("nan"),
    )


def searched_texts(record: Record, title_words: list[str], excerpt_words: list[str]) -> tuple[str, str, str]:
    """Return the words of title, excerpt and URL, each preceded by a blank, to search for topics."""
    try:
        path = urlsplit(record.url).path
    except ValueError:
        path = ""
    url_words = words_of(unquote(path).replace("-", " "))
    return f" {' '.join(title_words)}", f" {' '.join(excerpt_words)}", f" {' '.join(url_words)}"


def names_of(topics: Iterable[str]) -> list[str]:
    """Return topics in the form of :func:`searched_texts`."""
    return [_name(topic) if len(topic) <= _MAX_CACHED_CHARS else _name.__wrapped__(topic) for topic in topics]


@lru_cache(maxsize=2**12)
def _name(topic: str) -> str:
    """Words of a topic, each preceded by a blank; cached, since a site has few topics."""
    return f" {' '.join(words_of(topic))}"
