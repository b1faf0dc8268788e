"""Log a backtest: one run for all folds together, with a nested run per fold."""

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

    from scoring.evaluation.backtest import FoldResult  # not imported at run time: it imports training

_MONTH = re.compile(r"\d{4}-\d{2}")


@dataclass(frozen=True, kw_only=True)
class BacktestRun(EvaluationRun):
    """A backtest to log; its ``evaluation`` is of all folds together.

    Parameters
    ----------
    by : str
        Criterion of the folds: ``month`` or ``section``.
    folds : sequence of FoldResult
        Results of the folds, in order.
    """

    by: str
    folds: Sequence[FoldResult]


def log_backtest(store: Store, run: BacktestRun) -> str:
    """Log a backtest as a run with a nested run per fold, and return the id of the outer run.

    The outer run has the metrics of all folds together, and those of each fold as steps of ``BY/METRIC``
    (``month/quality_mae``), which MLflow plots over the months.

    Parameters
    ----------
    store : Store
        A SQLite store is created on first use.
    run : BacktestRun
        The backtest.

    Returns
    -------
    str
        Id of the outer run.

    Raises
    ------
    TrackingError
        If the store cannot be reached or written; the message says where the run is kept.
    """

    def write(folder: Path) -> None:
        write_results(run, folder / ARTIFACTS)
        write_folds(run.folds, folder / ARTIFACTS / "folds.csv")

    parts = tuple(_part(run, fold) for fold in run.folds)
    prepared = prepare(store, run, kind="backtest")
    return log_run(store, msgspec.structs.replace(prepared, series=run.by, parts=parts), write).run_id


def _part(run: BacktestRun, fold: FoldResult) -> PartRun:
    tags = {"type": "backtest fold", "by": run.by, "fold": fold.name, "data_sha256": run.data_sha256}
    return PartRun(
        name=fold.name, tags=tags, metrics=_metrics(fold), at=_fold_time(fold.name, run.started_at)
    )


def write_backtest(
    evaluation: Evaluation, folds: Sequence[FoldResult], plots: Mapping[str, Plot], folder: Path
) -> None:
    """Write the results of a backtest: ``folds.csv`` and the files of :func:`write_evaluation`.

    Parameters
    ----------
    evaluation : Evaluation
        Of all folds together.
    folds : sequence of FoldResult
        Results of the folds, in order.
    plots : mapping of str to Plot
        Figures by file name.
    folder : Path
        Target folder; created if missing.

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
    """Write one row per fold: metrics, their confidence limits, and the baselines' metrics."""
    rows = [{"fold": fold.name, **_metrics(fold)} for fold in folds]
    names = dict.fromkeys(name for row in rows for name in row)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(names))
        writer.writeheader()
        writer.writerows(rows)


def _metrics(fold: FoldResult) -> dict[str, float]:
    """All metrics of a fold, named as in training runs."""
    counts = {"n_training": float(fold.n_training), "n_records": float(fold.n_records)}
    return counts | figure_metrics(fold.figures, baseline=fold.baselines)


def _fold_time(name: str, default: datetime) -> datetime:
    """Time of a fold on MLflow's axis: the first of its month, otherwise the default."""
    if not _MONTH.fullmatch(name):
        return default
    return datetime.fromisoformat(f"{name}-01T00:00:00+00:00")
