"""Verbs for labelled records: validate, train, evaluate, backtest, compare, measure_drift, suggest."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from scoring.api.argument_names import naming_arguments
from scoring.api.inputs import (
    LabelledRecords,
    OnError,
    PathLike,
    Warnings,
    fault_handler,
    source_of,
)
from scoring.api.model import Model, spec_of
from scoring.errors import FeatureError
from scoring.features.as_of import AsOf, checked_as_of
from scoring.records.frame_rows import pandas_index
from scoring.settings import Settings, load_settings

if TYPE_CHECKING:
    from scoring.artifact.saved_model import SavedModel
    from scoring.training.config import TrainConfig
    from scoring.workflows.backtest import BacktestOutcome
    from scoring.workflows.drift import DriftOutcome
    from scoring.workflows.evaluate import EvaluateOutcome
    from scoring.workflows.learning_curve import LearningCurveOutcome
    from scoring.workflows.results import Comparisons
    from scoring.workflows.suggest import SuggestOutcome
    from scoring.workflows.train import TrainOutcome
    from scoring.workflows.validate import Validation


@naming_arguments
def validate(records: LabelledRecords) -> Validation:
    """Find all faults of records.

    Parameters
    ----------
    records : DataFrame, path, document, mapping, or iterable of these
        A pandas, Polars or Arrow frame, one record per row; folders and files; or mappings with the field
        names of the front matter.

    Returns
    -------
    Validation
        ``faults`` is empty if every record can be used.

    Raises
    ------
    RecordError
        If a path does not exist or names no record.
    """
    from scoring.workflows.validate import validate as workflow

    paths, stdin = source_of(records)
    return workflow(paths, stdin=stdin)


@naming_arguments
def train(
    records: LabelledRecords,
    *,
    config: TrainConfig | PathLike | None = None,
    output: PathLike | None = None,
    overwrite: bool = False,
    tracked: bool = True,
    now: datetime | None = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> TrainOutcome:
    """Train on labelled records: evaluate on the latest records, refit on all, save, and log a run.

    Parameters
    ----------
    records : DataFrame, path, document, mapping, or iterable of these
        Labelled records: a pandas, Polars or Arrow frame, one record per row; folders and files; or documents
        and mappings with the field names of the front matter.
    config : TrainConfig or path-like, optional
        Fit options, or a YAML file of them.
    output : path-like, optional
        Folder of the model. Default: a folder in ``models`` of the home.
    overwrite : bool
        Whether another model in `output` may be replaced.
    tracked : bool
        Whether the training is logged to MLflow.
    now : datetime, optional
        Time of the training (aware UTC); the current time if not given.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home, store, seed and threads. Default: settings of the current folder and environment.

    Returns
    -------
    TrainOutcome
        Folder of the model, run, and metrics on the held-out records; with ``to_frame``, ``predictions``,
        ``plot`` and ``save``.

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
    from scoring.workflows.train import train as workflow

    paths, stdin = source_of(records)
    return workflow(
        paths,
        config=_config(config),
        settings=settings or load_settings(),
        now=now or datetime.now(UTC),
        output=None if output is None else Path(output),
        is_overwrite=overwrite,
        is_tracked=tracked,
        stdin=stdin,
        on_fault=fault_handler(on_error),
        reporter=Warnings(),
    )


@naming_arguments
def evaluate(
    records: LabelledRecords,
    *,
    model: PathLike | Model | None = None,
    as_of: AsOf | str = None,
    since: datetime | str | None = None,
    output: PathLike | None = None,
    tracked: bool = True,
    now: datetime | None = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> EvaluateOutcome:
    """Compare a model's scores with the labels of records.

    Parameters
    ----------
    records : DataFrame, path, document, mapping, or iterable of these
        Labelled records: a pandas, Polars or Arrow frame, one record per row; folders and files; or documents
        and mappings with the field names of the front matter.
    model : Model, str or path-like, optional
        As in :func:`score`.
    as_of : datetime, timedelta, str or None
        As in :func:`score`; the labels are the final labels.
    since : datetime or str, optional
        Only records published at or after this time (aware), such as ``"2021-03-04"``.
    output : path-like, optional
        Folder for the report, the metrics and the predictions.
    tracked : bool
        Whether the evaluation is logged to MLflow.
    now : datetime, optional
        Time of the evaluation (aware UTC); the current time if not given.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home, store and experiment. Default: settings of the current folder and environment.

    Returns
    -------
    EvaluateOutcome
        Metrics with intervals, baselines and slices; with ``to_frame``, ``predictions`` (with the index of
        a pandas frame), ``plot`` and ``save``.

    Raises
    ------
    RecordError, ModelError, TrackingError
        As in :func:`load_model` and :func:`read_records`; also if no record has labels.
    """
    from scoring.workflows.evaluate import evaluate as workflow

    paths, stdin = source_of(records)
    outcome = workflow(
        paths,
        model=None if model is None else _named(model),
        settings=settings or load_settings(),
        now=now or datetime.now(UTC),
        as_of=checked_as_of(as_of),
        since=_time("since", since),
        output=None if output is None else Path(output),
        is_tracked=tracked,
        stdin=stdin,
        on_fault=fault_handler(on_error),
        reporter=Warnings(),
    )
    return replace(outcome, index=pandas_index(records))


@naming_arguments
def compare(
    *models: PathLike | Model,
    on: LabelledRecords = (),
    limit: int = 20,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> Comparisons:
    """Compare models or runs on the same records.

    Parameters
    ----------
    *models : Model, str or path-like
        Two or more runs or models: a run's id, ``runs:/ID``, ``models:/...``, a model folder, or a loaded
        model. The first is the reference.
    on : DataFrame, path, document, mapping, or iterable of these
        Records that the models score, as in :func:`train`. Default: compare the logged predictions of the
        runs on their held-out records.
    limit : int
        Maximum number of changed decisions to list.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home, store, seed and threads. Default: settings of the current folder and environment.

    Returns
    -------
    Comparisons
        The first model compared with each other model: a tuple of :class:`Comparison` with ``to_frame``,
        ``plot`` and ``save``.

    Raises
    ------
    ModelError
        If fewer than two models are named, a model cannot be used, or there are no records to compare on.
    TrackingError
        If the store has no such run, or cannot be reached.
    """
    from scoring.workflows.compare import compare as workflow

    paths, stdin = source_of(on)
    return workflow(
        [*(_named(model) for model in models), *paths],
        settings=settings or load_settings(),
        limit=limit,
        stdin=stdin,
        on_fault=fault_handler(on_error),
        reporter=Warnings(),
    )


@overload
def backtest(
    records: LabelledRecords,
    *,
    by: Literal["month", "section"] = ...,
    first: str | None = ...,
    config: TrainConfig | PathLike | None = ...,
    output: PathLike | None = ...,
    tracked: bool = ...,
    now: datetime | None = ...,
    on_error: OnError = ...,
    settings: Settings | None = ...,
) -> BacktestOutcome: ...
@overload
def backtest(
    records: LabelledRecords,
    *,
    by: Literal["labels"],
    counts: Sequence[int] | None = ...,
    draws: int | None = ...,
    of_section: str | None = ...,
    config: TrainConfig | PathLike | None = ...,
    output: PathLike | None = ...,
    tracked: bool = ...,
    now: datetime | None = ...,
    on_error: OnError = ...,
    settings: Settings | None = ...,
) -> LearningCurveOutcome: ...
@naming_arguments
def backtest(
    records: LabelledRecords,
    *,
    by: Literal["month", "section", "labels"] = "month",
    first: str | None = None,
    counts: Sequence[int] | None = None,
    draws: int | None = None,
    of_section: str | None = None,
    config: TrainConfig | PathLike | None = None,
    output: PathLike | None = None,
    tracked: bool = True,
    now: datetime | None = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> BacktestOutcome | LearningCurveOutcome:
    """Evaluate models on months or sections that they have not seen, or by their number of labels.

    A month is evaluated by a model that is trained on the records before it; a section by one that is trained
    on the others; and with ``by="labels"``, the test block of each section by models that are trained on
    different numbers of its labels.

    Parameters
    ----------
    records : DataFrame, path, document, mapping, or iterable of these
        Labelled records, as in :func:`train`.
    by : {"month", "section", "labels"}
        Kind of folds.
    first : str, optional
        First month to evaluate, such as ``2021-01``; with ``by="month"``.
    counts : sequence of int, optional
        Numbers of labels; with ``by="labels"``. Default: 20, 50, 100 and 200.
    draws : int, optional
        Random draws for each number of labels; with ``by="labels"``. Default: 20.
    of_section : str, optional
        Only this section; with ``by="labels"``. Default: every section.
    config : TrainConfig or path-like, optional
        Fit options, or a YAML file of them.
    output : path-like, optional
        Folder for the metrics, the predictions and the plots.
    tracked : bool
        Whether the folds are logged to MLflow.
    now : datetime, optional
        Time of the backtest (aware UTC); the current time if not given.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home, store, seed and threads. Default: settings of the current folder and environment.

    Returns
    -------
    BacktestOutcome or LearningCurveOutcome
        Metrics of each fold, and of all folds together; with ``to_frame``, ``predictions``, ``plot`` and
        ``save``. With ``by="labels"``, the metrics of each section and number of labels; with ``to_frame``,
        ``plot`` and ``save``.

    Raises
    ------
    ValueError
        If `by` is another text, or an argument of one kind of folds is given with another.
    RecordError, ModelError, SettingsError, TrackingError
        As in :func:`train`.
    """
    of_labels = {"counts": counts, "draws": draws, "of_section": of_section}
    _check_folds(by, {"first": first}, of_labels)
    paths, stdin = source_of(records)
    shared: dict[str, Any] = {
        "config": _config(config),
        "settings": settings or load_settings(),
        "now": now or datetime.now(UTC),
        "output": None if output is None else Path(output),
        "is_tracked": tracked,
        "stdin": stdin,
        "on_fault": fault_handler(on_error),
        "reporter": Warnings(),
    }
    if by == "labels":
        from scoring.evaluation.learning_curve import COUNTS, N_DRAWS
        from scoring.workflows.learning_curve import learning_curve

        counts, draws = COUNTS if counts is None else counts, N_DRAWS if draws is None else draws
        return learning_curve(paths, counts=counts, n_draws=draws, section=of_section, **shared)
    from scoring.workflows.backtest import backtest as workflow

    return workflow(paths, by=by, first=first, **shared)


def _check_folds(by: str, of_month: Mapping[str, object], of_labels: Mapping[str, object]) -> None:
    """Refuse another kind of folds, and arguments that belong to another kind."""
    if by not in ("month", "section", "labels"):
        raise ValueError(f'by: got {by!r}, expected "month", "section" or "labels"')
    for kind, arguments in (("month", of_month), ("labels", of_labels)):
        for name, value in arguments.items():
            if value is not None and by != kind:
                raise ValueError(f'{name}: got {value!r} with by="{by}", expected by="{kind}"')


@naming_arguments
def measure_drift(
    records: LabelledRecords,
    *,
    model: PathLike | Model | None = None,
    limit: float | None = None,
    labels: bool = False,
    output: PathLike | None = None,
    tracked: bool = True,
    now: datetime | None = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> DriftOutcome:
    """Compare new records, labelled or not, with the records that a model was trained on.

    The function is not called ``drift`` because :mod:`scoring.drift` is a package.

    Parameters
    ----------
    records : DataFrame, path, document, mapping, or iterable of these
        New records, as in :func:`train`.
    model : Model, str or path-like, optional
        As in :func:`score`.
    limit : float, optional
        Maximum expected error, as a multiple of the error on the test records; see ``scoring drift``.
    labels : bool
        Whether to look for a time from which the labels depart from the model's rules.
    output : path-like, optional
        Folder for the measures and the plot.
    tracked : bool
        Whether a run is logged to MLflow.
    now : datetime, optional
        Time of the run (aware UTC); the current time if not given.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home, store and experiment. Default: settings of the current folder and environment.

    Returns
    -------
    DriftOutcome
        ``drift.reasons`` lists the reasons if the records are refused; with ``to_frame``, ``plot`` and
        ``save``.

    Raises
    ------
    RecordError, ModelError, TrackingError
        As in :func:`evaluate`; also if there are too few records, or the model has no profile of its own.
    """
    from scoring.workflows.drift import drift as workflow

    paths, stdin = source_of(records)
    return workflow(
        paths,
        model=None if model is None else _named(model),
        limit=limit,
        has_labels=labels,
        settings=settings or load_settings(),
        now=now or datetime.now(UTC),
        output=None if output is None else Path(output),
        is_tracked=tracked,
        stdin=stdin,
        on_fault=fault_handler(on_error),
        reporter=Warnings(),
    )


@naming_arguments
def suggest(
    records: LabelledRecords,
    *,
    count: int = 20,
    model: PathLike | Model | None = None,
    on_error: OnError = "raise",
    settings: Settings | None = None,
) -> SuggestOutcome:
    """Suggest the unlabelled records to label first.

    The labels of these records would improve the model's quality predictions the most. Labels that scoring
    itself wrote do not count.

    Parameters
    ----------
    records : DataFrame, path, document, mapping, or iterable of these
        Labelled records: a pandas, Polars or Arrow frame, one record per row; folders and files; or documents
        and mappings with the field names of the front matter.
    count : int
        Maximum number of suggestions; 1 or more. With a smaller number, the list is cut off earlier.
    model : Model, str or path-like, optional
        The model to improve, as in :func:`score`.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.
    settings : Settings, optional
        Home, store, journal and rule of sections. Default: settings of the current folder and environment.

    Returns
    -------
    SuggestOutcome
        ``suggestions``, the most useful first, each with its reasons; and the numbers of labelled, unlabelled
        and unusable records.

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

    paths, stdin = source_of(records)
    return workflow(
        paths,
        count=count,
        model=None if model is None else _named(model),
        settings=settings or load_settings(),
        stdin=stdin,
        on_fault=fault_handler(on_error),
        reporter=Warnings(),
    )


def _time(name: str, value: datetime | str | None) -> datetime | None:
    checked = checked_as_of(value, name)
    if isinstance(checked, timedelta):
        raise FeatureError(f"{name}: got {value!r}, expected a time such as 2021-03-04")
    return checked


def _named(model: PathLike | Model) -> str | SavedModel:
    return model.saved if isinstance(model, Model) else spec_of(model)


def _config(config: object) -> TrainConfig:
    from scoring.training.config import TrainConfig
    from scoring.workflows.train import load_config

    if isinstance(config, TrainConfig):
        return config
    if not isinstance(config, str | os.PathLike | None):
        expected = "expected a TrainConfig, or the path of a YAML file"
        raise TypeError(f"config: got {type(config).__name__}, {expected}")
    return load_config(None if config is None else Path(config))
