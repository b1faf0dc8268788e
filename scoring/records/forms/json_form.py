"""JSON front matter: values with their lines and positions, by the scanner of the standard library."""

from __future__ import annotations

import bisect
import json
import json.scanner
import re
from typing import Any, NamedTuple

from scoring.errors import Fault, RecordError
from scoring.records.forms.label_positions import OWN_KEYS, LabelKeys, Layout
from scoring.records.forms.node import MAX_DEPTH, MAX_VALUES, OPAQUE, TOO_DEEP, Node, Problem

# What stands between the value before a member and its own value.
_LEAD = re.compile(r'(?:\s*,)?(\s*)"(?:[^"\\]|\\.)*"(\s*:\s*)')


class _Plain(str):
    """Source text of a number."""

    __slots__ = ()


class _Value(NamedTuple):
    """A value with its position; ``members`` are those of an object, in order, repeated keys included."""

    node: Node
    start: int
    stop: int
    members: tuple[tuple[str, _Value], ...] = ()


class _Members(list[tuple[str, Any]]):
    """Members of an object, as the scanner finds them."""


def end_of_object(data: bytes, begin: int, path: str) -> int:
    """Index after the JSON object that begins a file, which ends its line.

    Raises
    ------
    RecordError
        If it does not end, or text follows on its line.
    """
    # One character per byte, so that positions are those of bytes; a JSON text means the same in it.
    text = data.decode("latin-1")
    try:
        _, stop = json.JSONDecoder(strict=False, parse_int=str).raw_decode(text, begin)
    except json.JSONDecodeError as error:
        raise _unparsable(error, path, 1) from None
    except RecursionError:
        raise RecordError(Fault(path, 1, "", *TOO_DEEP)) from None
    end = data.find(b"\n", stop)
    if data[stop : end if end >= 0 else len(data)].strip():
        line = 1 + data.count(b"\n", 0, stop)
        raise RecordError(Fault(path, line, "", "text after the object on its line", "the end of the line"))
    return stop


def parse(text: str, path: str, line: int) -> Node:
    """Parse JSON front matter; an object without its braces is an object too.

    Parameters
    ----------
    text : str
        The object.
    path : str
        File, for faults.
    line : int
        Line in the file where the text begins, from 1.

    Raises
    ------
    RecordError
        If it is not JSON, or has too many values.

    Examples
    --------
    >>> parse('"title": "Rain"', "a.md", 2).value["title"].value
    'Rain'
    """
    return _parse(text, path, line)[0].node


def parse_with_labels(text: str, path: str, line: int, keys: LabelKeys = OWN_KEYS) -> tuple[Node, Layout]:
    """Parse JSON front matter, and find the labels."""
    names = {key: name for name, key in keys.items()}
    root, shift = _parse(text, path, line)
    values: dict[str, tuple[int, int]] = {}
    members: dict[str, tuple[int, int]] = {}
    previous = None
    for key, value in root.members:
        if key in names:
            name = names[key]
            if name in values:
                raise RecordError(Fault(path, value.node.line, key, "a repeated field", "one value"))
            if not isinstance(value.node.value, str | None) or value.node.problem is not None:
                raise RecordError(
                    Fault(path, value.node.line, key, value.node.describe(), "a number, true or false")
                )
            values[name] = value.start - shift, value.stop - shift
            if previous is not None:
                members[name] = previous.stop - shift, value.stop - shift
        previous = value
    if previous is None:
        return root.node, Layout(values, None)
    source = text if not shift else "{" + text
    before_last = root.members[-2][1].stop if len(root.members) > 1 else source.index("{") + 1
    lead = _LEAD.fullmatch(source, before_last, previous.start)
    blank, colon = (lead[1], lead[2]) if lead else (" ", ": ")
    if not blank and len(root.members) == 1 and colon != ":":
        blank = " "
    layout = Layout(values, previous.stop - shift, f',{blank}"', f'"{colon}', "", members)
    return root.node, layout


def _parse(text: str, path: str, line: int) -> tuple[_Value, int]:
    """The root, and how many characters its positions are ahead of those of the text."""
    shift = 1 if text.lstrip().startswith('"') else 0
    source = "{" + text + "}" if shift else text
    if not source.strip():
        return _Value(Node(line, None), 0, 0), 0
    scanner = _Scanner(source, path, line)
    start = len(source) - len(source.lstrip(" \t\r\n"))
    try:
        root, stop = scanner.scan(source, start)
    except json.JSONDecodeError as error:
        raise _unparsable(error, path, line) from None
    except StopIteration as error:
        raise _unparsable(json.JSONDecodeError("Expecting value", source, error.value), path, line) from None
    except RecursionError:
        raise RecordError(Fault(path, line, "", *TOO_DEEP)) from None
    if source[stop:].strip(" \t\r\n"):
        raise _unparsable(json.JSONDecodeError("Extra data", source, stop), path, line)
    return root, shift


def _unparsable(error: json.JSONDecodeError, path: str, line: int) -> RecordError:
    return RecordError(
        Fault(path, line + error.lineno - 1, "", f"JSON that does not parse ({error.msg})", "JSON")
    )


class _Scanner(json.JSONDecoder):
    """The decoder of the standard library, with a position for each value."""

    def __init__(self, text: str, path: str, line: int) -> None:
        super().__init__(
            object_pairs_hook=_Members, parse_int=_Plain, parse_float=_Plain, parse_constant=_Plain
        )
        self._path, self._line = path, line
        self._breaks = [index for index, character in enumerate(text) if character == "\n"]
        self._depth = self._n_values = 0
        self.parse_object = self._object
        self.parse_array = self._array
        self._scan_any = json.scanner.py_make_scanner(self)  # type: ignore[attr-defined]

    def scan(self, text: str, index: int) -> tuple[_Value, int]:
        """Scan the value at an index; return it and the index after it."""
        self._depth += 1
        self._n_values += 1
        if self._n_values > MAX_VALUES:
            line = self._line_at(index)
            raise RecordError(Fault(self._path, line, "", "more values", f"at most {MAX_VALUES:,}"))
        value, stop = self._scan_any(text, index)
        node, members = self._node(value, self._line_at(index))
        self._depth -= 1
        return _Value(node, index, stop, members), stop

    def _object(self, text_and_end: Any, strict: bool, _: Any, *hooks: Any) -> Any:
        return json.decoder.JSONObject(text_and_end, strict, self.scan, *hooks)  # type: ignore[attr-defined]

    def _array(self, text_and_end: Any, _: Any) -> Any:
        return json.decoder.JSONArray(text_and_end, self.scan)  # type: ignore[attr-defined]

    def _line_at(self, index: int) -> int:
        return self._line + bisect.bisect_left(self._breaks, index)

    def _node(self, value: Any, line: int) -> tuple[Node, tuple[tuple[str, _Value], ...]]:
        if self._depth > MAX_DEPTH + 1:
            return Node(line, None, problem=Problem(line, *TOO_DEEP)), ()
        if isinstance(value, _Members):
            fields: dict[str, Node] = {}
            repeated: list[tuple[str, int]] = []
            for key, item in value:
                if key in fields:
                    repeated.append((key, item.node.line))
                elif key != OPAQUE:
                    fields[key] = item.node
            return Node(line, fields, repeated=tuple(repeated)), tuple(value) if self._depth == 1 else ()
        if isinstance(value, list):
            return Node(line, [item.node for item in value]), ()
        if isinstance(value, bool):
            return Node(line, "true" if value else "false", is_plain=True), ()
        if isinstance(value, str):
            return Node(line, str(value), is_plain=isinstance(value, _Plain)), ()
        return Node(line, None), ()
