"""Runs on their way to the store: each is a folder under ``pending`` in the home until it is there, whole.

A folder that another process may take up is written under a hidden name and then moved, and is moved away
before it is deleted: one that has its name is whole. Who works on it holds its lock.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scoring.errors import TrackingError
from scoring.settings import sqlite_file
from scoring.storage.home import LOCK_MODE, narrow, prepare_folder
from scoring.tracking.caller_state import parent_tag
from scoring.tracking.staged_run import ARTIFACTS, PreparedRun, read_prepared, write_prepared
from scoring.tracking.store import Store, opened
from scoring.tracking.upload import LoggedRun, upload

_WAIT_SECONDS = 120.0  # for another process that uploads the same run


@dataclass(frozen=True, slots=True)
class SyncedRun:
    """What became of a pending run.

    Parameters
    ----------
    folder : str
        Where it was kept.
    run_id, model_uri, version
        As in :class:`LoggedRun`; None where it was not uploaded.
    error : str or None
        Why it was not, and stays.
    """

    folder: str
    run_id: str | None = None
    model_uri: str | None = None
    version: int | None = None
    error: str | None = None


def log_run(store: Store, run: PreparedRun, write: Callable[[Path], None]) -> LoggedRun:
    """Write a run to the pending ones, upload it, take it away; one that cannot be uploaded stays.

    Parameters
    ----------
    store : Store
        Where it goes.
    run : PreparedRun
        What it is.
    write : callable
        Writes the run's files into a folder: its artifacts into the folder ``artifacts`` there.

    Returns
    -------
    LoggedRun

    Raises
    ------
    TrackingError
        If the run cannot be written, or not be uploaded; the message tells where it is kept.
    """
    # Also where it is uploaded later, by another process.
    run = msgspec.structs.replace(run, environment=run.environment | parent_tag())
    slug = re.sub(r"[^0-9A-Za-z]+", "-", run.name).strip("-")[:60]
    folder = _home(store) / "-".join([f"{run.started_at:%Y%m%dT%H%M%SZ}", slug, run.id[:6]])
    try:
        prepare_folder(store.home, folder.parent.name)
        _remove_halves(folder.parent)
        with _held(folder):
            _write(folder, msgspec.structs.replace(run, home=str(store.home)), write)
            try:
                logged = upload(store, folder)
            except TrackingError as error:
                kept = f"the run is kept in {folder}, `scoring runs sync` uploads it"
                raise TrackingError(f"{error}; {kept}") from error
            _discard(folder)
    except OSError as error:
        raise TrackingError(f"{folder}: cannot keep the run: {error.strerror or error}") from error
    return logged


def sync_runs(store: Store, *, is_any: bool = False) -> list[SyncedRun]:
    """Upload the pending runs, the oldest first; each is taken away when it is in the store, whole.

    Parameters
    ----------
    store : Store
        Where they go; their folder is in its home.
    is_any : bool
        Whether to take also those that were to go to another store.

    Returns
    -------
    list of SyncedRun
        In the order of uploading; without those that another process uploaded meanwhile.

    Raises
    ------
    TrackingError
        If there are some and the store cannot be reached or written.
    """
    _remove_halves(_home(store))
    folders = sorted(path for path in _home(store).glob("[!.]*") if path.is_dir())
    if not folders:
        return []
    with opened(store, "upload the pending runs", writes=True) as client:
        client.search_experiments(max_results=1)
    synced = []
    for folder in folders:
        try:
            with _held(folder):
                if folder.exists():  # else another process was first
                    logged = _sync_run(store, folder, is_any)
                    synced.append(SyncedRun(str(folder), *logged))
        except TrackingError as error:
            synced.append(SyncedRun(str(folder), error=str(error)))
    return synced


def check_pending(home: Path) -> list[str]:
    """Why pending runs of a home cannot be read, a line each; those that wait for their store are fine."""
    problems = []
    for folder in sorted(path for path in (home / "pending").glob("[!.]*") if path.is_dir()):
        try:
            read_prepared(folder)
        except TrackingError as error:
            problems.append(str(error))
    return problems


def _sync_run(store: Store, folder: Path, is_any: bool) -> LoggedRun:
    run = read_prepared(folder)
    if not is_any and run.store != str(store) and not _is_of_this_home(run, store):
        raise TrackingError(
            f"{folder}: store: got {store}, expected {run.store}: name a store to send the run there"
        )
    logged = upload(store, folder)
    _discard(folder)
    return logged


def _is_of_this_home(run: PreparedRun, store: Store) -> bool:
    """Whether the store that a run was meant for is this one, which has moved with its home."""
    then, now = sqlite_file(run.store), store.database
    if then is None or now is None or not now.is_relative_to(store.home):
        return False
    within = now.relative_to(store.home)
    if run.home:
        return then == Path(run.home) / within
    # Of a version that did not tell the home: taken for moved where its store is no longer there.
    return then.name == str(within) and not then.exists()


def _home(store: Store) -> Path:
    return store.home / "pending"


def _half(folder: Path) -> Path:
    """Where a run is while it is written or deleted."""
    return folder.with_name(f".{folder.name}.half")


def _lock(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


@contextmanager
def _held(folder: Path, timeout_seconds: float = _WAIT_SECONDS) -> Iterator[None]:
    """Keep other processes from the folder; what the process left halfway goes with it."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(_lock(folder), timeout=timeout_seconds, mode=LOCK_MODE):
            try:
                yield
            finally:
                shutil.rmtree(_half(folder), ignore_errors=True)
                if not folder.exists():
                    _lock(folder).unlink(missing_ok=True)
    except Timeout:
        raise TrackingError(f"{folder}: another process is uploading the run") from None


def _write(folder: Path, run: PreparedRun, write: Callable[[Path], None]) -> None:
    half = _half(folder)
    (half / ARTIFACTS).mkdir(parents=True)
    narrow(half)
    write(half)
    write_prepared(run, half)
    narrow(half)
    for path in half.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    half.rename(folder)


def _discard(folder: Path) -> None:
    half = _half(folder)
    folder.rename(half)
    shutil.rmtree(half)


def _remove_halves(home: Path) -> None:
    """Remove what processes left halfway that are no more."""
    for half in home.glob(".*.half"):
        folder = half.with_name(half.name.removeprefix(".").removesuffix(".half"))
        try:
            with _held(folder, timeout_seconds=0):
                pass
        except TrackingError:
            pass  # another process is at it
