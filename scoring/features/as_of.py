"""The ``as_of`` argument: a time, or a delay after each record's publication."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec

from scoring.errors import FeatureError
from scoring.records.record import Coverage, Record

#: A time (aware UTC), a delay after each record's publication, or None for the record as it is.
AsOf = datetime | timedelta | None

_AFTER = re.compile(r"(?:published)?(?:\+(?P<hours>\d{1,6}(?:\.\d+)?)h)?", re.IGNORECASE)
EXPECTED = "a time such as 2021-03-04T05:06:07Z, or a delay after publication such as published+6h"


def parse_as_of(text: str) -> datetime | timedelta:
    """Parse an ``as_of`` from text.

    Parameters
    ----------
    text : str
        ISO 8601 time or day (UTC without a time zone), ``published``, ``published+6h`` or ``+6h``.

    Raises
    ------
    FeatureError
        If it is neither.

    Examples
    --------
    >>> parse_as_of("published+6h")
    datetime.timedelta(seconds=21600)
    >>> parse_as_of("2021-03-04T05:06:07+02:00")
    datetime.datetime(2021, 3, 4, 3, 6, 7, tzinfo=datetime.timezone.utc)
    """
    delay = _AFTER.fullmatch(text.strip())
    if delay is not None and text.strip():
        return timedelta(hours=float(delay["hours"] or 0))
    try:
        time = datetime.fromisoformat(text.strip())
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise FeatureError(f"as-of: got {text!r}, expected {EXPECTED}") from error


def checked_as_of(as_of: AsOf | str, name: str = "as_of") -> AsOf:
    """Check an ``as_of`` from a caller, and parse it if it is text; `name` is the argument's.

    Raises
    ------
    FeatureError
        If it is text of another form, or a time without a time zone.

    Examples
    --------
    >>> checked_as_of("published+6h") == checked_as_of(timedelta(hours=6))
    True
    """
    if isinstance(as_of, str):
        return parse_as_of(as_of)
    if isinstance(as_of, datetime) and as_of.utcoffset() is None:
        remedy = "expected a time with one, such as .replace(tzinfo=UTC) returns"
        raise FeatureError(f"{name}: got {as_of} without a time zone, {remedy}")
    return as_of


def moment_of(record: Record, as_of: AsOf) -> datetime | None:
    """Resolve `as_of` for a record to a time; None means the record as it is.

    A record without a date is taken as it is if `as_of` is a delay after publication.
    """
    if isinstance(as_of, timedelta):
        return record.published_at + as_of if record.published_at is not None else None
    return as_of


def known_coverage(record: Record, moment: datetime | None) -> tuple[Coverage, ...]:
    """Return the coverage published up to a time, with undated coverage; all coverage if the time is None.

    A record that lists itself leaks its own label: such an entry is kept, but its quality is removed.
    """
    own = {record.original_url, record.web_url} - {""}
    return tuple(
        msgspec.structs.replace(entry, quality=None)
        if entry.original_url in own or entry.web_url in own
        else entry
        for entry in record.related
        if moment is None or entry.published_at is None or entry.published_at <= moment
    )
