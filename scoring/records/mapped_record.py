"""Apply a field map: from the nodes of any layout to the nodes of scoring's own layout."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import PurePath
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from scoring.errors import RecordError
from scoring.records.addresses import host_of
from scoring.records.body import first_paragraph
from scoring.records.field_maps.field_map import FIELDS, FieldMap, FieldSource
from scoring.records.forms.node import Node, at_key
from scoring.records.mapped_labels import read_labels
from scoring.records.reader import parse_moment, read_record
from scoring.records.reading_warnings import TITLE_ONLY, is_title_only, name_keys, unread_keys
from scoring.records.record import Labels, Record

# A day in a path: 2021-03-04, 2021/03/04, 20210304 or 2021_03_04.
_PATH_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)([-/_.]?)(\d\d)\2(\d\d)(?!\d)")


NO_FILE = "-"
"""Path of a record that is in no file: on standard input, in a request, in a frame."""


class Surroundings(NamedTuple):
    """What fields may be read from besides the front matter: the file's path, and the text below (a body)."""

    path: str
    body: str = ""


def read_mapped_record(
    root: Node, field_map: FieldMap, surroundings: Surroundings
) -> tuple[Record, Labels, tuple[str, ...]]:
    """Read a record by a field map.

    Parameters
    ----------
    root : Node
        The front matter, or one row or line of a table.
    field_map : FieldMap
        The map of its archive.
    surroundings : Surroundings
        Its file and body.

    Returns
    -------
    tuple of Record, Labels and tuple of str
        The record, its labels, and warnings, which name the keys of the file.

    Raises
    ------
    RecordError
        With every fault, named by the keys of the file.
    """
    if not isinstance(root.value, dict) or not root.value:
        return read_record(root, surroundings.path)
    names, fields = _map_fields(root, field_map, surroundings)
    labels, label_warnings = read_labels(root, field_map)
    fields |= {name: Node(root.line, str(value).lower(), is_plain=True) for name, value in labels.items()}
    try:
        mapped = Node(root.line, fields, repeated=_repeated(root, names, field_map))
        record, read, warnings = read_record(mapped, surroundings.path)
    except RecordError as error:
        raise RecordError(
            *(dataclasses.replace(fault, field=_rename(fault.field, names)) for fault in error.faults)
        ) from None
    date = names.get("publishedDateTime", "")
    warnings = tuple(warning.replace("publishedDateTime", date or "date") for warning in warnings)
    if is_title_only(record) and (unread := unread_keys(root, field_map)):
        warnings = (f"{TITLE_ONLY}: no field uses {name_keys(unread)}", *warnings)
    if missing := _without_file(field_map, surroundings, fields):
        warnings = (*warnings, f"no file, by whose name or path the map reads {', '.join(missing)}")
    return record, read, (*label_warnings, *warnings)


def _without_file(field_map: FieldMap, surroundings: Surroundings, fields: Collection[str]) -> list[str]:
    """Fields that only the name or path of a file could give, if the record is in no file of its own."""
    if surroundings.path != NO_FILE:
        return []
    return [
        field
        for field, sources in field_map.fields.items()
        if FIELDS[field] not in fields and any(source.kind == "file" for source in sources)
    ]


def _map_fields(
    root: Node, field_map: FieldMap, surroundings: Surroundings
) -> tuple[dict[str, str], dict[str, Node]]:
    """Names in the file by name in scoring's own layout, and the fields in that layout."""
    names: dict[str, str] = {}
    fields: dict[str, Node] = {}
    provider: dict[str, Node] = {}
    for field, sources in field_map.fields.items():
        name = FIELDS[field]
        names[name] = (
            " or ".join(dict.fromkeys(source.name for source in sources if source.kind != "value")) or field
        )
        for source in sources:
            node = _value(root, source, surroundings)
            if node is None or node.is_null or node.value in ("", [], {}):
                continue
            names[name] = source.name if source.kind != "value" else field
            node = _shaped(node, name, source)
            if "." in name:
                provider[name.partition(".")[2]] = node
            else:
                fields[name] = node
            break
    if provider:
        fields["provider"] = Node(root.line, _as_mapping(fields.get("provider")) | provider)
    return names, fields


def _repeated(root: Node, names: dict[str, str], field_map: FieldMap) -> tuple[tuple[str, int], ...]:
    """Repeated keys that the map reads, each as the field or label in scoring's own layout."""
    own = {key.partition(".")[0]: name.partition(".")[0] for name, key in names.items()}
    own |= {rule.key.partition(".")[0]: name for name, rule in field_map.labels.items() if rule.key}
    return tuple((own[key], line) for key, line in root.repeated if key in own)


def _as_mapping(provider: Node | None) -> dict[str, Node]:
    if provider is None:
        return {}
    return provider.value if isinstance(provider.value, dict) else {"name": provider}


def _rename(field: str, names: dict[str, str]) -> str:
    """Path of a field in the file, by its path in scoring's own layout."""
    for own, name in names.items():
        if field == own or field.startswith((f"{own}.", f"{own}[")):
            return name + field[len(own) :]
    return field


def _value(root: Node, source: FieldSource, surroundings: Surroundings) -> Node | None:
    if source.kind == "value":
        return Node(root.line, source.name)
    if source.kind == "body":
        return Node(root.line, first_paragraph(surroundings.body))
    if source.kind == "file":
        is_file = surroundings.path != NO_FILE
        return Node(root.line, _from_path(surroundings.path, source.name)) if is_file else None
    node = at_key(root, source.name)
    if source.kind == "host" and node is not None:
        return Node(node.line, host_of(next(_texts(node, source), "")))
    return node


def _from_path(path: str, part: str) -> str:
    return PurePath(path).stem if part == "name" else date_in_path(path)


def date_in_path(path: str) -> str:
    """Return the last day in a path, as ``2021-03-04``; empty if there is none.

    Examples
    --------
    >>> date_in_path("news/2021/03/04/rain.md"), date_in_path("rain.md")
    ('2021-03-04', '')
    """
    days = _PATH_DAY.findall(PurePath(path).as_posix())
    return "-".join((days[-1][0], *days[-1][2:])) if days else ""


def _shaped(node: Node, name: str, source: FieldSource) -> Node:
    """The value in the shape that scoring's own layout has for this field."""
    if node.problem is not None:
        return node
    if name == "topics":
        return Node(node.line, [Node(node.line, text) for text in _texts(node, source)])
    if name == "images":
        return _with_key(node, "url", source)
    if name == "related":
        return _with_key(node, "title", source)
    if name == "publishedDateTime":
        return _dated(node, source)
    if name == "provider" and isinstance(node.value, dict) and not source.item:
        return node
    if isinstance(node.value, str):
        return node
    return Node(node.line, next(_texts(node, source), None)) if source.item or _is_texts(node) else node


def _is_texts(node: Node) -> bool:
    return isinstance(node.value, list) and all(isinstance(item.value, str) for item in node.value)


def _texts(node: Node, source: FieldSource) -> Iterator[str]:
    """Texts of a value: of a scalar, a list of scalars or of mappings, or the keys of a mapping."""
    if isinstance(node.value, list):
        whole = (
            msgspec.structs.replace(source, separator="") if source.separator else source
        )  # each item is one text
        for item in node.value:
            yield from _texts(item, whole)
    elif isinstance(node.value, dict):
        if source.item in node.value:
            yield from _texts(node.value[source.item], source)
    elif node.value is not None and not node.is_null:
        parts = node.value.split(source.separator) if source.separator else [node.value]
        yield from filter(None, map(str.strip, parts))


def _with_key(node: Node, key: str, source: FieldSource) -> Node:
    """A list of mappings; a text becomes a mapping with this key, and `source.item` is renamed to it."""
    items = node.value if isinstance(node.value, list) else [node]
    shaped = []
    for item in items:
        if isinstance(item.value, dict):
            renamed = {key: item.value[source.item]} if source.item in item.value else {}
            shaped.append(Node(item.line, {**item.value, **renamed}, repeated=item.repeated))
        elif not item.is_null:
            shaped.append(Node(item.line, {key: item}))
    return Node(node.line, shaped)


def _dated(node: Node, source: FieldSource) -> Node:
    """A date in ISO 8601 with its zone; unchanged if it is none, so that the reader reports it."""
    text = next(_texts(node, source), "")
    moment = parse_date(text, source.formats)
    if moment is None:
        return node
    if moment.tzinfo is None and source.zone:
        moment = moment.replace(tzinfo=ZoneInfo(source.zone))
    if moment.tzinfo is None and text:
        text = moment.isoformat(" ") if _has_time(text) else moment.date().isoformat()
        return Node(node.line, text, is_plain=True)
    try:
        return Node(node.line, moment.astimezone(UTC).isoformat(), is_plain=True)
    except OverflowError:  # beyond the years that Python has
        return node


def _has_time(text: str) -> bool:
    return ":" in text


def parse_date(text: str, formats: tuple[str, ...]) -> datetime | None:
    """The time of a text, without a zone if the text has none; None if it is not a date."""
    for format_ in formats:
        try:
            if format_ == "unix":
                return datetime.fromtimestamp(float(text), UTC)
            return datetime.strptime(text, format_)
        except (ValueError, OverflowError, OSError, re.error):
            continue
    moment, assumed = parse_moment(text)
    if moment is not None:
        return moment.replace(tzinfo=None) if assumed else moment
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
