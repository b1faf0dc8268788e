"""Files of stores and web servers, through fsspec: list and read them; the only module that imports it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

from scoring.errors import ScoringError
from scoring.extras import EXTRAS, MissingExtraError, install_command
from scoring.storage.urls import checked, is_web

_PACKAGES = {"abfss": "adlfs", "http": "aiohttp", "https": "aiohttp"}
"""Packages of stores that the message of fsspec does not name."""

_GLOB_CHARACTERS = frozenset("*?[")
# Keys of a file's info that identify its version; the first one present is used.
_STAMPS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified", "created")


class RemoteFile(NamedTuple):
    """A file of a store: its URL, size in bytes, and version (empty if the store reports none)."""

    url: str
    n_bytes: int
    stamp: str


class Listing(NamedTuple):
    """What a URL names, with its files: a folder, the matches of a glob, one file, or nothing."""

    kind: Literal["folder", "glob", "file", "nothing"]
    files: list[RemoteFile]


def opened(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it.

    Raises
    ------
    ScoringError
        If no installed package supports it (a MissingExtraError), or the URL is invalid.
    """
    checked(url)
    try:
        import fsspec
    except ImportError:
        needs = EXTRAS["remote"].needs
        raise MissingExtraError(f"{url}: {needs}: {install_command('remote')}") from None
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise _missing_package(url, str(error)) from None
    except ValueError as error:
        if url.startswith("abfss://"):  # which only its package makes known
            raise _missing_package(url, str(error)) from None
        raise ScoringError(f"{url}: no file system for it: {error}") from None
    except Exception as error:  # some connect to their server at once
        raise _cannot_be_used(url, error) from error
    return fs, path


def _missing_package(url: str, message: str) -> MissingExtraError:
    """The error with the command that installs the package of a store."""
    scheme = url.partition(":")[0]
    named = re.search(r'(?:[Ii]nstall|requires) "?(\w+)', message)
    package = _PACKAGES.get(scheme) or (named[1] if named else "")
    command = f"{install_command('remote')} {package}".rstrip()
    return MissingExtraError(f"{url}: its file system is not installed ({message}): {command}")


@contextmanager
def one_line_errors(url: str) -> Iterator[None]:
    """Convert the various errors of stores to a ScoringError of one line."""
    try:
        yield
    except ScoringError:
        raise
    except Exception as error:
        raise _cannot_be_used(url, error) from error


def _cannot_be_used(url: str, error: Exception) -> ScoringError:
    if isinstance(error, FileNotFoundError):
        message = "no such bucket, folder or file"
    else:  # some add the page of their server, in lines below
        message = next(iter(str(error).strip().splitlines()), "").strip() or type(error).__name__
    return ScoringError(f"{url}: cannot be used: {message}")


def list_files(url: str) -> Listing:
    """List the files of a folder with all its subfolders, of a glob, or the file itself.

    Parameters
    ----------
    url : str
        The URL. On a web server only one that ends in ``/`` is a folder, and none is a glob.

    Returns
    -------
    Listing
        Files sorted by URL, each below the given one.

    Raises
    ------
    ScoringError
        If the store cannot be reached.
    """
    fs, root = opened(url)
    fs.invalidate_cache()
    is_glob = not is_web(url) and not _GLOB_CHARACTERS.isdisjoint(root)
    with one_line_errors(url):
        if is_glob and not fs.exists(root):
            first = min(url.find(character) for character in _GLOB_CHARACTERS if character in url)
            above = url[: url.rfind("/", 0, first)]
            return Listing("glob", _files_below(above, fs, fs.glob(root, detail=True)))
        try:
            info = fs.info(root)
        except FileNotFoundError:
            return Listing("nothing", [])
        if info.get("type") == "directory" or (is_web(url) and url.endswith("/")):
            return Listing("folder", _files_below(url.rstrip("/"), fs, fs.find(root, detail=True)))
        return Listing("file", [RemoteFile(url, int(info["size"] or 0), _stamp_of(info))])


def _files_below(url: str, fs: Any, entries: dict[str, dict[str, Any]]) -> list[RemoteFile]:
    root = fs._strip_protocol(f"{url}/").rstrip("/")
    files = (
        RemoteFile(f"{url}/{name[len(root) :].lstrip('/')}", int(info["size"] or 0), _stamp_of(info))
        for name, info in entries.items()
        if info.get("type") == "file" and name.rstrip("/") != root and not name.endswith("/")
    )
    return sorted(files)


def _stamp_of(info: dict[str, Any]) -> str:
    return next((str(info[key]) for key in _STAMPS if info.get(key) is not None), "")


def read_together(urls: Sequence[str]) -> list[bytes | OSError]:
    """Read whole files of one store concurrently; a file that is gone or may not be read is an OSError.

    Raises
    ------
    ScoringError
        If the store cannot be read.
    """
    if not urls:
        return []
    fs, _ = opened(urls[0])
    names = [fs._strip_protocol(url) for url in urls]
    with one_line_errors(urls[0]):
        # A list of names would be taken for globs where they have such characters.
        plain = [name for name in names if _GLOB_CHARACTERS.isdisjoint(name)]
        contents = dict(fs.cat(plain, on_error="return")) if plain else {}
        for name in names:
            if name not in contents:
                try:
                    contents[name] = fs.cat_file(name)
                except OSError as error:
                    contents[name] = error
    results: list[bytes | OSError] = []
    for url, name in zip(urls, names, strict=True):
        content = contents[name]
        results.append(content if isinstance(content, bytes) else as_system_error(content, url))
    return results


def as_system_error(error: Exception, url: str) -> OSError:
    """The OSError of a file that does not exist or may not be read; any other error is raised."""
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url)
    if isinstance(error, PermissionError):
        return PermissionError(errno.EACCES, os.strerror(errno.EACCES), url)
    raise ScoringError(f"{url}: cannot be read: {' '.join(str(error).split()) or type(error).__name__}")


def is_remote_folder(url: str) -> bool:
    """Whether a URL is a folder of a store.

    Raises
    ------
    ScoringError
        If the store cannot be reached.
    """
    fs, path = opened(url)
    fs.invalidate_cache()
    with one_line_errors(url):
        return bool(fs.isdir(path))


def is_remote_file(url: str) -> bool:
    """Whether a URL is a file of a store.

    Raises
    ------
    ScoringError
        If the store cannot be reached.
    """
    return list_files(url).kind == "file"
