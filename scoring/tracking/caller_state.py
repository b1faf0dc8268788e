"""MLflow state of the calling program: active run and model, addresses, environment; all left as they were.

A program that uses this package may log with MLflow itself. Its own runs are logged through a client of
their own store; what MLflow keeps for the whole process or thread is only read here, or changed for one
call and put back.
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
    # A server that is down is reported within seconds: MLflow's own 7 retries take minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
# A run is ended when everything is in it, and what it logs belongs to no model of the caller's.
_POOL = "MLFLOW_SQLALCHEMYSTORE_"
_REQUIRED = {"MLFLOW_ENABLE_ASYNC_LOGGING": "false", "MLFLOW_ACTIVE_MODEL_ID": None}


def parent_tag() -> dict[str, str]:
    """Tag that nests a run under the run that the caller has active; empty where there is none."""
    mlflow = sys.modules.get("mlflow")
    active = mlflow.active_run() if mlflow is not None else None
    return {PARENT_TAG: str(active.info.run_id)} if active is not None else {}


def without_foreign_parent(client: MlflowClient, tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of a run, without a parent that is not in the client's store."""
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
    """Log metrics, none of them to the model that the caller has set active."""
    without_active_model(lambda: client.log_batch(run_id, metrics=metrics))


def without_active_model(log: Callable[[], object]) -> None:
    """Log something: MLflow adds the active model of the thread to every metric that names none."""
    import mlflow

    if mlflow.get_active_model_id() is None:
        log()
        return
    with ThreadPoolExecutor(1, "mlflow") as thread:  # a new one has none
        thread.submit(log).result()


@contextmanager
def own_environment() -> Iterator[None]:
    """The variables that MLflow reads at each call, as this package needs them."""
    values = {name: os.environ.get(name, value) for name, value in _DEFAULTS.items()} | _REQUIRED
    if not any(name.startswith(_POOL) for name in os.environ):
        # A connection that is kept reads on in a file that was moved or replaced.
        values[f"{_POOL}POOLCLASS"] = "NullPool"
    with _variables(values):
        yield


@contextmanager
def default_store(uri: str) -> Iterator[None]:
    """The store as the one that MLflow asks where it takes no client, for one call.

    A registry in a database looks up the logged model of a new version there, whatever client it is asked
    through.
    """
    import mlflow

    before = mlflow.get_tracking_uri()
    if before == uri:
        yield
        return
    with _variables({"MLFLOW_TRACKING_URI": uri}):
        # The variable is enough where the caller has set no address itself.
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
