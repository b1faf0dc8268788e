"""Decode a record's JSON straight into the types, where nothing about it is ambiguous."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import msgspec

from scoring.records.forms.node import MAX_DEPTH
from scoring.records.reader import FIRST_YEAR, LAST_YEAR
from scoring.records.record import Coverage, Heat, Labels, Points, Record


class _Labelled(Record, frozen=True, gc=False):
    """A record with its labels, as archives store it; private, since a record must not carry its labels."""

    quality: Points | None = None
    heat: Heat | None = None
    published: bool | None = None


_DECODER = msgspec.json.Decoder(_Labelled)
_ANY_DECODER = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()
_INPUTS = Record.__struct_fields__
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_INNERMOST = re.compile(rb"\[\]|\{\}")
# Fractions of a second that a parser may round up to a whole one.
_NEARLY_A_SECOND = re.compile(rb"\.9{6}")


def decode_fast(data: bytes | memoryview) -> tuple[Record, Labels, tuple[str, ...]] | None:
    """Decode a record's JSON straight into the types, if the strict path would give the same result.

    Parameters
    ----------
    data : bytes or memoryview
        JSON in UTF-8 without repeated keys.

    Returns
    -------
    tuple of Record, Labels and tuple of str, or None
        The record, its labels, and no warnings; None if any value needs the strict path.
    """
    try:
        labelled = _DECODER.decode(data)
    except Exception:  # any error: the strict path reads the record or reports the fault
        return None
    if not (labelled.title.strip() and labelled.topics and labelled.provider.name and all(labelled.topics)):
        return None
    if labelled.published_at is None or not labelled.type or not labelled.category:
        return None
    for coverage in labelled.related:
        if not coverage.type or (
            coverage.published_at is not None and not _is_clear_time(coverage.published_at)
        ):
            return None
    if not _is_clear_time(labelled.published_at) or _NEARLY_A_SECOND.search(data):
        return None
    values = {name: getattr(labelled, name) for name in _INPUTS}
    values["title"] = html.unescape(labelled.title)
    values["excerpt"] = html.unescape(labelled.excerpt)
    values["published_at"] = labelled.published_at.astimezone(UTC)
    values["related"] = tuple(map(_normalize, labelled.related))
    return Record(**values), Labels(labelled.quality, labelled.heat, labelled.published), ()


def _is_clear_time(time: datetime) -> bool:
    # The first and last years are left to the strict path, since a time zone could move a time out of range;
    # so are fractions of a second, since parsers round them differently.
    return time.tzinfo is not None and FIRST_YEAR < time.year < LAST_YEAR and not time.microsecond


def _normalize(coverage: Coverage) -> Coverage:
    published_at = coverage.published_at
    is_utc = published_at is None or published_at.tzinfo is UTC
    if is_utc and "&" not in coverage.title and "&" not in coverage.excerpt:
        return coverage
    return msgspec.structs.replace(
        coverage,
        title=html.unescape(coverage.title),
        excerpt=html.unescape(coverage.excerpt),
        published_at=published_at.astimezone(UTC) if published_at is not None else None,
    )


def is_unambiguous_json(data: bytes) -> bool:
    """Whether this is JSON in UTF-8 with few levels of nesting and no repeated key.

    The decoder keeps the last value of a repeated key, so re-encoding loses something: at least the quotes of
    the key, unless a quote was written as an escape.
    """
    try:
        reencoded = _ENCODER.encode(_ANY_DECODER.decode(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, OverflowError, RecursionError):
        return False
    has_all_keys = reencoded == data or (reencoded.count(b'"') == data.count(b'"') and b"\\u0022" not in data)
    return has_all_keys and _is_shallow(data)


def _is_shallow(data: bytes) -> bool:
    """Whether brackets nest no deeper than the limit; those in strings count too, to be safe."""
    brackets = data.translate(None, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            break
        brackets = _INNERMOST.sub(b"", brackets)
    return not brackets
