"""The front matter of a Markdown file: where it stands, what form it has, and its YAML as nodes or as JSON.

There are two ways through the YAML. :func:`to_json` is fast and takes only a form that every YAML parser
reads alike: block style, one key a line, quoted or clear-cut plain scalars, no key twice. Whatever it
does not take, :func:`parse_nodes` reads with PyYAML and full care: lines, duplicates, aliases, merge keys.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import NamedTuple

import ryml
import yaml

from scoring.errors import Fault, RecordError
from scoring.records.nodes import MAX_DEPTH, OPAQUE, Node

MAX_BYTES = 50_000_000
"""Size up to which a file is read, bytes: the largest known record has a hundredth of that."""

_OPENING = re.compile(rb"---[ \t]*\r?\n")
_CLOSING = re.compile(rb"^---[ \t]*\r?$", re.MULTILINE)

# One line of the form that the fast path takes. The group is the line without its value: its "skeleton".
_LINE = re.compile(
    rb"""
    ^(
        (?: \ *(?:-\ )? [A-Za-z_][A-Za-z0-9_]*+ : (?:\ (?=[^ \n])|$) )      # key: value, or a bare key
      | (?: \ *-\ (?=[^ \n]) )                                              # - value
      | $                                                                   # nothing
    )
    (?: " (?: [^"\\\x00-\x1f\x7f]++ | \\["\\/nrt] | \\u(?!00[01]|[dD][89a-fA-F])[0-9a-fA-F]{4} )*+ "
      | ' (?: [^'\x00-\x1f\x7f]++ | '' )*+ '
      | (?!(?:Null|NULL)$) (?: [A-Za-z0-9\x80-\xff] | -(?=[0-9]) )
        (?: [A-Za-z0-9\x80-\xff.,/()&+_'!?*@=;\#-]
          | \ (?=[A-Za-z0-9\x80-\xff./()&+_'!?*@=;-])
          | :(?=[A-Za-z0-9/]) )*+
    )?+ $
    """,
    re.VERBOSE | re.MULTILINE,
)
# What one parser takes for a line break or an error and another for text: C1 controls with NEL, line and
# paragraph separator, byte order mark, the two non-characters of the plane.
_C1 = re.compile(rb"\xc2[\x80-\x9f]")
_ODD_CHARACTERS = (b"\xe2\x80\xa8", b"\xe2\x80\xa9", b"\xef\xbb\xbf", b"\xef\xbf\xbe", b"\xef\xbf\xbf")
_ITEM = b"\n  - "


class Span(NamedTuple):
    """Bytes of a file's YAML, from ``start`` up to ``stop``; its first line is line 2 of the file."""

    start: int
    stop: int


def has_front_matter(head: bytes) -> bool:
    """Tell whether a file that begins with these bytes (at least 100) has front matter at all.

    Examples
    --------
    >>> has_front_matter(b"---\\ntitle: Rain\\n---\\n"), has_front_matter(b"# Rain\\n")
    (True, False)
    """
    return _OPENING.match(head.removeprefix(codecs.BOM_UTF8)) is not None


def find_front_matter(data: bytes, path: str) -> Span:
    """Find the YAML between the two ``---`` lines that a file begins with.

    Raises
    ------
    RecordError
        If the file is too large, or has no front matter, or does not close it.

    Examples
    --------
    >>> find_front_matter(b"---\\ntitle: Rain\\n---\\n", "a.md")
    Span(start=4, stop=16)
    """
    if len(data) > MAX_BYTES:
        raise RecordError(Fault(path, 0, "", f"{len(data):,} bytes", f"at most {MAX_BYTES:,} bytes"))
    opening = _OPENING.match(data, len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0)
    if opening is None:
        got = "a first line that is not '---'" if data.strip() else "an empty file"
        raise RecordError(Fault(path, 1, "", got, "front matter between two lines '---'"))
    closing = _CLOSING.search(data, opening.end())
    if closing is None:
        raise RecordError(Fault(path, 1, "", "front matter without an end", "a second line '---'"))
    return Span(opening.end(), closing.start())


def decode_utf8(data: bytes, path: str, *, line: int) -> str:
    """Decode strictly; the fault names the line of the first bad byte, ``line`` is that of the first one."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        where = line + data.count(b"\n", 0, error.start)
        got = f"byte 0x{data[error.start]:02x}"
        raise RecordError(Fault(path, where, "", got, "text in UTF-8")) from None


def to_json(block: bytes) -> str | None:
    """Turn YAML of the plain form into JSON; None where the form is any other.

    Parameters
    ----------
    block : bytes
        The YAML between the ``---`` lines, in valid UTF-8.

    Examples
    --------
    >>> to_json(b"title: Rain\\n").split()
    ['{', '"title":', '"Rain"', '}']
    >>> to_json(b"title: Rain\\ntitle: Sun\\n") is None
    True
    """
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    if not block.endswith(b"\n"):
        return None
    skeleton = _LINE.findall(block)
    # The last match is the nothing after the last line break.
    if len(skeleton) != block.count(b"\n") + 1:
        return None
    if _C1.search(block) or any(odd in block for odd in _ODD_CHARACTERS):
        return None
    if not _is_sound(_condense(b"\n".join(skeleton))):
        return None
    json: str = ryml.emit_json(ryml.parse_in_arena(block))
    return json


def _condense(skeleton: bytes) -> list[bytes]:
    """Leave out the list items whose shape the same list has shown before: most records repeat a few."""
    first, *items = skeleton.split(_ITEM)
    lines = first.split(b"\n")
    seen: set[bytes] = set()
    for item in items:
        if item in seen:
            continue
        fresh = (_ITEM[1:] + item).split(b"\n")
        lines += fresh
        if any(line and not line.startswith(b"   ") for line in fresh[1:]):
            seen.clear()  # the list ends within this part
        else:
            seen.add(item)
    return lines


def _is_sound(lines: list[bytes]) -> bool:
    """Tell whether skeleton lines nest by the book and no mapping has a key twice.

    A mapping at column c has level 2c and a list 2c + 1, since a list may stand at the column of its key.
    """
    levels: list[tuple[int, set[bytes]]] = []
    opens = True
    for line in lines:
        if not line:
            continue
        level, key, has_value = _parse_skeleton(line)
        is_shallower = False
        while levels and levels[-1][0] > level:
            levels.pop()
            is_shallower = True
        if not levels or levels[-1][0] < level:
            if is_shallower or not opens or len(levels) >= MAX_DEPTH:
                return False
            levels.append((level, set()))
        if level % 2 and key:
            levels.append((level + 3, {key}))
        elif key:
            if key in levels[-1][1]:
                return False
            levels[-1][1].add(key)
        opens = not has_value
    return True


@lru_cache(maxsize=4096)
def _parse_skeleton(line: bytes) -> tuple[int, bytes, bool]:
    """Level, key (empty for a bare item) and whether a value stands on the line."""
    rest = line.lstrip(b" ")
    column = len(line) - len(rest)
    is_item = rest.startswith(b"- ")
    key = rest[2:] if is_item else rest
    return 2 * column + is_item, key.rstrip(b": "), line.endswith(b" ")


def parse_nodes(text: str, path: str, *, line: int = 2) -> Node:
    """Read YAML with full care.

    Parameters
    ----------
    text : str
        The YAML between the ``---`` lines.
    path : str
        File, for the faults.
    line : int
        Line of the file on which the text begins, from 1.

    Returns
    -------
    Node
        The root; aliases share one node, so no text can make the tree larger than itself.

    Raises
    ------
    RecordError
        If it is not YAML, holds more than one document, or nests too deeply.
    """
    try:
        _check_depth(text, path, line)
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise RecordError(_describe(error, path, line)) from None
    if root is None:
        return Node(line, None)
    return _Builder(path, line).build(root)


def _check_depth(text: str, path: str, line: int) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                where = line + event.start_mark.line
                raise RecordError(Fault(path, where, "", "deeper nesting", f"at most {MAX_DEPTH} levels"))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _describe(error: yaml.YAMLError, path: str, line: int) -> Fault:
    # The problem's words are the parser's own, never the text's.
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "a character that YAML does not allow"
    where = line + mark.line if mark is not None else 0
    return Fault(path, where, "", f"YAML that does not parse ({problem})", "YAML")


def _line_of(source: yaml.Node, first: int) -> int:
    mark = source.start_mark
    return first + mark.line if mark is not None else first


class _Builder:
    """Turns PyYAML's nodes into ours, each once however many aliases point at it."""

    def __init__(self, path: str, line: int) -> None:
        self._path = path
        self._line = line
        self._done: dict[yaml.Node, Node | None] = {}

    def build(self, source: yaml.Node) -> Node:
        if source in self._done:
            node = self._done[source]
            if node is None:
                raise self._fault(source, "an alias within its own anchor", "a value")
            return node
        self._done[source] = None
        node = self._done[source] = self._build(source)
        return node

    def _build(self, source: yaml.Node) -> Node:
        line = _line_of(source, self._line)
        if not source.tag.startswith("tag:yaml.org,2002:"):
            raise self._fault(source, "a tag of its own", "a plain value")
        if isinstance(source, yaml.ScalarNode):
            return Node(line, source.value, is_plain=not source.style)
        if isinstance(source, yaml.SequenceNode):
            return Node(line, [self.build(item) for item in source.value])
        fields: dict[str, Node] = {}
        repeated: list[tuple[str, int]] = []
        merged: list[Node] = []
        for key, value in source.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._fault(key, "a key that is not text", "text")
            if key.value == OPAQUE:
                continue
            if key.value == "<<" and not key.style:
                merged += self._merge(value)
            elif key.value in fields:
                repeated.append((key.value, _line_of(key, self._line)))
            else:
                fields[key.value] = self.build(value)
        for node in merged:  # what stands in the mapping itself comes before what is merged
            fields = {**(node.value if isinstance(node.value, dict) else {}), **fields}
        return Node(line, fields, repeated=tuple(repeated))

    def _merge(self, source: yaml.Node) -> list[Node]:
        node = self.build(source)
        nodes = node.value if isinstance(node.value, list) else [node]
        if not all(isinstance(item.value, dict) for item in nodes):
            raise self._fault(source, "a merge key without a mapping", "a mapping")
        return nodes

    def _fault(self, source: yaml.Node, got: str, expected: str) -> RecordError:
        return RecordError(Fault(self._path, _line_of(source, self._line), "", got, expected))
