"""Opening files whose names others chose: regular files only, without waiting for anything else."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

# Opening a FIFO waits for its other end, unless it is told not to wait. Regular files know no difference.
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class IrregularFileError(OSError):
    """Something that is not a regular file; ``strerror`` is what it is."""

    def __init__(self, kind: str, file: str | Path) -> None:
        super().__init__(errno.EINVAL, kind, os.fspath(file))


def kind_of(file: str | Path) -> str | None:
    """What a name stands for, links followed: None for a regular file, or where nothing is there."""
    try:
        return _kind(os.stat(file).st_mode)
    except OSError:
        return None


def open_regular(file: str | Path) -> tuple[int, int]:
    """Descriptor and size in bytes of a regular file.

    Raises
    ------
    IrregularFileError
        If it is anything else: nothing is read from it.
    OSError
        If it cannot be opened.
    """
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


def read_regular(file: str | Path) -> bytes:
    """The content of a regular file.

    Raises
    ------
    OSError
        As :func:`open_regular` does, or if it cannot be read.
    """
    descriptor, _ = open_regular(file)
    with open(descriptor, "rb") as handle:
        return handle.read()


def _kind(mode: int) -> str | None:
    return None if stat.S_ISREG(mode) else next((name for test, name in _KINDS if test(mode)), "no file")
