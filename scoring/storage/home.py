"""The home: the folder of one site's store, models, caches and ledger, with format version and file modes.

A new home is readable by its owner only (mode 0700, files 0600). In a home with a wider mode, new files get
at most the permissions of the home. Existing files are never changed.
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
from scoring.storage.urls import url_of

FORMAT = 1
"""Format version of new homes; a home without a format file has version 0."""

FORMAT_FILE = "home.json"
"""Name of the file with the format version of the home."""

CONTENTS = {
    FORMAT_FILE: "format version of the home",
    "mlflow.db*": "MLflow store",
    "artifacts": "files of runs and models",
    "champions": "last known champions",
    "models": "models that were trained, imported or downloaded",
    "corrections.jsonl*": "ledger of corrections",
    "decisions-*.jsonl*": "logs of the desk's decisions, by inbox",
    "journal*": "labels written by scoring",
    "pending": "runs not yet in the store",
    "studies": "studies of scoring tune",
    "experiments": "configurations found by scoring tune",
    "watch": "state of scoring watch",
    "cache": "features and places that were found before",
    "retrain*": "work of scoring retrain",
    "learning.*": "latest training from the desk",
    "registry.lock": "lock of the registry",
}
"""Descriptions of the entries of a home, by name pattern."""

LOCK_MODE = 0o600
_PRIVATE = 0o700
_LOG = logging.getLogger(__name__)


def known_content(name: str) -> str:
    """Return the description of an entry of a home; empty if scoring did not create it.

    Examples
    --------
    >>> known_content("mlflow.db-wal")
    'MLflow store'
    """
    return next((text for pattern, text in CONTENTS.items() if fnmatch(name, pattern)), "")


def home_format(home: Path) -> int | None:
    """Return the format version of a home; None without a format file.

    Raises
    ------
    HomeError
        If the format file is damaged.
    """
    file = home / FORMAT_FILE
    try:
        if file.exists() and not file.is_file():  # opening a FIFO would block
            raise ValueError("not a regular file")
        content = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise HomeError(f"{file}: cannot be read ({error}): restore it from a backup") from error
    version = content.get("format") if isinstance(content, dict) else None
    if type(version) is not int or version < 0:
        raise HomeError(f"{file}: format: got {version!r}, expected an integer: restore it from a backup")
    return version


def check_home(home: Path) -> None:
    """Check that this version can use a home, which need not exist; nothing is changed.

    Raises
    ------
    HomeError
        If it has a newer format, or its format file is damaged.
    """
    version = home_format(home)
    if version is not None and version > FORMAT:
        raise HomeError(newer_format(home, version, FORMAT))


def newer_format(location: object, version: int, newest: int) -> str:
    """Return the message for data written by a newer version.

    Examples
    --------
    >>> newer_format("/srv/home", 2, 1)
    '/srv/home: format 2 is newer than this version of scoring supports (1): upgrade scoring'
    """
    supported = f"this version of scoring supports ({newest})"
    return f"{location}: format {version} is newer than {supported}: upgrade scoring"


def prepare_home(home: Path) -> None:
    """Prepare a home for writing: create it, or migrate it from an older format.

    Parameters
    ----------
    home : Path
        The home; created with mode 0700. The mode of an existing folder is not changed.

    Raises
    ------
    HomeError
        If the home has a newer format.
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
    version = home_format(home)
    if version == FORMAT:
        return
    is_used = any(known_content(entry.name) for entry in home.iterdir())
    try:
        is_ours = _write_format(home, is_new=version is None)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        # A subfolder may still be writable.
        _LOG.info("%s: cannot be written: no format file is added", home)
        return
    if is_used and is_ours:
        _LOG.warning("%s: home migrated from format %d to %d", home, version or 0, FORMAT)


def prepare_folder(home: Path, *names: str) -> Path:
    """Create a folder in a home prepared for writing: see :func:`prepare_home`."""
    prepare_home(home)
    folder = home
    for name in names:
        mode = _mode_of(folder)
        folder = folder / name
        folder.mkdir(mode=mode, exist_ok=True)
    return folder


@contextmanager
def writing(home: Path, path: Path) -> Iterator[None]:
    """Prepare the home before a file or folder is written in it, and restrict its mode afterwards.

    Parameters
    ----------
    home : Path
        The home.
    path : Path
        File or folder to write; nothing is done if it is outside the home.
    """
    if url_of(path) is not None:
        yield
        return
    path = path.absolute()
    if path == home or not path.is_relative_to(home):
        yield
        return
    prepare_folder(home, *path.relative_to(home).parent.parts)
    yield
    narrow(path)


def create_file(file: Path) -> None:
    """Create an empty file with at most its folder's permissions; an existing file is left alone."""
    try:
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666 & _mode_of(file.parent))
    except FileExistsError:
        return
    os.close(handle)


def narrow(path: Path) -> None:
    """Restrict the permissions of a file or folder, and its contents, to those of its parent folder."""
    allowed = _mode_of(path.parent)
    entries = [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
    for entry in entries:
        try:
            state = entry.lstat()
        except FileNotFoundError:
            continue  # a temporary file of another process
        surplus = state.st_mode & 0o777 & ~allowed
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
        The newest supported version.

    Raises
    ------
    HomeError
        If the file has a newer format.
    """
    (version,) = store.execute("PRAGMA user_version").fetchone()
    if version > newest:
        raise HomeError(newer_format(file, version, newest))
    if version < newest:
        is_used = store.execute("SELECT 1 FROM sqlite_master").fetchone() is not None
        store.execute(f"PRAGMA user_version = {newest:d}")
        if is_used:
            _LOG.warning("%s: migrated from format %d to %d", file, version, newest)


def _mode_of(folder: Path) -> int:
    """Permissions of a folder, with full permissions for its owner."""
    return stat.S_IMODE(folder.stat().st_mode) & 0o777 | _PRIVATE


def _write_format(home: Path, *, is_new: bool) -> bool:
    """Write the format file atomically; return whether this process wrote it."""
    file = home / FORMAT_FILE
    fresh = home / f".{FORMAT_FILE}.{os.getpid()}"
    fresh.unlink(missing_ok=True)  # left by a killed process
    create_file(fresh)
    try:
        fresh.write_text(json.dumps({"format": FORMAT}) + "\n", "utf-8")
        if not is_new:
            fresh.replace(file)
            return True
        try:
            os.link(fresh, file)  # fails if another process was first, which has reported it
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            fresh.replace(file)
        return True
    finally:
        fresh.unlink(missing_ok=True)
