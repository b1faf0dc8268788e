"""Verbs for labelled records: validate, train, evaluate, compare, suggest."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scoring.api.inputs import OnError, PathLike, Warnings, fault_handler, paths_of
from scoring.api.model import Model
from scoring.features.as_of import AsOf
from scoring.settings import Settings, load_settings

if TYPE_CHECKING:
    from scoring.evaluation.comparison import Comparison
    from scoring.training.config import TrainConfig
    from scoring.workflows.evaluate import EvaluateOutcome
    from scoring.workflows.suggest import SuggestOutcome
    from scoring.workflows.train import TrainOutcome
    from scoring.workflows.validate import Validation


def validate(paths: PathLike | Iterable[PathLike]) -> Validation:
    """Find everything that is wrong with records.

    Parameters
    ----------
    paths : path or iterable of paths
        Folders, Markdown files, files of JSON lines.

    Returns
    -------
    Validation
        ``faults`` is empty where every record can be used.

    Raises
    ------
    RecordError
        If a path does not exist or names no record.
    """
    from scoring.workflows.validate import validate as workflow

    return workflow(paths_of(paths))


def train(
    paths: PathLike | Iterable[PathLike],
    *,
    config: TrainConfig | PathLike | None = None,
    output: PathLike | None = None,
    overwrite: bool = False,
    tracked: bool = True,
    now: datetime | None = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> TrainOutcome:
    """Train on labelled records: evaluate on the latest ones, fit again on all, save, and log a run.

    Parameters
    ----------
    paths : path or iterable of paths
        Folders and files of labelled records.
    config : TrainConfig or path-like, optional
        Fit options, or a YAML file of them.
    output : path-like, optional
        Folder of the model; below the home's ``models`` if not given.
    overwrite : bool
        Whether another model in `output` may be replaced.
    tracked : bool
        Whether the training is logged to MLflow.
    now : datetime, optional
        Time of the training (aware UTC); the current time if not given.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home, store, seed and threads. Default: those of the current folder and environment.

    Returns
    -------
    TrainOutcome
        Folder of the model, run, metrics on the held-out records.

    Raises
    ------
    RecordError
        If a path does not exist, or a record cannot be used.
    ModelError
        If there are too few labelled records, or `output` has another model.
    SettingsError
        If the configuration cannot be used.
    TrackingError
        If the store cannot be used.
    """
    from scoring.training.config import TrainConfig
    from scoring.workflows.train import load_config
    from scoring.workflows.train import train as workflow

    chosen = (
        config if isinstance(config, TrainConfig) else load_config(None if config is None else Path(config))
    )
    return workflow(
        paths_of(paths),
        config=chosen,
        settings=settings or load_settings(),
        now=now or datetime.now(UTC),
        output=None if output is None else Path(output),
        is_overwrite=overwrite,
        is_tracked=tracked,
        on_fault=fault_handler(on_error),
        reporter=Warnings(),
    )


def evaluate(
    paths: PathLike | Iterable[PathLike],
    *,
    model: PathLike | Model | None = None,
    as_of: AsOf = None,
    since: datetime | None = None,
    output: PathLike | None = None,
    tracked: bool = True,
    now: datetime | None = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> EvaluateOutcome:
    """Compare a model's scores with the labels of records.

    Parameters
    ----------
    paths : path or iterable of paths
        Folders and files of labelled records.
    model : Model, str or path-like, optional
        As in :func:`score`.
    as_of : datetime, timedelta or None
        As in :func:`score`; the labels are the final ones.
    since : datetime, optional
        Only records published at or after this time (aware UTC).
    output : path-like, optional
        Folder for the report, the metrics and the predictions.
    tracked : bool
        Whether the evaluation is logged to MLflow.
    now : datetime, optional
        Time of the evaluation (aware UTC); the current time if not given.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home, store and experiment. Default: those of the current folder and environment.

    Returns
    -------
    EvaluateOutcome
        Metrics with intervals, baselines and slices.

    Raises
    ------
    RecordError, ModelError, TrackingError
        As :func:`load_model` and :func:`read_records`; also if no record has labels.
    """
    from scoring.workflows.evaluate import evaluate as workflow

    return workflow(
        paths_of(paths),
        model=model.saved if isinstance(model, Model) else None if model is None else os.fspath(model),
        settings=settings or load_settings(),
        now=now or datetime.now(UTC),
        as_of=as_of,
        since=since,
        output=None if output is None else Path(output),
        is_tracked=tracked,
        on_fault=fault_handler(on_error),
        reporter=Warnings(),
    )


def compare(
    *models: PathLike,
    on: PathLike | Iterable[PathLike] = (),
    limit: int = 20,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> tuple[Comparison, ...]:
    """Compare models or runs on the same records.

    Parameters
    ----------
    *models : str or path-like
        Two or more runs or models: a run's id, ``runs:/ID``, ``models:/...``, or a model folder.
    on : path or iterable of paths
        Records that the models score. Without it, the runs' logged predictions on their held-out records are
        compared.
    limit : int
        Changed decisions that are listed, at most.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home, store, seed and threads. Default: those of the current folder and environment.

    Returns
    -------
    tuple of Comparison
        The first model with each of the others.

    Raises
    ------
    ModelError
        If fewer than two are named, one cannot be used, or there are no records to compare on.
    TrackingError
        If the store has no such run, or cannot be reached.
    """
    from scoring.workflows.compare import compare as workflow

    return workflow(
        [*paths_of(models), *paths_of(on)],
        settings=settings or load_settings(),
        limit=limit,
        on_fault=fault_handler(on_error),
        reporter=Warnings(),
    )


def suggest(
    paths: PathLike | Iterable[PathLike],
    *,
    count: int = 20,
    model: PathLike | Model | None = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> SuggestOutcome:
    """Suggest the unlabelled records to label first.

    These are the records whose labels would teach the model the most about quality. Labels that scoring
    itself wrote do not count.

    Parameters
    ----------
    paths : path or iterable of paths
        Folders and files of records, the labelled ones included.
    count : int
        Maximum number of suggestions; 1 or more. A smaller number gives the first ones of a larger number.
    model : Model, str or path-like, optional
        The model that the labels are for, as in :func:`score`.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home, store, journal and rule of sections. Default: those of the current folder and environment.

    Returns
    -------
    SuggestOutcome
        ``suggestions``, the most useful first, each with its reasons; numbers of labelled, unlabelled and
        unusable records.

    Raises
    ------
    ValueError
        If `count` is below 1.
    RecordError
        If a path does not exist or names no record, or a record cannot be used.
    ModelError
        If the model cannot be used, or every record with a date has a label.
    TrackingError
        If the store has no such model, or cannot be reached.
    """
    from scoring.workflows.suggest import suggest as workflow

    return workflow(
        paths_of(paths),
        count=count,
        model=model.saved if isinstance(model, Model) else None if model is None else os.fspath(model),
        settings=settings or load_settings(),
        on_fault=fault_handler(on_error),
        reporter=Warnings(),
    )
