"""Where a command logs its run: the experiment by name or id, and the existing run that receives it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

import msgspec

from scoring.errors import SettingsError, TrackingError
from scoring.settings import Settings
from scoring.tracking.staged_run import Sample
from scoring.tracking.store import Store, load_mlflow, opened
from scoring.tracking.system_metrics import LoadMonitor, load_monitor

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_P = ParamSpec("_P")
_R = TypeVar("_R")
_WITHOUT = "remove the setting ('scoring config' shows where it is from)"
_OPEN = ("RUNNING", "SCHEDULED")
UPLOAD_TAG = "upload_id"
"""Tag of a run with the id of the staged run that was uploaded to it."""


@dataclass(frozen=True, slots=True)
class _Destination:
    """The existing run to log the next run to, if any, and the monitor of the machine's load."""

    run_id: str = ""
    monitor: LoadMonitor | None = None


_CURRENT: ContextVar[_Destination | None] = ContextVar("destination", default=None)


def logs_one_run(workflow: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate a workflow that logs one run: check first that the run can be logged as its settings say.

    Parameters
    ----------
    workflow : callable
        Takes the keyword ``settings``, and gets them with the resolved experiment.

    Returns
    -------
    callable
        Raises TrackingError or SettingsError before any work if ``experiment_id`` or ``run_id`` cannot be
        used.
    """

    @wraps(workflow)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        settings = cast(Settings, kwargs["settings"])
        if not kwargs.get("is_tracked", True):
            return workflow(*args, **kwargs)
        with destination(settings, cast(str | None, kwargs.get("experiment"))) as resolved:
            if settings.run_id is not None and (config := kwargs.get("config")) is not None:
                _check_params(settings, msgspec.to_builtins(config))
            kwargs["settings"] = resolved
            return workflow(*args, **kwargs)

    return checked


def _check_params(settings: Settings, config: Mapping[str, object]) -> None:
    """Refuse a run that has other parameters than it would get, since MLflow changes none."""
    from scoring.tracking.runs import flat  # imports this module

    store, run_id = Store(settings.tracking_uri, settings.home), str(settings.run_id)
    with opened(store, "read the parameters of the run", writes=False) as client:
        conflict = param_conflict(client.get_run(run_id).data.params, flat(config))
    if conflict:
        raise TrackingError(f"{store}: run_id: run {run_id} has {conflict}: start another run, or {_WITHOUT}")


def param_conflict(params: Mapping[str, str], config: Mapping[str, object]) -> str:
    """Describe the first parameter of a run that has another value than it would get; empty if none has."""
    for name, value in config.items():
        if name in params and params[name] != str(value):
            return f"the parameter {name} with the value {params[name]!r}, not {str(value)!r}"
    return ""


@contextmanager
def destination(settings: Settings, experiment: str | None = None) -> Iterator[Settings]:
    """Log the next run to ``run_id``, if that is set, and sample the machine's load with ``system_metrics``.

    Yields the settings with the resolved experiment.
    """
    resolved = with_experiment(settings, experiment)
    monitor = load_monitor() if settings.system_metrics else None
    token = _CURRENT.set(_Destination(settings.run_id or "", monitor))
    try:
        with monitor.working() if monitor else nullcontext():
            yield resolved
    finally:
        _CURRENT.reset(token)


def current_run_id() -> str:
    """Id of the existing run that receives the next one; empty if there is none."""
    current = _CURRENT.get()
    return current.run_id if current else ""


def load_samples() -> tuple[Sample, ...]:
    """Samples of the machine's load so far; empty if there is no monitor."""
    current = _CURRENT.get()
    return current.monitor.samples() if current and current.monitor else ()


def with_experiment(
    settings: Settings, experiment: str | None = None, *, has_own_runs: bool = False
) -> Settings:
    """Return the settings with the name of the experiment that ``experiment_id`` or ``run_id`` implies.

    Parameters
    ----------
    settings : Settings
        The store is opened only if one of the two is set.
    experiment : str, optional
        Name given as an option, which wins over ``experiment_id``.
    has_own_runs : bool
        Whether the command always logs runs of its own, so that ``run_id`` is ignored.

    Returns
    -------
    Settings
        Settings whose ``experiment`` is the one to log to.

    Raises
    ------
    SettingsError
        If name and id, or experiment and run, disagree.
    TrackingError
        If the store has no such experiment or run, or the run has ended.
    """
    run_id = None if has_own_runs else settings.run_id
    if settings.experiment_id is None and run_id is None:
        return settings
    store = Store(settings.tracking_uri, settings.home)
    with opened(store, "look up the experiment", writes=False) as client:
        name = _named_experiment(client, store, settings, experiment)
        if run_id is not None:
            run = _open_run(client, store, run_id)
            own = str(client.get_experiment(run.info.experiment_id).name)
            if name not in (None, own):
                raise SettingsError(
                    f"run_id: run {run_id} is in experiment {own!r}, not in {name!r}: set experiment to "
                    f"{own!r}, or leave it unset"
                )
            name = own
    return msgspec.structs.replace(settings, experiment=name or settings.experiment)


def _named_experiment(
    client: MlflowClient, store: Store, settings: Settings, option: str | None
) -> str | None:
    """Name of the experiment that an option or a setting gives; None if none does."""
    is_named = settings.experiment_origin != "default"
    if option is not None or settings.experiment_id is None:
        return option or (settings.experiment if is_named else None)
    name_rank, id_rank = map(_rank, (settings.experiment_origin, settings.experiment_id_origin))
    if is_named and name_rank < id_rank:
        return settings.experiment
    mlflow = load_mlflow()
    try:
        found = client.get_experiment(settings.experiment_id)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        found = None
    if found is None or found.lifecycle_stage == "deleted":
        raise TrackingError(
            f"{store}: experiment_id: there is no experiment with the id {settings.experiment_id!r}"
        )
    name = str(found.name)
    if is_named and name_rank == id_rank and settings.experiment != name:
        raise SettingsError(
            f"experiment_id: got {settings.experiment_id!r}, which is {name!r} in {store}, but experiment is "
            f"{settings.experiment!r}: set one of them"
        )
    return name


def _rank(origin: str) -> int:
    """Rank of the origin of a setting; the lowest wins, and all variables of the environment are equal."""
    kinds = ("option", "environment", "scoring.yaml", "pyproject.toml", "default")
    return next(rank for rank, kind in enumerate(kinds) if origin.startswith(kind))


def _open_run(client: MlflowClient, store: Store, run_id: str) -> Run:
    """The run, if it can receive results."""
    mlflow = load_mlflow()
    try:
        run = client.get_run(run_id)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        run = None
    if run is None or run.info.lifecycle_stage == "deleted":
        raise TrackingError(f"{store}: run_id: there is no run {run_id!r}: start one, or {_WITHOUT}")
    if run.info.status not in _OPEN:
        raise TrackingError(
            f"{store}: run_id: run {run_id} has ended ({run.info.status}): start another run, or {_WITHOUT}"
        )
    if UPLOAD_TAG in run.data.tags:
        raise TrackingError(
            f"{store}: run_id: run {run_id} already has the results of another command: start another run, "
            f"or {_WITHOUT}"
        )
    return run
