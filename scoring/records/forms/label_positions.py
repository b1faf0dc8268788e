"""Character positions of the labels in front matter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

import yaml

from scoring.errors import Fault, RecordError
from scoring.records.forms.yaml_nodes import Composed
from scoring.records.record import Labels

LABELS = Labels.__struct_encode_fields__
"""Names of the labels, in their order in files."""

LabelKeys = Mapping[str, str]
"""Key at the top of the front matter of each label."""

OWN_KEYS: LabelKeys = MappingProxyType({name: name for name in LABELS})
"""Keys of the labels in scoring's own layout."""

_COLON = re.compile(r"[ \t]*:")


class Layout(NamedTuple):
    """Positions of labels in front matter, and how a missing label is written there.

    ``values`` has (start, stop) of each label's value, equal if it is empty; ``insert_at`` is where missing
    labels go, None if they cannot be written: each as ``before``, name, ``between``, value, ``after``.
    ``members`` has (start, stop) of what goes away with a label, where that is not its line.
    """

    values: dict[str, tuple[int, int]]
    insert_at: int | None
    before: str = ""
    between: str = ": "
    after: str = "\n"
    members: Mapping[str, tuple[int, int]] = MappingProxyType({})


def lay_out_plain(text: str, keys: LabelKeys = OWN_KEYS) -> Layout:
    """Find the labels in the plain form, where each key at column 0 is a field of the record."""
    names = {key: name for name, key in keys.items()}
    values: dict[str, tuple[int, int]] = {}
    insert_at = len(text)
    for line in _plain_line((*keys.values(), "type")).finditer(text):
        if line[1] not in names:
            insert_at = line.end()
        elif line[2] is None:
            values[names[line[1]]] = (line.end(1) + 1, line.end(1) + 1)
        else:
            values[names[line[1]]] = line.span(2)
    return Layout(values, insert_at, after=_newline(text, insert_at))


@lru_cache(maxsize=64)
def _plain_line(keys: tuple[str, ...]) -> re.Pattern[str]:
    alternatives = "|".join(map(re.escape, keys))
    return re.compile(rf"^({alternatives}):(?: ([^\r\n]*))?\r?\n", re.MULTILINE)


def _newline(text: str, position: int) -> str:
    return "\r\n" if text[:position].endswith("\r\n") else "\n"


def lay_out(composed: Composed, text: str, path: str, keys: LabelKeys = OWN_KEYS) -> Layout:
    """Find the labels in any other form, by the marks of the parsed nodes."""
    root = composed.root
    names = {key: name for name, key in keys.items()}
    for name, problem in composed.problems:
        if name in names:
            raise RecordError(Fault(path, problem.line, name, problem.got, problem.expected))
    if text.startswith("\ufeff"):  # not counted by the parser's marks
        raise RecordError(Fault(path, 2, "", "a byte order mark after the '---'", "one before it, or none"))
    if not isinstance(root, yaml.MappingNode):
        raise RecordError(Fault(path, 2, "", "no fields", "the fields of a record"))
    values: dict[str, tuple[int, int]] = {}
    insert_at = len(text)
    for key, value in root.value:
        if not isinstance(key, yaml.ScalarNode) or key.value not in (*names, "type"):
            continue
        if key.value not in names:
            insert_at = _end_of_line(text, _span(value)[1]) if _span(value)[0] >= _span(key)[1] else insert_at
            continue
        if names[key.value] in values:
            raise _refuse(key, path, "a repeated field", "one value")
        values[names[key.value]] = _find_value(text, key, value, path)
    indent = " " * root.value[0][0].start_mark.column if root.value else ""
    after = _newline(text, insert_at)
    return Layout(values, None if root.flow_style else insert_at, before=indent, after=after)


def _find_value(text: str, key: yaml.ScalarNode, value: yaml.Node, path: str) -> tuple[int, int]:
    key_stop = _span(key)[1]
    start, stop = _span(value)
    colon = _COLON.match(text, key_stop)
    # An alias yields the node that it points at, which comes before the key.
    if start < key_stop or colon is None or not isinstance(value, yaml.ScalarNode):
        raise _refuse(key, path, "a value that cannot be edited in place", "a plain number, true or false")
    if text[start : start + 1] in ("&", "!"):
        raise _refuse(key, path, "an anchor or a tag", "a plain number, true or false")
    if start == stop or (not value.value and not value.style):
        return colon.end(), colon.end()
    if value.style in ("|", ">"):
        if "#" in text[start : _end_of_line(text, start)]:
            raise _refuse(key, path, "a block scalar with a comment", "a plain number, true or false")
        stop = start + len(text[start:stop].rstrip())
    return start, stop


def _refuse(node: yaml.Node, path: str, got: str, expected: str) -> RecordError:
    line = node.start_mark.line + 2 if node.start_mark is not None else 0
    name = node.value if isinstance(node.value, str) else ""
    return RecordError(Fault(path, line, name, got, expected))


def _span(node: yaml.Node) -> tuple[int, int]:
    # PyYAML's types allow for nodes without marks; the composer always sets them.
    return node.start_mark.index, node.end_mark.index


def _end_of_line(text: str, index: int) -> int:
    """Index after the line break at or after ``index``; ``index`` itself if it begins a line."""
    if index and text[index - 1] == "\n":
        return index
    newline = text.find("\n", index)
    return len(text) if newline < 0 else newline + 1
