"""Verbs that ask how good a model is: evaluate, compare, measure_drift."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from scoring.api.argument_names import naming_arguments
from scoring.api.inputs import LabelledRecords, OnError, PathLike, Warnings, fault_handler, source_of
from scoring.api.model import Model, saved_or_spec
from scoring.errors import FeatureError
from scoring.features.as_of import AsOf, checked_as_of
from scoring.records.frame_rows import pandas_index
from scoring.settings import Settings, load_settings

if TYPE_CHECKING:
    from scoring.workflows.drift import DriftOutcome
    from scoring.workflows.evaluate import EvaluateOutcome
    from scoring.workflows.results import Comparisons


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
        model=None if model is None else saved_or_spec(model),
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
        [*(saved_or_spec(model) for model in models), *paths],
        settings=settings or load_settings(),
        limit=limit,
        stdin=stdin,
        on_fault=fault_handler(on_error),
        reporter=Warnings(),
    )


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
        model=None if model is None else saved_or_spec(model),
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


def _time(name: str, value: datetime | str | None) -> datetime | None:
    checked = checked_as_of(value, name)
    if isinstance(checked, timedelta):
        raise FeatureError(f"{name}: got {value!r}, expected a time such as 2021-03-04")
    return checked
