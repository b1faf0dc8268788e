"""Find the run of a model folder, or log the folder as a run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from scoring.evaluation.results import Figure
from scoring.tracking.outbox import log_run
from scoring.tracking.provenance import environment_tags
from scoring.tracking.run_search import list_runs
from scoring.tracking.runs import figure_metrics, flat
from scoring.tracking.staged_run import ARTIFACTS, MODEL, DataInput, PreparedRun
from scoring.tracking.store import Store

_KIND = "model"


def find_model_run(store: Store, model: str) -> str | None:
    """Return the id of the newest run that logged a model of this name and version; None if none did.

    Parameters
    ----------
    store : Store
        The store.
    model : str
        Name and version, as in ``Score.model``.

    Returns
    -------
    str or None
        Id of the run.

    Raises
    ------
    TrackingError
        If the store cannot be read.
    """
    for run in list_runs(store, model=model):
        if run.kind in ("train", _KIND) and run.status == "FINISHED":
            return run.run_id
    return None


def log_model_folder(
    store: Store,
    folder: Path,
    *,
    experiment: str,
    model: str,
    config: Mapping[str, Any],
    figures: Mapping[str, Figure],
    baselines: Mapping[str, Mapping[str, float]],
    data_sha256: str,
    n_records: int,
    started_at: datetime,
) -> str:
    """Log a model that was trained elsewhere as a run of kind ``model``.

    Parameters
    ----------
    store : Store
        The store.
    folder : Path
        Folder of the model; it is copied.
    experiment : str
        Name of the experiment.
    model : str
        Name and version of the model.
    config : mapping
        Configuration of its training.
    figures, baselines : mapping
        Metrics of its training on the test block.
    data_sha256 : str
        Hex digest of its training records.
    n_records : int
        Number of training records.
    started_at : datetime
        Start time, aware UTC.

    Returns
    -------
    str
        Id of the run.

    Raises
    ------
    TrackingError
        If the store cannot be reached or written.
    """
    run = PreparedRun(
        id=uuid4().hex,
        kind=_KIND,
        store=str(store),
        experiment=experiment,
        name=model,
        started_at=started_at,
        params={name: str(value) for name, value in flat(config).items()},
        metrics={"n_all": float(n_records)} | figure_metrics(figures, baseline=baselines),
        tags={"model": model, "data_sha256": data_sha256},
        environment=environment_tags("promote"),
        data=DataInput(source="unknown", sha256=data_sha256, context="training", counts={"all": n_records}),
        model_folder=MODEL,
    )

    def write(into: Path) -> None:
        (into / ARTIFACTS / "config.json").write_text(json.dumps(config, indent=2, default=str), "utf-8")
        shutil.copytree(folder, into / MODEL)

    return log_run(store, run, write).run_id
