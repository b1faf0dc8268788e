"""Source text of labels in front matter, and restoring it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from scoring.errors import Fault, RecordError
from scoring.records.decode import decode_file
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.forms.front_matter import Span, decode_utf8, find_front_matter, to_json
from scoring.records.forms.label_positions import LABELS, Layout, lay_out_plain
from scoring.records.forms.languages import form_of
from scoring.records.mapped_labels import label_keys, spell_in
from scoring.records.record import Labels
from scoring.records.text_edits import Edit, apply_edits, unified_diff
from scoring.records.write_back import Edited, are_same_but

Spelling = bool | int | str
"""A label in a file: its value, or the source text after its colon if it is not spelled the usual way."""

SPELLING = r"""[ \t\r\n]{0,20}[^\r\n]{0,200}"""
"""Pattern of a spelling that is kept: a value of one line, with the white space before it."""

_ODD_SPELLING = re.compile(SPELLING)

_MAX_GAP = 32  # characters searched for the colon before a value


class _Position(NamedTuple):
    """Position of a label: end of its colon, start and end of its value."""

    colon_end: int | None
    start: int
    stop: int


def spellings_of(
    data: bytes, labels: Labels, path: str, field_map: FieldMap | None = None
) -> dict[str, Spelling]:
    """Return the spelling of each label in a file; absent labels are omitted.

    Parameters
    ----------
    data : bytes
        The whole file.
    labels : Labels
        Values of the labels as read.
    path : str
        Its path, for faults.
    field_map : FieldMap, optional
        Where the labels are, and in which units; None for scoring's own layout.

    Raises
    ------
    RecordError
        If a label has a form that cannot be edited.

    Examples
    --------
    >>> spellings_of(b"---\\ntitle: Rain\\nquality: 5\\nheat:\\n---\\n", Labels(quality=5), "a.md")
    {'quality': 5, 'heat': ''}
    """
    span, text = _front_matter(data, path)
    return _spellings(text, _layout_of(span, text, path, field_map), labels, field_map)


def spellings_to_keep(
    text: str,
    layout: Layout,
    labels: Labels,
    path: str,
    field_map: FieldMap | None = None,
    *,
    replaced: Collection[str] = LABELS,
) -> dict[str, Spelling]:
    """As :func:`spellings_of`, for front matter whose layout is known, before its labels are replaced.

    Raises
    ------
    RecordError
        If one of the labels to be replaced has a spelling that could not be put back.
    """
    spellings = _spellings(text, layout, labels, field_map)
    for name, position in _positions(text, layout).items():
        source, spelling = text[position.start : position.stop], spellings[name]
        is_kept = isinstance(spelling, str) and (spelling or not source.strip())
        if name in replaced and not is_kept and source != _source(name, spelling, field_map):
            line = 2 + text.count("\n", 0, position.start)
            got, expected = (
                "a value that could not be put back",
                "a label: remove the value, or write it by hand",
            )
            raise RecordError(Fault(path, line, name, got, expected))
    return spellings


def _spellings(text: str, layout: Layout, labels: Labels, field_map: FieldMap | None) -> dict[str, Spelling]:
    spellings: dict[str, Spelling] = {}
    for name, position in _positions(text, layout).items():
        value = getattr(labels, name)
        source = text[position.colon_end : position.stop] if position.colon_end is not None else None
        # In another unit the value does not tell the text.
        is_plain = field_map is None and value is not None and source == f" {_spell(value)}"
        if source is not None and not is_plain and _ODD_SPELLING.fullmatch(source):
            spellings[name] = source
        else:
            spellings[name] = "" if value is None else value
    return spellings


def put_labels_back(
    data: bytes, before: Mapping[str, Spelling | None], path: str, field_map: FieldMap | None = None
) -> Edited:
    """Restore the earlier spelling of labels; None removes the label's line.

    Parameters
    ----------
    data : bytes
        The whole file.
    before : mapping of str to bool, int, str or None
        Spelling by label name, as from :func:`spellings_of`.
    path : str
        Its path, for faults.
    field_map : FieldMap, optional
        As for :func:`spellings_of`.

    Returns
    -------
    Edited

    Raises
    ------
    RecordError
        If a label has a form that cannot be edited, is missing, or shares its line with something else; or if
        the edit would change the record.
    """
    span, text = _front_matter(data, path)
    layout = _layout_of(span, text, path, field_map)
    positions = _positions(text, layout)
    edits = sorted(
        _edit(name, before[name], positions.get(name), text, layout, path, field_map) for name in before
    )
    new_text = apply_edits(text, edits)
    size = len(text.encode())
    new = data[: span.start] + new_text.encode() + data[span.start + size :]
    try:
        _layout_of(span, new_text, path, field_map)
        after, earlier = (decode_file(file, path, field_map=field_map).record for file in (new, data))
        form, names = form_of(span.language), label_keys(field_map).values()
        root, new_root = (form.parse(source, path, span.line) for source in (text, new_text))
        is_same = after == earlier and are_same_but(root, new_root, names)
    except RecordError:
        is_same = False
    if not is_same:
        got = f"{span.language.upper()} that this edit would break"
        raise RecordError(Fault(path, 0, "", got, "simpler front matter"))
    changed = [edit for edit in edits if edit.value != text[edit.start : edit.stop]]
    return Edited(new, unified_diff(text, changed, path, span.line), text, layout)


def _edit(
    name: str,
    spelling: Spelling | None,
    position: _Position | None,
    text: str,
    layout: Layout,
    path: str,
    field_map: FieldMap | None,
) -> Edit:
    key = label_keys(field_map).get(name, name)
    if position is None:
        raise RecordError(Fault(path, 0, key, "no such label", "the label as it was written"))
    if isinstance(spelling, str) and position.colon_end is not None:
        return Edit(position.colon_end, position.stop, spelling)
    if spelling is not None and not isinstance(spelling, str):
        return Edit(position.start, position.stop, _source(name, spelling, field_map))
    if name in layout.members:
        start, stop = layout.members[name]
        between = layout.before + key + layout.between
        is_alone = text[start : position.start] == between and stop == position.stop
    else:
        start = text.rfind("\n", 0, position.start) + 1
        stop = text.find("\n", position.stop) + 1 or len(text)
        value = re.escape(text[position.start : position.stop])
        between = re.escape(layout.between.rstrip(" ")) + " ?"
        is_alone = re.fullmatch(rf"[ \t]*{re.escape(key)}{between}{value}\r?\n", text[start:stop]) is not None
    if not is_alone:
        raise RecordError(Fault(path, 0, key, "a label that shares its line", "the label on its own line"))
    return Edit(start, stop, "")


def _front_matter(data: bytes, path: str) -> tuple[Span, str]:
    """Position of the front matter in its file, and its text."""
    span = find_front_matter(data, path)
    return span, decode_utf8(data[span.start : span.stop], path, line=span.line)


def _layout_of(span: Span, text: str, path: str, field_map: FieldMap | None) -> Layout:
    keys = label_keys(field_map)
    if span.language == "yaml" and to_json(text.encode()) is not None:
        return lay_out_plain(text, keys)
    return form_of(span.language).parse_with_labels(text, path, span.line, keys)[1]


def _positions(text: str, layout: Layout) -> dict[str, _Position]:
    positions = {}
    for name in LABELS:
        if name in layout.values:
            start, stop = layout.values[name]
            head = text[max(0, start - _MAX_GAP) : start]
            gap = len(head) - len(head.rstrip(" \t\r\n"))
            is_after_colon = text[start - gap - 1 : start - gap] in (":", "=")
            positions[name] = _Position(start - gap if is_after_colon else None, start, stop)
    return positions


def _source(name: str, spelling: Spelling, field_map: FieldMap | None) -> str:
    """Source text of a value whose spelling is not kept; empty if it has none."""
    if isinstance(spelling, str):
        return ""
    return _spell(spelling) if field_map is None else spell_in(name, spelling, field_map)


def _spell(value: bool | int) -> str:
    return str(value).lower()
