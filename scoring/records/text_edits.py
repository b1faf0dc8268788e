"""Edits of a text, and their unified diff."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from scoring.errors import shown
from scoring.records.forms.node import OPAQUE

_OPAQUE_VALUE = re.compile(
    rf"""(["']?{OPAQUE}["']?\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?|[^,}}\s]+)""", re.DOTALL
)


class Edit(NamedTuple):
    """Replacement of the characters from ``start`` to ``stop`` of a text."""

    start: int
    stop: int
    value: str


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Apply edits, which are in order and do not overlap."""
    parts: list[str] = []
    position = 0
    for start, stop, value in edits:
        parts += (text[position:start], value)
        position = stop
    return "".join([*parts, text[position:]])


def unified_diff(text: str, edits: list[Edit], path: str, first_line: int = 2) -> str:
    """Unified diff of the lines that differ, with the opaque field redacted."""
    if not edits:
        return ""
    lines = [f"--- {shown(path)}", f"+++ {shown(path)}"]
    line_offset = 0  # line number in the new file minus that in the old one
    for start, stop, hunk_edits in _hunks(text, edits):
        shifted = [Edit(edit.start - start, edit.stop - start, edit.value) for edit in hunk_edits]
        old, new = (part.splitlines() for part in (text[start:stop], apply_edits(text[start:stop], shifted)))
        line_number = first_line + text.count("\n", 0, start)
        lines += [f"@@ -{_range(line_number, old)} +{_range(line_number + line_offset, new)} @@"]
        lines += [f"-{line}" for line in old] + [f"+{line}" for line in new]
        line_offset += len(new) - len(old)
    return _OPAQUE_VALUE.sub(r"\1…", "\n".join(lines) + "\n")


def _hunks(text: str, edits: Iterable[Edit]) -> list[tuple[int, int, list[Edit]]]:
    """Group edits into ranges of whole lines: start, stop and the edits within."""
    hunks: list[tuple[int, int, list[Edit]]] = []
    for edit in edits:
        start, stop = text.rfind("\n", 0, edit.start) + 1, edit.stop
        if not (edit.value or text[edit.start : edit.stop]).endswith(
            "\n"
        ):  # otherwise the edit covers whole lines
            stop = text.find("\n", stop) + 1 or len(text)
        if hunks and start <= hunks[-1][1]:
            first, last, within = hunks.pop()
            hunks.append((first, max(stop, last), [*within, edit]))
        else:
            hunks.append((start, stop, [edit]))
    return hunks


def _range(line_number: int, lines: list[str]) -> str:
    if len(lines) == 1:
        return str(line_number)
    return f"{line_number if lines else line_number - 1},{len(lines)}"
