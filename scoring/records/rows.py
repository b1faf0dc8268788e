"""Decode a record from a row of a table: a data frame, a CSV file or a Parquet file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

import msgspec

from scoring.errors import Fault, RecordError
from scoring.records.decode import decode_json
from scoring.records.field_maps.field_map import LABELS, FieldMap
from scoring.records.json_text import is_json_text, nested_keys
from scoring.records.reading_warnings import used_keys
from scoring.records.record import Document

_NOTHING = ("null", "NaN")
"""What ``json.dumps`` makes of a missing value, where a column of nested values is written as JSON text."""

_TRUTHS = {"true": True, "false": False}
_WHOLE_NUMBER = re.compile(r"([+-]?(?:0|[1-9][0-9]{0,14}))(?:\.0+)?")


def decode_row(
    fields: Mapping[str, object], path: str, line: int, field_map: FieldMap | None = None
) -> Document:
    """Decode a record from a row, with the field names of the front matter as columns.

    Parameters
    ----------
    fields : mapping of str to object
        Values by column; nested fields are objects or JSON text. A missing value is an absent field.
    path, line : str, int
        File and row, for faults.
    field_map : FieldMap, optional
        Which columns hold the fields; None for scoring's own layout.

    Raises
    ------
    RecordError
        With every fault of the record.

    Examples
    --------
    >>> decode_row({"title": "Rain", "topics": '["Weather"]', "quality": "67"}, "a.csv", 2).labels.quality
    67
    """
    return decode_json(row_as_json(fields, path, line, field_map), path, line, field_map)


def row_as_json(
    fields: Mapping[str, object], path: str, line: int, field_map: FieldMap | None = None
) -> bytes:
    """Write a row as the JSON of a record: see :func:`decode_row`.

    Raises
    ------
    RecordError
        If a value is neither text, a number, a date, nor a list or object of these.

    Examples
    --------
    >>> row_as_json({"title": "Rain", "quality": 67.0}, "-", 1)
    b'{"title":"Rain","quality":67}'
    """
    is_own = field_map is None or field_map.is_own_layout
    nested = nested_keys(field_map)
    row = {
        name: _parse_nested(value, name, path, line) if name in nested else value
        for name, value in fields.items()
    }
    if is_own:
        row |= {name: _as_label(row[name]) for name in LABELS if name in row}
    try:
        if any(map(_has_bytes, row.values())):  # would be encoded as Base64
            raise _UnknownTypeError("bytes")
        return msgspec.json.encode(row, enc_hook=_to_plain)
    except _NO_JSON:
        return msgspec.json.encode(_checked(row, path, line, field_map), enc_hook=_to_plain)


def _checked(
    row: Mapping[str, object], path: str, line: int, field_map: FieldMap | None
) -> dict[str, object]:
    """The row with a null where a column that no field uses has a value that JSON does not have."""
    known = used_keys(field_map)
    checked = {}
    for name, value in row.items():
        try:
            if _has_bytes(value):
                raise _UnknownTypeError("bytes")
            msgspec.json.encode(value, enc_hook=_to_plain)
        except _NO_JSON as error:
            if name in known:
                expected = "text, a number, a date, a list or an object"
                raise RecordError(Fault(path, line, name, _described(error), expected)) from None
            value = None
        checked[name] = value
    return checked


def _parse_nested(value: object, name: str, path: str, line: int) -> object:
    if isinstance(value, str) and value in _NOTHING:
        return None
    if not is_json_text(value):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError as error:
        raise RecordError(Fault(path, line, name, f"JSON that does not parse ({error})", "JSON")) from None


def _as_label(value: object) -> object:
    """A label as a number or boolean: a table may have it as text, or as 67.0 where others are missing."""
    text = value.strip() if isinstance(value, str) else repr(float(value)) if isinstance(value, float) else ""
    if text.lower() in _TRUTHS:
        return _TRUTHS[text.lower()]
    whole = _WHOLE_NUMBER.fullmatch(text)
    return int(whole[1]) if whole else value


def _to_plain(value: object) -> object:
    if type(value).__name__ in ("NAType", "NaTType"):
        return None  # before times, of which NaT is one
    if hasattr(value, "tolist"):
        return value.tolist()  # nested values of a frame read from Parquet
    if isinstance(value, datetime):
        return value.isoformat()
    raise _UnknownTypeError(type(value).__name__)


def _has_bytes(value: object) -> bool:
    if isinstance(value, str | int | float | None):
        return False
    if isinstance(value, Mapping):
        return any(map(_has_bytes, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(_has_bytes, value))
    return isinstance(value, bytes | bytearray | memoryview)


class _UnknownTypeError(Exception):
    """A value of a type that a record cannot hold."""


# Besides unknown types: keys that are no text, half of a surrogate pair, endless nesting.
_NO_JSON = (_UnknownTypeError, TypeError, ValueError, OverflowError, RecursionError)


def _described(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "half of a character"
    return f"a value of type {error}" if isinstance(error, _UnknownTypeError) else str(error)
