"""Logging a training or an evaluation as one MLflow run, which is ended whatever happens."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from scoring.errors import TrackingError
from scoring.model.results import Evaluation, Figure
from scoring.tracking.logged_model import log_model
from scoring.tracking.provenance import environment_tags, git_tags
from scoring.tracking.registry import register_version
from scoring.tracking.store import Store, load_mlflow, opened

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot
    from mlflow import MlflowClient

_DIGEST_CHARS = 36  # MLflow keeps no more of a data set's digest; tags hold the whole hash


class Importance(NamedTuple):
    """What one feature does for one booster: summed gain, and number of splits."""

    feature: str
    booster: str
    gain: float
    split: int


@dataclass(frozen=True, kw_only=True)
class EvaluationRun:
    """An evaluation to be logged.

    Parameters
    ----------
    experiment, run_name : str
        Where the run stands, and what it is called.
    model : str
        Name and version of the model that was evaluated.
    config : mapping
        The resolved configuration; its leaves become the run's parameters.
    data_path, data_sha256 : str
        Where the records came from, and the hex digest of their content.
    counts : mapping of str to int
        Records by what was done with them (``train``, ``calibration``, ``test``).
    evaluation : Evaluation
        Figures, baselines, slices and predictions.
    plots : mapping of str to matplotlib Figure
        Plots by file name without suffix.
    started_at : datetime
        When the work began, aware UTC.
    tags : mapping of str to str
        Further tags.
    """

    experiment: str
    run_name: str
    model: str
    config: Mapping[str, Any]
    data_path: str
    data_sha256: str
    counts: Mapping[str, int]
    evaluation: Evaluation
    plots: Mapping[str, Plot]
    started_at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainingRun(EvaluationRun):
    """A training with its evaluation, to be logged.

    Parameters
    ----------
    model_folder : Path
        The saved model (the folder with its manifest).
    importances : sequence of Importance
        One for each feature of each booster.
    register : str or None
        Registered model that gets a new version; aliases stay where they are.
    description : str
        What the registered version's page says.
    """

    model_folder: Path
    importances: tuple[Importance, ...] = ()
    register: str | None = None
    description: str = ""


class LoggedRun(NamedTuple):
    """What a training left in the store; ``version`` is None where nothing was registered."""

    run_id: str
    model_uri: str
    version: int | None


def log_training(store: Store, run: TrainingRun) -> LoggedRun:
    """Log a training, its evaluation and its model as one run.

    Parameters
    ----------
    store : Store
        A SQLite store is created on first use, also by several processes at once.
    run : TrainingRun
        What to log.

    Returns
    -------
    LoggedRun
        The run, the model's URI, and the registered version.

    Raises
    ------
    TrackingError
        If the store cannot be reached or written; a run that was begun is ended as failed.
    """
    with recording(store, run, kind="train") as (client, run_id, files):
        with (files / "importances.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([Importance._fields, *run.importances])
        info = log_model(run.model_folder)
        log_results(run, files, model_id=info.model_id)
        # Last, so that a version stands only for a run that is whole.
        version = None
        if run.register is not None:
            tags = {"model": run.model, "data_sha256": run.data_sha256} | dict(run.tags)
            version = register_version(client, run.register, info, description=run.description, tags=tags)
    return LoggedRun(run_id, f"runs:/{run_id}/model", version)


def log_evaluation(store: Store, run: EvaluationRun) -> str:
    """Log an evaluation as a run of its own, and return the run's id.

    Raises
    ------
    TrackingError
        If the store cannot be reached or written; a run that was begun is ended as failed.
    """
    with recording(store, run, kind="evaluate") as (_, run_id, files):
        log_results(run, files, model_id=None)
    return run_id


@contextmanager
def recording(store: Store, run: EvaluationRun, *, kind: str) -> Iterator[tuple[MlflowClient, str, Path]]:
    """An active run and an empty folder whose files become its artifacts; ended whatever happens."""
    with (
        opened(store, f"log run {run.run_name!r}", writes=True) as client,
        tempfile.TemporaryDirectory() as files,
        _global_uris(store.tracking_uri),
        _sigterm_exits(),
    ):
        mlflow = load_mlflow()
        created = client.create_run(
            experiment_id(store, client, run.experiment),
            start_time=int(run.started_at.timestamp() * 1000),
            tags={"type": kind, "model": run.model, "data_sha256": run.data_sha256}
            | environment_tags() | git_tags(Path.cwd()) | dict(run.tags),
            run_name=run.run_name,
        )  # fmt: skip
        run_id = str(created.info.run_id)
        status = "KILLED"
        try:
            mlflow.start_run(run_id=run_id)
            yield client, run_id, Path(files)
            status = "FINISHED"
        except Exception:
            status = "FAILED"
            raise
        finally:
            mlflow.end_run(status)


@contextmanager
def _global_uris(uri: str) -> Iterator[None]:
    # log_model and the registry read MLflow's global address, whatever client they are called on.
    # Setting one also sets its variable, and without one the variable counts.
    mlflow = load_mlflow()
    before = {name: os.environ.get(name) for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")}
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _sigterm_exits() -> Iterator[None]:
    """Turn a request to terminate into SystemExit, so that the run is ended on the way out."""

    def exit_(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield  # another thread cannot, and a host that handles the signal knows better
        return
    signal.signal(signal.SIGTERM, exit_)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def experiment_id(store: Store, client: MlflowClient, name: str) -> str:
    """Id of an experiment, which is made where it is not there; a deleted one is a TrackingError."""
    found = client.get_experiment_by_name(name)
    if found is None:
        location = (store.home / "artifacts").absolute().as_uri() if store.database else None
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except load_mlflow().exceptions.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)  # another process was first
    if found is None or found.lifecycle_stage == "deleted":
        raise TrackingError(f"{store}: experiment {name!r} is deleted: restore it or use another name")
    return str(found.experiment_id)


def log_results(run: EvaluationRun, files: Path, *, model_id: str | None) -> None:
    """Log parameters, metrics, data set, plots and tables, with whatever already is in ``files``."""
    mlflow = load_mlflow()
    source = mlflow.data.sources.LocalArtifactDatasetSource(run.data_path)
    # The records stay where they are: MLflow learns of the place and of the content's hash.
    data = mlflow.data.meta_dataset.MetaDataset(
        source, name=Path(run.data_path).name, digest=run.data_sha256[:_DIGEST_CHARS]
    )
    tags = {"sha256": run.data_sha256} | {f"n_{name}": str(count) for name, count in run.counts.items()}
    context = "training" if model_id else "evaluation"
    mlflow.log_input(data, context=context, tags=tags)
    mlflow.log_params(flat(run.config))
    mlflow.log_metrics(_metrics(run), dataset=data, model_id=model_id)
    (files / "config.json").write_text(json.dumps(run.config, indent=2, default=str), encoding="utf-8")
    write_evaluation(run.evaluation, run.plots, files)
    mlflow.log_artifacts(str(files))


def write_evaluation(evaluation: Evaluation, plots: Mapping[str, Plot], folder: Path) -> None:
    """Write what an evaluation found: ``evaluation.json``, ``predictions.parquet`` and ``plots/NAME.png``.

    Parameters
    ----------
    evaluation : Evaluation
        Figures, baselines, slices and predictions.
    plots : mapping of str to matplotlib Figure
        Plots by file name without suffix.
    folder : Path
        Made where it is not there.
    """
    import pandas as pd

    (folder / "plots").mkdir(parents=True, exist_ok=True)
    for name, plot in plots.items():
        plot.savefig(folder / "plots" / f"{name}.png", dpi=120)

    summary = {
        name: value for name, value in msgspec.structs.asdict(evaluation).items() if name != "predictions"
    }
    (folder / "evaluation.json").write_bytes(msgspec.json.format(msgspec.json.encode(summary)))
    pd.DataFrame(evaluation.predictions).to_parquet(folder / "predictions.parquet", index=False)


def _metrics(run: EvaluationRun) -> dict[str, float]:
    """Every number of the run under a name that MLflow takes."""
    evaluation = run.evaluation
    counts = {f"n_{name}": float(count) for name, count in run.counts.items()}
    figures = figure_metrics(
        evaluation.figures, baseline=evaluation.baselines, at_ingest=evaluation.at_ingest
    )
    return counts | {"n_evaluated": float(evaluation.n_records)} | figures


def figure_metrics(
    figures: Mapping[str, Figure], **others: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Figures with the ends of their intervals, others as ``KIND.<name>.<figure>``, named as MLflow takes it.

    Examples
    --------
    >>> figure_metrics({"quality_mae": Figure(2.0)}, baseline={"plain LightGBM": {"quality_mae": 3.0}})
    {'quality_mae': 2.0, 'baseline.plain_lightgbm.quality_mae': 3.0}
    """
    metrics = {}
    for name, figure in figures.items():
        ends = {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
        metrics.update({key: float(value) for key, value in ends.items() if value is not None})
    for kind, parts in others.items():
        for part, values in parts.items():
            slug = re.sub(r"[^0-9a-z]+", "_", part.lower()).strip("_")
            metrics.update({f"{kind}.{slug}.{name}": float(value) for name, value in values.items()})
    return metrics


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Leaves of a nested mapping by their dotted path."""
    leaves: dict[str, Any] = {}
    for key, value in config.items():
        leaves |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return leaves
