"""Recency features: hour, weekday, age, and position in the story's order of publication."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from scoring.features.column import Column
from scoring.records.record import Coverage, Record

COLUMNS = (
    Column(
        "published_hour", "recency", "number", "hours", "0 to 24, missing", "time of day of publication, UTC"
    ),
    Column(
        "published_weekday", "recency", "count", "days", "0 to 6, missing", "day of the week, Monday is 0"
    ),
    Column(
        "has_exact_second",
        "recency",
        "bool",
        "",
        "0, 1",
        "the time has seconds (from a feed, not an editor)",
    ),
    Column(
        "age_hours",
        "recency",
        "number",
        "hours",
        ">= 0, missing",
        "from publication to as_of; missing without as_of",
    ),
    Column(
        "story_rank_ratio",
        "recency",
        "number",
        "",
        "0 to 1",
        "share of the coverage that was published earlier",
    ),
    Column("earlier_coverage_count", "recency", "count", "records", ">= 0", "coverage published earlier"),
    Column(
        "first_coverage_hours",
        "recency",
        "number",
        "hours",
        "any, missing",
        "from the earliest coverage to the record",
    ),
    Column(
        "last_coverage_hours",
        "recency",
        "number",
        "hours",
        "any, missing",
        "from the record to the latest coverage",
    ),
)
_NAN = float("nan")


def hours_between(earlier: datetime | None, later: datetime | None) -> float:
    """Return the hours between two times; NaN if either is unknown."""
    if earlier is None or later is None:
        return _NAN
    return (later - earlier).total_seconds() / 3600


def extract(record: Record, coverage: Sequence[Coverage], as_of: datetime | None) -> tuple[float, ...]:
    """Compute the values of :data:`COLUMNS` for one record.

    Parameters
    ----------
    record : Record
        The record.
    coverage : sequence of Coverage
        Its coverage known at `as_of`.
    as_of : datetime or None
        Time at which the age is measured, aware UTC.

    Returns
    -------
    tuple of float
    """
    published_at = record.published_at
    age_hours = max(hours_between(published_at, as_of), 0.0) if published_at and as_of else _NAN
    dates = [entry.published_at for entry in coverage if entry.published_at is not None]
    earlier = sum(date < published_at for date in dates) if published_at else 0
    return (
        published_at.hour + published_at.minute / 60 if published_at else _NAN,
        float(published_at.weekday()) if published_at else _NAN,
        float(bool(published_at and published_at.second)),
        age_hours,
        earlier / len(dates) if dates else 0.0,
        float(earlier),
        hours_between(min(dates), published_at) if dates else _NAN,
        hours_between(published_at, max(dates)) if dates else _NAN,
    )
