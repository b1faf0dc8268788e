"""Locate the front matter of a Markdown file, and parse it fast if it has the plain form.

The YAML has two parsers. :func:`to_json` is fast and accepts only a form that every YAML parser reads alike:
block style, one key per line, quoted or unambiguous plain scalars, no repeated key. Anything else is parsed
by :func:`scoring.records.forms.yaml_nodes.parse_nodes` with PyYAML.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import Literal, NamedTuple

import ryml

from scoring.errors import Fault, RecordError
from scoring.records.forms.node import MAX_DEPTH

MAX_BYTES = 50_000_000
"""Size limit of a file, bytes; the largest known record has a hundredth of that."""

# The first line may name the language, and have a comment, which YAML allows there.
_OPENING = re.compile(rb"---(?:[ \t]*ya?ml)?[ \t]*(?:(?<=[ \t])\#[^\r\n]*)?\r?\n")
Language = Literal["yaml", "toml", "json"]
_OPENING_HEAD = re.compile(rb"---(?:[ \t]*ya?ml)?[ \t]*(?:\r?\n|(?<=[ \t])\#)")
_CARRIAGE_RETURNS = re.compile(rb"---[ \t]*\r(?!\n)")
_UTF16_OPENINGS = ("\ufeff---".encode("utf-16-le"), "\ufeff---".encode("utf-16-be"))
_CLOSING = re.compile(rb"\n---[ \t]*\r?$", re.MULTILINE)
# Front matter in other languages: first line, language, last line.
_OTHER_FORMS: tuple[tuple[re.Pattern[bytes], Language, str], ...] = (
    (re.compile(rb"\+\+\+(?:[ \t]*toml)?[ \t]*\r?\n"), "toml", "+++"),
    (re.compile(rb"---[ \t]*toml[ \t]*\r?\n"), "toml", "---"),
    (re.compile(rb"---[ \t]*json[ \t]*\r?\n"), "json", "---"),
    (re.compile(rb";;;(?:[ \t]*json)?[ \t]*\r?\n"), "json", ";;;"),
)
_OBJECT = re.compile(rb'\{\s*["}]')
_DOTS = re.compile(rb"\n\.\.\.[ \t]*\r?$", re.MULTILINE)

# One line of the plain form. The group is the line without its value: its "skeleton".
# A quoted scalar may run over its line here; then there are fewer matches than lines, which is checked.
# At each character at most one alternative can match, so that a line without a match takes linear time.
# Possessive quantifiers and atomic groups would do too, but Python 3.11.0 to 3.11.4 matches them wrongly.
# Groups repeat at most 9,999 times, since each repeat takes memory; longer scalars go to the strict path.
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
# Escapes that every parser reads alike: no control characters, no surrogates. A quote after two or more
# backslashes may or may not end a scalar: the line's pattern checks only one backslash.
_CLEAR_ESCAPE = re.compile(
    rb"""\\ (?: ["/nrt] | \\(?!\\?") | u(?!00[01]|[dD][89a-fA-F])[0-9a-fA-F]{4} )""", re.VERBOSE
)
_ALLOWED_BYTES = bytes(set(range(256)) - (set(range(32)) - {10}) - {127})
# Characters that parsers treat differently (as a line break, an error or text): C1 controls with NEL, line
# and paragraph separator, byte order mark, the two non-characters of the plane.
_ODD_CHARACTERS = (
    re.compile(rb"\xc2[\x80-\x9f]"),
    re.compile(rb"\xe2\x80[\xa8\xa9]"),
    re.compile(rb"\xef(?:\xbb\xbf|\xbf[\xbe\xbf])"),
)
_ITEM = b"\n  - "
_SHALLOW_LINE = re.compile(rb"\n {0,2}[^ \n]")


class Span(NamedTuple):
    """Byte range ``start`` to ``stop`` of a file's front matter, its language and its first line."""

    start: int
    stop: int
    language: Language = "yaml"
    line: int = 2


def has_front_matter(head: bytes) -> bool:
    """Whether a file that begins with these bytes (at least 100) has front matter.

    Examples
    --------
    >>> has_front_matter(b"---\\ntitle: Rain\\n---\\n"), has_front_matter(b"# Rain\\n")
    (True, False)
    """
    head = head.removeprefix(codecs.BOM_UTF8)
    return is_fenced(head) or _OBJECT.match(head) is not None


def is_fenced(head: bytes) -> bool:
    """Whether a file that begins with these bytes has front matter that a line opens, not a JSON object.

    Examples
    --------
    >>> is_fenced(b"+++\\ntitle = 'Rain'\\n+++\\n"), is_fenced(b'{"title": "Rain"}')
    (True, False)
    """
    head = head.removeprefix(codecs.BOM_UTF8)
    return _OPENING_HEAD.match(head) is not None or any(form.match(head) for form, _, _ in _OTHER_FORMS)


def has_carriage_returns(head: bytes) -> bool:
    """Whether a file that begins with these bytes has front matter with carriage returns as line ends.

    Examples
    --------
    >>> has_carriage_returns(b"---\\rtitle: Rain\\r---\\r"), has_carriage_returns(b"---\\r\\n")
    (True, False)
    """
    return _CARRIAGE_RETURNS.match(head.removeprefix(codecs.BOM_UTF8)) is not None


def is_utf16(head: bytes) -> bool:
    """Whether a file that begins with these bytes has front matter in UTF-16, which is not supported.

    Examples
    --------
    >>> is_utf16("---\\n".encode("utf-16")), is_utf16(b"---\\n")
    (True, False)
    """
    return head.startswith(_UTF16_OPENINGS)


def find_front_matter(data: bytes, path: str) -> Span:
    """Find the front matter at the start of a file.

    It is YAML between two lines ``---`` (``...`` may close it too), TOML between ``+++`` or after
    ``---toml``, or JSON: after ``---json``, between ``;;;``, or an object that begins the file.

    Raises
    ------
    RecordError
        If the file is too large, has no front matter, or does not close it.

    Examples
    --------
    >>> find_front_matter(b"---\\ntitle: Rain\\n---\\n", "a.md")
    Span(start=4, stop=16, language='yaml', line=2)
    """
    if len(data) > MAX_BYTES:
        raise RecordError(Fault(path, 0, "", f"{len(data):,} bytes", f"at most {MAX_BYTES:,} bytes"))
    begin = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    opening = _OPENING.match(data, begin)
    if opening is None:
        return _find_other(data, begin, path)
    # Search from the first line break, so that empty front matter is found too.
    closing = _CLOSING.search(data, opening.end() - 1)
    stop = closing.start() + 1 if closing else len(data)
    if data.find(b"\n...", opening.end() - 1, stop) >= 0:
        closing = _DOTS.search(data, opening.end() - 1, stop) or closing
    if closing is None:
        raise RecordError(Fault(path, 1, "", "front matter without a closing line", "a second line '---'"))
    return Span(opening.end(), closing.start() + 1)


def _find_other(data: bytes, begin: int, path: str) -> Span:
    """Find front matter that is not YAML."""
    for form, language, last_line in _OTHER_FORMS:
        if opening := form.match(data, begin):
            pattern = rb"\n%s[ \t]*\r?$" % re.escape(last_line.encode())
            closing = re.compile(pattern, re.MULTILINE).search(data, opening.end() - 1)
            if closing is None:
                got, expected = "front matter without a closing line", f"a second line '{last_line}'"
                raise RecordError(Fault(path, 1, "", got, expected))
            return Span(opening.end(), closing.start() + 1, language)
    if _OBJECT.match(data, begin):
        from scoring.records.forms.json_form import end_of_object  # rarely needed

        return Span(begin, end_of_object(data, begin, path), "json", 1)
    if is_utf16(data):
        raise RecordError(Fault(path, 1, "", "text in UTF-16", "text in UTF-8"))
    if has_carriage_returns(data):
        got = "lines that end with carriage returns only"
        raise RecordError(Fault(path, 1, "", got, "lines that end with line feeds"))
    got = "a first line that is not '---'" if data.strip() else "an empty file"
    raise RecordError(Fault(path, 1, "", got, "front matter between two lines '---'"))


def decode_utf8(data: bytes, path: str, *, line: int) -> str:
    """Decode strictly; a fault has the line of the first bad byte, counted from ``line``."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        error_line = line + data.count(b"\n", 0, error.start)
        got = f"byte 0x{data[error.start]:02x}"
        raise RecordError(Fault(path, error_line, "", got, "text in UTF-8")) from None


def to_json(block: bytes) -> memoryview | None:
    """Convert YAML of the plain form to JSON; None for any other form.

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
    # The last match is empty, after the last line break.
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
    except Exception:  # any error: the strict path reads the document or reports the fault
        return None


def _emit(tree: ryml.Tree, n_bytes: int) -> memoryview:
    """Emit JSON, in a buffer that allows for brackets, quotes and indents."""
    json: memoryview
    try:
        json = ryml.emit_json_in_place(tree, bytearray(2 * n_bytes + 1024))
    except IndexError:  # very short lines: a buffer too large to allocate by default
        json = ryml.emit_json_in_place(tree, bytearray(16 * n_bytes + 1024))
    return json


def _condense(skeleton: bytes) -> bytes:
    """Drop list items whose shape occurred before in the same list, so that skeletons repeat in the cache."""
    first, *items = skeleton.split(_ITEM)
    kept = [first]
    seen: set[bytes] = set()
    for item in items:
        if item in seen:
            continue
        kept.append(item)
        if _SHALLOW_LINE.search(item):
            seen.clear()  # the list ends inside this item
        else:
            seen.add(item)
    return _ITEM.join(kept)


@lru_cache(maxsize=4096)
def _is_sound(skeleton: bytes) -> bool:
    """Whether the lines of a skeleton nest correctly and no mapping repeats a key.

    A mapping at column c has level 2c and a list 2c + 1, since a list may start at the column of its key.
    """
    levels: list[tuple[int, set[bytes]]] = [(0, set())]
    opens_block = False
    for line in skeleton.split(b"\n"):
        if not line:
            continue
        level, key, has_value = _parse_skeleton(line)
        is_shallower = False
        while levels[-1][0] > level:
            levels.pop()
            is_shallower = True
        if levels[-1][0] < level:
            if is_shallower or not opens_block or len(levels) >= MAX_DEPTH:
                return False
            levels.append((level, set()))
        if level % 2 and key:
            levels.append((level + 3, {key}))
        elif not level % 2:
            if not key or key in levels[-1][1]:
                return False
            levels[-1][1].add(key)
        opens_block = not has_value
    return True


@lru_cache(maxsize=4096)
def _parse_skeleton(line: bytes) -> tuple[int, bytes, bool]:
    """Level, key (empty for a bare item) and whether the line has a value."""
    content = line.lstrip(b" ")
    column = len(line) - len(content)
    is_item = content.startswith(b"- ")
    key = content[2:] if is_item else content
    return 2 * column + is_item, key.rstrip(b": "), line.endswith(b" ")
