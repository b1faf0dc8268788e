"""Atomic replacement of a file by one process at a time.

The new content is written to a locked temporary file in the same folder, which is then renamed to the target.
The system releases the lock when the process ends, so an unlocked temporary file was left by a killed process
and is reused by the next one.
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
from pathlib import Path
from uuid import uuid4

from scoring.errors import Fault, RecordError, ScoringError
from scoring.storage.regular_files import read_regular
from scoring.storage.urls import is_remote

WAIT_SECONDS = 10.0
"""Timeout for another process that writes the same file, which takes milliseconds."""

_PAUSE_SECONDS = 0.005


def replace_file(target: str, old: bytes, new: bytes, path: str) -> bool:
    """Replace the content of a file atomically.

    Mode, group and extended attributes are kept, and the owner if permitted. Other hard links keep the old
    content, so that a copy made by linking is not changed. A file in a store is replaced as
    :func:`scoring.storage.remote_writes.replace_if_same` does.

    Parameters
    ----------
    target : str
        The file itself, not a link to it; or its URL.
    old, new : bytes
        Expected current content, and new content.
    path : str
        Its name, for faults.

    Returns
    -------
    bool
        False if the current content is not `old`; then nothing is written.

    Raises
    ------
    RecordError
        If it cannot be written; the file is then unchanged and no temporary file is left.
    """
    if is_remote(target):
        return _replace_remote(target, old, new, path)
    try:
        # A rename checks only the folder's permissions, so check that the file itself is writable.
        if not os.access(target, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise RecordError(Fault(path, 0, "", "a read-only file", "a file that can be written"))
        with _locked_temporary(target, path) as (handle, temporary):
            _write(handle, new)
            _copy_metadata(handle, target)
            os.fsync(handle)
            if hashlib.sha256(read_regular(target)).digest() != hashlib.sha256(old).digest():
                return False
            os.replace(temporary, target)
            _sync_folder(os.path.dirname(target))
    except OSError as error:
        got = error.strerror or "a disk error"
        raise RecordError(Fault(path, 0, "", got, "a file that can be written")) from None
    return True


def _replace_remote(url: str, old: bytes, new: bytes, path: str) -> bool:
    from scoring.storage.remote_copies import process_copies

    try:
        return process_copies().replace(url, old, new)
    except OSError as error:
        got = error.strerror or "a store error"
    except ScoringError as error:
        got = str(error).removeprefix(f"{url}: ")
    raise RecordError(Fault(path, 0, "", got, "a file that can be written"))


def create_text(file: Path, text: str) -> None:
    """Create a text file, in UTF-8, complete or not at all; an existing file is never replaced.

    Raises
    ------
    FileExistsError
        If there is one.
    OSError
        If it cannot be written.
    """
    temporary = file.with_name(f".{file.name}.{uuid4().hex}")
    try:
        with open(temporary, "xb") as handle:
            handle.write(text.encode())
            handle.flush()
            os.fsync(handle.fileno())
        os.link(temporary, file)  # unlike a rename, this fails if the file exists
        _sync_folder(str(file.parent))
    finally:
        temporary.unlink(missing_ok=True)


def remove_left_over(target: str) -> None:
    """Remove the temporary file of a killed process; one in use is left alone."""
    temporary = _temporary(target)
    if is_remote(target) or not os.path.lexists(temporary):
        return
    with suppress(OSError):  # a leftover does no harm
        handle = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(handle, temporary):
                os.unlink(temporary)
        finally:
            os.close(handle)


def _temporary(target: str) -> str:
    """Path of the temporary file: hidden, unique for the target, and short whatever the target's name."""
    folder, name = os.path.split(target)
    return os.path.join(folder, f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}.scoring.tmp")


@contextmanager
def _locked_temporary(target: str, path: str) -> Iterator[tuple[int, str]]:
    """Open and lock the empty temporary file of a target; it is removed at the end unless renamed."""
    temporary = _temporary(target)
    deadline = time.monotonic() + WAIT_SECONDS
    while (handle := _try_lock(temporary)) is None:
        if time.monotonic() > deadline:
            raise RecordError(Fault(path, 0, "", "a file that another process is writing", "no other writer"))
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


def _try_lock(temporary: str) -> int | None:
    """Open and lock the temporary file; None while another process holds the lock."""
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between open and lock the other process may have renamed the file to its target; writing to it now
        # would overwrite a record.
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
    """Whether an open file is the one at this path, with no other hard link."""
    try:
        at_path = os.lstat(temporary)
    except FileNotFoundError:
        return False
    opened = os.fstat(handle)
    if not stat.S_ISREG(opened.st_mode) or opened.st_nlink > 1:
        raise OSError(errno.EEXIST, "something else at the path of the temporary file")
    return (opened.st_dev, opened.st_ino) == (at_path.st_dev, at_path.st_ino)


def _write(handle: int, data: bytes) -> None:
    remaining = memoryview(data)
    while remaining:
        remaining = remaining[os.write(handle, remaining) :]


def _copy_metadata(handle: int, target: str) -> None:
    """Copy owner, mode and extended attributes from the old file to the new one."""
    old, new = os.stat(target), os.fstat(handle)
    if new.st_gid != old.st_gid:
        os.fchown(handle, -1, old.st_gid)
    if new.st_uid != old.st_uid:
        with suppress(PermissionError):  # only root may change the owner; writing matters more
            os.fchown(handle, old.st_uid, -1)
    os.fchmod(handle, stat.S_IMODE(old.st_mode))
    _copy_attributes(handle, target)


def _copy_attributes(handle: int, target: str) -> None:
    """Copy extended attributes, including ACLs; those that only the system may set are skipped."""
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
        if error.errno != errno.EINVAL:  # file systems that cannot sync folders
            raise
    finally:
        os.close(handle)
