"""Log a drift report: distances of new records from a model's training records, as a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from scoring.tracking.outbox import log_run
from scoring.tracking.provenance import environment_tags, git_tags
from scoring.tracking.runs import flat
from scoring.tracking.staged_run import ARTIFACTS, DataInput, PreparedRun
from scoring.tracking.store import Store

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

    from scoring.drift.detect import Drift  # not imported at run time: it imports scipy


@dataclass(frozen=True, kw_only=True)
class DriftRun:
    """A drift report to log.

    Parameters
    ----------
    experiment, run_name : str
        Names of the experiment and the run.
    drift : Drift
        The drift report.
    config : mapping
        Configuration of the model; its leaves become parameters of the run.
    data_path, data_sha256 : str
        Path of the new records, and hex digest of their content.
    plots : mapping of str to matplotlib Figure
        Plots by file name without suffix.
    started_at : datetime
        Start time, aware UTC.
    tags : mapping of str to str
        Additional tags.
    """

    experiment: str
    run_name: str
    drift: Drift
    config: Mapping[str, Any]
    data_path: str
    data_sha256: str
    plots: Mapping[str, Plot]
    started_at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)


def log_drift(store: Store, run: DriftRun) -> str:
    """Log a drift report as a run, and return the run's id.

    Parameters
    ----------
    store : Store
        A SQLite store is created on first use.
    run : DriftRun
        The drift report.

    Returns
    -------
    str
        Id of the run.

    Raises
    ------
    TrackingError
        If the store cannot be reached or written; the message says where the run is kept.
    """
    drift = run.drift
    counts = {"new": drift.n_records, "labelled": drift.n_labelled}
    prepared = PreparedRun(
        id=uuid4().hex,
        kind="drift",
        store=str(store),
        experiment=run.experiment,
        name=run.run_name,
        started_at=run.started_at,
        params={name: str(value) for name, value in flat(run.config).items()},
        metrics=drift_metrics(drift),
        tags={
            "model": drift.model,
            "data_sha256": run.data_sha256,
            "verdict": "refused" if drift.reasons else "accepted",
            **run.tags,
        },
        environment=environment_tags("drift") | git_tags(Path.cwd()),
        data=DataInput(source=run.data_path, sha256=run.data_sha256, context="drift", counts=counts),
        description="; ".join(drift.reasons),
    )
    return log_run(store, prepared, lambda folder: write_drift(drift, run.plots, folder / ARTIFACTS)).run_id


def write_drift(drift: Drift, plots: Mapping[str, Plot], folder: Path) -> None:
    """Write ``drift.json`` and ``plots/NAME.png``.

    Parameters
    ----------
    drift : Drift
        The drift report.
    plots : mapping of str to matplotlib Figure
        Plots by file name without suffix.
    folder : Path
        Output folder; created if missing.
    """
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    for name, plot in plots.items():
        plot.savefig(folder / "plots" / f"{name}.png", dpi=120)
    (folder / "drift.json").write_bytes(msgspec.json.format(msgspec.json.encode(drift)))


def drift_metrics(drift: Drift) -> dict[str, float]:
    """Return all metrics of a drift report by MLflow name, with limits as ``NAME_limit``."""
    metrics = {"n_new": float(drift.n_records), "n_labelled": float(drift.n_labelled)}
    for family in drift.families:
        metrics |= {f"distance.{family.family}": family.distance}
        metrics |= {f"distance.{family.family}_limit": family.limit}
    for unseen in drift.unseen:
        metrics |= {f"unseen.{unseen.what}_ratio": unseen.ratio}
        metrics |= {f"unseen.{unseen.what}_ratio_limit": unseen.limit_ratio}
    for shift in drift.shifts:
        metrics |= {f"mean.{shift.name}": shift.new, f"mean.{shift.name}_before": shift.before}
        metrics |= {f"mean.{shift.name}_limit": shift.limit}
    errors = {"error_ratio": drift.error_ratio, "label_error": drift.label_error}
    return metrics | {name: value for name, value in errors.items() if value is not None}
