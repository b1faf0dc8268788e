"""Near-duplicates, and records of one story."""

from __future__ import annotations

import numpy as np

from scoring.features.story import copies, stories
from scoring.records.record import Coverage, Record

TIDE = "Tide tables for the northern harbours are out again"


def groups_of(numbers: np.ndarray) -> list[set[int]]:
    return [set(np.flatnonzero(numbers == number).tolist()) for number in dict.fromkeys(numbers.tolist())]


def test_same_address_and_nearly_the_same_title_are_copies() -> None:
    records = [
        Record(title=TIDE, web_url="https://a.example/1"),
        Record(
            title="Bees rest in winter", original_url="https://b.example/2", web_url="https://b.example/2?x"
        ),
        Record(title=f"{TIDE} today"),
        Record(title="Elsewhere under another name", web_url="https://b.example/2"),
        Record(title=""),
        Record(title=""),
    ]
    assert groups_of(copies(records)) == [{0, 2}, {1, 3}, {4}, {5}]
    assert groups_of(stories(records)) == [{0, 2}, {1, 3}, {4}, {5}]


def test_links_join_stories_but_make_no_copies() -> None:
    def record(name: str, *links: str) -> Record:
        related = tuple(Coverage(original_url=f"https://x.example/{link}") for link in links)
        return Record(title=name, web_url=f"https://x.example/{name}", related=related)

    # a lists b, c lists b, d lists what is no record, e lists itself.
    records = [record("a", "b"), record("b"), record("c", "b"), record("d", "z"), record("e", "e")]
    assert groups_of(stories(records)) == [{0, 1, 2}, {3}, {4}]
    assert groups_of(copies(records)) == [{0}, {1}, {2}, {3}, {4}]


def test_nothing_has_no_groups() -> None:
    assert copies([]).shape == stories([]).shape == (0,)
