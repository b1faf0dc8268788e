"""Open only regular files, without blocking on FIFOs, sockets or devices; remote files as local copies."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from scoring.storage.urls import name_of, url_of

# O_NONBLOCK keeps a FIFO from blocking on open; it has no effect on regular files.
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class IrregularFileError(OSError):
    """The file is not a regular file; ``strerror`` is its kind."""

    def __init__(self, kind: str, file: str | Path) -> None:
        super().__init__(errno.EINVAL, kind, os.fspath(file))


def kind_of(file: str | Path) -> str | None:
    """Return the kind of a file, following links; None for a regular or missing file."""
    try:
        return _kind(os.stat(file).st_mode)
    except OSError:
        return None


def open_regular(file: str | Path) -> tuple[int, int]:
    """Open a regular file, or the local copy of a remote one; return its descriptor and size in bytes.

    Raises
    ------
    IrregularFileError
        If it is not a regular file; nothing is read from it.
    OSError
        If it cannot be opened.
    ScoringError
        If the store of a remote file cannot be read.
    """
    file = local_file(file)
    try:
        descriptor = os.open(file, _READ)
    except OSError as error:  # a socket cannot be opened at all
        if (kind := kind_of(file)) is not None:
            raise IrregularFileError(kind, file) from None
        raise error
    try:
        state = os.fstat(descriptor)
        if (kind := _kind(state.st_mode)) is not None:
            raise IrregularFileError(kind, file)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, state.st_size


def local_file(file: str | Path) -> str | Path:
    """Local path of a file; for a remote file, that of its copy, which is made if there is none.

    Raises
    ------
    IrregularFileError
        If a URL names a folder.
    OSError
        If a remote file does not exist or may not be read.
    ScoringError
        If its store cannot be read.
    """
    if ":/" not in os.fspath(file):
        return file
    if (url := url_of(file)) is None:
        return name_of(file)
    from scoring.storage.remote_copies import process_copies

    try:
        return process_copies().copy_of(url)
    except IsADirectoryError:
        raise IrregularFileError("a folder", url) from None


def read_regular(file: str | Path, max_bytes: int = -1) -> bytes:
    """Read a regular file, or its first bytes; a remote file in its current version.

    Raises
    ------
    OSError
        As for :func:`open_regular`, or if it cannot be read.
    ScoringError
        If the store of a remote file cannot be read.
    """
    if (url := url_of(file)) is not None:
        from scoring.storage.remote_copies import process_copies

        process_copies().refresh(url)
    return read_listed(file, max_bytes)


def read_listed(file: str | Path, max_bytes: int = -1) -> bytes:
    """Like :func:`read_regular`, but read a remote file in the version that was listed last."""
    descriptor, _ = open_regular(file)
    with open(descriptor, "rb") as handle:
        return handle.read(max_bytes)


def _kind(mode: int) -> str | None:
    return None if stat.S_ISREG(mode) else next((name for test, name in _KINDS if test(mode)), "no file")
