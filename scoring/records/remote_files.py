"""Find the record files of a URL by the rules of local folders, and copy those that are read."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from scoring.errors import Fault, RecordError
from scoring.records.field_maps.field_map import FILE_NAME
from scoring.records.field_maps.file_globs import FileGlobs
from scoring.records.file_heads import HEAD_BYTES, may_have_front_matter
from scoring.records.file_names import is_markdown
from scoring.records.forms.front_matter import MAX_BYTES
from scoring.records.left_out import Walk
from scoring.storage.remote import RemoteFile, list_files
from scoring.storage.remote_copies import process_copies
from scoring.storage.urls import is_web


class Entry(NamedTuple):
    """An entry of a walked URL: a file of records, another file, or a folder with the name of a record."""

    file: RemoteFile
    holds_record: bool
    is_folder: bool = False


class _Folder(NamedTuple):
    files: dict[str, RemoteFile]
    folders: set[str]


def find_named(url: str) -> list[str] | None:
    """Copy the file of a URL, or the files of a glob; None if the URL is a folder.

    Raises
    ------
    RecordError
        If there is no such file.
    ScoringError
        If the store cannot be read.
    """
    files = named_files(url)
    if files is None:
        return None
    _copy_records(files)
    return [file.url for file in files]


def named_files(url: str) -> list[RemoteFile] | None:
    """Files of a URL or glob; only the field maps of their folders are copied. See :func:`find_named`."""
    kind, files = list_files(url)
    if kind == "folder":
        return None
    if kind == "glob" and not posixpath.basename(url).startswith("."):
        files = [file for file in files if not posixpath.basename(file.url).startswith(".")]
    if not files:
        is_glob = kind == "glob"
        got = "a glob that matches no file" if is_glob else "no such file or folder"
        expected = "at least one file" if is_glob else "a file, a folder, a glob or -"
        raise RecordError(Fault(url, 0, "", got, expected))
    for folder in {posixpath.dirname(file.url) for file in files if not is_web(url)}:
        process_copies().refresh(f"{folder}/{FILE_NAME}", is_optional=True)
    return files


def walk_url(
    url: str, count_other: Callable[[str, str], None], walk: Walk
) -> Iterator[tuple[str, bool, bool]]:
    """Yield the entries of a folder that are named as records, like the walk of a local folder.

    Parameters
    ----------
    url : str
        The folder.
    count_other : callable
        Called with the URL and the name of each file that is not read.
    walk : Walk
        Counts hidden folders.

    Yields
    ------
    tuple of str, bool and bool
        URL, whether it is a link (always false), and whether it is a file; the files are copied.
    """
    entries = find_entries(url, walk)
    _copy_records(entry.file for entry in entries if entry.holds_record and not entry.is_folder)
    others = (entry.file for entry in entries if not entry.holds_record)
    process_copies().copy_heads((file for file in others if may_have_front_matter(file.url)), HEAD_BYTES)
    for file, holds_record, is_folder in entries:
        if holds_record:
            yield file.url, False, not is_folder
        else:
            count_other(file.url, posixpath.basename(file.url))


def find_entries(url: str, walk: Walk) -> list[Entry]:
    """Entries of a folder in the order of a local walk; field maps are copied, other files are not."""
    top = url.rstrip("/")
    _, files = list_files(url)
    process_copies().forget_missing(top, {file.url for file in files})
    tree = _tree_of(top, files)
    globs = FileGlobs()
    entries: list[Entry] = []

    def enter(base: str) -> None:
        names, folders = tree[base]
        if FILE_NAME in names:
            process_copies().copy_files([names[FILE_NAME]])
        globs.enter(base, names)
        walk.n_other += sum(name.startswith(".") for name in folders)
        as_records = {name for name in folders if is_markdown(name)}
        for name in sorted({*names, *as_records}):
            file = names.get(name) or RemoteFile(f"{base}/{name}", 0, "")
            holds_record = not name.startswith(".") and globs.holds_record(base, name)
            entries.append(Entry(file, holds_record, name not in names))
        for name in sorted(folders - as_records):
            if not name.startswith("."):
                enter(f"{base}/{name}")

    enter(top)
    return entries


def _tree_of(top: str, files: Sequence[RemoteFile]) -> dict[str, _Folder]:
    """Files and subfolders by folder."""
    tree = {top: _Folder({}, set())}
    for file in files:
        base, name = posixpath.split(file.url)
        tree.setdefault(base, _Folder({}, set())).files[name] = file
    for folder in list(tree):
        path = folder
        while path != top:
            path, name = posixpath.split(path)
            tree.setdefault(path, _Folder({}, set())).folders.add(name)
    return tree


def _copy_records(files: Iterable[RemoteFile]) -> None:
    """Copy files; Markdown above the size limit is reported by its size, and not read."""
    listed = list(files)
    copies = process_copies()
    copies.copy_files((file for file in listed if is_markdown(file.url)), max_bytes=MAX_BYTES)
    copies.copy_files(file for file in listed if not is_markdown(file.url))
