"""How labels are spelled in a front matter, and putting back what stood there before they were written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from scoring.errors import Fault, RecordError
from scoring.records.decode import decode_file
from scoring.records.front_matter import decode_utf8, find_front_matter, to_json
from scoring.records.label_positions import LABELS, Layout, lay_out, lay_out_plain
from scoring.records.record import Labels
from scoring.records.write_back import Edit, Edited, apply_edits, unified_diff
from scoring.records.yaml_nodes import compose

Spelling = bool | int | str
"""What stands in a file for a label: its value, or as text all that follows its colon."""

# What an odd spelling of a number or a truth may look like; the value alone is kept of anything else.
_ODD_SPELLING = re.compile(r"[ \t\r\n]{0,20}[A-Za-z0-9+._~-]{0,30}")

_MAX_GAP = 32  # characters before a value among which its colon is looked for


class _Place(NamedTuple):
    """Where a label stands: from its colon's end, from its value's begin, up to its value's end."""

    colon_end: int | None
    start: int
    stop: int


def spellings_of(data: bytes, labels: Labels, path: str) -> dict[str, Spelling]:
    """What stands in a file for each of its labels; a label that is absent is left out.

    Parameters
    ----------
    data : bytes
        The whole file.
    labels : Labels
        What it was read as.
    path : str
        Its path, for the faults.

    Raises
    ------
    RecordError
        If a label stands in a form that cannot be edited.

    Examples
    --------
    >>> spellings_of(b"---\\ntitle: Rain\\nquality: 5\\nheat:\\n---\\n", Labels(quality=5), "a.md")
    {'quality': 5, 'heat': ''}
    """
    _, text = _front_matter(data, path)
    return spellings_in(text, _layout_of(text, path), labels)


def spellings_in(text: str, layout: Layout, labels: Labels) -> dict[str, Spelling]:
    """As :func:`spellings_of`, of a front matter of which it is known where the labels stand."""
    spellings: dict[str, Spelling] = {}
    for name, place in _places(text, layout).items():
        value = getattr(labels, name)
        odd = text[place.colon_end : place.stop] if place.colon_end is not None else None
        is_plain = value is not None and odd == f" {_spell(value)}"
        if odd is not None and not is_plain and _ODD_SPELLING.fullmatch(odd):
            spellings[name] = odd
        else:
            spellings[name] = "" if value is None else value
    return spellings


def put_labels_back(data: bytes, before: Mapping[str, Spelling | None], path: str) -> Edited:
    """Give labels the spelling that they had before; None takes the label's line away.

    Parameters
    ----------
    data : bytes
        The whole file.
    before : mapping of str to bool, int, str or None
        By the label's name, as :func:`spellings_of` gives it.
    path : str
        Its path, for the faults.

    Returns
    -------
    Edited

    Raises
    ------
    RecordError
        If a label stands in a form that cannot be edited, is gone, or shares its line with something else; or
        if the file would not be the same record afterwards.
    """
    begin, text = _front_matter(data, path)
    layout = _layout_of(text, path)
    places = _places(text, layout)
    edits = sorted(_edit(name, before[name], places.get(name), text, path) for name in before)
    new_text = apply_edits(text, edits)
    size = len(text.encode())
    new = data[:begin] + new_text.encode() + data[begin + size :]
    try:
        is_same = decode_file(new, path).record == decode_file(data, path).record
    except RecordError:
        is_same = False
    if not is_same:
        raise RecordError(Fault(path, 0, "", "a form that this edit would break", "a plainer front matter"))
    changed = [edit for edit in edits if edit.value != text[edit.start : edit.stop]]
    return Edited(new, unified_diff(text, changed, path), text, layout)


def _edit(name: str, spelling: Spelling | None, place: _Place | None, text: str, path: str) -> Edit:
    if place is None:
        raise RecordError(Fault(path, 0, name, "a label that is gone", "it as it was written"))
    if isinstance(spelling, str) and place.colon_end is not None:
        return Edit(place.colon_end, place.stop, spelling)
    if spelling is not None and not isinstance(spelling, str):
        return Edit(place.start, place.stop, _spell(spelling))
    start = text.rfind("\n", 0, place.start) + 1
    stop = text.find("\n", place.stop) + 1 or len(text)
    if not re.fullmatch(
        rf"[ \t]*{name}: ?{re.escape(text[place.start : place.stop])}\r?\n", text[start:stop]
    ):
        raise RecordError(Fault(path, 0, name, "a label that shares its line", "it alone on its line"))
    return Edit(start, stop, "")


def _front_matter(data: bytes, path: str) -> tuple[int, str]:
    """Where a front matter begins in its file, in bytes, and its text."""
    span = find_front_matter(data, path)
    return span.start, decode_utf8(data[span.start : span.stop], path, line=2)


def _layout_of(text: str, path: str) -> Layout:
    if to_json(text.encode()) is not None:
        return lay_out_plain(text)
    return lay_out(compose(text, path), text, path)


def _places(text: str, layout: Layout) -> dict[str, _Place]:
    places = {}
    for name in LABELS:
        if name in layout.values:
            start, stop = layout.values[name]
            head = text[max(0, start - _MAX_GAP) : start]
            gap = len(head) - len(head.rstrip(" \t\r\n"))
            is_after_colon = text[start - gap - 1 : start - gap] == ":"
            places[name] = _Place(start - gap if is_after_colon else None, start, stop)
    return places


def _spell(value: bool | int) -> str:
    return str(value).lower()
