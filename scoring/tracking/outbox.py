"""Outbox of runs: each is a folder under ``pending`` in the home until it is completely in the store.

A folder is written under a hidden name and then renamed, and renamed back before it is deleted, so that a
folder with its final name is complete. The process that works on it holds its lock.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scoring.errors import TrackingError
from scoring.settings import sqlite_file
from scoring.storage.atomic_folder import publish_folder
from scoring.storage.home import LOCK_MODE, narrow, prepare_folder
from scoring.tracking.caller_state import parent_tag
from scoring.tracking.destination import current_run_id, load_samples
from scoring.tracking.staged_run import ARTIFACTS, FORMAT, PreparedRun, read_prepared, write_prepared
from scoring.tracking.store import Store, opened
from scoring.tracking.upload import LoggedRun, upload

_WAIT_SECONDS = 120.0  # timeout for another process that uploads the same run


@dataclass(frozen=True, slots=True)
class SyncedRun:
    """Result of uploading a pending run.

    Parameters
    ----------
    folder : str
        Folder of the pending run.
    run_id, model_uri : str or None
        As in :class:`LoggedRun`; None if it was not uploaded.
    version : int or None
        Registered version.
    error : str or None
        Why it was not uploaded.
    """

    folder: str
    run_id: str | None = None
    model_uri: str | None = None
    version: int | None = None
    error: str | None = None


def log_run(store: Store, run: PreparedRun, write: Callable[[Path], None]) -> LoggedRun:
    """Write a run to the outbox, upload it, and remove it; a run that cannot be uploaded stays there.

    Parameters
    ----------
    store : Store
        The store.
    run : PreparedRun
        The run.
    write : callable
        Writes the run's files into a folder, with its artifacts in the subfolder ``artifacts``.

    Returns
    -------
    LoggedRun

    Raises
    ------
    TrackingError
        If the run cannot be written or uploaded; the message says where it is kept.
    """
    # Also if it is uploaded later by another process.
    run = msgspec.structs.replace(
        run,
        environment=run.environment | parent_tag(),
        run_id=current_run_id(),
        samples=load_samples(),
        format=FORMAT,
    )
    slug = re.sub(r"[^0-9A-Za-z]+", "-", run.name).strip("-")[:60]
    folder = _pending_folder(store) / "-".join([f"{run.started_at:%Y%m%dT%H%M%SZ}", slug, run.id[:6]])
    try:
        prepare_folder(store.home, folder.parent.name)
        _remove_partial(folder.parent)
        with _locked(folder):
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
    """Upload the pending runs, oldest first; each is removed once it is completely in the store.

    Parameters
    ----------
    store : Store
        The store, whose home has the pending runs.
    is_any : bool
        Whether to include runs meant for another store.

    Returns
    -------
    list of SyncedRun
        In upload order, without runs that another process uploaded meanwhile.

    Raises
    ------
    TrackingError
        If there are pending runs and the store cannot be reached or written.
    """
    _remove_partial(_pending_folder(store))
    folders = sorted(path for path in _pending_folder(store).glob("[!.]*") if path.is_dir())
    if not folders:
        return []
    with opened(store, "upload the pending runs", writes=True) as client:
        client.search_experiments(max_results=1)
    synced = []
    for folder in folders:
        try:
            with _locked(folder):
                if folder.exists():  # otherwise another process was first
                    logged = _sync_run(store, folder, is_any)
                    synced.append(SyncedRun(str(folder), *logged))
        except TrackingError as error:
            synced.append(SyncedRun(str(folder), error=str(error)))
    return synced


def check_pending(home: Path) -> list[str]:
    """Return the errors of unreadable pending runs of a home, one line each.

    Parameters
    ----------
    home : Path
        The home.

    Returns
    -------
    list of str
        Empty if all pending runs can be read.
    """
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
    """Whether a run was meant for this store before it moved with its home."""
    recorded, current = sqlite_file(run.store), store.database
    if recorded is None or current is None or not current.is_relative_to(store.home):
        return False
    relative = current.relative_to(store.home)
    if run.home:
        return recorded == Path(run.home) / relative
    # Written by a version that did not record the home: assume a move if its store no longer exists.
    return recorded.name == str(relative) and not recorded.exists()


def _pending_folder(store: Store) -> Path:
    return store.home / "pending"


def _partial(folder: Path) -> Path:
    """Path of a run while it is written or deleted."""
    return folder.with_name(f".{folder.name}.half")


def _lock(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


@contextmanager
def _locked(folder: Path, timeout_seconds: float = _WAIT_SECONDS) -> Iterator[None]:
    """Lock the folder; an incomplete copy is removed at the end."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(_lock(folder), timeout=timeout_seconds, mode=LOCK_MODE):
            try:
                yield
            finally:
                shutil.rmtree(_partial(folder), ignore_errors=True)
                if not folder.exists():
                    _lock(folder).unlink(missing_ok=True)
    except Timeout:
        raise TrackingError(f"{folder}: another process is uploading the run") from None


def _write(folder: Path, run: PreparedRun, write: Callable[[Path], None]) -> None:
    partial = _partial(folder)
    (partial / ARTIFACTS).mkdir(parents=True)
    narrow(partial)
    write(partial)
    write_prepared(run, partial)
    narrow(partial)
    publish_folder(partial, folder)


def _discard(folder: Path) -> None:
    partial = _partial(folder)
    folder.rename(partial)
    shutil.rmtree(partial)


def _remove_partial(home: Path) -> None:
    """Remove incomplete runs of processes that have ended."""
    for partial in home.glob(".*.half"):
        folder = partial.with_name(partial.name.removeprefix(".").removesuffix(".half"))
        try:
            with _locked(folder, timeout_seconds=0):
                pass
        except TrackingError:
            pass  # in use by another process
