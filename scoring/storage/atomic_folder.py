"""Atomic replacement of a folder: a reader sees the old folder or the new one, never a mixture."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of renameat2(2)


def replace_folder(
    folder: Path,
    contents: Mapping[str, bytes],
    *,
    ours: Collection[str],
    admit: Callable[[], None] | None = None,
) -> None:
    """Create a folder with these files, or replace an existing one.

    The files are flushed to disk before the folder gets its name. If the system can exchange two folders, the
    folder always exists; otherwise a killed call is undone by the next one.

    Parameters
    ----------
    folder : Path
        Target folder.
    contents : mapping of str to bytes
        Content by file name.
    ours : collection of str
        Names in the old folder that are replaced; other entries are kept.
    admit : callable, optional
        Called before anything is written, while the folder is locked.

    Raises
    ------
    OSError
        If it cannot be written; the old folder is then unchanged.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.parent), _scratch(folder) as scratch:
        if admit is not None:
            admit()
        fresh = scratch / "new"
        fresh.mkdir()
        for name, data in contents.items():
            (fresh / name).write_bytes(data)
        if not folder.exists():
            publish_folder(fresh, folder)
        else:
            for kept in folder.iterdir():
                if kept.name not in ours:
                    copy = shutil.copy2 if kept.is_file() else shutil.copytree
                    copy(kept, fresh / kept.name)
            _flush(fresh)
            _exchange(fresh, folder, scratch / "old")
            _sync(folder.parent)


def publish_folder(complete: Path, folder: Path) -> None:
    """Give a complete folder its name, after all of it is on disk.

    Raises
    ------
    OSError
        If it cannot be flushed or renamed, or ``folder`` exists and is not empty.
    """
    _flush(complete)
    complete.rename(folder)
    _sync(folder.parent)


def _flush(folder: Path) -> None:
    """Flush a folder to disk, with all files and folders in it."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() or path.is_file():
            _sync(path)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a folder for one writer; the system releases the lock when the process ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # without locks, concurrent writers may fail but never leave a partial folder
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Create a work folder on the same disk, after cleaning up after a killed process."""
    scratch = folder.with_name(f".{folder.name}.scoring")
    if (scratch / "old").exists() and not folder.exists():
        (scratch / "old").rename(folder)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _exchange(fresh: Path, folder: Path, old: Path) -> None:
    """Exchange two folders, atomically if the system can."""
    if sys.platform == "linux":
        function = getattr(ctypes.CDLL(None), "renameat2", None)
        names = (os.fsencode(fresh), os.fsencode(folder))
        if function and not function(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE):
            return
    folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        old.rename(folder)
        raise


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
