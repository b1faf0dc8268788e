"""A run as a folder: all that a store is to have of it, written before any store is asked.

::

    run.json        what stands below, as PreparedRun
    artifacts/      files that become the run's artifacts
    model/          the saved model, where the run has one
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from scoring.errors import TrackingError, shown
from scoring.storage.home import newer_format
from scoring.storage.regular_files import read_regular

RUN_FILE = "run.json"
ARTIFACTS = "artifacts"
MODEL = "model"
FORMAT = 1
"""Format version of ``run.json``; a file without one is of this version."""


class DataInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The records of a run: where they are, the hex digest of their content, what they were used for."""

    source: str
    sha256: str
    context: str
    counts: dict[str, int]


class PartRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run within the run, and where it stands on the axis of time (aware UTC)."""

    name: str
    tags: dict[str, str]
    metrics: dict[str, float]
    at: datetime


class _Format(msgspec.Struct, frozen=True):
    """What every version of the file tells."""

    format: int = FORMAT


class PreparedRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run without its files.

    Parameters
    ----------
    id : str
        What tells the run from every other, in whichever store it is; hex digits.
    kind : str
        ``train``, ``evaluate`` or ``backtest``.
    store : str
        Where it was to go, without credentials.
    experiment, name : str
        Where the run stands, and what it is called.
    started_at : datetime
        When the work began, aware UTC.
    params : dict of str to str
        The configuration.
    metrics : dict of str to float
        Figures.
    tags : dict of str to str
        What the run is of; the registered version has the same.
    environment : dict of str to str
        Tags of the run alone: who and what computed it.
    data : DataInput
        The records.
    model_folder : str or None
        Name of the folder with the model, in the run's own; None where it has none.
    register : str or None
        Registered model that gets a version.
    description : str
        What the pages of the run and of the version say.
    series : str
        What the parts are in turn; ``SERIES/FIGURE`` is a line over them.
    parts : tuple of PartRun
        Runs within the run, in order.
    home : str
        The home in which the run was written; empty where that is not known.
    format : int
        Format version of the file.
    """

    id: str
    kind: str
    store: str
    experiment: str
    name: str
    started_at: datetime
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    environment: dict[str, str]
    data: DataInput
    model_folder: str | None = None
    register: str | None = None
    description: str = ""
    series: str = ""
    parts: tuple[PartRun, ...] = ()
    home: str = ""
    format: int = FORMAT


def write_prepared(run: PreparedRun, folder: Path) -> None:
    """Write ``run.json`` into a folder."""
    (folder / RUN_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(run)))


def read_prepared(folder: Path) -> PreparedRun:
    """Read a prepared run.

    Raises
    ------
    TrackingError
        If ``run.json`` cannot be read, or is of another version of this package.
    """
    path = folder / RUN_FILE
    try:
        content = read_regular(path)
        if (found := msgspec.json.decode(content, type=_Format).format) > FORMAT:
            raise TrackingError(newer_format(path, found, FORMAT))
        return msgspec.json.decode(content, type=PreparedRun)
    except OSError as error:
        raise TrackingError(f"{path}: cannot read the run: {error.strerror or error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        got = f"a damaged run ({shown(str(error))})"
        raise TrackingError(f"{path}: got {got}, expected one as it was written") from error
