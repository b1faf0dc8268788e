"""Decode a record from a Markdown file or a line of JSON.

There are two paths with the same result. The fast path accepts only unambiguous documents and decodes them
straight into the types. It leaves the rest (a wrong type, a date without a time zone, a record without a
title) to the strict path, which reads the record or reports every fault.
"""

from __future__ import annotations

import codecs
import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from scoring.errors import Fault, RecordError, shown
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.forms.front_matter import MAX_BYTES, Span, decode_utf8, find_front_matter
from scoring.records.forms.node import MAX_DEPTH, OPAQUE, TOO_DEEP, Node, Problem
from scoring.records.json_text import is_json_text, nested_keys
from scoring.records.plain_json import decode_fast, is_unambiguous_json
from scoring.records.reader import read_record
from scoring.records.reading_warnings import unread_keys
from scoring.records.record import Document, Labels, Record
from scoring.records.repeated_coverage import decode_plain

NO_NAME = "-"
"""Path of a record without one."""

_Mapped = tuple[str, dict[str, tuple[str, str]]]
_FIELDS_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_OPAQUE_START = re.compile(rb'"%s"\s*:\s*"' % OPAQUE.encode())


class _Row(msgspec.Struct, frozen=True):
    """Names that a row may have of its own."""

    path: str | int | None = None
    id: str | int | None = None


_ROW_DECODER = msgspec.json.Decoder(_Row)


def decode_file(
    data: bytes,
    path: str,
    *,
    is_hashed: bool = True,
    field_map: FieldMap | None = None,
    with_unread_keys: bool = False,
    reads_body: bool = False,
) -> Document:
    """Decode the record in the front matter of a Markdown file.

    Parameters
    ----------
    data : bytes
        The whole file.
    path : str
        Its path, for faults; ``-`` is standard input.
    is_hashed : bool
        Whether to compute the digest.
    field_map : FieldMap, optional
        Where its fields and labels are; None for scoring's own layout.
    with_unread_keys : bool
        Whether to list the keys that no field uses.
    reads_body : bool
        Whether to count what the text below has: see :class:`scoring.records.record.RecordWithBody`.

    Returns
    -------
    Document
        Its ``sha256`` is the digest of ``data``, or empty if not computed.

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
        decode_utf8(block, path, line=span.line)
    is_own_layout = field_map is None or field_map.is_own_layout
    mapped: _Mapped = ("", {})
    plain = decode_plain(block) if is_own_layout and span.language == "yaml" else None
    digest = hashlib.sha256(data).hexdigest() if is_hashed else ""
    warnings: tuple[str, ...] = ()
    if plain is not None:
        record, labels = plain.record, plain.labels
        keys = _unread_keys(plain.json) if with_unread_keys else ()
    else:
        with any_error_a_fault(path):
            root = _parse(block.decode(), span, path)
            body = "" if is_own_layout else _body(data, span)
            record, labels, warnings = _read(root, path, field_map, body)
            mapped = _mapped(root, field_map)
        keys = unread_keys(root, field_map) if with_unread_keys else ()
    if reads_body:
        record = _with_body(record, data, span, path)
    return Document(shown(path), 0, digest, record, labels, warnings, keys, *mapped)


def _parse(text: str, span: Span, path: str) -> Node:
    from scoring.records.forms.languages import form_of  # imports PyYAML, which few records need

    return form_of(span.language).parse(text, path, span.line)


def _unread_keys(data: bytes | memoryview) -> tuple[str, ...]:
    """Keys of a JSON object that no field uses; the values are not decoded."""
    fields = _FIELDS_DECODER.decode(data)
    return unread_keys(Node(0, {key: Node(0, None) for key in fields if key != OPAQUE}), None)


@contextmanager
def any_error_a_fault(path: str) -> Iterator[None]:
    """Turn any error of a parser into a fault of the file that it parses, so that other files are read."""
    try:
        yield
    except RecordError:
        raise
    except Exception as error:
        got = f"a value that its parser fails at ({type(error).__name__})"
        raise RecordError(Fault(path, 0, "", got, "front matter in a simpler form")) from error


def _with_body(record: Record, data: bytes, span: Span, path: str) -> Record:
    text = _body(data, span)
    if not text.strip():
        return record
    from scoring.records.body import with_body  # imports a parser of Markdown

    with any_error_a_fault(path):
        return with_body(record, text)


def parse_file(data: bytes, path: str) -> tuple[Node, str]:
    """Parse the front matter of a file, whatever its fields.

    Returns
    -------
    tuple of Node and str
        The front matter, and the text below it.

    Raises
    ------
    RecordError
        If it has none, or it does not parse.
    """
    span = find_front_matter(data, path)
    text = decode_utf8(data[span.start : span.stop], path, line=span.line)
    with any_error_a_fault(path):
        return _parse(text, span, path), _body(data, span)


def _body(data: bytes, span: Span) -> str:
    return data[span.stop :].partition(b"\n")[2].decode(errors="replace")


def _read(
    root: Node, path: str, field_map: FieldMap | None, body: str = ""
) -> tuple[Record, Labels, tuple[str, ...]]:
    """Read a record by its field map; None for scoring's own layout."""
    if field_map is None or field_map.is_own_layout:
        return read_record(root, path)
    from scoring.records.mapped_record import Surroundings, read_mapped_record

    return read_mapped_record(root, field_map, Surroundings(path, body))


def _mapped(root: Node, field_map: FieldMap | None) -> _Mapped:
    """Digest of a field map, and the texts of its labels; nothing of scoring's own layout."""
    if field_map is None or field_map.is_own_layout:
        return "", {}
    from scoring.records.mapped_labels import label_texts

    return field_map.sha256, label_texts(root, field_map)


def decode_json(
    data: bytes, path: str, line: int, field_map: FieldMap | None = None, *, with_unread_keys: bool = False
) -> Document:
    """Decode the record in a line of JSON, with the field names of the front matter.

    See :func:`decode_file` for ``field_map`` and ``with_unread_keys``.

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
    is_own_layout = field_map is None or field_map.is_own_layout
    fast = decode_fast(visible) if is_own_layout and is_unambiguous_json(visible) else None
    if fast is not None:
        keys = _unread_keys(visible) if with_unread_keys else ()
        return Document(shown(path), line, digest, *fast, keys, row_id=_row_id(visible))
    with any_error_a_fault(path):
        root = _with_nested(parse_json(visible, path, line), path, field_map)
        read = _read(root, path, field_map)
        mapped = _mapped(root, field_map)
    keys = unread_keys(root, field_map) if with_unread_keys else ()
    return Document(shown(path), line, digest, *read, keys, *mapped, row_id=_row_id(visible))


def _with_nested(root: Node, path: str, field_map: FieldMap | None) -> Node:
    """The record with its nested fields parsed, if they are JSON text."""
    if not isinstance(root.value, dict):
        return root
    parsed = {}
    for name in nested_keys(field_map):
        node = root.value.get(name)
        if node is None or node.is_plain or not is_json_text(node.value):
            continue
        try:
            parsed[name] = parse_json(node.value.encode(errors="surrogatepass"), path, node.line)
        except RecordError as error:
            raise RecordError(*(dataclasses.replace(fault, field=name) for fault in error.faults)) from None
    return dataclasses.replace(root, value=root.value | parsed) if parsed else root


def _row_id(data: bytes) -> str:
    """Own name of a row: its ``path``, else its ``id``, if that is text or a whole number; else empty."""
    try:
        row = _ROW_DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""  # a name of another type names nothing
    name = next((name for name in (row.path, row.id) if name not in (None, "", NO_NAME)), "")
    return shown(str(name))


def _without_opaque(data: bytes) -> bytes:
    """The same JSON with the string values of the opaque field emptied."""
    parts = []
    position = 0
    while match := _OPAQUE_START.search(data, position):
        quote = _end_of_text(data, match.end())
        if quote < 0:
            break
        parts.append(data[position : match.end()] + b'"')
        position = quote + 1
    return b"".join([*parts, data[position:]])


def _end_of_text(data: bytes, start: int) -> int:
    """Index of the quote that ends a JSON string, after an even number of backslashes; -1 if none does."""
    while (quote := data.find(b'"', start)) >= 0:
        text = data[start:quote]
        if (len(text) - len(text.rstrip(b"\\"))) % 2 == 0:
            break
        start = quote + 1
    return quote


class _Number(str):
    """A JSON number, as its source text."""

    __slots__ = ()


class _Object(list[tuple[str, object]]):
    """All key-value pairs of a JSON object, repeated keys included."""


def parse_json(data: bytes, path: str, line: int) -> Node:
    """Parse a line of JSON into nodes; an error names its file and line."""
    text = decode_utf8(data, path, line=line)
    try:
        value = json.loads(
            text, object_pairs_hook=_Object, parse_int=_Number, parse_float=_Number, parse_constant=_Number
        )
    except RecursionError:
        raise RecordError(Fault(path, line, "", *TOO_DEEP)) from None
    except ValueError as error:
        problem = error.msg if isinstance(error, json.JSONDecodeError) else "not a value"
        raise RecordError(Fault(path, line, "", f"JSON that does not parse ({problem})", "JSON")) from None
    return _to_node(value, line, 0)


def _to_node(value: object, line: int, depth: int) -> Node:
    if depth > MAX_DEPTH:
        return Node(line, None, problem=Problem(line, *TOO_DEEP))
    if isinstance(value, _Object):
        fields: dict[str, Node] = {}
        repeated: list[tuple[str, int]] = []
        for key, item in value:
            if key in fields:
                repeated.append((key, line))
            elif key != OPAQUE:
                fields[key] = _to_node(item, line, depth + 1)
        return Node(line, fields, repeated=tuple(repeated))
    if isinstance(value, list):
        return Node(line, [_to_node(item, line, depth + 1) for item in value])
    if isinstance(value, bool):
        return Node(line, "true" if value else "false", is_plain=True)
    if isinstance(value, str):
        return Node(line, str(value), is_plain=isinstance(value, _Number))
    return Node(line, None)
