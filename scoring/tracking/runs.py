"""Log a training or an evaluation: write its results to a folder, which is then uploaded."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import msgspec

from scoring.evaluation.results import Evaluation, Figure
from scoring.tracking.metric_names import BOOSTING
from scoring.tracking.outbox import log_run
from scoring.tracking.provenance import environment_tags, git_tags
from scoring.tracking.run_note import run_note
from scoring.tracking.staged_run import ARTIFACTS, MODEL, REPORT, DataInput, PreparedRun
from scoring.tracking.store import Store
from scoring.tracking.upload import LoggedRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot


class Importance(NamedTuple):
    """Importance of one feature in one booster: total gain and number of splits.

    Parameters
    ----------
    feature : str
        Name of the column.
    booster : str
        Name of the booster.
    gain : float
        Gain summed over its splits, >= 0.
    split : int
        Number of splits.
    """

    feature: str
    booster: str
    gain: float
    split: int


@dataclass(frozen=True, kw_only=True)
class EvaluationRun:
    """An evaluation to log.

    Parameters
    ----------
    experiment, run_name : str
        Names of the experiment and the run.
    model : str
        Name and version of the model that was evaluated.
    config : mapping
        Resolved configuration; its leaves become parameters of the run.
    data_path, data_sha256 : str
        Path of the records, and hex digest of their content.
    counts : mapping of str to int
        Number of records by use (``train``, ``calibration``, ``test``).
    evaluation : Evaluation
        Metrics, baselines, slices and predictions.
    plots : mapping of str to matplotlib Figure
        Plots by file name without suffix.
    started_at : datetime
        Start time, aware UTC.
    tags : mapping of str to str
        Additional tags.
    report : str
        HTML report; may be empty.
    profile : mapping
        Facts about the records, for the data set in MLflow: JSON values.
    description : str
        First paragraph of the run's description, and description of a registered version.
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
    report: str = ""
    profile: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class TrainingRun(EvaluationRun):
    """A training with its evaluation, to log.

    Parameters
    ----------
    model_folder : Path
        The saved model (the folder with its manifest).
    importances : sequence of Importance
        One per feature of each booster.
    curves : mapping of str to mapping of int to float
        Errors of the boosters by number of trees: see :mod:`scoring.evaluation.boosting_curves`. They are
        logged as ``boosting/NAME``, whose step is the number of trees.
    register : str or None
        Registered model that gets a new version; aliases do not change.
    """

    model_folder: Path
    importances: tuple[Importance, ...] = ()
    curves: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    register: str | None = None


def log_training(store: Store, run: TrainingRun) -> LoggedRun:
    """Log a training, its evaluation and its model as one run.

    Parameters
    ----------
    store : Store
        A SQLite store is created on first use, also by several processes at once.
    run : TrainingRun
        The training.

    Returns
    -------
    LoggedRun
        Run id, model URI, and registered version.

    Raises
    ------
    TrackingError
        If the store cannot be reached or written; the message says where the run and model are kept.
    """

    def write(folder: Path) -> None:
        write_results(run, folder / ARTIFACTS)
        with (folder / ARTIFACTS / "importances.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([Importance._fields, *run.importances])
        shutil.copytree(run.model_folder, folder / MODEL)

    prepared = prepare(store, run, kind="train")
    prepared = msgspec.structs.replace(
        prepared,
        register=run.register,
        model_folder=MODEL,
        description=run.description,
        curves={f"{BOOSTING}{name}": dict(curve) for name, curve in run.curves.items()},
    )
    return log_run(store, prepared, write)


def log_evaluation(store: Store, run: EvaluationRun) -> str:
    """Log an evaluation as a run, and return the run's id.

    Parameters
    ----------
    store : Store
        A SQLite store is created on first use.
    run : EvaluationRun
        The evaluation.

    Returns
    -------
    str
        Id of the run.

    Raises
    ------
    TrackingError
        If the store cannot be reached or written; the message says where the run is kept.
    """
    prepared = prepare(store, run, kind="evaluate")
    return log_run(store, prepared, lambda folder: write_results(run, folder / ARTIFACTS)).run_id


def prepare(store: Store, run: EvaluationRun, *, kind: str) -> PreparedRun:
    """Return the data of a run except its files."""
    context = "training" if kind == "train" else "evaluation"
    return PreparedRun(
        id=uuid4().hex,
        kind=kind,
        store=str(store),
        experiment=run.experiment,
        name=run.run_name,
        started_at=run.started_at,
        params={name: str(value) for name, value in flat(run.config).items()},
        metrics=_metrics(run),
        tags={"model": run.model, "data_sha256": run.data_sha256} | dict(run.tags),
        environment=environment_tags(kind) | git_tags(Path.cwd()),
        data=DataInput(
            source=run.data_path,
            sha256=run.data_sha256,
            context=context,
            counts=dict(run.counts),
            profile=dict(run.profile),
        ),
        note=run_note(run.evaluation, run.description),
    )


def write_results(run: EvaluationRun, folder: Path) -> None:
    """Write the files that every run has: configuration and evaluation."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(run.config, indent=2, default=str), encoding="utf-8")
    write_evaluation(run.evaluation, run.plots, folder, report=run.report)


def write_evaluation(
    evaluation: Evaluation, plots: Mapping[str, Plot], folder: Path, *, report: str = ""
) -> None:
    """Write the results of an evaluation.

    Files: ``evaluation.json``, ``predictions.parquet``, ``plots/NAME.png`` and optionally ``report.html``.

    Parameters
    ----------
    evaluation : Evaluation
        Metrics, baselines, slices and predictions.
    plots : mapping of str to matplotlib Figure
        Plots by file name without suffix.
    folder : Path
        Output folder; created if missing.
    report : str
        HTML report; may be empty.
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
    if report:
        (folder / REPORT).write_text(report, encoding="utf-8")


def _metrics(run: EvaluationRun) -> dict[str, float]:
    """All metrics of the run by MLflow name."""
    counts = {f"n_{name}": float(count) for name, count in run.counts.items()}
    return counts | evaluation_metrics(run.evaluation)


def evaluation_metrics(evaluation: Evaluation) -> dict[str, float]:
    """Return all metrics of an evaluation by the names in its run.

    Parameters
    ----------
    evaluation : Evaluation
        The evaluation.

    Returns
    -------
    dict of str to float
        Metrics, those of baselines, at ingest and of the forecast, and ``n_evaluated``.
    """
    figures = figure_metrics(
        evaluation.figures,
        baseline=evaluation.baselines,
        at_ingest=evaluation.at_ingest,
        forecast=evaluation.forecast,
    )
    return {"n_evaluated": float(evaluation.n_records)} | figures


def figure_metrics(
    figures: Mapping[str, Figure], **others: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Return metrics with confidence limits, and other metrics as ``KIND.<name>.<metric>``, by MLflow name.

    Examples
    --------
    >>> figure_metrics({"quality_mae": Figure(2.0)}, baseline={"plain LightGBM": {"quality_mae": 3.0}})
    {'quality_mae': 2.0, 'baseline.plain_lightgbm.quality_mae': 3.0}
    """
    metrics = {}
    for name, figure in figures.items():
        limits = {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
        metrics.update({key: float(value) for key, value in limits.items() if value is not None})
    for kind, parts in others.items():
        for part, values in parts.items():
            slug = re.sub(r"[^0-9a-z]+", "_", part.lower()).strip("_")
            metrics.update({f"{kind}.{slug}.{name}": float(value) for name, value in values.items()})
    return metrics


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten a nested mapping to dotted keys.

    Parameters
    ----------
    config : mapping
        Values, or mappings of the same kind.
    prefix : str
        Text before each key.

    Returns
    -------
    dict
        ``{"model.quality.num_leaves": 15}`` for ``{"model": {"quality": {"num_leaves": 15}}}``.
    """
    leaves: dict[str, Any] = {}
    for key, value in config.items():
        leaves |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return leaves
