"""Isolate MLflow's global state (active run and model, URIs, environment) from the calling program.

A program that uses this package may use MLflow itself. This package logs its runs through a client of its own
store. MLflow state of the process or thread is only read here, or changed for one call and restored.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

PARENT_TAG = "mlflow.parentRunId"
_DEFAULTS = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # Report an unreachable server within seconds; MLflow's default of 7 retries takes minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
_POOL = "MLFLOW_SQLALCHEMYSTORE_"
# A run ends only when everything is logged, and its metrics do not belong to a model of the caller.
_REQUIRED = {"MLFLOW_ENABLE_ASYNC_LOGGING": "false", "MLFLOW_ACTIVE_MODEL_ID": None}


def parent_tag() -> dict[str, str]:
    """Tag that nests a run under the caller's active run; empty if there is none."""
    mlflow = sys.modules.get("mlflow")
    active = mlflow.active_run() if mlflow is not None else None
    return {PARENT_TAG: str(active.info.run_id)} if active is not None else {}


def without_foreign_parent(client: MlflowClient, tags: Mapping[str, str]) -> dict[str, str]:
    """Remove the parent tag of a run if the parent is not in the client's store."""
    parent = tags.get(PARENT_TAG)
    if parent is None:
        return dict(tags)
    from mlflow.exceptions import MlflowException

    try:
        client.get_run(parent)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {name: value for name, value in tags.items() if name != PARENT_TAG}
    return dict(tags)


def log_metrics(client: MlflowClient, run_id: str, metrics: Sequence[Metric]) -> None:
    """Log metrics without linking them to the caller's active model."""
    without_active_model(lambda: client.log_batch(run_id, metrics=metrics))


def without_active_model(log: Callable[[], object]) -> None:
    """Call `log` without an active model, which MLflow would add to every metric without a model."""
    import mlflow

    if mlflow.get_active_model_id() is None:
        log()
        return
    with ThreadPoolExecutor(1, "mlflow") as thread:  # a new thread has no active model
        thread.submit(log).result()


@contextmanager
def own_environment() -> Iterator[None]:
    """Set the environment variables that MLflow reads at each call."""
    values = {name: os.environ.get(name, value) for name, value in _DEFAULTS.items()} | _REQUIRED
    if not any(name.startswith(_POOL) for name in os.environ):
        # A pooled connection would keep reading a file that was moved or replaced.
        values[f"{_POOL}POOLCLASS"] = "NullPool"
    with _variables(values):
        yield


@contextmanager
def default_store(uri: str) -> Iterator[None]:
    """Set MLflow's default tracking URI during the block.

    A registry in a database looks up the logged model of a new version there, whatever client is used.
    """
    import mlflow

    before = mlflow.get_tracking_uri()
    if before == uri:
        yield
        return
    with _variables({"MLFLOW_TRACKING_URI": uri}):
        # The variable is enough unless the caller has set a URI.
        is_set = mlflow.get_tracking_uri() != uri
        if is_set:
            mlflow.set_tracking_uri(uri)
        try:
            yield
        finally:
            if is_set:
                mlflow.set_tracking_uri(before)


@contextmanager
def _variables(values: Mapping[str, str | None]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    _set_variables(values)
    try:
        yield
    finally:
        _set_variables(before)


def _set_variables(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
