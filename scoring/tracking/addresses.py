"""Where the artifacts of a store are today: a SQLite store keeps absolute paths, and its home may have moved.

A path that ends as scoring's artifacts do (``.../artifacts/RUN/artifacts``) is looked for in today's home
first, then where the store says. Nothing here changes the store but :func:`relocate_experiment`.
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
"""Name of the folder in the home that holds the artifacts of a SQLite store."""

# The folder of a run or of a logged model, within the folder of all artifacts.
_OWNER = re.compile(
    rf"(?P<home>.*)/{ARTIFACTS}/(?P<owner>(?:models/m-)?[0-9a-f]{{32}})(?P<rest>/{ARTIFACTS}(?:/.*)?)",
    re.DOTALL,
)
_LOG = logging.getLogger(__name__)


def local_path(address: str) -> Path | None:
    """The path that an address names; None for one on a server.

    Examples
    --------
    >>> local_path("file:///srv/a%20home/artifacts")
    PosixPath('/srv/a home/artifacts')
    """
    if address.startswith("file:"):
        return Path(url2pathname(urlsplit(address).path))
    return None if re.match(r"[a-z][a-z0-9+.-]*:", address) else Path(address)


def todays_path(store: Store, path: Path) -> Path:
    """Where the artifacts are today, or will be written, that the store has under a path.

    Parameters
    ----------
    store : Store
        The store, with today's home.
    path : Path
        The path that the store has.

    Returns
    -------
    Path
        In today's home where it has the run or the model, or nobody else does; else the path that was given.
    """
    match = _OWNER.fullmatch(str(path))
    if match is None:
        return path
    owner = store.home / ARTIFACTS / match["owner"]
    ours = Path(f"{owner}{match['rest']}")
    if owner.exists():
        return ours
    theirs = Path(match["home"], ARTIFACTS)
    return ours if not path.exists() and is_former(store, theirs) else path


def is_former(store: Store, artifacts: Path) -> bool:
    """Whether a folder of artifacts is that of a home which this one was, or is a copy of.

    Parameters
    ----------
    store : Store
        The store, with today's home.
    artifacts : Path
        The folder, as the store has it.

    Returns
    -------
    bool
    """
    today = store.home / ARTIFACTS
    if artifacts.name != ARTIFACTS or artifacts == today:
        return False
    if not artifacts.exists():
        return True
    if today.exists() and artifacts.samefile(today):
        return False
    # It is there: another home's, which shares the store, or that which this one is a copy of.
    database = store.database
    return (
        database is not None
        and database.is_relative_to(store.home)
        and (artifacts.parent / database.relative_to(store.home)).exists()
    )


def relocate_experiment(store: Store, experiment: Experiment) -> None:
    """Have an experiment keep its new runs and models in today's home, if it kept them in a former one."""
    path = local_path(experiment.artifact_location)
    if store.database is None or path is None or not is_former(store, path):
        return
    today = store.home / ARTIFACTS
    with closing(sqlite3.connect(store.database, timeout=store.timeout_seconds)) as db, db:
        db.execute(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ? AND artifact_location = ?",
            (today.as_uri(), int(experiment.experiment_id), experiment.artifact_location),
        )
    _LOG.warning(
        "%s: experiment %r kept its files in %s, before this home was moved or copied; new ones go to %s",
        store,
        experiment.name,
        path,
        today,
    )


def former_home(store: Store, artifact_uri: str) -> Path | None:
    """The other place of this home that the address of a run's artifacts names; None for today's home."""
    path = local_path(artifact_uri)
    match = None if path is None else _OWNER.fullmatch(str(path))
    if match is None or not is_former(store, Path(match["home"], ARTIFACTS)):
        return None
    return Path(match["home"])
