"""Top-level fields of YAML as ranges of lines, to leave out one that does not parse."""

from __future__ import annotations

import re
from typing import NamedTuple

# A field that begins at column 0; the blank after the colon may be missing, but "http://..." is no field.
_KEY = re.compile(r"""(?:"([^"\\]*)"|'([^']*)'|([A-Za-z_][\w.-]*))[ \t]*:(?!//)""")
# Lines at column 0 that continue a field: comments, list items, and the end of a list in brackets.
_CONTINUATION = re.compile(r"[ \t#\]}]|-(?:[ \t]|$)|$")
_INNER_KEY = re.compile(r"[ \t]+(?:-[ \t]+)*([A-Za-z_][\w-]*)[ \t]*:")
_SWALLOWED = re.compile(r"\n[A-Za-z_][\w-]*:(?=[ \t\r\n])")


class Entry(NamedTuple):
    """Lines ``start`` to ``stop`` of a text, from 0, that belong to one top-level field.

    ``key`` is empty if the lines are no field; ``inner_key`` is that of the requested line, if indented.
    """

    key: str
    start: int
    stop: int
    inner_key: str = ""


def entry_at(text: str, line: int) -> Entry:
    """Return the top-level field that a line belongs to.

    Examples
    --------
    >>> entry_at("title: Rain\\ntopics:\\n  - Sea\\ntype: video\\n", 2)
    Entry(key='topics', start=1, stop=3, inner_key='')
    """
    lines = text.split("\n")
    line = min(line, len(lines) - 1)
    start = line
    while start and _CONTINUATION.match(lines[start].rstrip("\r")):
        start -= 1
    stop = line + 1
    while stop < len(lines) and _CONTINUATION.match(lines[stop].rstrip("\r")):
        stop += 1
    key = _KEY.match(lines[start])
    name = next((group for group in key.groups() if group is not None), "") if key else ""
    inner = _INNER_KEY.match(lines[line]) if line > start else None
    return Entry(name, start, stop, inner[1] if inner else "")


def blank_out(text: str, entry: Entry) -> str:
    """Replace the lines of a field by comments of the same length."""
    lines = text.split("\n")
    for number in range(entry.start, min(entry.stop, len(lines))):
        line = lines[number].removesuffix("\r")
        if line:
            lines[number] = "#" + " " * (len(line) - 1) + lines[number][len(line) :]
    return "\n".join(lines)


def swallows_key(source: str) -> bool:
    """Whether a quoted text runs over a line that is a field at column 0: YAML asks for an indent there.

    Examples
    --------
    >>> swallows_key('"Rain\\ntype: video\\ncategory: "'), swallows_key('"Rain\\n  again"')
    (True, False)
    """
    return _SWALLOWED.search(source) is not None
