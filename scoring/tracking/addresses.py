"""Resolve artifact paths of a store whose home may have moved, since a SQLite store has absolute paths.

A path with the layout of scoring's artifacts (``.../artifacts/RUN/artifacts``) is searched first in the
current home, then at the stored path. Only :func:`relocate_experiment` changes the store.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

if TYPE_CHECKING:
    from mlflow.entities import Experiment

    from scoring.tracking.store import Store

ARTIFACTS = "artifacts"
"""Name of the artifact folder of a SQLite store in the home."""

# The folder of a run or logged model in the artifact folder.
_OWNER = re.compile(
    rf"(?P<home>.*)/{ARTIFACTS}/(?P<owner>(?:models/m-)?[0-9a-f]{{32}})(?P<rest>/{ARTIFACTS}(?:/.*)?)",
    re.DOTALL,
)
_LOG = logging.getLogger(__name__)


def local_path(address: str) -> Path | None:
    """Return the local path of an address; None if it is on a server.

    Examples
    --------
    >>> local_path("file:///srv/a%20home/artifacts")
    PosixPath('/srv/a home/artifacts')
    """
    if address.startswith("file:"):
        return Path(url2pathname(urlsplit(address).path))
    return None if re.match(r"[a-z][a-z0-9+.-]*:", address) else Path(address)


def todays_path(store: Store, path: Path) -> Path:
    """Return the current location of artifacts, for reading or writing, given the stored path.

    Parameters
    ----------
    store : Store
        The store, with the current home.
    path : Path
        The stored path.

    Returns
    -------
    Path
        In the current home if that has the run or model, or no other home does; otherwise `path`.
    """
    match = _OWNER.fullmatch(str(path))
    if match is None:
        return path
    owner = store.home / ARTIFACTS / match["owner"]
    current = Path(f"{owner}{match['rest']}")
    if owner.exists():
        return current
    recorded = Path(match["home"], ARTIFACTS)
    return current if not path.exists() and is_former(store, recorded) else path


def is_former(store: Store, artifacts: Path) -> bool:
    """Whether an artifact folder belongs to a former location of this home, or to its original.

    Parameters
    ----------
    store : Store
        The store, with the current home.
    artifacts : Path
        The folder as stored.

    Returns
    -------
    bool
    """
    current = store.home / ARTIFACTS
    if artifacts.name != ARTIFACTS or artifacts == current:
        return False
    if not artifacts.exists():
        return True
    if current.exists() and artifacts.samefile(current):
        return False
    # The folder exists: it belongs to another home with the same store, or to the original of this copy.
    database = store.database
    return (
        database is not None
        and database.is_relative_to(store.home)
        and (artifacts.parent / database.relative_to(store.home)).exists()
    )


def relocate_experiment(store: Store, experiment: Experiment) -> None:
    """Set the artifact location of an experiment to the current home, if it was in a former one."""
    path = local_path(experiment.artifact_location)
    if store.database is None or path is None or not is_former(store, path):
        return
    current = store.home / ARTIFACTS
    with closing(sqlite3.connect(store.database, timeout=store.timeout_seconds)) as db, db:
        db.execute(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ? AND artifact_location = ?",
            (current.as_uri(), int(experiment.experiment_id), experiment.artifact_location),
        )
    _LOG.warning(
        "%s: experiment %r kept its files in %s, before this home was moved or copied; new ones go to %s",
        store,
        experiment.name,
        path,
        current,
    )


def former_home(store: Store, artifact_uri: str) -> Path | None:
    """Return the former home in the artifact URI of a run; None for the current home.

    Parameters
    ----------
    store : Store
        The store.
    artifact_uri : str
        URI of a run or an experiment.

    Returns
    -------
    Path or None
        The home that the store was moved from.
    """
    path = local_path(artifact_uri)
    match = None if path is None else _OWNER.fullmatch(str(path))
    if match is None or not is_former(store, Path(match["home"], ARTIFACTS)):
        return None
    return Path(match["home"])
