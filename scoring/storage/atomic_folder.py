"""A folder that takes another's place in one step, so that whoever looks finds a whole one."""

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
    """Put a folder with these files in the place of one that may be there.

    The files are on the disk before the folder has its name. Where the system can exchange two folders, there
    is no moment without one; elsewhere the old one is put back by the next call, should this one be killed.

    Parameters
    ----------
    folder : Path
        Where.
    contents : mapping of str to bytes
        Every file by its name.
    ours : collection of str
        Names of the old folder that are replaced; what else is there is taken along.
    admit : callable, optional
        Called before anything is written, once no other process can write there.

    Raises
    ------
    OSError
        If it cannot be written; the old one is where it was then.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.parent), _scratch(folder) as scratch:
        if admit is not None:
            admit()
        fresh = scratch / "new"
        fresh.mkdir()
        for name, data in contents.items():
            with (fresh / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        if not folder.exists():
            _sync(fresh)
            fresh.rename(folder)
        else:
            for kept in folder.iterdir():
                if kept.name not in ours:
                    copy = shutil.copy2 if kept.is_file() else shutil.copytree
                    copy(kept, fresh / kept.name)
            _sync(fresh)
            _exchange(fresh, folder, scratch / "old")
        _sync(folder.parent)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One writer in a folder at a time; the system frees the lock whatever ends the process."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks: two at once may fail, none is half written
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder to work in, on the same disk; what a killed process left there is cleared away first."""
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
    """Let two folders change places, in one step where that can be done."""
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


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
