"""Train: split by time, fit, evaluate on the test block, refit on all records, save and log."""

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

from scoring.artifact.manifest import TrainingFacts
from scoring.artifact.model_folder import local_folder
from scoring.artifact.output_folder import ModelOutput
from scoring.deployment.open_model import importances_of
from scoring.errors import SettingsError, shown
from scoring.evaluation.results import Evaluation
from scoring.explanation.policy import policy_texts
from scoring.extras import require
from scoring.progress import SILENT, Reporter
from scoring.records.files import OnFault
from scoring.settings import Settings
from scoring.storage.regular_files import read_regular
from scoring.storage.remote_output import check_output
from scoring.storage.urls import local_or_remote, name_of
from scoring.tracking import LoggedRun, Store, TrainingRun, log_training, logs_one_run
from scoring.training.config import TrainConfig
from scoring.training.lightgbm_trainer import BoosterTrainer, train_booster
from scoring.workflows.cluster import ClusterOptions
from scoring.workflows.cluster_training import opened_training
from scoring.workflows.coverage import refuse_on_cluster
from scoring.workflows.results import WithEvaluation
from scoring.workflows.training_pipeline import TrainingResult, fit_and_save, read_training

_INTRO = (
    "The metrics are of a model that was fitted on the records before the test block and evaluated on that "
    "block. The saved model has the same configuration and was fitted on all records."
)
_DERIVED = "The coverage of the records was derived from the archive: it is an estimate."


@dataclass(frozen=True, slots=True, repr=False)
class TrainOutcome(WithEvaluation):
    """Result of a training.

    Parameters
    ----------
    run_id : str or None
        MLflow run; None if nothing was logged.
    model : str
        Folder of the model.
    model_uri : str or None
        MLflow address of the model; None if nothing was logged.
    data_sha256 : str
        Hex digest of the labelled records.
    n_records, n_faults : int
        Training records and unusable records.
    n_own_labels : int
        Labels written by scoring.
    metrics : dict of str to float
        Metrics on the test block.
    evaluation : Evaluation
        Evaluation on the test block, with intervals, baselines, slices and predictions.
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
    """Read a training configuration; without a path, return the defaults.

    Raises
    ------
    SettingsError
        If the file cannot be read, or has an unknown key or invalid value; the message names it.
    """
    if path is None:
        return TrainConfig()
    try:
        content = yaml.safe_load(read_regular(path).decode()) or {}
        return msgspec.convert({"name": path.stem} | content, TrainConfig)
    except OSError as error:
        got = error.strerror or error
        raise SettingsError(f"{name_of(path)}: cannot read the configuration: {got}") from error
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{name_of(path)}: {error}") from error


@logs_one_run
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
        Files, folders, globs or ``-``: see :func:`scoring.records.corpus.read_documents`.
    config : TrainConfig
        Split and fit options.
    settings : Settings
        Home, store, experiment and threads.
    now : datetime
        Start of the run, aware UTC; it affects no model.
    output : Path, optional
        Folder of the model. Default: ``models/NAME`` in the home; an earlier training of NAME is replaced.
    is_overwrite : bool
        Whether any existing model may be replaced.
    corrections : Path, optional
        Ledger of corrections (:mod:`scoring.records.ledger`), which replace labels.
    has_own_scores : bool
        Whether to use labels written by scoring: see :mod:`scoring.labels.own_scores`.
    experiment, run_name, register : str, optional
        Names of the experiment, of the run, and of the registered model that gets a new version.
    is_tracked : bool
        Whether to log a run.
    place : ClusterOptions, optional
        Cluster to read and train on.
    stdin, on_fault, reporter
        Input of ``-``; callback for unusable records; receiver of progress.

    Returns
    -------
    TrainOutcome

    Raises
    ------
    RecordError
        If a path has no records, or the ledger cannot be used.
    ModelError
        If the folder has a model that may not be replaced (checked first), there are too few records, or the
        model cannot be saved.
    TrackingError
        If the run cannot be logged; the model is already saved.
    SettingsError
        If a ledger or derived coverage is asked for on a cluster.
    """
    if is_tracked:
        require("train")
    if place is not None and corrections is not None:
        raise SettingsError(
            "corrections: a ledger cannot be used with a cluster: corrections are matched by the content of "
            "records, which only the workers hold"
        )
    if place is not None:
        refuse_on_cluster(settings)
    check_output(output)
    folder = local_or_remote(output) if output else settings.home / "models" / config.name
    model_output = ModelOutput(folder, is_overwrite, is_default=output is None, reporter=reporter)
    model_output.check()
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
            cluster_training = opened_training(
                paths,
                config,
                place=place,
                settings=settings,
                has_own_scores=has_own_scores,
                on_fault=on_fault,
                reporter=reporter,
            )
            corpus, trainer = stack.enter_context(cluster_training)
        fitted = fit_and_save(corpus, folder, config, settings, reporter, trainer, admit=model_output.admit)
        if place is not None:
            fitted = replace(fitted, tags=fitted.tags | {"engine": "dask"})
    logged = None
    if is_tracked:
        reporter.step("logging", 0, 1)
        names = {"experiment": experiment, "run_name": run_name, "register": register}
        with local_folder(folder) as local:
            logged = log_fitted(fitted, local, paths, settings=settings, now=now, **names)
        reporter.step("logging", 1, 1)
    return TrainOutcome(
        logged.run_id if logged else None,
        name_of(folder),
        logged.model_uri if logged else None,
        corpus.data_sha256,
        len(corpus.documents),
        corpus.n_faults,
        corpus.n_own_labels,
        {name: metric.value for name, metric in fitted.evaluation.figures.items()},
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
    """Log a training as one MLflow run.

    Parameters
    ----------
    fitted : TrainingResult
        Result of the training.
    folder : Path
        Folder of the saved model.
    paths : sequence of str
        Paths of the records, as given.
    settings, now, experiment, run_name, register
        As in :func:`train`.

    Returns
    -------
    LoggedRun

    Raises
    ------
    TrackingError
        If the run cannot be logged.
    """
    from scoring.plots import evaluation_figures, importance_figure
    from scoring.report import evaluation_report

    saved, evaluation = fitted.saved, fitted.evaluation
    training = saved.manifest.training
    data_path, importances = shown(shlex.join(paths)), importances_of(saved.models)
    report = evaluation_report(
        evaluation,
        title=f"Training of {saved.name}",
        intro=_INTRO if saved.manifest.derived_coverage is None else f"{_INTRO} {_DERIVED}",
        training=training,
        data_path=data_path,
        data_sha256=training.data_sha256,
        counts=fitted.counts,
        account=fitted.account,
        importances=importances,
        policies=policy_texts(saved.models.rules, saved.models.changes),
    )
    return log_training(
        Store(settings.tracking_uri, settings.home),
        TrainingRun(
            experiment=experiment or settings.experiment,
            run_name=run_name or settings.run_name or training.name,
            model=saved.name,
            config=msgspec.to_builtins(training.config),
            data_path=data_path,
            data_sha256=training.data_sha256,
            counts=fitted.counts,
            evaluation=evaluation,
            plots={**evaluation_figures(evaluation), "importances": importance_figure(importances)},
            report=report,
            started_at=now,
            model_folder=folder,
            importances=importances,
            curves=fitted.curves,
            register=register,
            tags=fitted.tags,
            profile=_profile(training),
            description=training.config.description,
        ),
    )


def _profile(training: TrainingFacts) -> dict[str, object]:
    """Facts about the records of a training."""
    return {
        "num_rows": training.n_records,
        "published_from": training.begins_at.isoformat(),
        "published_to": training.ends_at.isoformat(),
        "sections": training.sections,
    }
