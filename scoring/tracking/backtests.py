"""Logging a backtest: one run for all folds together, and a run within it for each."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scoring.errors import ScoringError
from scoring.evaluation.results import Evaluation
from scoring.tracking.outbox import log_run
from scoring.tracking.runs import EvaluationRun, figure_metrics, prepare, write_evaluation, write_results
from scoring.tracking.staged_run import ARTIFACTS, PartRun
from scoring.tracking.store import Store

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

    from scoring.evaluation.backtest import FoldResult  # what it needs to fit is not needed to log

_MONTH = re.compile(r"\d{4}-\d{2}")


@dataclass(frozen=True, kw_only=True)
class BacktestRun(EvaluationRun):
    """A backtest to be logged; its ``evaluation`` is that of all folds together.

    Parameters
    ----------
    by : str
        What parts the folds: ``month`` or ``section``.
    folds : sequence of FoldResult
        What each found, in order.
    """

    by: str
    folds: Sequence[FoldResult]


def log_backtest(store: Store, run: BacktestRun) -> str:
    """Log a backtest as a run with a nested run for each fold, and return the id of the outer one.

    The outer run has the figures of all folds together, and those of each fold as the steps of
    ``BY/FIGURE`` (``month/quality_mae``), which MLflow draws as a line over the months.

    Parameters
    ----------
    store : Store
        A SQLite store is created on first use.
    run : BacktestRun
        What to log.

    Returns
    -------
    str

    Raises
    ------
    TrackingError
        If the store cannot be reached or written; the message tells where the run is kept.
    """

    def write(folder: Path) -> None:
        write_results(run, folder / ARTIFACTS)
        write_folds(run.folds, folder / ARTIFACTS / "folds.csv")

    parts = tuple(_part(run, fold) for fold in run.folds)
    prepared = prepare(store, run, kind="backtest")
    return log_run(store, msgspec.structs.replace(prepared, series=run.by, parts=parts), write).run_id


def _part(run: BacktestRun, fold: FoldResult) -> PartRun:
    tags = {"type": "backtest fold", "by": run.by, "fold": fold.name, "data_sha256": run.data_sha256}
    return PartRun(name=fold.name, tags=tags, metrics=_metrics(fold), at=_moment(fold.name, run.started_at))


def write_backtest(
    evaluation: Evaluation, folds: Sequence[FoldResult], plots: Mapping[str, Plot], folder: Path
) -> None:
    """Write what a backtest found: ``folds.csv`` beside what :func:`write_evaluation` writes.

    Raises
    ------
    ScoringError
        If the folder cannot be written.
    """
    try:
        write_evaluation(evaluation, plots, folder)
        write_folds(folds, folder / "folds.csv")
    except OSError as error:
        raise ScoringError(f"{folder}: cannot write the backtest: {error.strerror or error}") from error


def write_folds(folds: Sequence[FoldResult], path: Path) -> None:
    """Write a row for each fold: its figures, the ends of their intervals, the baselines' figures."""
    rows = [{"fold": fold.name, **_metrics(fold)} for fold in folds]
    names = dict.fromkeys(name for row in rows for name in row)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(names))
        writer.writeheader()
        writer.writerows(rows)


def _metrics(fold: FoldResult) -> dict[str, float]:
    """Every number of a fold, named as in the runs of trainings."""
    counts = {"n_training": float(fold.n_training), "n_records": float(fold.n_records)}
    return counts | figure_metrics(fold.figures, baseline=fold.baselines)


def _moment(name: str, otherwise: datetime) -> datetime:
    """Where a fold stands in time, for MLflow's axis: a month at its beginning."""
    if not _MONTH.fullmatch(name):
        return otherwise
    return datetime.fromisoformat(f"{name}-01T00:00:00+00:00")
