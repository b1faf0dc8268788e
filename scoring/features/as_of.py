"""As of when a record is looked at: a moment, or some time after its own publication."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec

from scoring.errors import FeatureError
from scoring.records.record import Coverage, Record

#: A moment (aware UTC), a time after each record's publication, or None: as the record stands.
AsOf = datetime | timedelta | None

_AFTER = re.compile(r"(?:published)?(?:\+(?P<hours>\d{1,6}(?:\.\d+)?)h)?", re.IGNORECASE)
EXPECTED = "a moment, as 2021-03-04T05:06:07Z, or a time after publication, as published+6h"


def parse_as_of(text: str) -> datetime | timedelta:
    """Read an ``as_of`` as people write it.

    Parameters
    ----------
    text : str
        ISO 8601 moment or day (UTC where it has no zone), ``published``, ``published+6h`` or ``+6h``.

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
    after = _AFTER.fullmatch(text.strip())
    if after is not None and text.strip():
        return timedelta(hours=float(after["hours"] or 0))
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise FeatureError(f"as-of: got {text!r}, expected {EXPECTED}") from error


def moment_of(record: Record, as_of: AsOf) -> datetime | None:
    """The moment at which a record is looked at; None where it is taken as it stands.

    A record without a date is taken as it stands where `as_of` counts from its publication.
    """
    if isinstance(as_of, timedelta):
        return record.published_at + as_of if record.published_at is not None else None
    return as_of


def known_coverage(record: Record, moment: datetime | None) -> tuple[Coverage, ...]:
    """The coverage that was out at a moment, that without a date included; all of it where there is none.

    A record that lists itself bears its own label there: such an entry counts, but its quality is unknown.
    """
    own = {record.original_url, record.web_url} - {""}
    return tuple(
        msgspec.structs.replace(entry, quality=None)
        if entry.original_url in own or entry.web_url in own
        else entry
        for entry in record.related
        if moment is None or entry.published_at is None or entry.published_at <= moment
    )
