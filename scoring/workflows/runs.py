"""List the runs of the store, newest or best first."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.deployment.named_store import check_store
from scoring.errors import ScoringError
from scoring.evaluation.metrics import LOWER_IS_BETTER, MEANINGS
from scoring.settings import Settings
from scoring.tracking import RunSummary, Store, best_runs, list_runs, own_name

_LATEST = 100  # runs whose metrics an error lists


@dataclass(frozen=True, slots=True)
class RunsOutcome:
    """Listed runs, in order, and whether the store has more."""

    runs: list[RunSummary]
    has_more: bool


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
    store = Store(settings.tracking_uri, settings.home)
    wanted = None if limit is None else limit + 1
    if sort is None:
        summaries = list_runs(store, experiment, limit=wanted)
    else:
        summaries = _best(store, own_name(sort), experiment, wanted)
    return RunsOutcome(summaries[:limit], has_more=limit is not None and len(summaries) > limit)


def _best(store: Store, metric: str, experiment: str | None, limit: int | None) -> list[RunSummary]:
    is_lower_better = metric in LOWER_IS_BETTER
    summaries = best_runs(store, metric, is_lower_better=is_lower_better, experiment=experiment, limit=limit)
    if summaries and metric not in summaries[0].metrics:
        latest = list_runs(store, experiment, limit=_LATEST)
        known = [name for name in MEANINGS if any(name in run.metrics for run in latest)]
        raise ScoringError(f"sort: got {metric!r}, expected a metric of the runs: {', '.join(known)}")
    return summaries
