"""Write labels into a file's front matter; no other byte changes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec

from scoring.errors import Fault, RecordError, shown
from scoring.records.corpus import read_bytes
from scoring.records.decode import any_error_a_fault
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.file_names import is_markdown
from scoring.records.forms.front_matter import decode_utf8, find_front_matter, to_json
from scoring.records.forms.label_positions import LABELS, LabelKeys, Layout, lay_out_plain
from scoring.records.forms.languages import Form, form_of
from scoring.records.forms.node import Node
from scoring.records.mapped_labels import label_keys, spell_in
from scoring.records.record import Labels
from scoring.records.text_edits import Edit, apply_edits, unified_diff
from scoring.storage.atomic_file import remove_left_over, replace_file
from scoring.storage.urls import is_remote, local_path

_PLAIN_KEY = re.compile("[A-Za-z_]+")  # of the plain form
_BROKEN = "{} that this edit would break"


class Change(msgspec.Struct, frozen=True):
    """Result of writing labels to one file.

    Parameters
    ----------
    path : str
        The file, escaped by :func:`scoring.errors.shown`.
    changed : bool
        Whether any byte differs.
    diff : str
        Unified diff; empty if nothing differs.
    """

    path: str
    changed: bool
    diff: str


class Edited(NamedTuple):
    """New bytes of a file and a unified diff, empty if nothing changes.

    ``text`` and ``layout`` are the front matter before the edit and the positions of its labels.
    """

    data: bytes
    diff: str
    text: str
    layout: Layout


def replace_labels(
    data: bytes,
    labels: Labels | Mapping[str, int | bool | None],
    *,
    path: str = "-",
    field_map: FieldMap | None = None,
) -> bytes:
    """Replace the labels in a file's bytes.

    Comments, order, quotes, line ends, byte order mark and body stay as they are. A missing label is inserted
    after ``type``, or at the end of the front matter if there is no ``type``.

    Parameters
    ----------
    data : bytes
        The whole file.
    labels : Labels or mapping of str to int or bool
        New values; None leaves a label unchanged.
    path : str
        Its path, for faults.
    field_map : FieldMap, optional
        Where the labels are, and in which units; None for scoring's own layout.

    Returns
    -------
    bytes
        The new file; equal to ``data`` if it has these values already.

    Raises
    ------
    RecordError
        If the front matter cannot be read, or a label cannot be edited safely (it has an anchor, alias or
        tag, is repeated, or is missing from front matter in braces).

    Examples
    --------
    >>> replace_labels(b"---\\ntitle: Rain\\nquality: 5  # so far\\n---\\n", {"quality": 84})
    b'---\\ntitle: Rain\\nquality: 84  # so far\\n---\\n'
    """
    return edit_labels(data, labels, path, field_map).data


def edit_labels(
    data: bytes,
    labels: Labels | Mapping[str, int | bool | None],
    path: str,
    field_map: FieldMap | None = None,
) -> Edited:
    """Like :func:`replace_labels`, with the diff and layout."""
    new_values = _spell(labels, field_map)
    keys = label_keys(field_map)
    span = find_front_matter(data, path)
    block = data[span.start : span.stop]
    text = decode_utf8(block, path, line=span.line)
    is_plain = span.language == "yaml" and all(map(_PLAIN_KEY.fullmatch, keys.values()))
    before = _fields(block) if is_plain else None
    if before is not None:
        layout = lay_out_plain(text, keys)
        edits = _edits(text, layout, new_values, keys, path)
        edited = apply_edits(text, edits)
        after = _fields(edited.encode())
        expected = before | {keys[name]: value.encode() for name, value in new_values.items()}
        is_as_expected = after == expected
    else:
        form = form_of(span.language)
        with any_error_a_fault(path):
            nodes, layout = form.parse_with_labels(text, path, span.line, keys)
            edits = _edits(text, layout, new_values, keys, path)
            edited = apply_edits(text, edits)
            by_key = {keys[name]: value for name, value in new_values.items()}
            is_as_expected = _is_same_but(nodes, edited, by_key, form)
    if not is_as_expected:
        raise RecordError(Fault(path, 0, "", _BROKEN.format(span.language.upper()), "simpler front matter"))
    new = data[: span.start] + edited.encode() + data[span.stop :]
    return Edited(new, unified_diff(text, edits, path, span.line), text, layout)


def write_labels(
    path: str,
    labels: Labels | Mapping[str, int | bool | None],
    *,
    roots: Sequence[str],
    dry_run: bool = False,
    field_map: FieldMap | None = None,
) -> Change:
    """Write labels into a file atomically.

    See :func:`scoring.storage.atomic_file.replace_file`. A file that has these labels already is not written.

    Parameters
    ----------
    path : str
        The Markdown file.
    labels : Labels or mapping of str to int or bool
        As for :func:`replace_labels`.
    roots : sequence of str
        Folders (or files) that may be written; a link that leads out of them is refused.
    dry_run : bool
        Report the change without writing.
    field_map : FieldMap, optional
        As for :func:`replace_labels`.

    Returns
    -------
    Change
        With the diff.

    Raises
    ------
    RecordError
        If the file cannot be read, edited or written, is read-only, is outside ``roots``, or changes twice
        during the write.
    """
    target = file_within(path, roots)
    if not dry_run:
        remove_left_over(target)
    for _ in range(2):  # retry once if the file changes meanwhile
        data = read_bytes(target)
        new, diff, _, _ = edit_labels(data, labels, path, field_map)
        change = Change(shown(path), new != data, diff)
        if dry_run or not change.changed or replace_file(target, data, new, path):
            return change
    raise RecordError(Fault(path, 0, "", "a file that another process keeps changing", "an unchanging file"))


def put_back(path: str, *, before: bytes, after: bytes, roots: Sequence[str]) -> None:
    """Restore the earlier bytes of a file, if it has not changed since it was written.

    Parameters
    ----------
    path : str
        The file.
    before, after : bytes
        Bytes to restore, and bytes that the file must have now.
    roots : sequence of str
        As for :func:`write_labels`.

    Raises
    ------
    RecordError
        If it has other bytes, cannot be read or written, or is outside ``roots``.
    """
    target = file_within(path, roots)
    if read_bytes(target) != after or not replace_file(target, after, before, path):
        raise RecordError(Fault(path, 0, "", "a file that was changed since", "the file as it was written"))


def file_within(path: str, roots: Sequence[str]) -> str:
    """Resolve the links of a path, and check that it is inside the roots.

    Raises
    ------
    RecordError
        If it is outside.
    """
    target = _resolved(path)
    if not any(_is_within(target, _resolved(root)) for root in roots):
        raise RecordError(Fault(path, 0, "", "a file outside the given folders", "a file inside them"))
    return target


def _is_within(target: str, root: str) -> bool:
    if is_remote(target) or is_remote(root):
        return target == root or target.startswith(f"{root.rstrip('/')}/")
    return target == root or os.path.commonpath([target, root]) == root


def _resolved(path: str) -> str:
    return path if is_remote(path) else os.path.realpath(local_path(path))


def roots_of(paths: Sequence[str]) -> list[str]:
    """Folders that may be written: those of some paths, and those of the files among them."""
    roots = []
    for path in map(local_path, paths):
        if is_remote(path):
            folder = path.rstrip("/")
            first = min((path.index(character) for character in "*?[" if character in path), default=0)
            if first:
                folder = path[: path.rindex("/", 0, first)]
            elif is_markdown(folder):
                folder = os.path.dirname(folder)
            roots.append(folder)
        elif path != "-":
            roots.append(path if os.path.isdir(path) else os.path.dirname(path) or ".")
    return roots


def _spell(
    labels: Labels | Mapping[str, int | bool | None], field_map: FieldMap | None = None
) -> dict[str, str]:
    """Format labels as front matter has them, in their order, in the units of a field map."""
    values = msgspec.structs.asdict(labels) if isinstance(labels, Labels) else dict(labels)
    if unknown := values.keys() - set(LABELS):
        raise ValueError(f"not a label: {sorted(unknown)}")
    try:
        msgspec.convert(values, Labels)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    given = {name: value for name in LABELS if (value := values.get(name)) is not None}
    if field_map is None:
        return {name: str(value).lower() for name, value in given.items()}
    return {name: spell_in(name, value, field_map) for name, value in given.items()}


def _fields(block: bytes) -> dict[str, bytes] | None:
    """Fields of plain front matter as JSON bytes; None for any other form."""
    as_json = to_json(block)
    if as_json is None:
        return None
    fields = msgspec.json.decode(as_json, type=dict[str, msgspec.Raw])
    return {name: bytes(value) for name, value in fields.items()}


def _edits(text: str, layout: Layout, new_values: dict[str, str], keys: LabelKeys, path: str) -> list[Edit]:
    """Edits of front matter, in order of position."""
    edits: list[Edit] = []
    missing: list[str] = []
    for name, value in new_values.items():
        if name not in layout.values:
            missing.append(name)
            continue
        start, stop = layout.values[name]
        edits.append(Edit(start, stop, value if stop > start else f" {value}"))
    if missing:
        if layout.insert_at is None:
            got = "front matter in braces without this field"
            raise RecordError(Fault(path, 2, ", ".join(keys[name] for name in missing), got, "the field"))
        position = layout.insert_at
        lines = (
            f"{layout.before}{keys[name]}{layout.between}{new_values[name]}{layout.after}" for name in missing
        )
        edits.append(Edit(position, position, "".join(lines)))
    return sorted(edit for edit in edits if not _is_same(text[edit.start : edit.stop], edit.value))


def _is_same(source: str, value: str) -> bool:
    """Whether a value is in the file already, in whichever quotes."""
    return source == value or (value.startswith('"') and source.strip("'") == json.loads(value))


def _is_same_but(before: Node, edited: str, new_values: dict[str, str], form: Form) -> bool:
    """Whether two documents differ only in the labels, which have the wanted values."""
    try:
        after = form.parse(edited, "", 1)
    except RecordError:
        return False
    if not isinstance(before.value, dict) or not isinstance(after.value, dict):
        return False
    for name, value in new_values.items():
        node = after.value.get(name)
        is_quoted = value.startswith('"')
        wanted = json.loads(value) if is_quoted else value
        if node is None or node.value != wanted or node.is_plain is is_quoted:
            return False
    return are_same_but(before, after, new_values)


def are_same_but(before: Node, after: Node, names: Collection[str]) -> bool:
    """Whether two mappings have the same keys and values, but for those of some names."""
    if not isinstance(before.value, dict) or not isinstance(after.value, dict):
        return False
    old = {name: node for name, node in before.value.items() if name not in names}
    new = {name: node for name, node in after.value.items() if name not in names}
    pairs = [(Node(0, old, repeated=before.repeated), Node(0, new, repeated=after.repeated))]
    seen: set[tuple[int, int]] = set()
    while pairs:
        old_node, new_node = pairs.pop()
        if (id(old_node), id(new_node)) in seen:  # aliases share their node
            continue
        seen.add((id(old_node), id(new_node)))
        if isinstance(old_node.value, dict) and isinstance(new_node.value, dict):
            if list(old_node.value) != list(new_node.value):
                return False
            pairs += zip(old_node.value.values(), new_node.value.values(), strict=True)
        elif isinstance(old_node.value, list) and isinstance(new_node.value, list):
            if len(old_node.value) != len(new_node.value):
                return False
            pairs += zip(old_node.value, new_node.value, strict=True)
        elif _scalar(old_node) != _scalar(new_node):
            return False
    return True


def _scalar(node: Node) -> tuple[object, bool, bool]:
    return node.value, node.is_plain, node.problem is not None
