"""Read and write the file of a field map."""

from __future__ import annotations

import math
import os
import re
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, TypeVar, get_args

from scoring.errors import Fault, FieldMapError, RecordError
from scoring.records.field_maps.field_map import (
    FIELDS,
    LABELS,
    OWN_LAYOUT,
    FieldMap,
    FieldSource,
    LabelRule,
    SourceKind,
)
from scoring.records.forms.node import Node
from scoring.records.forms.yaml_nodes import parse_nodes
from scoring.records.mapped_labels import NOT_LEADING
from scoring.records.record import MAX_INTEGER
from scoring.storage.regular_files import read_listed, read_regular

T = TypeVar("T")

MAX_BYTES = 1_000_000
"""Size limit of the file of a field map."""

_ENTRIES = ("fields", "labels", "files", "section")
_KINDS = get_args(SourceKind)
_FORMAT = "a date format of Python's strptime, such as %d.%m.%Y, or unix"
_BODY_PARTS = ("first paragraph",)
_FILE_PARTS = ("date", "name")
_SECTION_FIELDS = ("category", "type", "featuredContent")
_NUMBERS = ("scale", "offset", "step", "min", "max", "at_least")
_SIZES = ("scale", "offset", "step")  # what a label is computed with, to read it and to write it back
_MIN_SIZE = 1e-9


def read_field_map(file: str) -> FieldMap:
    """Read a field map.

    Parameters
    ----------
    file : str
        The file, in YAML.

    Raises
    ------
    FieldMapError
        If it cannot be read, with each fault of its entries.
    """
    return _read(file, read_regular)


def _read(file: str, read: Callable[[str, int], bytes]) -> FieldMap:
    try:
        data = read(file, MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        got = error.strerror if isinstance(error, OSError) else "bytes that are not UTF-8"
        raise FieldMapError(
            Fault(file, 0, "", got or "a disk error", "a field map that can be read")
        ) from None
    if len(data) > MAX_BYTES:
        got = f"more than {MAX_BYTES:,} bytes"
        raise FieldMapError(Fault(file, 0, "", got, "a field map, which names keys and nothing else"))
    return parse_field_map(text, file)


def read_archive_map(file: str, tops: Iterable[str]) -> FieldMap:
    """Read the field map that was found in an archive: as :func:`read_field_map`, if it is really in there.

    Parameters
    ----------
    file : str
        The file.
    tops : iterable of str
        Real folders, of which it has to be inside one, unless it is no link.

    Raises
    ------
    FieldMapError
        If it is a link that leads out of the folders, or cannot be read.
    """
    target = os.path.realpath(file)
    if os.path.islink(file) and not any(os.path.commonpath([target, top]) == top for top in tops):
        got = "a link that leads out of the archive"
        raise FieldMapError(Fault(file, 0, "", got, "the map itself, or --fields with the map's file"))
    return _read(file, read_listed)


def parse_field_map(text: str, path: str = "-") -> FieldMap:
    """Parse a field map.

    Parameters
    ----------
    text : str
        The map, in YAML.
    path : str
        Its file, for faults.

    Returns
    -------
    FieldMap
        Entries that are missing are as in scoring's own layout.

    Raises
    ------
    FieldMapError
        With each fault of its entries.

    Examples
    --------
    >>> fields = parse_field_map("fields: {title: name}\\nlabels: {quality: {key: rating, scale: 20}}")
    >>> fields.labels["quality"].scale
    20.0
    """
    try:
        root = parse_nodes(text, path, line=1)
    except RecordError as error:
        raise FieldMapError(*error.faults) from None
    reader = _Reader(path)
    field_map = reader.read(root)
    if reader.faults:
        raise FieldMapError(*sorted(reader.faults, key=lambda fault: fault.line))
    return field_map


class _Reader:
    """Reads one map and goes on after each fault, so that all are reported at once."""

    def __init__(self, path: str) -> None:
        self.faults: list[Fault] = []
        self._path = path

    def read(self, root: Node) -> FieldMap:
        entries = self._mapping(root, "", _ENTRIES)
        fields, labels = entries.get("fields"), entries.get("labels")
        field_map = FieldMap(
            OWN_LAYOUT.fields if fields is None else self._each(fields, "fields", FIELDS, self._sources),
            OWN_LAYOUT.labels if labels is None else self._each(labels, "labels", LABELS, self._label),
            self._texts(entries.get("files"), "files"),
            self._section(entries.get("section")),
        )
        self._check_keys(field_map, labels, fields or root)
        return field_map

    def _check_keys(self, field_map: FieldMap, labels: Node | None, fields: Node) -> None:
        """Each label has a key of its own, since writing it would destroy a field or label at that key."""
        entries = labels.value if labels is not None and isinstance(labels.value, dict) else {}
        written: dict[str, str] = {}
        for name, rule in field_map.labels.items():
            if not rule.key:
                continue
            node, where = entries.get(name, fields), f"labels.{name}"
            if isinstance(node.value, dict) and "key" in node.value and name in entries:
                node, where = node.value["key"], f"{where}.key"
            if field := field_map.field_at(rule.key):
                got = f"the key of {field} ({rule.key!r})"
                expected = f"a key of its own, since a written {name} would destroy the field"
                self.faults.append(Fault(self._path, node.line, where, got, expected))
            if rule.is_written and (other := written.setdefault(rule.key, name)) != name:
                got = f"the key of labels.{other} ({rule.key!r})"
                self.faults.append(Fault(self._path, node.line, where, got, "a key of its own"))

    def _fail(self, node: Node, where: str, expected: str) -> None:
        self.faults.append(Fault(self._path, node.line, where, node.describe(), expected))

    def _mapping(self, node: Node, where: str, names: Mapping[str, Any] | tuple[str, ...]) -> dict[str, Node]:
        if node.is_null:
            return {}
        if not isinstance(node.value, dict):
            self._fail(node, where, f"a mapping with {_listed(names)}")
            return {}
        for name, line in node.repeated:
            self.faults.append(Fault(self._path, line, _join(where, name), "a repeated entry", "one value"))
        for name, value in node.value.items():
            if name not in names:
                got = f"no entry of this name ({name!r})"
                self.faults.append(Fault(self._path, value.line, where, got, f"one of {_listed(names)}"))
        return {name: value for name, value in node.value.items() if name in names}

    def _each(
        self,
        node: Node,
        where: str,
        names: Mapping[str, Any] | tuple[str, ...],
        read: Callable[[Node, str], T],
    ) -> dict[str, T]:
        return {
            name: read(value, f"{where}.{name}") for name, value in self._mapping(node, where, names).items()
        }

    def _sources(self, node: Node, where: str) -> tuple[FieldSource, ...]:
        if isinstance(node.value, list):
            return tuple(self._source(item, f"{where}[{index}]") for index, item in enumerate(node.value))
        return () if node.is_null else (self._source(node, where),)

    def _source(self, node: Node, where: str) -> FieldSource:
        if not isinstance(node.value, dict):
            return FieldSource(name=self._text(node, where))
        entries = self._mapping(node, where, (*_KINDS, "formats", "zone", "separator", "item"))
        kinds = [kind for kind in _KINDS if kind in entries]
        if len(kinds) != 1:
            self._fail(node, where, f"exactly one of {_listed(_KINDS)}")
            return FieldSource()
        (kind,) = kinds
        name = self._text(entries[kind], f"{where}.{kind}")
        allowed = {"body": _BODY_PARTS, "file": _FILE_PARTS}.get(kind)
        if allowed is not None and name not in allowed:
            self._fail(entries[kind], f"{where}.{kind}", _listed(allowed))
        return FieldSource(
            kind,
            name,
            self._formats(entries.get("formats"), f"{where}.formats"),
            self._zone(entries.get("zone"), f"{where}.zone"),
            self._text(entries["separator"], f"{where}.separator") if "separator" in entries else "",
            self._text(entries["item"], f"{where}.item") if "item" in entries else "",
        )

    def _formats(self, node: Node | None, where: str) -> tuple[str, ...]:
        formats = self._texts(node, where)
        for format_ in formats:
            if node is not None and format_ != "unix" and not _is_format(format_):
                self.faults.append(Fault(self._path, node.line, where, repr(format_), _FORMAT))
        return formats

    def _label(self, node: Node, where: str) -> LabelRule:
        if not isinstance(node.value, dict):
            return LabelRule(key=self._text(node, where))
        entries = self._mapping(node, where, LabelRule.__struct_fields__)
        if ("key" in entries) == ("label" in entries):
            self._fail(node, where, "either key or label")
        values: dict[str, Any] = self._numbers(entries, where)
        if "invert" in entries:
            values["invert"] = self._truth(entries["invert"], f"{where}.invert")
        if "choices" in entries:
            values["choices"] = self._choices(
                entries["choices"], f"{where}.choices", where.rpartition(".")[2]
            )
        if "label" in entries:
            values["label"] = self._other_label(entries["label"], f"{where}.label")
        is_published = where == "labels.published"
        for name in (
            ("invert", "at_least", "label") if not is_published else ("scale", "offset", "step", "min", "max")
        ):
            if name in entries:
                self._fail(
                    entries[name],
                    f"{where}.{name}",
                    f"no such entry for {'published' if is_published else 'a number'}",
                )
        return LabelRule(key=self._text(entries["key"], f"{where}.key") if "key" in entries else "", **values)

    def _numbers(self, entries: Mapping[str, Node], where: str) -> dict[str, float]:
        """Read the numbers of a label, which may be of any size that it can be computed with."""
        n_faults = len(self.faults)
        numbers = {
            name: self._number(entries[name], f"{where}.{name}") for name in _NUMBERS if name in entries
        }
        if len(self.faults) > n_faults:
            return numbers
        for name in set(_SIZES) & numbers.keys():
            number, node = numbers[name], entries[name]
            if number == 0 and name != "offset":
                self._fail(node, f"{where}.{name}", "a number other than 0")
            elif number < 0 and name == "step":
                self._fail(node, f"{where}.{name}", "a number above 0")
            elif number and abs(number) < _MIN_SIZE:
                self._fail(node, f"{where}.{name}", f"a number of at least {_MIN_SIZE:g} in size")
        if numbers.get("min", -math.inf) > numbers.get("max", math.inf):
            self._fail(entries["min"], f"{where}.min", f"at most max, {numbers['max']:g}")
        return numbers

    def _other_label(self, node: Node, where: str) -> Literal["", "quality", "heat"]:
        for name in ("quality", "heat"):
            if node.value == name:
                return name
        self._fail(node, where, "quality or heat")
        return ""

    def _choices(self, node: Node, where: str, label: str) -> dict[str, int | bool]:
        if not isinstance(node.value, dict) or not node.value:
            self._fail(node, where, "texts with the label of each")
            return {}
        if label == "published":
            return {text: self._truth(value, f"{where}.{text}") for text, value in node.value.items()}
        return {text: self._points(value, f"{where}.{text}", label) for text, value in node.value.items()}

    def _points(self, node: Node, where: str, label: str) -> int:
        points = round(self._number(node, where))
        if label == "heat" and points < NOT_LEADING:
            self._fail(node, where, f"a heat of at least {NOT_LEADING}")
        return points

    def _section(self, node: Node | None) -> str:
        if node is None or node.is_null:
            return ""
        text = self._text(node, "section")
        kind, _, name = text.partition(" ")
        if kind not in ("topic", "folder") and (kind != "field" or name not in _SECTION_FIELDS):
            self._fail(node, "section", f"topic, folder or field NAME with {_listed(_SECTION_FIELDS)}")
        return text

    def _texts(self, node: Node | None, where: str) -> tuple[str, ...]:
        if node is None or node.is_null:
            return ()
        if isinstance(node.value, list):
            return tuple(self._text(item, f"{where}[{index}]") for index, item in enumerate(node.value))
        return (self._text(node, where),)

    def _text(self, node: Node, where: str) -> str:
        if not isinstance(node.value, str) or not node.value:
            self._fail(node, where, "a text")
            return ""
        return node.value

    def _zone(self, node: Node | None, where: str) -> str:
        if node is None:
            return ""
        name = self._text(node, where)
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            self._fail(node, where, "a time zone such as Europe/Berlin")
        return name

    def _number(self, node: Node, where: str) -> float:
        try:
            number = float(node.value) if isinstance(node.value, str) else float("x")
        except ValueError:
            self._fail(node, where, "a number")
            return 1.0
        if abs(number) <= MAX_INTEGER:  # not NaN
            return number
        self._fail(node, where, f"a number of at most {MAX_INTEGER:,} in size")
        return 1.0

    def _truth(self, node: Node, where: str) -> bool:
        if node.value not in ("true", "false"):
            self._fail(node, where, "true or false")
        return node.value == "true"


def _is_format(text: str) -> bool:
    """Whether Python can parse dates by a format: it is tried on a date that it writes itself."""
    try:
        moment = datetime(2021, 3, 4, 5, 6, 7)
        datetime.strptime(moment.strftime(text), text)
    except (ValueError, re.error):
        return False
    return "%" in text


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _listed(names: Mapping[str, Any] | tuple[str, ...]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
