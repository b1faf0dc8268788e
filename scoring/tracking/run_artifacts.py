"""Read the artifacts of a run, and add pages to it."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from scoring.errors import TrackingError, shown
from scoring.evaluation.results import Evaluation
from scoring.extras import require
from scoring.tracking.queries import RunRecord
from scoring.tracking.staged_run import REPORT
from scoring.tracking.store import Store, load_mlflow, opened

_CONFIG, _IMPORTANCES = "config.json", "importances.csv"
_EVALUATION, _PREDICTIONS = "evaluation.json", "predictions.parquet"


def read_evaluation(store: Store, run: RunRecord) -> Evaluation:
    """Read the evaluation of a run: metrics, slices, and predictions per record.

    Parameters
    ----------
    store : Store
        The store.
    run : RunRecord
        The run: see :func:`read_run`.

    Returns
    -------
    Evaluation
        With the predictions of each record.

    Raises
    ------
    TrackingError
        If the run has no evaluation, or the store cannot be read.
    """
    require("report")
    with _files(store, run, _EVALUATION, _PREDICTIONS) as (evaluation, predictions):
        import pandas as pd

        frame = pd.read_parquet(predictions)
        try:
            content = msgspec.json.decode(evaluation.read_bytes())
            result = msgspec.convert(content | {"predictions": {}}, Evaluation, strict=False)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise TrackingError(
                f"{store}: run {run.summary.run_id}: {_EVALUATION}: {shown(str(error))}"
            ) from error
    columns = {str(name): frame[name].to_numpy() for name in frame}
    return msgspec.structs.replace(result, predictions=columns)


def read_config(store: Store, run: RunRecord) -> dict[str, Any]:
    """Read the complete configuration of a run, with defaults.

    Parameters
    ----------
    store : Store
        The store.
    run : RunRecord
        The run: see :func:`read_run`.

    Returns
    -------
    dict
        As :class:`scoring.training.config.TrainConfig` reads it.

    Raises
    ------
    TrackingError
        If the run has no configuration, or the store cannot be read.
    """
    with _files(store, run, _CONFIG) as (path,):
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise TrackingError(
                f"{store}: run {run.summary.run_id}: {_CONFIG}: {shown(str(error))}"
            ) from error


def read_columns(store: Store, run: RunRecord) -> dict[str, tuple[str, ...]]:
    """Read the columns of each booster of a run's model; empty if it logged no model.

    Parameters
    ----------
    store : Store
        The store.
    run : RunRecord
        The run: see :func:`read_run`.

    Returns
    -------
    dict of str to tuple of str
        Features of each booster, in the order of its matrix.

    Raises
    ------
    TrackingError
        If the store cannot be read.
    """
    if _IMPORTANCES not in run.files:
        return {}
    columns: dict[str, list[str]] = {}
    with (
        _files(store, run, _IMPORTANCES) as (path,),
        path.open(newline="", encoding="utf-8") as file,
    ):
        for row in csv.DictReader(file):
            columns.setdefault(row["booster"], []).append(row["feature"])
    return {booster: tuple(names) for booster, names in columns.items()}


def read_report(store: Store, run: RunRecord) -> bytes:
    """Read the report of a run.

    Parameters
    ----------
    store : Store
        The store.
    run : RunRecord
        The run: see :func:`read_run`.

    Returns
    -------
    bytes
        HTML.

    Raises
    ------
    TrackingError
        If the run has no report, or the store cannot be read.
    """
    with _files(store, run, REPORT) as (path,):
        return path.read_bytes()


def add_page(store: Store, run_id: str, path: str, page: str) -> str:
    """Add a page to the artifacts of a run, or replace an earlier one at that path.

    Parameters
    ----------
    store : Store
        The store.
    run_id : str
        The run.
    path : str
        Path among the artifacts.
    page : str
        HTML.

    Returns
    -------
    str
        Address of the page, ``runs:/ID/PATH``.

    Raises
    ------
    TrackingError
        If the store has no such run, or cannot be written.
    """
    with opened(store, f"add {path} to run {run_id}", writes=True) as client:
        client.log_text(run_id, page, path)
    return f"runs:/{run_id}/{path}"


@contextmanager
def _files(store: Store, run: RunRecord, *names: str) -> Iterator[tuple[Path, ...]]:
    """Download some files of a run for the duration of the block."""
    run_id = run.summary.run_id
    for name in names:
        if name not in run.files:
            got = f"a run of kind {run.summary.kind!r} without {name}"
            raise TrackingError(f"{store}: run {run_id}: got {got}, expected a run with an evaluation")
    with opened(store, f"read run {run_id}", writes=False), tempfile.TemporaryDirectory() as folder:
        yield tuple(
            Path(
                load_mlflow().artifacts.download_artifacts(
                    artifact_uri=f"runs:/{run_id}/{name}", dst_path=folder, tracking_uri=store.tracking_uri
                )
            )
            for name in names
        )
