"""Coverage features: counts and statistics of related records, with missing values and ties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from scoring.features.coverage import best_of
from scoring.features.table import build_table
from scoring.features.text import similarity
from scoring.records.record import Coverage, Image, Provider, Record

NOON = datetime(2021, 3, 4, 12, tzinfo=UTC)
PICTURE = (Image("https://example.org/a.png", 50, 50),)


def hours(count: float) -> datetime:
    return NOON + timedelta(hours=count)


def values(record: Record, *names: str, as_of: datetime | None = None) -> list[float]:
    table = build_table([record], as_of)
    return [float(table.number(f"coverage_{name}")[0]) for name in names]


STORY = Record(
    title="A new lighthouse for the old harbour",
    published_at=NOON,
    provider=Provider("Example", "example.org"),
    related=(
        Coverage(
            title="A NEW lighthouse for the old harbours",
            published_at=hours(-2),
            provider=Provider("Example", "example.org", PICTURE),
            images=PICTURE,
            quality=40,
        ),
        Coverage(
            title="Gulls", published_at=hours(3), provider=Provider("Other", "example.com"), quality=100
        ),
        Coverage(
            title="Gulls", published_at=hours(1), provider=Provider("Other", "example.com"), quality=100
        ),
        Coverage(title="Ebb", published_at=hours(2), provider=Provider("Third", "example.net"), quality=90),
        Coverage(title="Ebb", provider=Provider("Example", "Example.ORG")),
    ),
)


def test_statistics_of_a_story() -> None:
    names = ("count", "quality_max", "quality_mean", "quality_median", "quality_spread", "near_max_count")
    assert values(STORY, *names) == [5, 100, 82.5, 95, 60, 3]
    # Of the two best, the one that came first.
    assert values(STORY, "best_lead_hours") == [-1]
    assert values(STORY, "own_provider_count", "own_provider_quality_max", "own_provider_quality_mean") == [
        2,
        40,
        40,
    ]
    assert values(STORY, "provider_count", "known_provider_ratio", "image_ratio") == [3, 0.2, 0.2]
    assert values(STORY, "span_hours", "same_title_count", "same_title_quality_max") == [5, 1, 40]


def test_what_came_after_the_moment_is_unseen() -> None:
    assert values(STORY, "count", "quality_max", "span_hours", as_of=hours(1)) == [3, 100, 3]
    assert values(STORY, "count", "quality_max", "span_hours", as_of=hours(0.99)) == [2, 40, 0]


def test_coverage_without_qualities_has_none() -> None:
    record = Record(title="Ebb", related=(Coverage(title="Flood"), Coverage(title="Tide")))
    assert values(record, "count", "near_max_count", "same_title_count", "own_provider_count") == [2, 0, 0, 0]
    names = (
        "quality_max",
        "quality_mean",
        "quality_median",
        "quality_spread",
        "best_lead_hours",
        "span_hours",
    )
    assert np.isnan(values(record, *names)).all()


def test_record_without_coverage_has_no_shares() -> None:
    record = Record(title="Ebb", published_at=NOON)
    assert values(record, "count", "provider_count", "near_max_count", "same_title_count") == [0, 0, 0, 0]
    names = ("known_provider_ratio", "image_ratio", "span_hours", "quality_max", "same_title_quality_max")
    assert np.isnan(values(record, *names)).all()


@pytest.mark.parametrize(
    ("qualities", "near"), [((0, 0, -1), 2), ((-10, -11, -12), 2), ((100, 90, 89), 2), ((10, 9, 8), 2)]
)
def test_near_the_best_is_within_a_tenth_of_it(qualities: tuple[int, ...], near: int) -> None:
    record = Record(title="Ebb", related=tuple(Coverage(quality=quality) for quality in qualities))
    assert values(record, "near_max_count") == [near]


def test_best_of_several_is_the_first_wherever_it_stands() -> None:
    undated = Coverage(title="undated", quality=50)
    late = Coverage(title="late", quality=50, published_at=hours(2))
    early = Coverage(title="early", quality=50, published_at=hours(1))
    worse = Coverage(title="worse", quality=49, published_at=hours(0))
    unknown = Coverage(title="unknown", published_at=hours(0))
    for listed in ((undated, late, early, worse, unknown), (unknown, worse, early, late, undated)):
        assert best_of(listed) is early
    assert best_of((unknown, undated)) is undated
    assert best_of((unknown,)) is None
    assert best_of(()) is None


def test_titles_are_alike_by_the_words_that_they_share() -> None:
    assert similarity({"a", "b", "c", "d"}, {"a", "b", "c", "d", "e"}) == 0.8
    assert similarity({"a"}, {"b"}) == 0
    assert similarity(set(), set()) == 0


@pytest.mark.parametrize(
    ("title", "count"),
    [
        ("The bay at dawn | Example Times", 0.0),  # 4 of 6 words
        ("The bay, at dawn!", 1.0),
        ("The bays at dawn again", 1.0),  # 4 of 5
        ("", 0.0),
    ],
)
def test_nearly_the_same_title(title: str, count: float) -> None:
    record = Record(title="The bay at dawn", related=(Coverage(title=title, quality=1),))
    assert values(record, "same_title_count") == [count]


def test_largest_story_counts_every_entry() -> None:
    related = tuple(
        Coverage(
            title=f"Ebb {index}",
            published_at=hours(index),
            provider=Provider("", f"{index}.example"),
            quality=index,
        )
        for index in range(179)
    )
    record = Record(title="Ebb", published_at=NOON, related=related)
    assert values(record, "count", "provider_count", "quality_max", "quality_median") == [179, 179, 178, 89]
    assert values(record, "best_lead_hours", "span_hours", "near_max_count") == [-178, 178, 18]
