"""Upload a prepared run as one MLflow run, which is always ended.

Each step checks for results of an interrupted upload, so that a second upload completes the run.
"""

from __future__ import annotations

import json
import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from scoring.tracking.caller_state import (
    PARENT_TAG,
    default_store,
    log_metrics,
    without_foreign_parent,
)
from scoring.tracking.destination import UPLOAD_TAG, param_conflict
from scoring.tracking.metric_names import store_name
from scoring.tracking.orphaned_runs import end_abandoned, process_tags
from scoring.tracking.pyfunc.log import log_model, record_schema
from scoring.tracking.registry import (
    delete_unready_models,
    ready_model,
    register_version,
    registered_version,
)
from scoring.tracking.staged_run import ARTIFACTS, REPORT, RUN_FILE, PreparedRun, read_prepared
from scoring.tracking.store import Store, experiment_id, load_mlflow, opened

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

_DIGEST_CHARS = 36  # MLflow's limit for the digest of a data set; tags have the whole hash
_MAX_RUNS = 10_000
_LOG = logging.getLogger(__name__)
_NOTE = "mlflow.note.content"


class LoggedRun(NamedTuple):
    """Ids of a logged run; None without a model or a registered version.

    Parameters
    ----------
    run_id : str
        The run.
    model_uri : str or None
        Address of its model.
    version : int or None
        Registered version.
    """

    run_id: str
    model_uri: str | None
    version: int | None


def upload(store: Store, folder: Path) -> LoggedRun:
    """Upload a prepared run completely; existing parts of it are kept.

    Parameters
    ----------
    store : Store
        A SQLite store is created on first use, also by several processes at once.
    folder : Path
        Folder of the prepared run; not changed.

    Returns
    -------
    LoggedRun

    Raises
    ------
    TrackingError
        If the store cannot be reached or written; a started run is ended as failed.
    """
    run = read_prepared(folder)
    with opened(store, f"log run {run.name!r}", writes=True) as client, _sigterm_exits():
        experiment = experiment_id(store, client, run.experiment)
        end_abandoned(client, experiment)
        run_id, is_whole = _begin(client, experiment, run, is_intended=run.store == str(store))
        if not is_whole:
            # The end of the work, which may be long before the upload.
            done_at = int((folder / RUN_FILE).stat().st_mtime * 1000)
            with _running(client, run_id, done_at):
                _log_contents(client, experiment, run_id, run, folder, done_at)
        model = ready_model(client, experiment, run_id)
        version = registered_version(client, run.register, run_id) if run.register else None
    return LoggedRun(run_id, f"runs:/{run_id}/{model.name}" if model else None, version)


def _begin(client: MlflowClient, experiment: str, run: PreparedRun, *, is_intended: bool) -> tuple[str, bool]:
    """Return the id of the run, created if missing, and whether it is complete.

    The run that was meant to receive it does so in the store that it was meant for.
    """
    existing = client.search_runs([experiment], f"tags.{UPLOAD_TAG} = '{run.id}'", max_results=1)
    if existing:
        info = existing[0].info
        for name, value in process_tags().items():
            client.set_tag(info.run_id, name, value)
        return str(info.run_id), info.status == "FINISHED"
    tags = {"type": run.kind} | without_foreign_parent(client, run.environment) | process_tags() | run.tags
    note = run.note or run.description
    tags |= {UPLOAD_TAG: run.id} | ({_NOTE: note} if note else {})
    if run.run_id and is_intended:
        reason = _why_not(client, run.run_id, run.params)
        if not reason:
            _receive(client, run.run_id, tags)
            return run.run_id, False
        _LOG.warning(
            "run %s cannot receive the results, which get a run of their own: %s", run.run_id, reason
        )
        tags |= {"not_received_by": f"{run.run_id}: {reason}"}
    started_at = _milliseconds(run.started_at)
    created = client.create_run(experiment, start_time=started_at, tags=tags, run_name=run.name)
    return str(created.info.run_id), False


def _why_not(client: MlflowClient, run_id: str, params: dict[str, str]) -> str:
    """Why an existing run cannot receive results; empty if it can."""
    mlflow = load_mlflow()
    try:
        run = client.get_run(run_id)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return "there is no such run"
    if run.info.lifecycle_stage == "deleted":
        return "it is deleted"
    conflict = param_conflict(run.data.params, params)
    return f"it has {conflict}" if conflict else ""


def _receive(client: MlflowClient, run_id: str, tags: dict[str, str]) -> None:
    """Add tags to an existing run, but keep its name, its parent, and the tags that MLflow has set."""
    own = client.get_run(run_id).data.tags
    added = {
        name: value
        for name, value in tags.items()
        if name != PARENT_TAG and not (name in own and name.startswith("mlflow."))
    }
    entities = load_mlflow().entities
    client.log_batch(run_id, tags=[entities.RunTag(name, value) for name, value in added.items()])


def _log_contents(
    client: MlflowClient, experiment: str, run_id: str, run: PreparedRun, folder: Path, done_at: int
) -> None:
    """Log all data of the run."""
    mlflow = load_mlflow()
    entities = mlflow.entities
    # The records are not copied: MLflow gets their path and hash.
    model_folder = None if run.model_folder is None else folder / run.model_folder
    data = mlflow.data.meta_dataset.MetaDataset(
        mlflow.data.sources.LocalArtifactDatasetSource(run.data.source),
        name=Path(run.data.source).name,
        digest=run.data.sha256[:_DIGEST_CHARS],
        schema=record_schema(model_folder),
    )
    tags = {"sha256": run.data.sha256} | {f"n_{name}": str(count) for name, count in run.data.counts.items()}
    tags |= {"mlflow.data.context": run.data.context}
    profile = json.dumps(run.data.profile | {f"num_{name}": count for name, count in run.data.counts.items()})
    dataset = entities.Dataset(**data.to_dict(), profile=profile)
    inputs = [entities.InputTag(name, value) for name, value in tags.items()]
    client.log_inputs(run_id, [entities.DatasetInput(dataset, inputs)])
    client.log_batch(run_id, params=[entities.Param(name, value) for name, value in run.params.items()])
    # After the parameters, which MLflow copies to the model; before the metrics, which refer to it.
    model = ready_model(client, experiment, run_id)
    if model is None and model_folder is not None:
        delete_unready_models(client, experiment, run_id)
        model = log_model(client, run_id, model_folder)
    model_id = model.model_id if model else None
    # With the same timestamp, MLflow drops duplicate metrics of the run, but not of the model.
    known = {metric.key for metric in (model.metrics or [])} if model else set()
    of_data = {"model_id": model_id, "dataset_name": data.name, "dataset_digest": data.digest}
    metrics = [
        entities.Metric(store_name(name), value, done_at, 0, **of_data, run_id=run_id)
        for name, value in run.metrics.items()
        if store_name(name) not in known
    ]
    log_metrics(client, run_id, metrics)
    client.log_artifacts(run_id, str(folder / ARTIFACTS))
    if run.note:
        has_report = (folder / ARTIFACTS / REPORT).is_file()
        client.set_tag(run_id, _NOTE, run.note + _links(experiment, run_id, model, has_report=has_report))
    _log_parts(client, experiment, run_id, run, done_at)
    _log_curves(client, run_id, run)
    # Last, so that a version always has a complete run.
    if run.register is not None and model is not None:
        with default_store(client.tracking_uri):
            register_version(client, run.register, model, run_id, description=run.description, tags=run.tags)


def _links(experiment: str, run_id: str, model: LoggedModel | None, *, has_report: bool) -> str:
    """Links to the report and the model in MLflow's pages, as a paragraph of Markdown."""
    root = f"#/experiments/{experiment}"
    links = [f"[Report]({root}/runs/{run_id}/artifacts/{REPORT})"] if has_report else []
    links += [f"[Model]({root}/models/{model.model_id})"] if model else []
    return "\n\n" + ", ".join(links) if links else ""


def _log_parts(client: MlflowClient, experiment: str, run_id: str, run: PreparedRun, done_at: int) -> None:
    """Log the nested runs, and the metrics over them."""
    if not run.parts:
        return
    make = load_mlflow().entities.Metric
    inner = client.search_runs([experiment], f"tags.`{PARENT_TAG}` = '{run_id}'", max_results=_MAX_RUNS)
    ids = {run_part.info.run_name: run_part.info.run_id for run_part in inner}
    lines = []
    for step, part in enumerate(run.parts):
        part_id = ids.get(part.name)
        if part_id is None:
            tags = {PARENT_TAG: run_id} | process_tags() | part.tags
            created = client.create_run(experiment, _milliseconds(run.started_at), tags, part.name)
            part_id = created.info.run_id
        metrics = [make(store_name(name), value, done_at, 0) for name, value in part.metrics.items()]
        log_metrics(client, part_id, metrics)
        client.set_terminated(part_id, end_time=done_at)
        timestamp = _milliseconds(part.at)
        lines += [
            make(store_name(f"{run.series}/{name}"), value, timestamp, step)
            for name, value in part.metrics.items()
        ]
    log_metrics(client, run_id, lines)


def _log_curves(client: MlflowClient, run_id: str, run: PreparedRun) -> None:
    """Log the metrics over a number, which is their step, and those over time."""
    make, started_at = load_mlflow().entities.Metric, _milliseconds(run.started_at)
    lines = [
        make(name, value, started_at, step)
        for name, curve in run.curves.items()
        for step, value in curve.items()
    ]
    lines += [
        make(name, value, sample.at_ms, step)
        for step, sample in enumerate(run.samples)
        for name, value in sample.metrics.items()
    ]
    if lines:
        log_metrics(client, run_id, lines)


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


@contextmanager
def _running(client: MlflowClient, run_id: str, done_at: int) -> Iterator[None]:
    """Set a run to running, and always end it; the caller's active run is not changed."""
    status, ended_at = "KILLED", None
    try:
        client.update_run(run_id, "RUNNING")
        yield
        status, ended_at = "FINISHED", done_at
    except Exception:
        status = "FAILED"
        raise
    finally:
        client.set_terminated(run_id, status, ended_at)


@contextmanager
def _sigterm_exits() -> Iterator[None]:
    """Turn SIGTERM into SystemExit, so that the run is ended on exit."""

    def exit_(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield  # only the main thread can, and an existing handler is respected
        return
    signal.signal(signal.SIGTERM, exit_)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
