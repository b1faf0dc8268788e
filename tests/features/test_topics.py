"""Topic features: whether title, excerpt and address name the topics."""

from __future__ import annotations

import math

import pytest

from scoring.features.table import build_table
from scoring.records.record import Record


def value(record: Record, name: str) -> float:
    return float(build_table([record]).number(name)[0])


@pytest.mark.parametrize(
    ("topic", "title", "is_named"),
    [
        ("Tide Tables", "New tide tables are out", True),
        ("Tide Tables", "One TIDE TABLE for all", True),
        ("Tide Table", "Tide tables, explained", True),
        ("Tide Tables", "Tables of the tide", False),  # in another order
        ("Tide Tables", "Tide and tables", False),  # not in a row
        ("Tide", "Mistide and ebb", False),  # the middle of a word
        ("AI", "Main street repaired", False),
        ("AI", "What AI means for gulls", True),
        ("Gull", "Gullwing doors", True),  # the beginning of a longer word
        ("C++", "C++ for sailors", True),
        ("C++", "C for sailors", False),
        ("Sea-Birds", "Our sea birds: a count", True),
        ("!!", "Nothing to see", False),  # a topic without a word names nothing
        ("Tide", "", False),
    ],
)
def test_title_names_topics(topic: str, title: str, is_named: bool) -> None:
    assert value(Record(title=title, topics=(topic,)), "title_names_section") == is_named
    assert value(Record(title=title, topics=("Harbour", topic)), "title_names_topic_count") == is_named


def test_section_and_finer_topics_are_told_apart() -> None:
    record = Record(
        title="Harbour and lighthouse, seen from the dunes",
        excerpt="The lighthouse stands.",
        topics=("Harbour", "Lighthouses", "Dunes", "Boats"),
    )
    table = build_table([record])
    assert table.text("topic_section").tolist() == ["Harbour"]
    assert table.text("topic_first").tolist() == ["Lighthouses"]
    assert [value(record, f"{field}_names_section") for field in ("title", "excerpt", "url")] == [1, 0, 0]
    assert [value(record, f"{field}_names_topic_count") for field in ("title", "excerpt", "url")] == [2, 1, 0]
    assert value(record, "topic_count") == 4


@pytest.mark.parametrize(
    ("url", "is_named"),
    [
        ("https://example.org/sea-birds/2021/", 1.0),
        ("https://example.org/Sea%20Birds", 1.0),
        ("https://example.org/x?about=sea-birds", 0.0),  # the path counts, the query does not
        ("https://sea-birds.example.org/", 0.0),
        ("https://[broken/sea-birds", 0.0),
        ("", 0.0),
    ],
)
def test_address_names_the_section_in_its_path(url: str, is_named: float) -> None:
    assert value(Record(web_url=url, topics=("Sea Birds",)), "url_names_section") == is_named


def test_place_of_the_section_in_the_title() -> None:
    first = value(Record(title="Harbour news", topics=("Harbour",)), "title_section_position_ratio")
    last = value(Record(title="News of the harbour", topics=("Harbour",)), "title_section_position_ratio")
    assert first == 0
    assert last == pytest.approx(len(" new of the") / len(" new of the harbour"))  # plurals lose their s
    assert math.isnan(value(Record(title="Dunes", topics=("Harbour",)), "title_section_position_ratio"))
    assert math.isnan(value(Record(title="Dunes"), "title_section_position_ratio"))
