"""Files wherever fsspec reaches: found, read and written whole, on this machine and on the workers alike."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

from scoring.errors import Fault, RecordError, ScoringError
from scoring.records.corpus import STDIN, expand, identify, irregular, read_bytes, unreadable
from scoring.storage.regular_files import kind_of

_LOCAL = "file://"
_GLOB_CHARACTERS = frozenset("*?[")
# What a store says of the state of a file: the first of these that it has.
_STAMPS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified")


class Found(NamedTuple):
    """A file of records.

    Parameters
    ----------
    path : str
        What it is called in scores and faults.
    url : str
        Where workers find it: an absolute path, or an address that fsspec takes.
    n_bytes : int
        Its size.
    stamp : str
        What is another one when its content changes: its hash where the store has one, else its time.
    is_walked : bool
        Whether it came with its folder: without a front matter it is then no record.
    """

    path: str
    url: str
    n_bytes: int
    stamp: str
    is_walked: bool = False


def is_remote(path: str) -> bool:
    """Whether a path is an address of a store, rather than a file of this machine.

    Examples
    --------
    >>> is_remote("s3://bucket/news"), is_remote("file:///srv/news"), is_remote("news/*.md")
    (True, False, False)
    """
    return "://" in path and not path.startswith(_LOCAL)


def absolute(path: str) -> str:
    """A path as any process of this machine finds it; addresses stay as they are.

    Raises
    ------
    ScoringError
        If an address bears a password: it would stand in scores, manifests and tasks.
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
    """Find the files of records that paths and addresses name.

    Parameters
    ----------
    paths : sequence of str
        Folders, files and globs, as :func:`scoring.records.corpus.expand` takes them, or the same as
        addresses (``s3://...``), in any mix.

    Returns
    -------
    list of Found
        Each file once, in the order of the paths.

    Raises
    ------
    RecordError
        If a path does not exist or names no record, with a fault for each such path.
    ScoringError
        If a store cannot be reached.
    """
    found: dict[str, Found] = {}
    faults: list[Fault] = []
    for path in paths:
        try:
            for one in _find_remote(path) if is_remote(path) else _find_local(path.removeprefix(_LOCAL)):
                found.setdefault(one.url, one)
        except RecordError as error:
            faults += error.faults
    if faults:
        raise RecordError(*faults)
    return list(found.values())


def _find_local(path: str) -> Iterator[Found]:
    if path == STDIN:
        raise RecordError(Fault(path, 0, "", "standard input", "files, which the workers can read"))
    folders: dict[str, str] = {}
    for file in expand([path]):
        try:
            state = os.stat(file)
        except OSError as error:
            raise unreadable(file, error) from None
        if (kind := kind_of(file)) is not None and not file.endswith(".md"):
            raise irregular(file, kind)  # only this process could read it
        place = identify(file, folders, is_link=os.path.islink(file))
        yield Found(file, place, state.st_size, str(state.st_mtime_ns))


def _find_remote(url: str) -> Iterator[Found]:
    fs, root = opened(absolute(url))
    with told(url):
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
        kind = "a glob that matches no file" if is_glob else "a folder without a record"
        got = kind if is_glob or is_walked else "no such file or folder"
        raise RecordError(Fault(url, 0, "", got, "files of records"))
    for name, info in files.items():
        stamp = next((str(info[key]) for key in _STAMPS if info.get(key) is not None), "")
        address = fs.unstrip_protocol(name)
        yield Found(address, address, int(info["size"] or 0), stamp, is_walked)


def _may_be_record(name: str, root: str, *, is_walked: bool) -> bool:
    """Whether a file is taken, by its name: hidden ones are not, and of a folder Markdown alone."""
    below = name.removeprefix(root).strip("/").split("/") if is_walked else [name.rpartition("/")[2]]
    return (name.endswith(".md") or not is_walked) and not any(part.startswith(".") for part in below)


def opened(url: str) -> tuple[Any, str]:
    """The file system of an address, and the path there.

    Raises
    ------
    ScoringError
        If nothing that is installed speaks to it, or it refuses.
    """
    import fsspec

    try:
        fs, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise ScoringError(f"{url}: no file system for it: {error}") from None
    return fs, path


@contextmanager
def told(url: str) -> Iterator[None]:
    """Tell in one line what a store says when it cannot be used: each has errors of its own."""
    try:
        yield
    except ScoringError:
        raise
    except Exception as error:
        raise ScoringError(f"{url}: cannot be used: {error or type(error).__name__}") from error


def read_files(files: Sequence[Found]) -> Iterator[bytes | RecordError]:
    """The content of each file, or what is wrong with it; of a store, all of them at once.

    Raises
    ------
    ScoringError
        If a store cannot be read just now.
    """
    remote = [file.url for file in files if is_remote(file.url)]
    contents: dict[str, Any] = {}
    for url in remote[:1]:
        fs, _ = opened(url)
        names = [fs._strip_protocol(one) for one in remote]
        with told(url):
            got = fs.cat(names, on_error="return")
        contents = {one: got[name] for one, name in zip(remote, names, strict=True)}
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
    """Some bytes of a file.

    Raises
    ------
    OSError
        If a file of this machine cannot be read.
    ScoringError
        If a store cannot be read.
    """
    if not is_remote(url):
        with open(url, "rb") as file:
            file.seek(start)
            return file.read(stop - start)
    fs, path = opened(url)
    with told(url):
        content: bytes = fs.cat_file(path, start=start, end=stop)
        return content


def replace_file(url: str, data: bytes) -> None:
    """Write a file that is there whole or not at all.

    On this machine it is written under another name first; an object of a store is seen once it is whole.
    """
    fs, path = opened(url)
    with told(url):
        if is_remote(url):
            fs.pipe_file(path, data)
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        scratch = f"{os.path.dirname(path)}/.{os.path.basename(path)}.{uuid4().hex}"
        try:
            with open(scratch, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(scratch, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(scratch)


def read_file(url: str) -> bytes | None:
    """The content of a file; None where there is none."""
    fs, path = opened(url)
    with told(url):
        try:
            content: bytes = fs.cat_file(path)
        except FileNotFoundError:
            return None
        return content


def sizes(url: str) -> dict[str, int]:
    """Bytes of each file in a folder by its name; nothing where there is no folder."""
    fs, path = opened(url)
    with told(url):
        fs.invalidate_cache(path)  # others write there
        try:
            entries = fs.ls(path, detail=True)
        except FileNotFoundError:
            return {}
    return {
        os.path.basename(entry["name"]): int(entry["size"] or 0)
        for entry in entries
        if entry["type"] == "file"
    }
