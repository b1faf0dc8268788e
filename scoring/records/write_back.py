"""Labels written into a file's front matter: the bytes of three values change, and no other byte."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from scoring.errors import Fault, RecordError, shown
from scoring.records.corpus import read_bytes
from scoring.records.front_matter import decode_utf8, find_front_matter, to_json
from scoring.records.label_positions import LABELS, Layout, lay_out, lay_out_plain
from scoring.records.node import OPAQUE, Node
from scoring.records.record import Labels
from scoring.records.yaml_nodes import build_nodes, compose, parse_nodes
from scoring.storage.atomic_file import remove_left_over, replace_file

_OPAQUE_VALUE = re.compile(
    rf"""(["']?{OPAQUE}["']?\s*:\s*)("(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?|[^,}}\s]+)""", re.DOTALL
)


class Change(msgspec.Struct, frozen=True):
    """What writing the labels of one file did, or would do.

    Parameters
    ----------
    path : str
        The file, as :func:`scoring.errors.shown` spells it.
    changed : bool
        Whether any byte differs.
    diff : str
        Unified diff of the lines that differ, empty where none does.
    """

    path: str
    changed: bool
    diff: str


class Edit(NamedTuple):
    """Characters of a text, from ``start`` up to ``stop``, with what is to stand there."""

    start: int
    stop: int
    value: str


class Edited(NamedTuple):
    """The new bytes of a file, and what changes: a unified diff, empty where nothing does.

    ``text`` and ``layout`` are the front matter that was edited, and where its labels stand.
    """

    data: bytes
    diff: str
    text: str
    layout: Layout


def replace_labels(
    data: bytes, labels: Labels | Mapping[str, int | bool | None], *, path: str = "-"
) -> bytes:
    """Give a file's bytes with new values of its labels.

    Comments, order, quotes, line ends, byte order mark and body stay as they are. A label that the file
    lacks is put after ``type``, or at the end of the front matter where that is missing.

    Parameters
    ----------
    data : bytes
        The whole file.
    labels : Labels or mapping of str to int or bool
        New values; None leaves a label as it is.
    path : str
        Its path, for the faults.

    Returns
    -------
    bytes
        The new file; equal to ``data`` where it holds these values already.

    Raises
    ------
    RecordError
        If the front matter cannot be read, or a label stands in a form that cannot be edited safely
        (behind an anchor, an alias or a tag, twice, or missing from a front matter in braces).

    Examples
    --------
    >>> replace_labels(b"---\\ntitle: Rain\\nquality: 5  # so far\\n---\\n", {"quality": 84})
    b'---\\ntitle: Rain\\nquality: 84  # so far\\n---\\n'
    """
    return edit_labels(data, labels, path).data


def edit_labels(data: bytes, labels: Labels | Mapping[str, int | bool | None], path: str) -> Edited:
    """As :func:`replace_labels`, with the diff."""
    wanted = _spell(labels)
    span = find_front_matter(data, path)
    block = data[span.start : span.stop]
    text = decode_utf8(block, path, line=2)
    before = _fields(block)
    if before is not None:
        layout = lay_out_plain(text)
        edits = _edits(text, layout, wanted, path)
        edited = apply_edits(text, edits)
        after = _fields(edited.encode())
        expected = before | {name: value.encode() for name, value in wanted.items()}
        is_right = after == expected
    else:
        root = compose(text, path)
        nodes = build_nodes(root, path)
        layout = lay_out(root, text, path)
        edits = _edits(text, layout, wanted, path)
        edited = apply_edits(text, edits)
        is_right = _is_same_but(nodes, edited, wanted)
    if not is_right:
        raise RecordError(Fault(path, 0, "", "a form that this edit would break", "a plainer front matter"))
    new = data[: span.start] + edited.encode() + data[span.stop :]
    return Edited(new, unified_diff(text, edits, path), text, layout)


def write_labels(
    path: str,
    labels: Labels | Mapping[str, int | bool | None],
    *,
    roots: Sequence[str],
    dry_run: bool = False,
) -> Change:
    """Write labels into a file, whole or not at all.

    See :func:`scoring.storage.atomic_file.replace_file`. A file that has these labels already is not touched.

    Parameters
    ----------
    path : str
        The Markdown file.
    labels : Labels or mapping of str to int or bool
        As :func:`replace_labels` takes them.
    roots : sequence of str
        Folders (or files) within which may be written; a link that leads out of them is refused.
    dry_run : bool
        Tell what would change, and write nothing.

    Returns
    -------
    Change
        With the diff of the lines that differ.

    Raises
    ------
    RecordError
        If the file cannot be read, edited or written, is read-only, lies outside of ``roots``, or is
        changed by somebody else meanwhile, twice.
    """
    target = file_within(path, roots)
    if not dry_run:
        remove_left_over(target)
    for _ in range(2):  # a file that somebody changes under our hands is read once more
        data = read_bytes(target)
        new, diff, _, _ = edit_labels(data, labels, path)
        change = Change(shown(path), new != data, diff)
        if dry_run or not change.changed or replace_file(target, data, new, path):
            return change
    raise RecordError(Fault(path, 0, "", "a file that another process keeps changing", "an unchanging file"))


def put_back(path: str, *, before: bytes, after: bytes, roots: Sequence[str]) -> None:
    """Give a file the bytes that it had before it was written, if nobody has changed it since.

    Parameters
    ----------
    path : str
        The file.
    before, after : bytes
        What it shall hold, and what it has to hold now.
    roots : sequence of str
        As :func:`write_labels` takes them.

    Raises
    ------
    RecordError
        If it holds anything else, cannot be read or written, or lies outside of ``roots``.
    """
    target = file_within(path, roots)
    if read_bytes(target) != after or not replace_file(target, after, before, path):
        raise RecordError(Fault(path, 0, "", "a file that was changed since", "it as it was written"))


def file_within(path: str, roots: Sequence[str]) -> str:
    """The path of a file without links, which is to lie within the roots.

    Raises
    ------
    RecordError
        If it lies elsewhere.
    """
    target = os.path.realpath(path)
    if not any(_is_within(target, os.path.realpath(root)) for root in roots):
        raise RecordError(Fault(path, 0, "", "a file outside of the given folders", "one within them"))
    return target


def _is_within(target: str, root: str) -> bool:
    return target == root or os.path.commonpath([target, root]) == root


def _spell(labels: Labels | Mapping[str, int | bool | None]) -> dict[str, str]:
    """Labels as YAML writes them, in their order."""
    given = msgspec.structs.asdict(labels) if isinstance(labels, Labels) else dict(labels)
    if unknown := given.keys() - set(LABELS):
        raise ValueError(f"not a label: {sorted(unknown)}")
    try:
        msgspec.convert(given, Labels)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    return {name: str(given[name]).lower() for name in LABELS if given.get(name) is not None}


def _fields(block: bytes) -> dict[str, bytes] | None:
    """Fields of a front matter of the plain form as bytes of JSON; None for any other form."""
    as_json = to_json(block)
    if as_json is None:
        return None
    fields = msgspec.json.decode(as_json, type=dict[str, msgspec.Raw])
    return {name: bytes(value) for name, value in fields.items()}


def _edits(text: str, layout: Layout, wanted: dict[str, str], path: str) -> list[Edit]:
    """What is to be done to a front matter, from its beginning to its end."""
    edits: list[Edit] = []
    missing: list[str] = []
    for name, value in wanted.items():
        if name not in layout.values:
            missing.append(name)
            continue
        start, stop = layout.values[name]
        edits.append(Edit(start, stop, value if stop > start else f" {value}"))
    if missing:
        if layout.insert_at is None:
            got = "a front matter in braces without it"
            raise RecordError(Fault(path, 2, ", ".join(missing), got, "the field"))
        at = layout.insert_at
        newline = "\r\n" if text[:at].endswith("\r\n") else "\n"
        lines = (f"{layout.indent}{name}: {wanted[name]}{newline}" for name in missing)
        edits.append(Edit(at, at, "".join(lines)))
    return sorted(edit for edit in edits if text[edit.start : edit.stop] != edit.value)


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """A text with edits that are in order and do not overlap."""
    parts: list[str] = []
    at = 0
    for start, stop, value in edits:
        parts += (text[at:start], value)
        at = stop
    return "".join([*parts, text[at:]])


def _is_same_but(before: Node, edited: str, wanted: dict[str, str]) -> bool:
    """Tell whether two documents differ in nothing but the labels, which have the wanted values."""
    try:
        after = parse_nodes(edited, "")
    except RecordError:
        return False
    if not isinstance(before.value, dict) or not isinstance(after.value, dict):
        return False
    for name, value in wanted.items():
        found = after.value.get(name)
        if found is None or found.value != value or not found.is_plain:
            return False
    old = {name: node for name, node in before.value.items() if name not in wanted}
    new = {name: node for name, node in after.value.items() if name not in wanted}
    pairs = [(Node(0, old, repeated=before.repeated), Node(0, new, repeated=after.repeated))]
    seen: set[tuple[int, int]] = set()
    while pairs:
        one, other = pairs.pop()
        if (id(one), id(other)) in seen:  # aliases share their node
            continue
        seen.add((id(one), id(other)))
        if isinstance(one.value, dict) and isinstance(other.value, dict):
            if list(one.value) != list(other.value):
                return False
            pairs += zip(one.value.values(), other.value.values(), strict=True)
        elif isinstance(one.value, list) and isinstance(other.value, list):
            if len(one.value) != len(other.value):
                return False
            pairs += zip(one.value, other.value, strict=True)
        elif one.value != other.value or one.is_plain != other.is_plain:
            return False
    return True


def unified_diff(text: str, edits: list[Edit], path: str) -> str:
    """Unified diff of the lines that differ, without the opaque field should it stand on one of them."""
    if not edits:
        return ""
    lines = [f"--- {shown(path)}", f"+++ {shown(path)}"]
    n_more = 0  # lines of the new file before this hunk, beyond those of the old one
    for start, stop, within in _hunks(text, edits):
        moved = [Edit(edit.start - start, edit.stop - start, edit.value) for edit in within]
        old, new = (part.splitlines() for part in (text[start:stop], apply_edits(text[start:stop], moved)))
        at = 2 + text.count("\n", 0, start)  # the front matter begins on the second line
        lines += [f"@@ -{_range(at, old)} +{_range(at + n_more, new)} @@"]
        lines += [f"-{line}" for line in old] + [f"+{line}" for line in new]
        n_more += len(new) - len(old)
    return _OPAQUE_VALUE.sub(r"\1…", "\n".join(lines) + "\n")


def _hunks(text: str, edits: Iterable[Edit]) -> list[tuple[int, int, list[Edit]]]:
    """Whole lines, from a character up to another, with the edits on them."""
    hunks: list[tuple[int, int, list[Edit]]] = []
    for edit in edits:
        start, stop = text.rfind("\n", 0, edit.start) + 1, edit.stop
        if not (edit.value or text[edit.start : edit.stop]).endswith("\n"):  # else it is of whole lines
            stop = text.find("\n", stop) + 1 or len(text)
        if hunks and start <= hunks[-1][1]:
            first, last, within = hunks.pop()
            hunks.append((first, max(stop, last), [*within, edit]))
        else:
            hunks.append((start, stop, [edit]))
    return hunks


def _range(at: int, lines: list[str]) -> str:
    if len(lines) == 1:
        return str(at)
    return f"{at if lines else at - 1},{len(lines)}"
