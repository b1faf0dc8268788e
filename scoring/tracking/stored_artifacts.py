"""The artifacts that a SQLite store names: where each is today, and the addresses put right.

MLflow has no way to change the address of a run or of a model, so its tables are read and written here.
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

# What stands in each row: name, address, aliases, and whether it is there and has files of its own. Runs
# within a run have none. 2 is MLflow's number for a logged model that is whole.
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
    """The artifacts of one thing that a store has.

    Parameters
    ----------
    kind : str
        ``experiment`` (the place of what comes), ``run``, ``model`` (one that a run logged) or ``version``
        (of a registered model).
    name : str
        Name of the experiment, id of the run or model, or ``models:/NAME/3``.
    aliases : tuple of str
        Of a version.
    address : str
        Where the store says that they are.
    path : str
        Where they are today; the address where they are on a server.
    state : str
        ``here``: in the home, as the store says; ``moved``: in the home, while the store names a former
        place; ``elsewhere``: outside of the home; ``missing``; ``remote``: on a server.
    """

    kind: str
    name: str
    aliases: tuple[str, ...]
    address: str
    path: str
    state: State


class _Change(NamedTuple):
    """An address that is not right any more."""

    table: str
    column: str
    row: int
    address: str


def stored_artifacts(store: Store) -> list[StoredArtifacts]:
    """Where all is that a SQLite store has; without what has no files of its own, and what was deleted.

    Raises
    ------
    TrackingError
        If the store cannot be read.
    """
    try:
        with closing(_connect(store)) as db:
            return [
                _located(store, kind, *row[:3])
                for kind, query in _SELECT.items()
                for row in db.execute(query).fetchall()
                if row[3]
            ]
    except sqlite3.Error as error:
        raise TrackingError(f"{store}: cannot read where its artifacts are: {cause_of(error)}") from error


def damages(store: Store) -> list[str]:
    """What SQLite finds wrong with the file of a store; nothing in one that is whole.

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
    """Have a SQLite store name today's home where artifacts have moved with it, all addresses or none.

    Parameters
    ----------
    store : Store
        The store.
    backup : Path
        Where the database is copied to before; not written where all addresses are right.

    Returns
    -------
    int
        Number of addresses that were changed.

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
    """The empty file, which nobody may read who may not read the database."""
    create_file(backup)
    if store.database is not None:
        backup.chmod(stat.S_IMODE(backup.stat().st_mode & store.database.stat().st_mode))


def _connect(store: Store) -> sqlite3.Connection:
    if store.database is None:
        raise TrackingError(f"{store}: got a store on a server, expected a SQLite file")
    uri = f"{store.database.as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, timeout=store.timeout_seconds)


def _located(store: Store, kind: str, name: str, address: str, aliases: str) -> StoredArtifacts:
    path = local_path(address)
    if path is None:
        return StoredArtifacts(kind, name, _parted(aliases), address, address, "remote")
    today = _todays_location(store, path) if kind == "experiment" else todays_path(store, path)
    state: State = "elsewhere"
    if kind != "experiment" and not _is_there(kind, today):
        state = "missing"
    elif not _is_same(today, path):
        state = "moved"
    elif today.is_relative_to(store.home):
        state = "here"
    return StoredArtifacts(kind, name, _parted(aliases), address, str(today), state)


def _is_same(today: Path, path: Path) -> bool:
    """Whether two paths are one, or lead to one by a link."""
    return today == path or (today.exists() and path.exists() and today.samefile(path))


def _parted(aliases: str) -> tuple[str, ...]:
    return tuple(sorted(filter(None, aliases.split(","))))


def _is_there(kind: str, path: Path) -> bool:
    return path.is_dir() if kind == "run" else (path / "MLmodel").is_file()


def _todays_location(store: Store, path: Path) -> Path:
    """Where an experiment keeps what comes."""
    return store.home / path.name if is_former(store, path) else path


def _changes(store: Store, db: sqlite3.Connection) -> Iterator[_Change]:
    """Addresses that name a former home, if today's has anything that was there."""
    found: list[tuple[_Change, Path, Path]] = []
    for table, column in _ADDRESSES:
        for row, address in db.execute(f"SELECT rowid, {column} FROM {table}").fetchall():  # noqa: S608 -- of above
            path = local_path(address or "models:/")
            if path is None:
                continue
            today = (_todays_location if table == "experiments" else todays_path)(store, path)
            if not _is_same(today, path):
                new = today.as_uri() if address.startswith("file:") else str(today)
                found.append((_Change(table, column, row, new), path, today))
    # A disk that is away for a while has not moved: nothing of it is in the home.
    homes = {
        _home_of(path) for change, path, today in found if change.table != "experiments" and today.exists()
    }
    for change, path, _ in found:
        if _home_of(path) in homes:
            yield change


def _home_of(path: Path) -> str:
    """The home whose artifacts a path names: what precedes the folder of all artifacts."""
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
