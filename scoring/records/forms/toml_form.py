"""TOML front matter, by the standard library's parser: values with their lines, and positions of labels."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import date, time
from itertools import islice
from typing import Any

from scoring.errors import Fault, RecordError
from scoring.records.forms.label_positions import OWN_KEYS, LabelKeys, Layout
from scoring.records.forms.node import MAX_DEPTH, MAX_VALUES, OPAQUE, TOO_DEEP, Node, Problem

_KEY = r"""[ \t]*(?:[A-Za-z0-9_-]+|"[^"\\\r\n]*"|'[^'\r\n]*')"""
_PATH = re.compile(rf"({_KEY}(?:[ \t]*\.{_KEY})*)[ \t]*=")
_HEADER = re.compile(rf"[ \t]*(\[\[?)({_KEY}(?:[ \t]*\.{_KEY})*)[ \t]*\]")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"\\\r\n]*"|'[^'\r\n]*'""")
_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)
# A value on one line that can be replaced: a text without escapes, a number, a boolean or a date.
_VALUE = r"""("[^"\\\r\n]*"|'[^'\r\n]*'|[^\s#"',\[\]{}]+(?: \d\d:[^\s#]*)?)"""
_ENDS = ('"""', "'''")
_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_PROBE = 987_654_321  # takes the place of a label's value, to see whether it is the label's
MAX_CHARS = 500_000
"""Size limit, in characters: the standard library's parser is written in Python."""

_MAX_TRIES = 20  # places that are tried as the first table, or as that of a label

_REASONS = (
    ("Invalid value", "a value that is not TOML", "text in quotes, a number, true, false or a date"),
    ("Expected '=' after a key", "a line that is no field", "name = value"),
    ("Cannot overwrite a value", "a repeated field", "one value"),
    ("Cannot declare", "a repeated table", "one table of that name"),
    ("Cannot mutate", "a repeated table", "one table of that name"),
    ("Unterminated string", "a quote that does not close", "a closing quote"),
    ("Illegal character", "a quote that does not close", "a closing quote on the same line"),
    ("Expected newline or end of document", "text after a value", "the end of the line"),
    ("Unclosed array", "a bracket that does not close", "']'"),
    ("Unclosed inline table", "a bracket that does not close", "'}'"),
    ("Unescaped '\\'", "a backslash in double quotes", "two backslashes, or single quotes"),
    ("Invalid statement", "a line that is no field", "name = value"),
    ("Found invalid character", "a line that is no field", "name = value"),
)


class _Float(str):
    """Source text of a number."""

    __slots__ = ()


def parse(text: str, path: str, line: int) -> Node:
    """Parse TOML front matter.

    Parameters
    ----------
    text : str
        The document.
    path : str
        File, for faults.
    line : int
        Line in the file where the text begins, from 1.

    Raises
    ------
    RecordError
        If it is not TOML, or has too many values.

    Examples
    --------
    >>> parse("title = 'Rain'", "a.md", 2).value["title"].value
    'Rain'
    """
    return _Builder(text, path, line).build(_load(text, path, line), (), line, 0)


def parse_with_labels(text: str, path: str, line: int, keys: LabelKeys = OWN_KEYS) -> tuple[Node, Layout]:
    """Parse TOML front matter, and find the labels, which are above the first table."""
    document = _load(text, path, line)
    root = _Builder(text, path, line).build(document, (), line, 0)
    end = _end_of_root(text)
    values: dict[str, tuple[int, int]] = {}
    for name, key in keys.items():
        if key in document:
            position = _position(text[: len(text) if end is None else end], text, key, document)
            if position is None:
                node = root.value[key] if isinstance(root.value, dict) else root
                got = "a value that cannot be edited in place"
                raise RecordError(Fault(path, node.line, key, got, "a plain number, true or false"))
            values[name] = position
    insert_at = None if end is None else _after_last_field(text, end)
    return root, Layout(values, insert_at, between=" = ", after="\r\n" if "\r\n" in text else "\n")


def _load(text: str, path: str, line: int) -> dict[str, Any]:
    if len(text) > MAX_CHARS:
        got = f"{len(text):,} characters of TOML"
        raise RecordError(Fault(path, line, "", got, f"at most {MAX_CHARS:,}"))
    try:
        document = _loaded(text)
    except RecursionError:
        raise RecordError(Fault(path, line, "", *TOO_DEEP)) from None
    except tomllib.TOMLDecodeError as error:
        raise RecordError(_fault(error, text, path, line)) from None
    document.pop(OPAQUE, None)
    return document


def _loaded(text: str) -> dict[str, Any]:
    # A number's source is kept, as in the other languages.
    return tomllib.loads(text, parse_float=_Float)


def _fault(error: tomllib.TOMLDecodeError, text: str, path: str, line: int) -> Fault:
    message = str(error)
    at = _AT.search(message)
    number = int(at[1]) if at and at[1] else max(1, len(text.splitlines()))
    got, expected = next(
        (reason[1:] for reason in _REASONS if message.startswith(reason[0])),
        ("TOML that does not parse", "TOML"),
    )
    lines = text.split("\n")
    key = _PATH.match(lines[number - 1]) if number <= len(lines) else None
    return Fault(path, line + number - 1, _names(key[1])[-1] if key else "", got, expected)


def _names(path: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(path)]


def _end_of_root(text: str) -> int | None:
    """Index where the first table begins, the end of the text if there is none; None if that is unclear."""
    for number, header in enumerate(_TABLE.finditer(text)):
        if number >= _MAX_TRIES:
            return None
        try:
            _loaded(text[: header.start()])
        except tomllib.TOMLDecodeError:
            continue  # inside a value of several lines
        return header.start()
    return len(text)


def _after_last_field(text: str, end: int) -> int:
    """Index after the last line above ``end`` that is neither blank nor a comment."""
    position = end
    while position:
        start = text.rfind("\n", 0, position - 1) + 1
        line = text[start:position].strip()
        if line and not line.startswith("#"):
            break
        position = start
    return position


def _position(head: str, text: str, name: str, document: dict[str, Any]) -> tuple[int, int] | None:
    """Position of a label's value in the head of a document: where another value changes that label alone."""
    expected = {**document, name: _PROBE}
    escaped = re.escape(name)
    key = rf"^[ \t]*(?:{escaped}|\"{escaped}\"|'{escaped}')[ \t]*=[ \t]*{_VALUE}[ \t]*(?=#|\r?$)"
    for match in islice(re.finditer(key, head, re.MULTILINE), _MAX_TRIES):
        start, stop = match.span(1)
        try:
            probed = _loaded(f"{text[:start]}{_PROBE}{text[stop:]}")
        except tomllib.TOMLDecodeError:
            continue
        probed.pop(OPAQUE, None)
        if probed == expected:
            return start, stop
    return None


class _Builder:
    """Builds nodes from the values of a document; their lines are found by a second look at the text."""

    def __init__(self, text: str, path: str, line: int) -> None:
        self._path = path
        self._lines = {keys: line + number for keys, number in _lines_of(text)}
        self._n_values = 0

    def build(self, value: Any, keys: tuple[str | int, ...], line: int, depth: int) -> Node:
        line = self._lines.get(keys, line)
        self._n_values += 1
        if self._n_values > MAX_VALUES:
            raise RecordError(Fault(self._path, line, "", "more values", f"at most {MAX_VALUES:,}"))
        if depth > MAX_DEPTH:
            return Node(line, None, problem=Problem(line, *TOO_DEEP))
        if isinstance(value, dict):
            fields = {key: self.build(item, (*keys, key), line, depth + 1) for key, item in value.items()}
            return Node(line, fields)
        if isinstance(value, list):
            items = [self.build(item, (*keys, index), line, depth + 1) for index, item in enumerate(value)]
            return Node(line, items)
        if isinstance(value, bool):
            return Node(line, "true" if value else "false", is_plain=True)
        if isinstance(value, date | time):
            return Node(line, value.isoformat(), is_plain=True)
        if isinstance(value, int):
            return Node(line, str(value), is_plain=True)
        return Node(line, str(value), is_plain=isinstance(value, _Float))


def _lines_of(text: str) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """Yield the keys that lead to each field with its line, from 0, but not those of inline tables."""
    table: tuple[str | int, ...] = ()
    counts: dict[tuple[str | int, ...], int] = {}
    closing = ""
    for number, line in enumerate(text.split("\n")):
        if closing:
            closing = "" if closing in line else closing
            continue
        if header := _HEADER.match(line):
            names: tuple[str | int, ...] = ()
            for name in _names(header[2]):
                names = (*names, name)
                if names in counts and names != tuple(_names(header[2])):
                    names = (*names, counts[names])
            if header[1] == "[[":
                counts[names] = counts.get(names, -1) + 1
                names = (*names, counts[names])
            table = names
            yield table, number
        elif field := _PATH.match(line):
            yield (*table, *_names(field[1])), number
        closing = next((end for end in _ENDS if line.count(end) % 2), "")
