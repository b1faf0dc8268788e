"""Find, read and atomically write local and remote files through fsspec."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from scoring.errors import Fault, RecordError, ScoringError
from scoring.records.corpus import read_bytes
from scoring.records.feed_detection import is_feed
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.file_names import is_markdown
from scoring.records.files import STDIN, expand, identify, irregular, unreadable
from scoring.records.tables import is_table
from scoring.storage.regular_files import kind_of
from scoring.storage.replacement import open_replacement

_LOCAL = "file://"
_GLOB_CHARACTERS = frozenset("*?[")
# Keys of a file's info that identify its version; the first one present is used.
_STAMPS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified")


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


def is_remote(path: str) -> bool:
    """Whether a path is a URL of a remote store, not a local file.

    Examples
    --------
    >>> is_remote("s3://bucket/news"), is_remote("file:///srv/news"), is_remote("news/*.md")
    (True, False, False)
    """
    return "://" in path and not path.startswith(_LOCAL)


def absolute(path: str) -> str:
    """Make a local path absolute; URLs are unchanged.

    Raises
    ------
    ScoringError
        If a URL has a password, which would be visible in scores, manifests and tasks.
    """
    if not is_remote(path):
        return os.path.abspath(path.removeprefix(_LOCAL))
    if urlsplit(path).password is not None:
        scheme = path.partition("://")[0]
        raise ScoringError(
            f"{scheme}://***: got a password in an address, expected it in the environment or in fsspec's "
            "configuration"
        )
    return path


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
            for file in _find_remote(path) if is_remote(path) else _find_local(path.removeprefix(_LOCAL)):
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
    fs, root = opened(absolute(url))
    with one_line_errors(url):
        is_glob = not _GLOB_CHARACTERS.isdisjoint(root)
        is_walked = not is_glob and fs.isdir(root)
        if is_glob:
            entries = fs.glob(root, detail=True)
        elif is_walked:
            entries = fs.find(root, detail=True)
        else:
            entries = {root: fs.info(root)} if fs.exists(root) else {}
    files = {
        name: info
        for name, info in sorted(entries.items())
        if info["type"] == "file" and (name == root or _may_be_record(name, root, is_walked=is_walked))
    }
    if not files:
        kind = "a glob that matches no file" if is_glob else "a folder without records"
        got = kind if is_glob or is_walked else "no such file or folder"
        raise RecordError(Fault(url, 0, "", got, "files of records"))
    for name, info in files.items():
        _check_form(name)
        stamp = next((str(info[key]) for key in _STAMPS if info.get(key) is not None), "")
        address = fs.unstrip_protocol(name)
        yield Found(address, address, int(info["size"] or 0), stamp, is_walked)


def _check_form(file: str) -> None:
    if is_table(file) or is_feed(file):
        expected = "Markdown or JSON lines, which workers read in parts"
        raise RecordError(Fault(file, 0, "", "a table" if is_table(file) else "a feed", expected))


def _may_be_record(name: str, root: str, *, is_walked: bool) -> bool:
    """Whether a file may be a record, by its name: not hidden, and Markdown if found in a folder."""
    below = name.removeprefix(root).strip("/").split("/") if is_walked else [name.rpartition("/")[2]]
    return (is_markdown(name) or not is_walked) and not any(part.startswith(".") for part in below)


def opened(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it.

    Raises
    ------
    ScoringError
        If no installed package supports it, or the URL is invalid.
    """
    import fsspec

    try:
        fs, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise ScoringError(f"{url}: no file system for it: {error}") from None
    return fs, path


@contextmanager
def one_line_errors(url: str) -> Iterator[None]:
    """Convert the various errors of stores to a ScoringError of one line."""
    try:
        yield
    except ScoringError:
        raise
    except Exception as error:
        raise ScoringError(f"{url}: cannot be used: {error or type(error).__name__}") from error


def read_files(files: Sequence[Found]) -> Iterator[bytes | RecordError]:
    """Read each file or return its error; remote files are read together.

    Raises
    ------
    ScoringError
        If a store cannot be read at the moment.
    """
    remote = [file.url for file in files if is_remote(file.url)]
    contents: dict[str, Any] = {}
    for url in remote[:1]:
        fs, _ = opened(url)
        names = [fs._strip_protocol(address) for address in remote]
        with one_line_errors(url):
            got = fs.cat(names, on_error="return")
        contents = {address: got[name] for address, name in zip(remote, names, strict=True)}
    for file in files:
        content = contents.get(file.url)
        if content is None:
            yield _read_local(file)
        elif isinstance(content, (FileNotFoundError, PermissionError)):
            yield unreadable(file.path, content)
        elif isinstance(content, Exception):
            raise ScoringError(f"{file.url}: cannot be read: {content}")
        else:
            yield content


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
