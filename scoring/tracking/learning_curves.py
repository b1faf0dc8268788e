"""Log learning curves: one run, whose metrics have the number of labels as their step."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from scoring.errors import ScoringError
from scoring.tracking.outbox import log_run
from scoring.tracking.provenance import environment_tags, git_tags
from scoring.tracking.runs import flat
from scoring.tracking.staged_run import ARTIFACTS, DataInput, PreparedRun
from scoring.tracking.store import Store

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

    from scoring.evaluation.learning_curve import CurvePoint  # not imported at run time: it imports training

_NOT_IN_NAMES = re.compile(r"[^\w -]")  # MLflow refuses most of them, and a dot may stand for a folder
_MAX_NAME = 100  # characters of a section in the name of a metric
_COLUMNS = (
    *("section", "n_labels", "n_pool", "n_records", "n_draws"),
    *("quality_mae", "quality_mae_best", "quality_mae_worst", "quality_within_1"),
    *("quality_interval_coverage", "quality_interval_width", "error"),
)


@dataclass(frozen=True, kw_only=True)
class LearningCurveRun:
    """Learning curves to log.

    Parameters
    ----------
    experiment, run_name : str
        Names of the experiment and the run.
    model : str
        Name of the configuration.
    config : mapping
        Resolved configuration; its leaves become parameters of the run.
    data_path, data_sha256 : str
        Path of the records, and hex digest of their content.
    n_records : int
        Number of labelled records.
    points : sequence of CurvePoint
        Points of one or more sections, in order.
    plots : mapping of str to matplotlib Figure
        Plots by file name without suffix.
    started_at : datetime
        Start time, aware UTC.
    tags : mapping of str to str
        Additional tags.
    """

    experiment: str
    run_name: str
    model: str
    config: Mapping[str, Any]
    data_path: str
    data_sha256: str
    n_records: int
    points: Sequence[CurvePoint]
    plots: Mapping[str, Plot]
    started_at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)


def log_learning_curve(store: Store, run: LearningCurveRun) -> str:
    """Log learning curves as a run, and return the run's id.

    Parameters
    ----------
    store : Store
        A SQLite store is created on first use.
    run : LearningCurveRun
        The learning curves. Metrics are named ``labels/METRIC``, or ``labels/SECTION/METRIC`` if there are
        several sections; their step is the number of labels.

    Returns
    -------
    str
        Id of the run.

    Raises
    ------
    TrackingError
        If the store cannot be reached or written; the message says where the run is kept.
    """

    def write(folder: Path) -> None:
        write_files(run.points, run.plots, folder / ARTIFACTS)
        config = json.dumps(run.config, indent=2, default=str)
        (folder / ARTIFACTS / "config.json").write_text(config, encoding="utf-8")

    prepared = PreparedRun(
        id=uuid4().hex,
        kind="backtest",
        store=str(store),
        experiment=run.experiment,
        name=run.run_name,
        started_at=run.started_at,
        params={name: str(value) for name, value in flat(run.config).items()},
        metrics={"n_all": float(run.n_records)},
        tags={"model": run.model, "data_sha256": run.data_sha256} | dict(run.tags),
        environment=environment_tags("backtest") | git_tags(Path.cwd()),
        data=DataInput(
            source=run.data_path,
            sha256=run.data_sha256,
            context="evaluation",
            counts={"all": run.n_records},
        ),
        curves=_curves(run.points),
    )
    return log_run(store, prepared, write).run_id


def write_learning_curve(points: Sequence[CurvePoint], plots: Mapping[str, Plot], folder: Path) -> None:
    """Write ``labels.csv``, with a row for each section and number of labels, and ``plots/NAME.png``.

    Parameters
    ----------
    points : sequence of CurvePoint
        Points of one or more sections, in order.
    plots : mapping of str to matplotlib Figure
        Plots by file name without suffix.
    folder : Path
        Target folder; created if missing.

    Raises
    ------
    ScoringError
        If the folder cannot be written.
    """
    try:
        write_files(points, plots, folder)
    except OSError as error:
        raise ScoringError(f"{folder}: cannot write the backtest: {error.strerror or error}") from error


def write_files(points: Sequence[CurvePoint], plots: Mapping[str, Plot], folder: Path) -> None:
    """Write the table and the plots of learning curves."""
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    for name, plot in plots.items():
        plot.savefig(folder / "plots" / f"{name}.png", dpi=120)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        for point in points:
            facts = {name: getattr(point, name) for name in ("section", "n_labels", "n_pool", "n_records")}
            writer.writerow(facts | {"n_draws": len(point.draws), "error": point.error} | point.figures)


def _curves(points: Sequence[CurvePoint]) -> dict[str, dict[int, float]]:
    """Metrics by name and number of labels."""
    has_several = len({point.section for point in points}) > 1
    curves: dict[str, dict[int, float]] = {}
    for point in points:
        section = f"{_NOT_IN_NAMES.sub('_', point.section)[:_MAX_NAME]}/" if has_several else ""
        for name, value in point.figures.items():
            curves.setdefault(f"labels/{section}{name}", {})[point.n_labels] = value
    return curves
