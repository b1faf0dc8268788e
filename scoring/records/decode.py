"""From the bytes of one file, or of one line of JSON to a record: fast where that is safe, else careful.

The fast way promises what the careful way would give. It takes a document only where its form leaves no
two readings, decodes it straight into the types, and leaves every value that needs a second thought (a
type that does not fit, a date without a zone, a record without a title) to the careful way, which either
reads it or names everything that is wrong with it.
"""

from __future__ import annotations

import codecs
import hashlib
import html
import json
import re
from datetime import UTC, datetime

import msgspec

from scoring.errors import Fault, RecordError, shown
from scoring.records.front_matter import MAX_BYTES, decode_utf8, find_front_matter, to_json
from scoring.records.node import MAX_DEPTH, OPAQUE, Node
from scoring.records.reader import FIRST_YEAR, LAST_YEAR, read_record
from scoring.records.record import Coverage, Document, Heat, Labels, Points, Record


class _Labelled(Record, frozen=True, gc=False):
    """A record as an archive holds it. It never leaves this file: a record must not carry its labels."""

    quality: Points | None = None
    heat: Heat | None = None
    published: bool | None = None


_DECODER = msgspec.json.Decoder(_Labelled)
_ANY_DECODER = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()
_INPUTS = Record.__struct_fields__
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_INNERMOST = re.compile(rb"\[\]|\{\}")
_OPAQUE_START = re.compile(rb'"%s"\s*:\s*"' % OPAQUE.encode())


def decode_file(data: bytes, path: str, *, is_hashed: bool = True) -> Document:
    """Read the record that a Markdown file's front matter holds.

    Parameters
    ----------
    data : bytes
        The whole file.
    path : str
        Its path, for the faults; ``-`` is standard input.
    is_hashed : bool
        Whether the digest is asked for.

    Returns
    -------
    Document
        With the digest of all of ``data``; with an empty one where it is not asked for.

    Raises
    ------
    RecordError
        With every fault of the record.

    Examples
    --------
    >>> decode_file(b"---\\ntitle: Rain\\npublishedDateTime: 2021-03-04\\n---\\n", "a.md").record.title
    'Rain'
    """
    span = find_front_matter(data, path)
    block = data[span.start : span.stop]
    if not block.isascii():
        decode_utf8(block, path, line=2)
    as_json = to_json(block)
    fast = decode_fast(as_json) if as_json is not None else None
    record, labels, warnings = fast or _read_carefully(block.decode(), path)
    digest = hashlib.sha256(data).hexdigest() if is_hashed else ""
    return Document(shown(path), 1, digest, record, labels, warnings)


def _read_carefully(text: str, path: str) -> tuple[Record, Labels, tuple[str, ...]]:
    from scoring.records.yaml_nodes import parse_nodes  # with PyYAML, which few records need

    return read_record(parse_nodes(text, path), path)


def decode_json(data: bytes, path: str, line: int) -> Document:
    """Read the record that a line of JSON holds, with the field names of the front matter.

    Raises
    ------
    RecordError
        With every fault of the record; each names ``line``.

    Examples
    --------
    >>> decode_json(b'{"title": "Rain", "topics": "Weather"}', "a.jsonl", 3).record.topics
    ('Weather',)
    """
    if len(data) > MAX_BYTES:
        raise RecordError(Fault(path, line, "", f"{len(data):,} bytes", f"at most {MAX_BYTES:,} bytes"))
    digest = hashlib.sha256(data.strip()).hexdigest()
    visible = _without_opaque(data.removeprefix(codecs.BOM_UTF8))
    fast = decode_fast(visible) if _is_clear_cut(visible) else None
    record, labels, warnings = fast or read_record(_parse_json(visible, path, line), path)
    return Document(shown(path), line, digest, record, labels, warnings)


def _without_opaque(data: bytes) -> bytes:
    """The same JSON with an empty text for each one of the field that is never read."""
    parts = []
    kept = 0
    while match := _OPAQUE_START.search(data, kept):
        quote = _end_of_text(data, match.end())
        if quote < 0:
            break
        parts.append(data[kept : match.end()] + b'"')
        kept = quote + 1
    return b"".join([*parts, data[kept:]])


def _end_of_text(data: bytes, start: int) -> int:
    """Index of the quote that ends a text of JSON, after an even number of backslashes; -1 without one."""
    while (quote := data.find(b'"', start)) >= 0:
        text = data[start:quote]
        if (len(text) - len(text.rstrip(b"\\"))) % 2 == 0:
            break
        start = quote + 1
    return quote


def decode_fast(data: bytes | memoryview) -> tuple[Record, Labels, tuple[str, ...]] | None:
    """Decode a record's JSON into the types, if that gives what the careful way would give.

    Parameters
    ----------
    data : bytes or memoryview
        JSON in UTF-8 in which no key comes twice.

    Returns
    -------
    tuple of Record, Labels and tuple of str, or None
        The record, its labels, and no warning; None where any value needs the careful way.
    """
    try:
        found = _DECODER.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not (found.title.strip() and found.topics and found.provider.name and all(found.topics)):
        return None
    if found.published_at is None or not found.type or not found.category:
        return None
    for one in found.related:
        if not one.type or (one.published_at is not None and not _is_clear(one.published_at)):
            return None
    if not _is_clear(found.published_at):
        return None
    values = {name: getattr(found, name) for name in _INPUTS}
    values["title"] = html.unescape(found.title)
    values["excerpt"] = html.unescape(found.excerpt)
    values["published_at"] = found.published_at.astimezone(UTC)
    values["related"] = tuple(map(_finish, found.related))
    return Record(**values), Labels(found.quality, found.heat, found.published), ()


def _is_clear(moment: datetime) -> bool:
    # The outermost years are left to the careful way, since a zone could carry a moment out of them;
    # parts of a second too, since parsers round them differently.
    return moment.tzinfo is not None and FIRST_YEAR < moment.year < LAST_YEAR and not moment.microsecond


def _finish(one: Coverage) -> Coverage:
    moment = one.published_at
    is_utc = moment is None or moment.tzinfo is UTC
    if is_utc and "&" not in one.title and "&" not in one.excerpt:
        return one
    return msgspec.structs.replace(
        one,
        title=html.unescape(one.title),
        excerpt=html.unescape(one.excerpt),
        published_at=moment.astimezone(UTC) if moment is not None else None,
    )


def _is_clear_cut(data: bytes) -> bool:
    """Tell whether this is JSON in UTF-8 that nests few levels and in which no object has a key twice.

    Of a key that comes twice the decoder keeps the last, so that something is missing where it is written
    again: at least the quotes of a key, unless a quote was written as a number before.
    """
    try:
        again = _ENCODER.encode(_ANY_DECODER.decode(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, OverflowError, RecursionError):
        return False
    has_all_keys = again == data or (again.count(b'"') == data.count(b'"') and b"\\u0022" not in data)
    return has_all_keys and _is_shallow(data)


def _is_shallow(data: bytes) -> bool:
    """Tell whether brackets nest no deeper than is read; those in a text count as well, on the safe side."""
    brackets = data.translate(None, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            break
        brackets = _INNERMOST.sub(b"", brackets)
    return not brackets


class _Number(str):
    """A number as JSON writes it."""

    __slots__ = ()


class _Object(list[tuple[str, object]]):
    """The pairs of a JSON object, all of them."""


def _parse_json(data: bytes, path: str, line: int) -> Node:
    text = decode_utf8(data, path, line=line)
    try:
        value = json.loads(
            text, object_pairs_hook=_Object, parse_int=_Number, parse_float=_Number, parse_constant=_Number
        )
    except RecursionError:
        value = None
        depth = MAX_DEPTH + 1
    except ValueError as error:
        problem = error.msg if isinstance(error, json.JSONDecodeError) else "not a value"
        raise RecordError(Fault(path, line, "", f"JSON that does not parse ({problem})", "JSON")) from None
    else:
        depth = 0
    return _to_node(value, path, line, depth)


def _to_node(value: object, path: str, line: int, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise RecordError(Fault(path, line, "", "deeper nesting", f"at most {MAX_DEPTH} levels"))
    if isinstance(value, _Object):
        fields: dict[str, Node] = {}
        repeated: list[tuple[str, int]] = []
        for key, item in value:
            if key in fields:
                repeated.append((key, line))
            elif key != OPAQUE:
                fields[key] = _to_node(item, path, line, depth + 1)
        return Node(line, fields, repeated=tuple(repeated))
    if isinstance(value, list):
        return Node(line, [_to_node(item, path, line, depth + 1) for item in value])
    if isinstance(value, bool):
        return Node(line, "true" if value else "false", is_plain=True)
    if isinstance(value, str):
        return Node(line, str(value), is_plain=isinstance(value, _Number))
    return Node(line, None)
