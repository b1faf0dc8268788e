"""Runs: what the store holds, the newest or the best first."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.deployment.named_store import check_store
from scoring.errors import ScoringError
from scoring.evaluation.metrics import LOWER_IS_BETTER, MEANINGS
from scoring.settings import Settings
from scoring.tracking import RunSummary, Store, list_runs


@dataclass(frozen=True, slots=True)
class RunsOutcome:
    """Runs in their order, and how many there are in all."""

    runs: list[RunSummary]
    n_runs: int


def runs(
    *, settings: Settings, experiment: str | None = None, sort: str | None = None, limit: int | None = None
) -> RunsOutcome:
    """List runs; those within a run (folds, trials) are left out.

    Parameters
    ----------
    settings : Settings
        Where the store is.
    experiment : str, optional
        Name of an experiment; all of them if not given.
    sort : str, optional
        Figure by which the best stands first, runs without it last; the newest first if not given.
    limit : int, optional
        Runs at most.

    Returns
    -------
    RunsOutcome

    Raises
    ------
    ScoringError
        If no run has the figure.
    TrackingError
        If the store cannot be read, or has no such experiment.
    """
    check_store(settings)
    found = list_runs(Store(settings.tracking_uri, settings.home), experiment)
    if sort is not None and found:
        found = _sorted(found, sort)
    return RunsOutcome(found[:limit], len(found))


def _sorted(found: list[RunSummary], figure: str) -> list[RunSummary]:
    if not any(figure in run.metrics for run in found):
        known = [name for name in MEANINGS if any(name in run.metrics for run in found)]
        raise ScoringError(f"sort: got {figure!r}, expected a metric of the runs: {', '.join(known)}")
    sign = 1 if figure in LOWER_IS_BETTER else -1
    return sorted(found, key=lambda run: (figure not in run.metrics, sign * run.metrics.get(figure, 0.0)))
