"""Locate the artifacts of a SQLite store, and repair their addresses.

MLflow cannot change the address of a run or model, so its tables are read and written directly.
"""

from __future__ import annotations

import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from scoring.errors import TrackingError
from scoring.storage.home import LOCK_MODE, create_file
from scoring.tracking.addresses import is_former, local_path, todays_path
from scoring.tracking.aliases import alone
from scoring.tracking.error_messages import cause_of
from scoring.tracking.store import Store

State = Literal["here", "moved", "elsewhere", "missing", "remote"]

# Columns: name, address, aliases, and whether the entry is active and has its own files, which nested runs do
# not. Status 2 is a complete logged model.
_SELECT = {
    "experiment": "SELECT name, artifact_location, '', lifecycle_stage = 'active' FROM experiments",
    "run": """
        SELECT run_uuid, artifact_uri, '', lifecycle_stage = 'active' AND status = 'FINISHED' AND EXISTS (
            SELECT 1 FROM tags WHERE tags.run_uuid = runs.run_uuid AND key = 'type'
            AND value IN ('train', 'evaluate', 'backtest', 'drift', 'tune', 'model')
        ) FROM runs
    """,
    "model": """
        SELECT model_id, artifact_location, '', lifecycle_stage = 'active' AND status = 2 FROM logged_models
    """,
    "version": """
        SELECT 'models:/' || name || '/' || version, coalesce(storage_location, source), coalesce((
            SELECT group_concat(alias) FROM registered_model_aliases
            WHERE registered_model_aliases.name = model_versions.name
            AND registered_model_aliases.version = model_versions.version
        ), ''), coalesce(current_stage, '') != 'Deleted_Internal'
        FROM model_versions ORDER BY name, version
    """,
}
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)


class StoredArtifacts(msgspec.Struct, frozen=True):
    """Location of the artifacts of one entry of a store.

    Parameters
    ----------
    kind : str
        ``experiment`` (location of new artifacts), ``run``, ``model`` (logged by a run) or ``version`` (of a
        registered model).
    name : str
        Name of the experiment, id of the run or model, or ``models:/NAME/3``.
    aliases : tuple of str
        Aliases of a version.
    address : str
        Location according to the store.
    path : str
        Current location; the address if it is on a server.
    state : str
        ``here``: in the home, as stored; ``moved``: in the home, but the store has a former location;
        ``elsewhere``: outside the home; ``missing``; ``remote``: on a server.
    """

    kind: str
    name: str
    aliases: tuple[str, ...]
    address: str
    path: str
    state: State


class _Change(NamedTuple):
    """A correction of an outdated address."""

    table: str
    column: str
    row: int
    address: str


def stored_artifacts(store: Store) -> list[StoredArtifacts]:
    """Locate the artifacts of all active entries of a SQLite store that have their own files.

    Parameters
    ----------
    store : Store
        The store.

    Returns
    -------
    list of StoredArtifacts
        Experiments, runs, logged models and versions, with the folder of each.

    Raises
    ------
    TrackingError
        If the store cannot be read.
    """
    try:
        with closing(_connect(store)) as db:
            return [
                _locate(store, kind, *row[:3])
                for kind, query in _SELECT.items()
                for row in db.execute(query).fetchall()
                if row[3]
            ]
    except sqlite3.Error as error:
        raise TrackingError(f"{store}: cannot read where its artifacts are: {cause_of(error)}") from error


def damages(store: Store) -> list[str]:
    """Check the integrity of a SQLite store; return SQLite's messages, empty if it is intact.

    Parameters
    ----------
    store : Store
        The store.

    Returns
    -------
    list of str
        Messages of ``PRAGMA quick_check``.

    Raises
    ------
    TrackingError
        If the store cannot be read.
    """
    try:
        with closing(_connect(store)) as db:
            return [str(line) for (line,) in db.execute("PRAGMA quick_check") if line != "ok"]
    except sqlite3.Error as error:
        raise TrackingError(f"{store}: cannot be read: {cause_of(error)}") from error


def repair_addresses(store: Store, backup: Path) -> int:
    """Update the addresses of artifacts that moved with the home of a SQLite store, all or none.

    Parameters
    ----------
    store : Store
        The store.
    backup : Path
        Path for a copy of the database; not written if no address changes.

    Returns
    -------
    int
        Number of changed addresses.

    Raises
    ------
    TrackingError
        If the store cannot be written, or another process writes to it.
    """
    _refuse_while_busy(store)
    action = "repair its addresses"
    try:
        with alone(store, action), closing(_connect(store)) as db:
            db.isolation_level = None
            db.execute("BEGIN IMMEDIATE")
            changes = list(_changes(store, db))
            if changes:
                _create_backup(store, backup)
                with closing(_connect(store)) as source, closing(sqlite3.connect(backup)) as copy:
                    source.backup(copy)
            for change in changes:
                db.execute(
                    f"UPDATE {change.table} SET {change.column} = ? WHERE rowid = ?",  # noqa: S608 -- of above
                    (change.address, change.row),
                )
            db.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        raise TrackingError(f"{store}: cannot {action}: {cause_of(error)}") from error
    return len(changes)


def _create_backup(store: Store, backup: Path) -> None:
    """Create the empty backup file with at most the permissions of the database."""
    create_file(backup)
    if store.database is not None:
        backup.chmod(stat.S_IMODE(backup.stat().st_mode & store.database.stat().st_mode))


def _connect(store: Store) -> sqlite3.Connection:
    if store.database is None:
        raise TrackingError(f"{store}: got a store on a server, expected a SQLite file")
    uri = f"{store.database.as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, timeout=store.timeout_seconds)


def _locate(store: Store, kind: str, name: str, address: str, aliases: str) -> StoredArtifacts:
    path = local_path(address)
    if path is None:
        return StoredArtifacts(kind, name, _split_aliases(aliases), address, address, "remote")
    current = _current_location(store, path) if kind == "experiment" else todays_path(store, path)
    state: State = "elsewhere"
    if kind != "experiment" and not _is_there(kind, current):
        state = "missing"
    elif not _is_same(current, path):
        state = "moved"
    elif current.is_relative_to(store.home):
        state = "here"
    return StoredArtifacts(kind, name, _split_aliases(aliases), address, str(current), state)


def _is_same(current: Path, path: Path) -> bool:
    """Whether two paths are equal, or the same through a link."""
    return current == path or (current.exists() and path.exists() and current.samefile(path))


def _split_aliases(aliases: str) -> tuple[str, ...]:
    return tuple(sorted(filter(None, aliases.split(","))))


def _is_there(kind: str, path: Path) -> bool:
    return path.is_dir() if kind == "run" else (path / "MLmodel").is_file()


def _current_location(store: Store, path: Path) -> Path:
    """Current location for new artifacts of an experiment."""
    return store.home / path.name if is_former(store, path) else path


def _changes(store: Store, db: sqlite3.Connection) -> Iterator[_Change]:
    """Addresses in a former home, if the current home has any of its artifacts."""
    candidates: list[tuple[_Change, Path, Path]] = []
    for table, column in _ADDRESSES:
        for row, address in db.execute(f"SELECT rowid, {column} FROM {table}").fetchall():  # noqa: S608 -- of above
            path = local_path(address or "models:/")
            if path is None:
                continue
            current = (_current_location if table == "experiments" else todays_path)(store, path)
            if not _is_same(current, path):
                new = current.as_uri() if address.startswith("file:") else str(current)
                candidates.append((_Change(table, column, row, new), path, current))
    # A disk that is temporarily unmounted has not moved: none of its artifacts are in the home.
    homes = {
        _home_of(path)
        for change, path, current in candidates
        if change.table != "experiments" and current.exists()
    }
    for change, path, _ in candidates:
        if _home_of(path) in homes:
            yield change


def _home_of(path: Path) -> str:
    """Home of an artifact path: the part before the artifact folder."""
    return re.sub(r"/artifacts(/(models/m-)?[0-9a-f]{32}/artifacts(/.*)?)?$", "", str(path), flags=re.DOTALL)


def _refuse_while_busy(store: Store) -> None:
    from filelock import FileLock, Timeout

    for lock in (*store.home.glob("pending/.*.lock"), store.home / "retrain.lock"):
        if lock.exists():
            try:
                with FileLock(lock, timeout=0, mode=LOCK_MODE):
                    pass
            except Timeout:
                raise TrackingError(
                    f"{store}: another process is writing to it ({lock} is held): try again when it is done"
                ) from None
