"""Find, read and atomically write local and remote files through fsspec."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from scoring.errors import Fault, RecordError
from scoring.records.corpus import read_bytes
from scoring.records.feed_detection import is_feed
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.file_names import is_markdown
from scoring.records.files import STDIN, expand, identify, irregular, unreadable
from scoring.records.left_out import Walk
from scoring.records.remote_files import find_entries, named_files
from scoring.records.tables import is_table
from scoring.storage.regular_files import kind_of
from scoring.storage.remote import one_line_errors, opened, read_together
from scoring.storage.replacement import open_replacement
from scoring.storage.urls import checked, is_remote, local_path


class Found(NamedTuple):
    """A file of records.

    Parameters
    ----------
    path : str
        Name in scores and faults.
    url : str
        Location for workers: an absolute path, or a URL for fsspec.
    n_bytes : int
        Size.
    stamp : str
        Version of the content: its hash if the store has one, otherwise its time.
    is_walked : bool
        Whether it was found in a folder; then it is ignored without front matter.
    field_map : FieldMap or None
        Where its fields are; None for scoring's own layout.
    """

    path: str
    url: str
    n_bytes: int
    stamp: str
    is_walked: bool = False
    field_map: FieldMap | None = None


def absolute(path: str) -> str:
    """Make a local path absolute; URLs are unchanged.

    Raises
    ------
    ScoringError
        If a URL has a password, which would be visible in scores, manifests and tasks.
    """
    return checked(path) if is_remote(path) else os.path.abspath(local_path(path))


def find(paths: Sequence[str]) -> list[Found]:
    """Find the record files of paths and URLs.

    Parameters
    ----------
    paths : sequence of str
        Folders, files and globs, as for :func:`scoring.records.files.expand`, also as URLs (``s3://...``).

    Returns
    -------
    list of Found
        Each file once, in the order of the paths.

    Raises
    ------
    RecordError
        If a path does not exist or contains no record; one fault per path.
    ScoringError
        If a store cannot be reached.
    """
    files: dict[str, Found] = {}
    faults: list[Fault] = []
    for path in paths:
        try:
            for file in _find_remote(path) if is_remote(path) else _find_local(local_path(path)):
                files.setdefault(file.url, file)
        except RecordError as error:
            faults += error.faults
    if faults:
        raise RecordError(*faults)
    return list(files.values())


def _find_local(path: str) -> Iterator[Found]:
    if path == STDIN:
        raise RecordError(Fault(path, 0, "", "standard input", "files, which the workers can read"))
    folders: dict[str, str] = {}
    for file in expand([path]):
        try:
            state = os.stat(file)
        except OSError as error:
            raise unreadable(file, error) from None
        if (kind := kind_of(file)) is not None and not is_markdown(file):
            raise irregular(file, kind)  # only this process could read it
        _check_form(file)
        identity = identify(file, folders, is_link=os.path.islink(file))
        yield Found(file, identity, state.st_size, str(state.st_mtime_ns))


def _find_remote(url: str) -> Iterator[Found]:
    files = named_files(url)
    is_walked = files is None
    if files is None:
        entries = find_entries(url, Walk())
        files = [entry.file for entry in entries if entry.holds_record and not entry.is_folder]
        if not files:
            raise RecordError(Fault(url, 0, "", "a folder without records", "files of records"))
    for address, n_bytes, stamp in files:
        _check_form(address)
        yield Found(address, address, n_bytes, stamp, is_walked)


def _check_form(file: str) -> None:
    if is_table(file) or is_feed(file):
        expected = "Markdown or JSON lines, which workers read in parts"
        raise RecordError(Fault(file, 0, "", "a table" if is_table(file) else "a feed", expected))


def read_files(files: Sequence[Found]) -> Iterator[bytes | RecordError]:
    """Read each file or return its error; remote files are read together.

    Raises
    ------
    ScoringError
        If a store cannot be read at the moment.
    """
    remote = [file.url for file in files if is_remote(file.url)]
    contents = dict(zip(remote, read_together(remote), strict=True))
    for file in files:
        content = contents.get(file.url)
        if content is None:
            yield _read_local(file)
        else:
            yield unreadable(file.path, content) if isinstance(content, OSError) else content


def _read_local(file: Found) -> bytes | RecordError:
    try:
        return read_bytes(file.url)
    except RecordError as error:
        return RecordError(*(replace(fault, path=file.path) for fault in error.faults))


def read_range(url: str, start: int, stop: int) -> bytes:
    """Read a byte range of a file.

    Raises
    ------
    OSError
        If a local file cannot be read.
    ScoringError
        If a store cannot be read.
    """
    if not is_remote(url):
        with open(url, "rb") as file:
            file.seek(start)
            return file.read(stop - start)
    fs, path = opened(url)
    with one_line_errors(url):
        content: bytes = fs.cat_file(path, start=start, end=stop)
        return content


def replace_file(url: str, data: bytes) -> None:
    """Write a file atomically.

    A local file is written under another name first; an object in a store is visible only when complete.
    """
    fs, path = opened(url)
    with one_line_errors(url):
        if is_remote(url):
            fs.pipe_file(path, data)
            return
        with open_replacement(Path(path)) as file:
            file.write(data)


def read_file(url: str) -> bytes | None:
    """Read a file; None if it does not exist."""
    fs, path = opened(url)
    with one_line_errors(url):
        try:
            content: bytes = fs.cat_file(path)
        except FileNotFoundError:
            return None
        return content


def sizes(url: str) -> dict[str, int]:
    """Return the size of each file in a folder by name; empty if the folder does not exist."""
    fs, path = opened(url)
    with one_line_errors(url):
        fs.invalidate_cache(path)  # workers write there
        try:
            entries = fs.ls(path, detail=True)
        except FileNotFoundError:
            return {}
    return {
        os.path.basename(entry["name"]): int(entry["size"] or 0)
        for entry in entries
        if entry["type"] == "file"
    }
