"""Open an MLflow store: create it, check it before use, and report errors in one line."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scoring.credentials import mask_credentials
from scoring.errors import TrackingError
from scoring.extras import MissingExtraError, require
from scoring.settings import sqlite_file
from scoring.storage.home import LOCK_MODE, check_home, narrow, prepare_home
from scoring.tracking.addresses import ARTIFACTS, relocate_experiment
from scoring.tracking.caller_state import own_environment
from scoring.tracking.error_messages import cause_of, is_of_store
from scoring.tracking.experiment_view import describe_view

if TYPE_CHECKING:
    from mlflow import MlflowClient

_LOG = logging.getLogger(__name__)
_PARTIAL_PREFIX = ".mlflow-"  # name prefix of folders in which a store is created
_UPGRADE = "from mlflow.db import commands; commands()"  # `mlflow db`, without importing all other commands


@dataclass(frozen=True, slots=True)
class Store:
    """Location of an MLflow store and its home.

    Parameters
    ----------
    tracking_uri : str
        ``sqlite:////abs/mlflow.db`` or ``http://host:port``.
    home : Path
        Folder of this site's own files; a SQLite store keeps its artifacts in ``artifacts`` under it.
    is_verbose : bool
        Whether to show MLflow's own messages.
    timeout_seconds : float
        Timeout for another process that locks a SQLite store; seconds.
    """

    tracking_uri: str = field(repr=False)  # the address of a database may contain a password
    home: Path
    is_verbose: bool = False
    timeout_seconds: float = 10.0

    @property
    def database(self) -> Path | None:
        """The SQLite file; None for any other store."""
        return sqlite_file(self.tracking_uri)

    @property
    def lost(self) -> str | None:
        """Message if the SQLite file is missing although the home has artifacts; otherwise None."""
        artifacts = self.home / ARTIFACTS
        if self.database is None or self.database.exists() or not any(artifacts.glob("*")):
            return None
        return f"{self}: no such file, while {artifacts} has files: restore it from a backup"

    def __str__(self) -> str:
        return mask_credentials(self.tracking_uri)


def load_mlflow() -> Any:
    """Import MLflow on first use, with telemetry disabled."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with warnings.catch_warnings():
        # Warnings of MLflow and its imports, which a user cannot fix.
        warnings.simplefilter("ignore")
        import mlflow.pyfunc

    return mlflow


@contextmanager
def opened(store: Store, action: str, *, writes: bool) -> Iterator[MlflowClient]:
    """Open a client of the store; errors of the store become a TrackingError of one line."""
    try:
        require("track")
    except MissingExtraError as error:
        raise TrackingError(f"{store}: cannot {action}: {error}") from None
    if store.database is not None and not writes and not store.database.exists():
        if store.lost:
            raise TrackingError(store.lost)
        raise TrackingError(f"{store}: cannot {action}: there is no store, nothing was logged yet")
    with own_environment(), _quiet(store):
        try:
            check_home(store.home)
            if store.database is not None:
                _check_sqlite(store, store.database, writes=writes)
        except (OSError, sqlite3.Error) as error:
            raise TrackingError(f"{store}: cannot {action}: {cause_of(error)}") from error
        mlflow = load_mlflow()
        from scoring.tracking.local_artifacts import resolving

        try:
            with resolving(store):
                yield mlflow.MlflowClient(store.tracking_uri, registry_uri=store.tracking_uri)
        except Exception as error:
            if not is_of_store(error):
                raise
            raise TrackingError(f"{store}: cannot {action}: {cause_of(error)}") from error


def experiment_id(store: Store, client: MlflowClient, name: str) -> str:
    """Return the id of an experiment, created if missing; a deleted one is a TrackingError."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        location = (store.home / ARTIFACTS).absolute().as_uri() if store.database else None
        try:
            created = str(client.create_experiment(name, artifact_location=location))
            describe_view(client, client.get_experiment(created))
            return created
        except load_mlflow().exceptions.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            experiment = client.get_experiment_by_name(name)  # another process was first
    if experiment is not None and not experiment.experiment_id:
        raise TrackingError(f"{store}: got an empty answer, expected that of an MLflow server")
    if experiment is None or experiment.lifecycle_stage == "deleted":
        raise TrackingError(f"{store}: experiment {name!r} is deleted: restore it or use another name")
    relocate_experiment(store, experiment)
    describe_view(client, experiment)
    return str(experiment.experiment_id)


def _check_sqlite(store: Store, path: Path, *, writes: bool) -> None:
    """Create the file if it is missing and needed for writing; fail early if it cannot be used.

    MLflow creates its tables on first use, and crashes if two processes do so at once.
    """
    if writes:
        prepare_home(store.home)
    if writes and not path.exists():
        from filelock import FileLock

        path.parent.mkdir(parents=True, exist_ok=True)
        # Creating the tables takes seconds, so the timeout is longer than for a write.
        with FileLock(f"{path}.lock", timeout=60 + store.timeout_seconds, mode=LOCK_MODE):
            if not path.exists():
                if store.lost:
                    _LOG.warning("%s; creating a new one", store.lost)
                _create_sqlite(path)
                if path.is_relative_to(store.home):
                    narrow(path)
    # Never "ro": the first reader after a killed writer has to roll back its transaction. A read-only file
    # can be opened with "rw" too.
    uri = f"{path.as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=store.timeout_seconds)) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            raise OSError("the file is a database, but has no MLflow store in it")
        if writes:
            # A rolled-back write checks whether SQLite can create its journal in the folder.
            db.execute("BEGIN IMMEDIATE")
            db.execute("PRAGMA user_version = 0")
            db.rollback()


def _create_sqlite(path: Path) -> None:
    # Created under another name and renamed, so that the file is always complete. The caller has the lock, so
    # existing partial folders were left by killed processes.
    for partial in path.parent.glob(f"{_PARTIAL_PREFIX}*"):
        shutil.rmtree(partial, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=_PARTIAL_PREFIX) as folder:
        new = Path(folder, path.name)
        command = [sys.executable, "-c", _UPGRADE, "upgrade", f"sqlite:///{new}"]
        env = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)  # noqa: S603 -- no shell, constant arguments
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            raise OSError(f"MLflow did not create its tables: {last[0]}")
        new.replace(path)


@contextmanager
def _quiet(store: Store) -> Iterator[None]:
    """Suppress MLflow's messages and warnings, unless the store is verbose."""
    if store.is_verbose:
        yield
        return
    load_mlflow()  # its import resets the levels of its loggers
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic", "urllib3")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        # MLflow uses deprecated parts of SQLAlchemy and pandas, which a user cannot fix.
        warnings.filterwarnings("ignore", module=r"mlflow(\.|$)")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
