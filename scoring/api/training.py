"""Verbs that fit models to labelled records: train, backtest."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from scoring.api.argument_names import naming_arguments
from scoring.api.inputs import LabelledRecords, OnError, PathLike, Warnings, fault_handler, source_of
from scoring.settings import Settings, load_settings

if TYPE_CHECKING:
    from scoring.training.config import TrainConfig
    from scoring.workflows.backtest import BacktestOutcome
    from scoring.workflows.learning_curve import LearningCurveOutcome
    from scoring.workflows.train import TrainOutcome


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


def _config(config: object) -> TrainConfig:
    from scoring.training.config import TrainConfig
    from scoring.workflows.train import load_config

    if isinstance(config, TrainConfig):
        return config
    if not isinstance(config, str | os.PathLike | None):
        expected = "expected a TrainConfig, or the path of a YAML file"
        raise TypeError(f"config: got {type(config).__name__}, {expected}")
    return load_config(None if config is None else Path(config))
