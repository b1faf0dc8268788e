"""Content features: lengths, punctuation and pictures of a record."""

from __future__ import annotations

import math

import pytest

from scoring.features.table import build_table
from scoring.records.record import Image, Record


def value(record: Record, name: str) -> float:
    return float(build_table([record]).number(name)[0])


@pytest.mark.parametrize(
    ("title", "name", "expected"),
    [
        ("Gulls: a count?", "title_chars", 15),
        ("Gulls: a count?", "title_word_count", 3),
        ("Gulls: a count?", "has_title_question", 1),
        ("Gulls: a count?", "has_title_colon", 1),
        ("Gulls, a count!", "has_title_exclamation", 1),
        ("Gulls, a count!", "has_title_question", 0),
        ("Gulls - a count", "has_title_dash", 1),
        ("Gulls | Example", "has_title_dash", 1),
        ("Far-off gulls", "has_title_dash", 0),
        ("The \u201cgreat\u201d gull", "has_title_quote", 1),
        ("The gull's egg", "has_title_quote", 0),
        ("What gulls\u2026 ", "is_title_cut", 1),
        ("What gulls...", "is_title_cut", 1),
        ("What gulls.", "is_title_cut", 0),
        ("12 gulls in 2021", "title_digit_count", 6),
        ("GULLS eat", "title_upper_ratio", 0.625),
        ("2021", "title_upper_ratio", 0),
        ("", "title_upper_ratio", 0),
        ("Été", "title_chars", 3),
    ],
)
def test_title(title: str, name: str, expected: float) -> None:
    assert value(Record(title=title), name) == expected


@pytest.mark.parametrize(
    ("excerpt", "name", "expected"),
    [
        ("They eat.", "is_excerpt_cut", 0),
        ("They eat", "is_excerpt_cut", 1),
        ("They eat...", "is_excerpt_cut", 1),
        ("\u201cThey eat.\u201d", "is_excerpt_cut", 0),
        ("", "is_excerpt_cut", 0),
        ("  ", "has_excerpt", 0),
        ("  They eat.\n", "excerpt_chars", 9),
        ("They\neat.", "has_excerpt_break", 1),
        ("They eat.\n", "has_excerpt_break", 0),
        ("As told: Gulls and more.", "is_title_in_excerpt", 1),
        ("As told: gulls and more.", "is_title_in_excerpt", 0),
        ("They eat fish.", "excerpt_word_count", 3),
    ],
)
def test_excerpt(excerpt: str, name: str, expected: float) -> None:
    assert value(Record(title="Gulls", excerpt=excerpt), name) == expected


def test_record_without_a_title_repeats_none() -> None:
    assert value(Record(excerpt="They eat."), "is_title_in_excerpt") == 0


def test_first_image_is_measured() -> None:
    record = Record(
        images=(Image("https://example.org/a", 800, 400, True), Image("https://example.org/b", 10))
    )
    expected = {"has_image": 1, "image_count": 2, "image_width_px": 800, "image_height_px": 400}
    expected |= {"image_aspect_ratio": 2, "is_image_cached": 1}
    assert {name: value(record, name) for name in expected} == expected


@pytest.mark.parametrize("image", [Image("https://example.org/a"), Image("https://example.org/a", 800, None)])
def test_image_of_unknown_size(image: Image) -> None:
    record = Record(images=(image,))
    assert value(record, "has_image") == 1
    assert math.isnan(value(record, "image_height_px"))
    assert math.isnan(value(record, "image_aspect_ratio"))
    assert value(record, "is_image_cached") == 0


def test_forms() -> None:
    record = Record(
        type="video",
        web_url="https://example.org/a",
        amp_web_url="https://example.org/a/amp",
        featured_content="a talk",
    )
    expected = {"is_video": 1, "has_amp": 1, "has_amp_cache": 0, "has_original_url": 0, "has_web_url": 1}
    expected |= {"is_featured": 1, "has_image": 0, "image_count": 0}
    assert {name: value(record, name) for name in expected} == expected
