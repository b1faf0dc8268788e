"""The front matter of a Markdown file: where it stands, what form it has, and the fast way through it.

There are two ways through the YAML. :func:`to_json` is fast and takes only a form that every YAML parser
reads alike: block style, one key a line, quoted or clear-cut plain scalars, no key twice. Whatever it
does not take, :func:`scoring.records.yaml_nodes.parse_nodes` reads with PyYAML and full care.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import NamedTuple

import ryml

from scoring.errors import Fault, RecordError
from scoring.records.node import MAX_DEPTH

MAX_BYTES = 50_000_000
"""Size up to which a file is read, bytes: the largest known record has a hundredth of that."""

_OPENING = re.compile(rb"---[ \t]*\r?\n")
_UTF16_OPENINGS = ("\ufeff---".encode("utf-16-le"), "\ufeff---".encode("utf-16-be"))
_CLOSING = re.compile(rb"\n---[ \t]*\r?$", re.MULTILINE)

# One line of the form that the fast path takes. The group is the line without its value: its "skeleton".
# A text in quotes may run over its line here; the count of lines tells, since each match then is a line.
# At each character at most one alternative can match, so that a line which does not match takes linear time.
# Possessive quantifiers and atomic groups would do as well, but Python 3.11.0 to 3.11.4 matches them wrongly.
# Groups repeat at most 9,999 times, since each time takes memory: a longer text is left to the careful way.
_LINE = re.compile(
    rb"""
    ^ (?:
      ( \ * (?: -\ (?: [A-Za-z_]+ : (?: \ (?=[^ \n]) | $ ) |) | [A-Za-z_]+ : (?: \ (?=[^ \n]) | $ ) ) )
      (?:
        " [^"]* (?: (?<=\\)" [^"]* ){0,9999} (?<!\\)"
        | ' [^']* (?: ''[^']* ){0,9999} '(?!')
        | (?!(?:Null|NULL)$) [A-Za-z0-9\x80-\xff]
          [A-Za-z0-9\x80-\xff.,/()&+_'!?*@=;%|\#-]*
          (?:
            (?: \ (?=[A-Za-z0-9\x80-\xff./()&+_'!?*@=;%|-]) | :(?=[A-Za-z0-9/]) )
            [A-Za-z0-9\x80-\xff.,/()&+_'!?*@=;%|\#-]*
          ){0,9999}
        | -[0-9]+
        |
      )
    |) $
    """,
    re.VERBOSE | re.MULTILINE,
)
# Escapes that every parser reads alike: no control characters, no halves of a surrogate pair. A quote after
# two backslashes or more may or may not end a text: the line's pattern looks at one of them only.
_CLEAR_ESCAPE = re.compile(
    rb"""\\ (?: ["/nrt] | \\(?!\\?") | u(?!00[01]|[dD][89a-fA-F])[0-9a-fA-F]{4} )""", re.VERBOSE
)
_ALLOWED_BYTES = bytes(set(range(256)) - (set(range(32)) - {10}) - {127})
# What one parser takes for a line break or an error and another for text: C1 controls with NEL, line and
# paragraph separator, byte order mark, the two non-characters of the plane.
_ODD_CHARACTERS = (
    re.compile(rb"\xc2[\x80-\x9f]"),
    re.compile(rb"\xe2\x80[\xa8\xa9]"),
    re.compile(rb"\xef(?:\xbb\xbf|\xbf[\xbe\xbf])"),
)
_ITEM = b"\n  - "
_SHALLOW_LINE = re.compile(rb"\n {0,2}[^ \n]")


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


def is_utf16(head: bytes) -> bool:
    """Tell whether a file that begins with these bytes is front matter in UTF-16, which is not read.

    Examples
    --------
    >>> is_utf16("---\\n".encode("utf-16")), is_utf16(b"---\\n")
    (True, False)
    """
    return head.startswith(_UTF16_OPENINGS)


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
    if opening is None and is_utf16(data):
        raise RecordError(Fault(path, 1, "", "text in UTF-16", "text in UTF-8"))
    if opening is None:
        got = "a first line that is not '---'" if data.strip() else "an empty file"
        raise RecordError(Fault(path, 1, "", got, "front matter between two lines '---'"))
    # The search begins on the first line break, so that a front matter of no line is found as well.
    closing = _CLOSING.search(data, opening.end() - 1)
    if closing is None:
        raise RecordError(Fault(path, 1, "", "front matter without an end", "a second line '---'"))
    return Span(opening.end(), closing.start() + 1)


def decode_utf8(data: bytes, path: str, *, line: int) -> str:
    """Decode strictly; the fault names the line of the first bad byte, ``line`` is that of the first one."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        where = line + data.count(b"\n", 0, error.start)
        got = f"byte 0x{data[error.start]:02x}"
        raise RecordError(Fault(path, where, "", got, "text in UTF-8")) from None


def to_json(block: bytes) -> memoryview | None:
    """Turn YAML of the plain form into JSON; None where the form is any other.

    Parameters
    ----------
    block : bytes
        The YAML between the ``---`` lines, in valid UTF-8.

    Examples
    --------
    >>> bytes(to_json(b"title: Rain\\n")).split()
    [b'{', b'"title":', b'"Rain"', b'}']
    >>> to_json(b"title: Rain\\ntitle: Sun\\n") is None
    True
    """
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    if not block.endswith(b"\n") or block.isspace() or block.translate(None, _ALLOWED_BYTES):
        return None
    skeleton = _LINE.findall(block)
    # The last match is the nothing after the last line break.
    if len(skeleton) != block.count(b"\n") + 1:
        return None
    if b"\\" in block and b"\\" in _CLEAR_ESCAPE.sub(b"", block):
        return None
    if not block.isascii() and any(odd.search(block) for odd in _ODD_CHARACTERS):
        return None
    if not _is_sound(_condense(b"\n".join(skeleton))):
        return None
    try:
        return _emit(ryml.parse_in_arena(block), len(block))
    except Exception:  # whatever it finds wrong: the careful way reads the document, or names the fault
        return None


def _emit(tree: ryml.Tree, n_bytes: int) -> memoryview:
    """JSON of a tree of plain YAML: longer by brackets, quotes and indents, which is little in a record."""
    json: memoryview
    try:
        json = ryml.emit_json_in_place(tree, bytearray(2 * n_bytes + 1024))
    except IndexError:  # very short lines; so much room would take longer to make than to fill
        json = ryml.emit_json_in_place(tree, bytearray(16 * n_bytes + 1024))
    return json


def _condense(skeleton: bytes) -> bytes:
    """Leave out the list items whose shape the same list has shown before: most records repeat a few."""
    first, *items = skeleton.split(_ITEM)
    kept = [first]
    seen: set[bytes] = set()
    for item in items:
        if item in seen:
            continue
        kept.append(item)
        if _SHALLOW_LINE.search(item):
            seen.clear()  # the list ends within this part
        else:
            seen.add(item)
    return _ITEM.join(kept)


@lru_cache(maxsize=4096)
def _is_sound(skeleton: bytes) -> bool:
    """Tell whether the lines of a skeleton nest by the book and no mapping has a key twice.

    A mapping at column c has level 2c and a list 2c + 1, since a list may stand at the column of its key.
    """
    levels: list[tuple[int, set[bytes]]] = [(0, set())]
    opens = False
    for line in skeleton.split(b"\n"):
        if not line:
            continue
        level, key, has_value = _parse_skeleton(line)
        is_shallower = False
        while levels[-1][0] > level:
            levels.pop()
            is_shallower = True
        if levels[-1][0] < level:
            if is_shallower or not opens or len(levels) >= MAX_DEPTH:
                return False
            levels.append((level, set()))
        if level % 2 and key:
            levels.append((level + 3, {key}))
        elif not level % 2:
            if not key or key in levels[-1][1]:
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
