"""Train: split by time, fit, evaluate on the held-back block, fit again on all, save, log."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec
import yaml

from scoring.artifact.output_folder import ModelOutput
from scoring.deployment.open_model import importances_of
from scoring.errors import SettingsError, shown
from scoring.evaluation.results import Evaluation
from scoring.plots import evaluation_figures, importance_figure
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import OnFault
from scoring.report import evaluation_report
from scoring.settings import Settings
from scoring.storage.regular_files import read_regular
from scoring.tracking import LoggedRun, Store, TrainingRun, log_training
from scoring.training.config import TrainConfig
from scoring.training.lightgbm_trainer import BoosterTrainer, train_booster
from scoring.workflows.cluster import ClusterOptions
from scoring.workflows.cluster_training import opened_training
from scoring.workflows.training_pipeline import TrainingResult, fit_and_save, read_training

_INTRO = (
    "The figures are of a model that was fitted on the records before the test block and judged on that "
    "block. The model that was saved has the same configuration and was fitted on all records."
)


@dataclass(frozen=True, slots=True)
class TrainOutcome:
    """What a training gave.

    Parameters
    ----------
    run_id : str or None
        MLflow run; None where nothing was logged.
    model : str
        Folder of the model.
    model_uri : str or None
        Its MLflow address.
    data_sha256 : str
        Hex digest of the labelled records.
    n_records, n_faults : int
        Records that the model was fitted on, and that could not be used.
    n_own_labels : int
        Labels that scoring has written.
    metrics : dict of str to float
        Figures on the held-back block.
    evaluation : Evaluation
        The same with intervals, baselines, slices and predictions.
    """

    run_id: str | None
    model: str
    model_uri: str | None
    data_sha256: str
    n_records: int
    n_faults: int
    n_own_labels: int
    metrics: dict[str, float]
    evaluation: Evaluation


def load_config(path: Path | None) -> TrainConfig:
    """Read a training's configuration; without a path, the defaults.

    Raises
    ------
    SettingsError
        If the file cannot be read, or has a key or value that cannot be used; the message names it.
    """
    if path is None:
        return TrainConfig()
    try:
        content = yaml.safe_load(read_regular(path).decode()) or {}
        return msgspec.convert({"name": path.stem} | content, TrainConfig)
    except OSError as error:
        raise SettingsError(f"{path}: cannot read the configuration: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{path}: {error}") from error


def train(
    paths: list[str],
    *,
    config: TrainConfig,
    settings: Settings,
    now: datetime,
    output: Path | None = None,
    is_overwrite: bool = False,
    corrections: Path | None = None,
    has_own_scores: bool = False,
    experiment: str | None = None,
    run_name: str | None = None,
    register: str | None = None,
    is_tracked: bool = True,
    place: ClusterOptions | None = None,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> TrainOutcome:
    """Train on labelled records.

    Parameters
    ----------
    paths : list of str
        As :func:`scoring.records.corpus.read_documents` takes them.
    config : TrainConfig
        The split and the models.
    settings : Settings
        Home, store, experiment and threads.
    now : datetime
        When the run begins, aware UTC; it changes no model.
    output : Path, optional
        Folder of the model; ``models/NAME`` in the home if not given, which a training of that name replaces.
    is_overwrite : bool
        Whether any model that is there is replaced.
    corrections : Path, optional
        Ledger of corrections (:mod:`scoring.records.ledger`), which stand in the place of labels.
    has_own_scores : bool
        Whether labels that scoring has written count like any other: see :mod:`scoring.labels.own_scores`.
    experiment, run_name, register : str, optional
        Names of the experiment, of the run, and of the registered model that gets a version.
    is_tracked : bool
        Whether to log a run.
    place : ClusterOptions, optional
        A cluster whose workers read and train.
    stdin, on_fault, reporter
        What ``-`` reads, who hears of bad records, who hears of progress.

    Returns
    -------
    TrainOutcome

    Raises
    ------
    RecordError
        If a path names no record, or the ledger cannot be used.
    ModelError
        If the folder has a model that may not be replaced (before anything is read), the records do not
        suffice, or the model cannot be saved.
    TrackingError
        If the run cannot be logged; the model is saved by then.
    SettingsError
        If a ledger and a cluster are named.
    """
    if place is not None and corrections is not None:
        raise SettingsError(
            "corrections: got a ledger and a cluster, expected one of them: a correction is matched by all "
            "that its record says, which only the workers hold"
        )
    folder = output or settings.home / "models" / config.name
    place_of_model = ModelOutput(folder, is_overwrite, is_default=output is None, reporter=reporter)
    place_of_model.check()
    with ExitStack() as stack:
        if place is None:
            trainer: BoosterTrainer = train_booster
            corpus = read_training(
                paths,
                config,
                settings=settings,
                corrections=corrections,
                has_own_scores=has_own_scores,
                stdin=stdin,
                on_fault=on_fault,
                reporter=reporter,
            )
        else:
            opened = opened_training(
                paths,
                config,
                place=place,
                settings=settings,
                has_own_scores=has_own_scores,
                on_fault=on_fault,
                reporter=reporter,
            )
            corpus, trainer = stack.enter_context(opened)
        fitted = fit_and_save(corpus, folder, config, settings, reporter, trainer, admit=place_of_model.admit)
        if place is not None:
            fitted = replace(fitted, tags=fitted.tags | {"engine": "dask"})
    logged = None
    if is_tracked:
        reporter.step("logging", 0, 1)
        names = {"experiment": experiment, "run_name": run_name, "register": register}
        logged = log_fitted(fitted, folder, paths, settings=settings, now=now, **names)
        reporter.step("logging", 1, 1)
    return TrainOutcome(
        logged.run_id if logged else None,
        str(folder),
        logged.model_uri if logged else None,
        corpus.data_sha256,
        len(corpus.documents),
        corpus.n_faults,
        corpus.n_own_labels,
        {name: figure.value for name, figure in fitted.evaluation.figures.items()},
        fitted.evaluation,
    )


def log_fitted(
    fitted: TrainingResult,
    folder: Path,
    paths: Sequence[str],
    *,
    settings: Settings,
    now: datetime,
    experiment: str | None = None,
    run_name: str | None = None,
    register: str | None = None,
) -> LoggedRun:
    """Log a training as one run.

    Parameters
    ----------
    fitted : TrainingResult
        What was fitted.
    folder : Path
        The saved model.
    paths : sequence of str
        The records, as they were named.
    settings, now, experiment, run_name, register
        As :func:`train` takes them.

    Returns
    -------
    LoggedRun

    Raises
    ------
    TrackingError
        If the run cannot be logged.
    """
    saved, evaluation = fitted.saved, fitted.evaluation
    training = saved.manifest.training
    data_path, gains = shown(shlex.join(paths)), importances_of(saved.models)
    report = evaluation_report(
        evaluation,
        title=f"Training of {saved.name}",
        intro=_INTRO,
        training=training,
        data_path=data_path,
        data_sha256=training.data_sha256,
        counts=fitted.counts,
        account=fitted.account,
        importances=gains,
    )
    return log_training(
        Store(settings.tracking_uri, settings.home),
        TrainingRun(
            experiment=experiment or settings.experiment,
            run_name=run_name or training.name,
            model=saved.name,
            config=msgspec.to_builtins(training.config),
            data_path=data_path,
            data_sha256=training.data_sha256,
            counts=fitted.counts,
            evaluation=evaluation,
            plots={**evaluation_figures(evaluation), "importances": importance_figure(gains)},
            report=report,
            started_at=now,
            model_folder=folder,
            importances=gains,
            register=register,
            tags=fitted.tags,
            description=training.config.description,
        ),
    )
