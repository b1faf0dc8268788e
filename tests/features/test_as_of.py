from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scoring.errors import FeatureError
from scoring.features.as_of import known_coverage, moment_of, parse_as_of
from scoring.features.table import NUMBER_INDEX, extract
from scoring.records.record import Coverage, Record

NOON = datetime(2021, 3, 4, 12, tzinfo=UTC)


def story(*hours: float | None) -> Record:
    """A record published at noon, with related records at these hours after it; None has no date."""
    related = tuple(
        Coverage(title="Kites", quality=40, published_at=None if at is None else NOON + timedelta(hours=at))
        for at in hours
    )
    return Record(title="Kites over the bay", published_at=NOON, related=related)


@pytest.mark.parametrize(
    ("as_of", "count", "age_hours"),
    [
        (timedelta(0), 3, 0.0),
        (timedelta(hours=6), 4, 6.0),
        (timedelta(hours=48), 5, 48.0),
        (NOON - timedelta(hours=3), 2, 0.0),
        (NOON + timedelta(hours=7), 4, 7.0),
    ],
)
def test_only_coverage_that_was_out_is_seen(
    as_of: datetime | timedelta, count: int, age_hours: float
) -> None:
    record = story(-5, 0, 6, 30, None)
    numbers = extract(record, as_of)[1]
    assert numbers[NUMBER_INDEX["coverage_count"]] == count
    assert numbers[NUMBER_INDEX["age_hours"]] == age_hours


def test_a_record_without_a_date_is_taken_as_it_stands() -> None:
    record = Record(title="Kites", related=story(1, 2).related)
    assert moment_of(record, timedelta(hours=6)) is None
    assert len(known_coverage(record, None)) == 2


@pytest.mark.parametrize("text", ["", "soon", "published+x", "published-1h", "2021-13-01", "+1e9h"])
def test_other_texts_are_refused_in_words(text: str) -> None:
    with pytest.raises(FeatureError, match=r"^as-of: got '.*', expected a time such as "):
        parse_as_of(text)


def test_a_record_that_lists_itself_does_not_see_its_own_label() -> None:
    related = (
        Coverage(title="Kites", quality=90, web_url="https://bay.example/kites"),
        Coverage(title="More kites", quality=30, web_url="https://bay.example/more"),
    )
    record = Record(title="Kites", web_url="https://bay.example/kites", related=related)
    assert [entry.quality for entry in known_coverage(record, None)] == [None, 30]
    numbers = extract(record)[1]
    assert numbers[NUMBER_INDEX["coverage_count"]] == 2
    assert numbers[NUMBER_INDEX["coverage_quality_max"]] == 30
