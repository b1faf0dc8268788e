"""Log a hyperparameter search: one run for the study, with a nested run per trial.

A study may be continued by a later process, so its log is updated: existing runs are kept and missing ones
added. No run is active in between.
"""

from __future__ import annotations

import csv
import functools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scoring.tracking.caller_state import (
    PARENT_TAG,
    log_metrics,
    parent_tag,
    without_active_model,
    without_foreign_parent,
)
from scoring.tracking.metric_names import store_name
from scoring.tracking.orphaned_runs import end_abandoned, process_tags
from scoring.tracking.provenance import environment_tags, git_tags
from scoring.tracking.runs import flat
from scoring.tracking.store import Store, experiment_id, load_mlflow, opened
from scoring.tuning.search_space import Trial

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MAX_RUNS = 10_000


@dataclass(frozen=True, kw_only=True)
class StudyRun:
    """A study to log.

    Parameters
    ----------
    experiment, study : str
        Names of the experiment and the study.
    began_at : str
        Start of the study, ISO 8601, which distinguishes studies of the same name.
    config : mapping
        Base configuration of the search.
    data_path, data_sha256 : str
        Path of the records, and hex digest of those used.
    counts : mapping of str to int
        Number of records by use.
    trials : sequence of Trial
        All finished trials, including those of earlier processes; at least one.
    best : mapping
        Best configuration so far.
    tags : mapping of str to str
        Additional tags of the study's run, set on creation.
    """

    experiment: str
    study: str
    began_at: str
    config: Mapping[str, Any]
    data_path: str
    data_sha256: str
    counts: Mapping[str, int]
    trials: Sequence[Trial]
    best: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)


def log_study(store: Store, run: StudyRun) -> str:
    """Update the runs of a study, and return the id of the outer run.

    Parameters
    ----------
    store : Store
        A SQLite store is created on first use.
    run : StudyRun
        The study.

    Returns
    -------
    str
        Id of the outer run.

    Raises
    ------
    TrackingError
        If the store cannot be reached or written.
    """
    with opened(store, f"log study {run.study!r}", writes=True) as client:
        experiment = experiment_id(store, client, run.experiment)
        end_abandoned(client, experiment)
        parent = _parent(client, experiment, run)
        logged = _logged(client, experiment, parent)
        for trial in run.trials:
            if str(trial.number) not in logged:
                _log_trial(client, experiment, parent, trial, run)
        done = [trial.quality_mae for trial in run.trials if trial.quality_mae is not None]
        figures = {"best_quality_mae": min(done), "n_trials": len(run.trials)}
        for name, value in figures.items():
            log = functools.partial(client.log_metric, parent, name, value, step=len(run.trials))
            without_active_model(log)
        with tempfile.TemporaryDirectory() as folder:
            _write_trials(run.trials, Path(folder, "trials.csv"))
            client.log_artifacts(parent, folder)
        client.log_dict(parent, dict(run.best), "best.yaml")
        client.set_terminated(parent)
    return parent


def _parent(client: MlflowClient, experiment: str, run: StudyRun) -> str:
    """Return the id of the study's run, created if missing."""
    filter_string = f"tags.type = 'tune' and tags.study = '{run.study}' and tags.began_at = '{run.began_at}'"
    existing = client.search_runs([experiment], filter_string, max_results=1)
    if existing:
        return str(existing[0].info.run_id)
    tags = {
        "type": "tune",
        "study": run.study,
        "began_at": run.began_at,
        "data_sha256": run.data_sha256,
        "data_path": run.data_path,
        **run.tags,
        **environment_tags("tune"),
        **process_tags(),
        **git_tags(Path.cwd()),
        **without_foreign_parent(client, parent_tag()),
    }
    created = client.create_run(experiment, tags=tags, run_name=f"tune {run.study}")
    entities = load_mlflow().entities
    params = [entities.Param(name, str(value)) for name, value in flat(run.config).items()]
    client.log_batch(created.info.run_id, params=params)
    start_time = created.info.start_time
    counts = [
        entities.Metric(store_name(f"n_{name}"), count, start_time, 0) for name, count in run.counts.items()
    ]
    log_metrics(client, created.info.run_id, counts)
    return str(created.info.run_id)


def _logged(client: MlflowClient, experiment: str, parent: str) -> set[str]:
    runs = client.search_runs([experiment], f"tags.`{PARENT_TAG}` = '{parent}'", max_results=_MAX_RUNS)
    return {run.data.tags["trial"] for run in runs}


def _log_trial(client: MlflowClient, experiment: str, parent: str, trial: Trial, run: StudyRun) -> None:
    """Log a nested run for one trial, and a step of the study's metrics."""
    entities = load_mlflow().entities
    tags = {
        PARENT_TAG: parent,
        "type": "trial",
        "study": run.study,
        "trial": str(trial.number),
        "state": "pruned" if trial.quality_mae is None else "complete",
        "data_sha256": run.data_sha256,
        **process_tags(),
    }
    created = client.create_run(experiment, tags=tags, run_name=f"{run.study} {trial.number}")
    start_time = created.info.start_time
    values = {"rubric_mae": trial.rubric_mae, "quality_mae": trial.quality_mae, "n_trees": trial.n_trees}
    metrics = {name: float(value) for name, value in values.items() if value is not None}
    params = [entities.Param(name, str(value)) for name, value in trial.values.items()]
    client.log_batch(created.info.run_id, params=params)
    figures = [entities.Metric(name, value, start_time, 0) for name, value in metrics.items()]
    log_metrics(client, created.info.run_id, figures)
    client.set_terminated(created.info.run_id)
    lines = [
        entities.Metric(f"trial/{name}", value, start_time, trial.number) for name, value in metrics.items()
    ]
    log_metrics(client, parent, lines)


def _write_trials(trials: Sequence[Trial], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["trial", "quality_mae", "rubric_mae", "n_trees", *trials[0].values])
        for trial in trials:
            figures = (trial.number, trial.quality_mae, trial.rubric_mae, trial.n_trees)
            writer.writerow([*figures, *trial.values.values()])
