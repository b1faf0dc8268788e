"""List the runs of the store, newest or best first."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.deployment.named_store import check_store
from scoring.errors import ScoringError
from scoring.evaluation.metrics import LOWER_IS_BETTER, MEANINGS
from scoring.settings import Settings
from scoring.tracking import RunSummary, Store, list_runs, own_name


@dataclass(frozen=True, slots=True)
class RunsOutcome:
    """Listed runs, in order, and the number of all runs."""

    runs: list[RunSummary]
    n_runs: int


def runs(
    *, settings: Settings, experiment: str | None = None, sort: str | None = None, limit: int | None = None
) -> RunsOutcome:
    """List runs without nested runs (folds, trials).

    Parameters
    ----------
    settings : Settings
        Home and store.
    experiment : str, optional
        Name of an experiment; all of them if not given.
    sort : str, optional
        Metric to sort by, best first and runs without it last, by its name here (``quality_r2``) or in MLflow
        (``quality/r2``). Default: newest first.
    limit : int, optional
        Maximum number of runs.

    Returns
    -------
    RunsOutcome

    Raises
    ------
    ScoringError
        If no run has the metric.
    TrackingError
        If the store cannot be read, or has no such experiment.
    """
    check_store(settings)
    summaries = list_runs(Store(settings.tracking_uri, settings.home), experiment)
    if sort is not None and summaries:
        summaries = _sorted(summaries, own_name(sort))
    return RunsOutcome(summaries[:limit], len(summaries))


def _sorted(summaries: list[RunSummary], metric: str) -> list[RunSummary]:
    if not any(metric in run.metrics for run in summaries):
        known = [name for name in MEANINGS if any(name in run.metrics for run in summaries)]
        raise ScoringError(f"sort: got {metric!r}, expected a metric of the runs: {', '.join(known)}")
    sign = 1 if metric in LOWER_IS_BETTER else -1
    return sorted(summaries, key=lambda run: (metric not in run.metrics, sign * run.metrics.get(metric, 0.0)))
