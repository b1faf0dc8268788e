"""The home: the folder of one site's store, models, caches and ledger; its format version and its modes.

A home that is made here can be read by its owner alone (mode 0700, files 0600). In a home that somebody has
made wider, new files get no more than its own mode gives. What exists is never changed.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from scoring.errors import HomeError

FORMAT = 1
"""Format version of the homes that this version makes; a home without a format file is of version 0."""

FORMAT_FILE = "home.json"
"""Name of the file in the home that tells its format version."""

CONTENTS = {
    FORMAT_FILE: "format version of the home",
    "mlflow.db*": "MLflow store",
    "artifacts": "files of runs and models",
    "champions": "last known champions",
    "models": "models that were trained, imported or downloaded",
    "corrections.jsonl*": "ledger of corrections",
    "journal*": "labels written by scoring",
    "pending": "runs on their way to the store",
    "studies": "studies of scoring tune",
    "experiments": "configurations found by scoring tune",
    "watch": "what scoring watch has seen",
    "cache": "features and places that were found before",
    "retrain*": "work of scoring retrain",
    "registry.lock": "lock of the registry",
}
"""What a home holds, by patterns of names."""

LOCK_MODE = 0o600
_PRIVATE = 0o700
_LOG = logging.getLogger(__name__)


def known_content(name: str) -> str:
    """What an entry of a home is; empty for one that scoring does not make.

    Examples
    --------
    >>> known_content("mlflow.db-wal")
    'MLflow store'
    """
    return next((what for pattern, what in CONTENTS.items() if fnmatch(name, pattern)), "")


def home_format(home: Path) -> int | None:
    """Format version of a home; None where it has no format file.

    Raises
    ------
    HomeError
        If the format file is damaged.
    """
    file = home / FORMAT_FILE
    try:
        if file.exists() and not file.is_file():  # to open a FIFO would wait for its other end
            raise ValueError("no regular file")
        content = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise HomeError(f"{file}: cannot be read ({error}): restore it from a backup") from error
    found = content.get("format") if isinstance(content, dict) else None
    if type(found) is not int or found < 0:
        raise HomeError(f"{file}: format: got {found!r}, expected an integer: restore it from a backup")
    return found


def check_home(home: Path) -> None:
    """See that this version may use a home, which need not exist; nothing is changed.

    Raises
    ------
    HomeError
        If it is of a newer format, or its format file is damaged.
    """
    found = home_format(home)
    if found is not None and found > FORMAT:
        raise HomeError(newer_format(home, found, FORMAT))


def newer_format(place: object, found: int, newest: int) -> str:
    """The message on what a newer version has written.

    Examples
    --------
    >>> newer_format("/srv/home", 2, 1)
    '/srv/home: format 2 is newer than this version of scoring supports (1): upgrade scoring'
    """
    return (
        f"{place}: format {found} is newer than this version of scoring supports ({newest}): upgrade scoring"
    )


def prepare_home(home: Path) -> None:
    """Make a home for writing: created where it does not exist, migrated where it is of an older format.

    Parameters
    ----------
    home : Path
        Created with mode 0700. The mode of a folder that exists is not changed.

    Raises
    ------
    HomeError
        If the home is of a newer format.
    OSError
        If it cannot be created.
    """
    check_home(home)
    if not home.is_dir():
        home.parent.mkdir(parents=True, exist_ok=True)
        try:
            home.mkdir(mode=_PRIVATE)
        except FileExistsError:
            if not home.is_dir():
                raise
    found = home_format(home)
    if found == FORMAT:
        return
    is_used = any(known_content(entry.name) for entry in home.iterdir())
    try:
        is_ours = _write_format(home, is_new=found is None)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        # Whoever writes into a folder of it that is not read-only is not kept from that.
        _LOG.info("%s: cannot be written: no format file is added", home)
        return
    if is_used and is_ours:
        _LOG.warning("%s: home migrated from format %d to %d", home, found or 0, FORMAT)


def prepare_folder(home: Path, *names: str) -> Path:
    """A folder in a home that is prepared for writing: see :func:`prepare_home`."""
    prepare_home(home)
    folder = home
    for name in names:
        mode = _mode_of(folder)
        folder = folder / name
        folder.mkdir(mode=mode, exist_ok=True)
    return folder


@contextmanager
def writing(home: Path, path: Path) -> Iterator[None]:
    """Prepare a home while a file or folder is written that may lie in it, and see to the mode of that.

    Parameters
    ----------
    home : Path
        The home.
    path : Path
        What is written; nothing is done for one outside of the home.
    """
    path = path.absolute()
    if path == home or not path.is_relative_to(home):
        yield
        return
    prepare_folder(home, *path.relative_to(home).parent.parts)
    yield
    narrow(path)


def create_file(file: Path) -> None:
    """Create an empty file with no more permissions than its folder has; one that exists is left alone."""
    try:
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666 & _mode_of(file.parent))
    except FileExistsError:
        return
    os.close(handle)


def narrow(path: Path) -> None:
    """Take from a file or folder, and all in it, the permissions for others that its folder does not give."""
    kept = _mode_of(path.parent)
    entries = [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
    for entry in entries:
        try:
            state = entry.lstat()
        except FileNotFoundError:
            continue  # a temporary file of another process
        surplus = state.st_mode & 0o777 & ~kept
        if surplus and not stat.S_ISLNK(state.st_mode):
            entry.chmod(stat.S_IMODE(state.st_mode) & ~surplus)


def check_database(store: sqlite3.Connection, file: Path, newest: int) -> None:
    """Check the format version of a SQLite file of the home, and mark an older one as migrated.

    Parameters
    ----------
    store : sqlite3.Connection
        The open file; its version is ``PRAGMA user_version``.
    file : Path
        The file, for messages.
    newest : int
        The version that is read and written.

    Raises
    ------
    HomeError
        If the file is of a newer format.
    """
    (found,) = store.execute("PRAGMA user_version").fetchone()
    if found > newest:
        raise HomeError(newer_format(file, found, newest))
    if found < newest:
        is_used = store.execute("SELECT 1 FROM sqlite_master").fetchone() is not None
        store.execute(f"PRAGMA user_version = {newest:d}")
        if is_used:
            _LOG.warning("%s: migrated from format %d to %d", file, found, newest)


def _mode_of(folder: Path) -> int:
    """What a folder permits others; its owner may do everything."""
    return stat.S_IMODE(folder.stat().st_mode) & 0o777 | _PRIVATE


def _write_format(home: Path, *, is_new: bool) -> bool:
    """Write the format file in one step; whether this process was the one that did."""
    file = home / FORMAT_FILE
    fresh = home / f".{FORMAT_FILE}.{os.getpid()}"
    fresh.unlink(missing_ok=True)  # of a process that was killed
    create_file(fresh)
    try:
        fresh.write_text(json.dumps({"format": FORMAT}) + "\n", "utf-8")
        if not is_new:
            fresh.replace(file)
            return True
        try:
            os.link(fresh, file)  # fails where another process was first, which has told of it
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            fresh.replace(file)
        return True
    finally:
        fresh.unlink(missing_ok=True)
