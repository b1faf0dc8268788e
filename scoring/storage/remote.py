"""URLs of remote stores, and their files through fsspec; the only module that imports it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from scoring.errors import ScoringError
from scoring.extras import install_command

_LOCAL = "file://"
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
# pathlib collapses the two slashes of a URL; of these schemes it is taken for one all the same.
_COLLAPSED = re.compile(
    r"(s3a?|gc?s|abfss?|az|adl|https?|memory|s?ftp|ssh|hdfs|webhdfs|smb|oss|oci|file):/(?=[^/])"
)
_GLOB_CHARACTERS = frozenset("*?[")
# Keys of a file's info that identify its version; the first one present is used.
_STAMPS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified", "created")
_SECRETS = re.compile("signature|password|secret|token|credential|^sig$|accesskey", re.IGNORECASE)
_INSTALL = install_command("remote")


class RemoteFile(NamedTuple):
    """A file of a store: its URL, size in bytes, and version (empty if the store names none)."""

    url: str
    n_bytes: int
    stamp: str


class Listing(NamedTuple):
    """What a URL names, with its files: a folder, the matches of a glob, one file, or nothing."""

    kind: Literal["folder", "glob", "file", "nothing"]
    files: list[RemoteFile]


def is_remote(path: str) -> bool:
    """Whether a path is a URL of a remote store, not a local file.

    Examples
    --------
    >>> is_remote("s3://bucket/news"), is_remote("file:///srv/news"), is_remote("news/*.md")
    (True, False, False)
    """
    return _REMOTE.match(path) is not None and not path.startswith(_LOCAL)


def is_web(path: str) -> bool:
    """Whether a path is a URL of a web server, which can be read only."""
    return path.startswith(("http://", "https://"))


def local_path(path: str) -> str:
    """Path of a ``file://`` URL; any other path is unchanged.

    Examples
    --------
    >>> local_path("file:///srv/news"), local_path("news")
    ('/srv/news', 'news')
    """
    return path.removeprefix(_LOCAL)


def name_of(path: str | os.PathLike[str]) -> str:
    """Name of a path as the user gave it: URLs with both slashes, which pathlib removes.

    A ``file://`` URL is a local path.

    Examples
    --------
    >>> from pathlib import Path
    >>> name_of(Path("s3://bucket/scores.csv")), name_of(Path("file:///srv/a.csv")), name_of("a.csv")
    ('s3://bucket/scores.csv', '/srv/a.csv', 'a.csv')
    """
    text = os.fspath(path)
    if _COLLAPSED.match(text):
        scheme, _, rest = text.partition(":/")
        text = f"/{rest}" if scheme == "file" else f"{scheme}://{rest}"
    return local_path(text)


def local_or_remote(path: Path) -> Path:
    """A path without ``file://``; that of another URL is unchanged, and :func:`url_of` recognizes it."""
    name = name_of(path)
    return path if is_remote(name) else Path(name)


def url_of(path: str | os.PathLike[str]) -> str | None:
    """URL of a path; None for a local path.

    Raises
    ------
    ScoringError
        As :func:`checked`.
    """
    if ":/" not in (text := os.fspath(path)):
        return None
    name = name_of(text)
    return checked(name) if is_remote(name) else None


def checked(url: str) -> str:
    """Return a URL without credentials.

    Raises
    ------
    ScoringError
        If it has a password or signature, which would be visible in scores, logs and runs.
    """
    parts = urlsplit(url)
    if parts.password is not None or any(_SECRETS.search(name) for name, _ in parse_qsl(parts.query)):
        raise ScoringError(
            f"{parts.scheme}://***: got a password in an address, expected it in the environment or in "
            "fsspec's configuration"
        )
    return url


def refuse_remote(path: str | os.PathLike[str], what: str, instead: str) -> None:
    """Refuse a URL where only a local path works.

    Raises
    ------
    ScoringError
        If the path is a URL.
    """
    if (url := url_of(path)) is not None:
        raise ScoringError(f"{url}: {what} needs a local path: {instead}")


def opened(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it.

    Raises
    ------
    ScoringError
        If no installed package supports it, or the URL is invalid.
    """
    try:
        import fsspec
    except ImportError:
        raise ScoringError(f"{checked(url)}: remote files need fsspec: {_INSTALL}") from None
    try:
        fs, path = fsspec.core.url_to_fs(checked(url))
    except ImportError as error:
        named = re.search(r"[Ii]nstall (\w+)", str(error))
        package = "aiohttp" if is_web(url) else named[1] if named else ""
        command = f"{_INSTALL} {package}".rstrip()
        raise ScoringError(f"{url}: its file system is not installed ({error}): {command}") from None
    except ValueError as error:
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
        message = " ".join(str(error).split()) or type(error).__name__
        raise ScoringError(f"{url}: cannot be used: {message}") from error


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
        if is_glob:
            first = min(url.find(character) for character in _GLOB_CHARACTERS if character in url)
            above = url[: url.rfind("/", 0, first)]
            return Listing("glob", _files_below(above, fs, fs.glob(root, detail=True)))
        try:
            info = fs.info(root)
        except FileNotFoundError:
            return Listing("nothing", [])
        if info["type"] == "directory" or (is_web(url) and url.endswith("/")):
            return Listing("folder", _files_below(url.rstrip("/"), fs, fs.find(root, detail=True)))
        return Listing("file", [RemoteFile(url, int(info["size"] or 0), _stamp_of(info))])


def _files_below(url: str, fs: Any, entries: dict[str, dict[str, Any]]) -> list[RemoteFile]:
    root = fs._strip_protocol(f"{url}/").rstrip("/")
    files = (
        RemoteFile(f"{url}/{name[len(root) :].lstrip('/')}", int(info["size"] or 0), _stamp_of(info))
        for name, info in entries.items()
        if info["type"] == "file" and name.rstrip("/") != root and not name.endswith("/")
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
        contents = fs.cat(names, on_error="return")
    results: list[bytes | OSError] = []
    for url, name in zip(urls, names, strict=True):
        content = contents[name]
        results.append(content if isinstance(content, bytes) else as_system_error(content, url))
    return results


def as_system_error(error: Exception, url: str) -> OSError:
    """The error of a file that is gone or may not be read; any other is one of the store."""
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
    return list_files(url).kind == "folder"


def is_remote_file(url: str) -> bool:
    """Whether a URL is a file of a store.

    Raises
    ------
    ScoringError
        If the store cannot be reached.
    """
    return list_files(url).kind == "file"


def create_remote(url: str, data: bytes) -> bool:
    """Write a new file; False if there is one already, which stays.

    Raises
    ------
    ScoringError
        If it cannot be written.
    """
    fs, path = opened(url)
    fs.invalidate_cache()
    with one_line_errors(url):
        if fs.exists(path):
            return False
    write_remote(url, data)
    return True


def require_writable(url: str) -> None:
    """Check that the store of a URL is one that can be written to, before any work.

    Raises
    ------
    ScoringError
        If it is a web server, or its package is not installed.
    """
    if is_web(url):
        raise ScoringError(f"{url}: a web server is read-only: name a local path or an object store")
    opened(url)


def write_remote(url: str, data: bytes) -> None:
    """Write a file, or replace one: readers see the old content or the new.

    Raises
    ------
    ScoringError
        If it cannot be written.
    """
    require_writable(url)
    fs, path = opened(url)
    with one_line_errors(url):
        fs.pipe_file(path, data)


def put_remote(file: Path, url: str) -> None:
    """Put a local file into a store, in parts if it is large; readers see the old content or the new.

    Raises
    ------
    ScoringError
        If it cannot be written.
    """
    require_writable(url)
    fs, path = opened(url)
    with one_line_errors(url):
        fs.put_file(str(file), path)


def replace_if_same(url: str, old: bytes, new: bytes) -> bool:
    """Replace a file if its content is `old`; otherwise nothing is written, and the result is False.

    S3 checks the version with the write itself. Other stores have no such write: there, another program that
    writes the same file between the check and the write is overwritten.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ScoringError
        If it cannot be read or written.
    """
    require_writable(url)
    fs, path = opened(url)
    fs.invalidate_cache()
    try:
        info = fs.info(path)
        if fs.cat_file(path) != old:
            return False
        has_condition = url.startswith(("s3://", "s3a://")) and bool(info.get("ETag"))
        fs.pipe_file(path, new, **({"IfMatch": info["ETag"]} if has_condition else {}))
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url) from None
    except Exception as error:
        if _is_failed_condition(error):
            return False
        with one_line_errors(url):
            raise
    return True


def _is_failed_condition(error: Exception) -> bool:
    """Whether S3 refused a write since the file has another version."""
    response = getattr(error.__cause__, "response", None) or {}
    return response.get("Error", {}).get("Code") in (
        "PreconditionFailed",
        "ConditionalRequestConflict",
        "412",
    )
