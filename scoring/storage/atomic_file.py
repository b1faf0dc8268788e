"""A file's new bytes in the place of its old ones: whole or not at all, and by one process at a time.

The new file is written beside the old one, under a name of its own that is locked while a process works on
it, and takes the old one's place in one step. The system frees the lock whatever ends the process, so a
file of that name that nobody has locked was left by one that was killed: the next one takes it over.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from scoring.errors import Fault, RecordError
from scoring.storage.regular_files import read_regular

WAIT_SECONDS = 10.0
"""How long to wait for another process that writes the same file; it needs some milliseconds."""

_PAUSE_SECONDS = 0.005


def replace_file(target: str, old: bytes, new: bytes, path: str) -> bool:
    """Put new bytes in the place of a file.

    Mode, group and extended attributes are kept, and the owner where that is allowed. Another name of the
    same file (a hard link) keeps the old bytes, as a copy that was made by linking is meant to.

    Parameters
    ----------
    target : str
        The file itself, not a link to it.
    old, new : bytes
        What it holds, and what it is to hold.
    path : str
        Its name, for the fault.

    Returns
    -------
    bool
        False if its bytes are no longer the old ones; nothing is written then.

    Raises
    ------
    RecordError
        If it cannot be written; it is as it was then, and nothing lies beside it.
    """
    try:
        # A rename asks for the folder's permission only: who made the file read-only meant the file.
        if not os.access(target, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise RecordError(Fault(path, 0, "", "a read-only file", "a file that can be written"))
        with _held(target, path) as (handle, temporary):
            _write(handle, new)
            _make_alike(handle, target)
            os.fsync(handle)
            if hashlib.sha256(read_regular(target)).digest() != hashlib.sha256(old).digest():
                return False
            os.replace(temporary, target)
            _sync_folder(os.path.dirname(target))
    except OSError as error:
        got = error.strerror or "an error of the disk"
        raise RecordError(Fault(path, 0, "", got, "a file that can be written")) from None
    return True


def remove_left_over(target: str) -> None:
    """Remove what a process that was killed left beside a file; one that is still at work is left alone."""
    temporary = _temporary(target)
    if not os.path.lexists(temporary):
        return
    with suppress(OSError):  # it is in nobody's way
        handle = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(handle, temporary):
                os.unlink(temporary)
        finally:
            os.close(handle)


def _temporary(target: str) -> str:
    """Where the new file is written: one name for each target, hidden, short however long the target's is."""
    folder, name = os.path.split(target)
    return os.path.join(folder, f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}.scoring.tmp")


@contextmanager
def _held(target: str, path: str) -> Iterator[tuple[int, str]]:
    """A target's temporary file, empty and this process's alone; gone at the end, unless it was moved."""
    temporary = _temporary(target)
    ends = time.monotonic() + WAIT_SECONDS
    while (handle := _locked(temporary)) is None:
        if time.monotonic() > ends:
            raise RecordError(Fault(path, 0, "", "a file that another process is writing", "one at rest"))
        time.sleep(_PAUSE_SECONDS)
    try:
        os.ftruncate(handle, 0)
        yield handle, temporary
    finally:
        try:
            if _is_at(handle, temporary):
                os.unlink(temporary)
        finally:
            os.close(handle)


def _locked(temporary: str) -> int | None:
    """The temporary file, opened and locked; None while another process has it."""
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between the opening and the lock the other process may have moved the file to its target: to write
        # to it now would be to write to a record.
        if _is_at(handle, temporary):
            return handle
    except BlockingIOError:
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _is_at(handle: int, temporary: str) -> bool:
    """Whether an open file is the one that has the name, and has no other."""
    try:
        there = os.lstat(temporary)
    except FileNotFoundError:
        return False
    mine = os.fstat(handle)
    if not stat.S_ISREG(mine.st_mode) or mine.st_nlink > 1:
        raise OSError(errno.EEXIST, "something else in the place of the temporary file")
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)


def _write(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _make_alike(handle: int, target: str) -> None:
    """Give a new file what the old one has beside its bytes."""
    old, new = os.stat(target), os.fstat(handle)
    if new.st_gid != old.st_gid:
        os.fchown(handle, -1, old.st_gid)
    if new.st_uid != old.st_uid:
        with suppress(PermissionError):  # only root may give a file away; the bytes are worth more
            os.fchown(handle, old.st_uid, -1)
    os.fchmod(handle, stat.S_IMODE(old.st_mode))
    _copy_attributes(handle, target)


def _copy_attributes(handle: int, target: str) -> None:
    """Extended attributes, access lists among them; those that only the system may set are its own to set."""
    if not hasattr(os, "listxattr"):
        return
    try:
        for name in os.listxattr(target):
            os.setxattr(handle, name, os.getxattr(target, name))
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.ENODATA):
            raise


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system whose folders need none
            raise
    finally:
        os.close(handle)
