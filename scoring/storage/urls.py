"""URLs of files: local, of stores, and of web servers."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from scoring.credentials import has_secret_parameter
from scoring.errors import ScoringError

_LOCAL = "file://"
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
# pathlib collapses the two slashes of a URL; with one of these schemes, a path is a URL all the same.
_COLLAPSED = re.compile(
    r"(s3a?|gc?s|abfss?|az|adl|https?|memory|s?ftp|ssh|hdfs|webhdfs|smb|oss|oci|file):/(?=[^/])"
)


def is_remote(path: str) -> bool:
    """Whether a path is a URL of a remote store, not a local file.

    Examples
    --------
    >>> is_remote("s3://bucket/news"), is_remote("file:///srv/news"), is_remote("news/*.md")
    (True, False, False)
    """
    return (_REMOTE.match(path) is not None and not path.startswith(_LOCAL)) or _is_chained(path)


def _is_chained(path: str) -> bool:
    return "::" in path and "://" in path


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
    """Local path of a ``file://`` URL; any other path is unchanged, and :func:`url_of` recognizes a URL."""
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
        If it has a password, token or signature, which would be visible in scores, logs and runs; or if it is
        a chain of URLs.
    """
    if _is_chained(url):
        raise ScoringError("***::***: got a chain of URLs, expected one: unpack or copy its file first")
    parts = urlsplit(url)
    if parts.password is not None or has_secret_parameter(url):
        raise ScoringError(
            f"{parts.scheme}://***: got credentials in a URL, expected them in the environment or in "
            "fsspec's configuration"
        )
    return url


def refuse_remote(path: str | os.PathLike[str], what: str, instead: str) -> None:
    """Refuse a URL where only a local path works; the message says what to do instead, or why.

    Raises
    ------
    ScoringError
        If the path is a URL.
    """
    if (url := url_of(path)) is not None:
        raise ScoringError(f"{url}: {what} needs a local path: {instead}")
