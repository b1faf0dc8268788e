"""Write, replace and remove files of stores."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from scoring.errors import ScoringError
from scoring.storage.remote import one_line_errors, opened
from scoring.storage.urls import is_web

TEMPORARY = ".scoring.tmp"
"""Suffix of a hidden file that is renamed once it is complete, on a server with folders."""

_S3, _GOOGLE, _AZURE = ("s3://", "s3a://"), ("gs://", "gcs://"), ("abfs://", "abfss://", "az://")
_BUCKET_SCHEMES = (*_S3, *_GOOGLE, *_AZURE)
_SFTP = ("sftp://", "ssh://")


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


def require_writable(url: str) -> tuple[Any, str]:
    """Check that the store of a URL can be written to; return its file system, and the path in it.

    Raises
    ------
    ScoringError
        If it is a web server, or its package is not installed.
    """
    if is_web(url):
        raise ScoringError(f"{url}: a web server is read-only: name a local path or an object store")
    return opened(url)


def require_bucket(url: str) -> None:
    """Check that the bucket of a URL exists, so that no work is lost for a mistyped name.

    Raises
    ------
    ScoringError
        If an object store has no such bucket.
    """
    fs, path = opened(url)
    if not url.startswith(_BUCKET_SCHEMES):
        return
    bucket = path.partition("/")[0]
    try:
        fs.info(bucket)
    except FileNotFoundError:
        raise ScoringError(f"{url}: there is no bucket {bucket!r}") from None
    except Exception:  # permission to write a file does not imply permission to look at the bucket
        return


def write_remote(url: str, data: bytes) -> None:
    """Write a file, or replace one: readers see the old content or the new.

    Raises
    ------
    ScoringError
        If it cannot be written.
    """
    fs, path = require_writable(url)
    with one_line_errors(url), _written(fs, path, url) as place:
        fs.pipe_file(place, data)


@contextmanager
def _written(fs: Any, path: str, url: str) -> Iterator[str]:
    """Yield the path to write a file to; over SFTP a hidden one, which is renamed if the block succeeds.

    An object store has a file only when it is complete. A server with folders would show a part of it.
    """
    if not url.startswith(_SFTP):
        yield path
        return
    folder, _, name = path.rpartition("/")
    fs.makedirs(folder, exist_ok=True)
    temporary = f"{folder}/.{name[:100]}.{uuid4().hex}{TEMPORARY}"
    try:
        yield temporary
        fs.mv(temporary, path)
    except BaseException:
        with suppress(Exception):  # must not hide the error that is raised
            fs.rm_file(temporary)
        raise


def remove_remote(url: str) -> None:
    """Remove a file.

    Raises
    ------
    ScoringError
        If it cannot be removed.
    """
    fs, path = require_writable(url)
    with one_line_errors(url):
        fs.rm_file(path)


def put_remote(file: Path, url: str) -> None:
    """Put a local file into a store, in parts if it is large; readers see the old content or the new.

    Raises
    ------
    ScoringError
        If it cannot be written.
    """
    fs, path = require_writable(url)
    with one_line_errors(url), _written(fs, path, url) as place:
        fs.put_file(str(file), place)


def replace_if_same(url: str, old: bytes, new: bytes) -> bool:
    """Replace a file if its content is `old`; otherwise nothing is written, and the result is False.

    S3 and Azure check the version in the write itself. On other stores, a change that another program makes
    between the check and the write is lost.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ScoringError
        If it cannot be read or written.
    """
    fs, path = require_writable(url)
    fs.invalidate_cache()
    try:
        info = fs.info(path)
        if fs.cat_file(path) != old:
            return False
        with _written(fs, path, url) as place:
            fs.pipe_file(place, new, **_condition(url, info))
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url) from None
    except Exception as error:
        if _is_failed_condition(error):
            return False
        with one_line_errors(url):
            raise
    return True


def _condition(url: str, info: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a write that a store refuses if the file has another version by then."""
    if url.startswith(_S3) and info.get("ETag"):
        return {"IfMatch": info["ETag"]}
    if url.startswith(_AZURE) and info.get("etag"):
        from azure.core import MatchConditions  # comes with the package of the store

        return {"etag": info["etag"], "match_condition": MatchConditions.IfNotModified}
    return {}


def _is_failed_condition(error: Exception) -> bool:
    """Whether S3 or Azure refused a write since the file has another version."""
    response = getattr(error.__cause__, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    is_changed_blob = getattr(error, "error_code", None) == "ConditionNotMet"
    return is_changed_blob or code in ("PreconditionFailed", "ConditionalRequestConflict", "412")
