"""Recency features: hours, ages, and the rank of a record in its coverage."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np

from scoring.features.recency import COLUMNS
from scoring.features.table import build_table
from scoring.records.record import Coverage, Record

THURSDAY = datetime(2021, 3, 4, 18, 45, 7, tzinfo=UTC)
RECORD = Record(
    title="Ebb",
    published_at=THURSDAY,
    related=tuple(
        Coverage(published_at=THURSDAY + timedelta(hours=hours) if hours is not None else None)
        for hours in (-3, -1, 0, 8, None)
    ),
)


def value(record: Record, name: str, as_of: datetime | None = None) -> float:
    return float(build_table([record], as_of).number(name)[0])


def test_time_of_publication() -> None:
    assert value(RECORD, "published_hour") == 18.75
    assert value(RECORD, "published_weekday") == 3
    assert value(RECORD, "has_exact_second") == 1
    assert value(Record(published_at=THURSDAY.replace(second=0)), "has_exact_second") == 0


def test_age_is_known_where_a_moment_is_given() -> None:
    assert math.isnan(value(RECORD, "age_hours"))
    assert value(RECORD, "age_hours", THURSDAY + timedelta(hours=36)) == 36
    assert value(RECORD, "age_hours", THURSDAY) == 0
    assert value(RECORD, "age_hours", THURSDAY - timedelta(hours=1)) == 0  # not yet born is as young


def test_place_in_the_story() -> None:
    # One that came out at the same moment is not earlier; one without a date has no place.
    assert value(RECORD, "earlier_coverage_count") == 2
    assert value(RECORD, "story_rank_ratio") == 0.5
    assert value(RECORD, "first_coverage_hours") == 3
    assert value(RECORD, "last_coverage_hours") == 8
    assert value(RECORD, "last_coverage_hours", THURSDAY + timedelta(hours=7)) == 0


def test_record_without_a_date_has_no_times() -> None:
    record = Record(title="Ebb", related=RECORD.related)
    table = build_table([record], THURSDAY)
    by_name = {column.name: float(table.number(column.name)[0]) for column in COLUMNS}
    missing = {name for name, value in by_name.items() if np.isnan(value)}
    assert missing == {
        "published_hour",
        "published_weekday",
        "age_hours",
        "first_coverage_hours",
        "last_coverage_hours",
    }
    assert (
        by_name["has_exact_second"] == by_name["earlier_coverage_count"] == by_name["story_rank_ratio"] == 0
    )
