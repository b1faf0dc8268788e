"""Labels written into a file's front matter: the bytes of three values change, and no other byte."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from scoring.errors import Fault, RecordError
from scoring.records.corpus import read_bytes
from scoring.records.front_matter import decode_utf8, find_front_matter, to_json
from scoring.records.layout import LABELS, Layout, lay_out, lay_out_plain
from scoring.records.nodes import OPAQUE, Node
from scoring.records.record import Labels
from scoring.records.yaml_nodes import parse_nodes

_OPAQUE_VALUE = re.compile(
    rf"""(["']?{OPAQUE}["']?\s*:\s*)("(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?|[^,}}\s]+)""", re.DOTALL
)


class Change(msgspec.Struct, frozen=True):
    """What writing the labels of one file did, or would do.

    Parameters
    ----------
    path : str
        The file.
    changed : bool
        Whether any byte differs.
    diff : str
        Unified diff of the lines that differ, empty where none does.
    """

    path: str
    changed: bool
    diff: str


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
    wanted = _spell(labels)
    span = find_front_matter(data, path)
    block = data[span.start : span.stop]
    text = decode_utf8(block, path, line=2)
    before = _fields(block)
    if before is not None:
        edited = _edit(text, lay_out_plain(text), wanted, path)
        after = _fields(edited.encode())
        expected = before | {name: value.encode() for name, value in wanted.items()}
        is_right = after == expected
    else:
        nodes = parse_nodes(text, path)
        edited = _edit(text, lay_out(text, path), wanted, path)
        is_right = _is_same_but(nodes, edited, wanted)
    if not is_right:
        raise RecordError(Fault(path, 0, "", "a form that this edit would break", "a plainer front matter"))
    return data[: span.start] + edited.encode() + data[span.stop :]


def write_labels(
    path: str,
    labels: Labels | Mapping[str, int | bool | None],
    *,
    roots: Sequence[str],
    dry_run: bool = False,
) -> Change:
    """Write labels into a file, whole or not at all.

    The new file is written beside the old one and takes its place in one step, with its mode kept. A file
    that holds these labels already is not touched.

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
        If the file cannot be read, edited or written, lies outside of ``roots``, or is changed by
        somebody else meanwhile, twice.
    """
    target = _checked(path, roots)
    for _ in range(2):  # a file that somebody changes under our hands is read once more
        data = read_bytes(target)
        new = replace_labels(data, labels, path=path)
        change = Change(path, new != data, _diff(data, new, path))
        if dry_run or not change.changed or _replace(target, data, new, path):
            return change
    raise RecordError(Fault(path, 0, "", "a file that somebody else keeps changing", "a file at rest"))


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
    target = _checked(path, roots)
    if read_bytes(target) != after or not _replace(target, after, before, path):
        raise RecordError(Fault(path, 0, "", "a file that was changed since", "it as it was written"))


def _checked(path: str, roots: Sequence[str]) -> str:
    """A file without links, which is to lie within the roots."""
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
    msgspec.convert(given, Labels)
    return {name: str(given[name]).lower() for name in LABELS if given.get(name) is not None}


def _fields(block: bytes) -> dict[str, bytes] | None:
    """Fields of a front matter of the plain form as bytes of JSON; None for any other form."""
    as_json = to_json(block)
    if as_json is None:
        return None
    fields = msgspec.json.decode(as_json, type=dict[str, msgspec.Raw])
    return {name: bytes(value) for name, value in fields.items()}


def _edit(text: str, layout: Layout, wanted: dict[str, str], path: str) -> str:
    edits: list[tuple[int, int, str]] = []
    missing: list[str] = []
    for name, value in wanted.items():
        if name not in layout.values:
            missing.append(name)
            continue
        start, stop = layout.values[name]
        edits.append((start, stop, value if stop > start else f" {value}"))
    if missing:
        if layout.insert_at is None:
            got = "a front matter in braces without it"
            raise RecordError(Fault(path, 2, ", ".join(missing), got, "the field"))
        at = layout.insert_at
        newline = "\r\n" if text[:at].endswith("\r\n") else "\n"
        lines = (f"{layout.indent}{name}: {wanted[name]}{newline}" for name in missing)
        edits.append((at, at, "".join(lines)))
    for start, stop, value in sorted(edits, reverse=True):
        text = text[:start] + value + text[stop:]
    return text


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


def _diff(old: bytes, new: bytes, path: str) -> str:
    """Diff of the lines that differ, without the opaque field should it stand on one of them."""
    if old == new:
        return ""
    before, after = old.decode(errors="replace"), new.decode(errors="replace")
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), fromfile=path, tofile=path, n=0, lineterm=""
    )
    return _OPAQUE_VALUE.sub(r"\1…", "\n".join(lines) + "\n")


def _replace(target: str, old: bytes, new: bytes, path: str) -> bool:
    """Put the new bytes in the place of the file; False if its bytes are no longer the old ones."""
    folder, name = os.path.split(target)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{name[:100]}.", suffix=".tmp", dir=folder)
        with os.fdopen(handle, "wb") as file:
            file.write(new)
            os.fchmod(file.fileno(), os.stat(target).st_mode & 0o7777)
            file.flush()
            os.fsync(file.fileno())
        if hashlib.sha256(read_bytes(target)).digest() != hashlib.sha256(old).digest():
            return False
        os.replace(temporary, target)
        temporary = ""
        _sync_folder(folder)
    except OSError as error:
        got = error.strerror or "an error of the disk"
        raise RecordError(Fault(path, 0, "", got, "a file that can be written")) from None
    finally:
        if temporary:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
    return True


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
