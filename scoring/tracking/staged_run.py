"""Staged run: a folder with all data of a run, written before it is uploaded.

::

    run.json        data of the run, as PreparedRun
    artifacts/      files that become the run's artifacts
    model/          the saved model, if the run has one
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from scoring.errors import TrackingError, shown
from scoring.storage.home import newer_format
from scoring.storage.regular_files import read_regular

RUN_FILE = "run.json"
ARTIFACTS = "artifacts"
MODEL = "model"
REPORT = "report.html"
FORMAT = 2
"""Format version of ``run.json``: since 2 with ``run_id``, ``samples``, ``note`` and ``data.profile``."""


class DataInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The records of a run: path, hex digest of their content, use, numbers by use, and facts."""

    source: str
    sha256: str
    context: str
    counts: dict[str, int]
    profile: dict[str, Any] = {}


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """Metrics at a time, in milliseconds since 1970."""

    at_ms: int
    metrics: dict[str, float]


class PartRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A nested run, and its position on the time axis (aware UTC)."""

    name: str
    tags: dict[str, str]
    metrics: dict[str, float]
    at: datetime


class _Format(msgspec.Struct, frozen=True):
    """Format version of the file, whatever its format."""

    format: int = 1


class PreparedRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run without its files.

    Parameters
    ----------
    id : str
        Unique id of the run in every store; hex digits.
    kind : str
        ``train``, ``evaluate`` or ``backtest``.
    store : str
        Address of the intended store, without credentials.
    experiment, name : str
        Names of the experiment and the run.
    started_at : datetime
        Start time, aware UTC.
    params : dict of str to str
        Configuration.
    metrics : dict of str to float
        Metrics.
    tags : dict of str to str
        Tags of the run and of the registered version.
    environment : dict of str to str
        Tags of the run only, about its provenance.
    data : DataInput
        The records.
    model_folder : str or None
        Name of the subfolder with the model; None without a model.
    register : str or None
        Registered model that gets a version.
    description : str
        Description of the version, and of the run if it has no note.
    note : str
        Description of the run in Markdown, to which the upload adds links.
    series : str
        Name of the series of nested runs; ``SERIES/METRIC`` is a metric over them.
    parts : tuple of PartRun
        Nested runs, in order.
    curves : dict of str to dict of int to float
        Metrics over a number: values by step, by name.
    samples : tuple of Sample
        Metrics over time, in order.
    run_id : str
        Existing run of the store that receives the run; empty for a new one.
    home : str
        The home in which the run was written; empty if unknown.
    format : int
        Format version of the file; 1 if the file has none.
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
    note: str = ""
    series: str = ""
    parts: tuple[PartRun, ...] = ()
    curves: dict[str, dict[int, float]] = {}
    samples: tuple[Sample, ...] = ()
    run_id: str = ""
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
        If ``run.json`` cannot be read, or has an unknown format.
    """
    path = folder / RUN_FILE
    try:
        content = read_regular(path)
        if (version := msgspec.json.decode(content, type=_Format).format) > FORMAT:
            raise TrackingError(newer_format(path, version, FORMAT))
        return msgspec.json.decode(content, type=PreparedRun)
    except OSError as error:
        raise TrackingError(f"{path}: cannot read the run: {error.strerror or error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        got = f"a damaged run ({shown(str(error))})"
        raise TrackingError(f"{path}: got {got}, expected the file as it was written") from error
