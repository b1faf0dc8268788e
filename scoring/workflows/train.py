"""Train: split by time, fit, evaluate on the held-back block, fit again on all, save, log."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import yaml
from numpy.typing import NDArray

from scoring.errors import ModelError, SettingsError
from scoring.features.moment import AsOf, parse_as_of
from scoring.model.bundle import (
    SavedModel,
    TrainingFacts,
    library_versions,
    save_model,
)
from scoring.model.config import TrainConfig
from scoring.model.evaluation import evaluate_models
from scoring.model.fit import TrainingSet, fit_models
from scoring.model.misses import Account, account_for
from scoring.model.models import Models
from scoring.model.profile import AS_OF, fit_profile
from scoring.model.results import Evaluation
from scoring.model.scorer import Scorer
from scoring.model.splits import test_mask
from scoring.plots import evaluation_figures, importance_figure
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import OnFault
from scoring.report import evaluation_report
from scoring.settings import Settings
from scoring.tracking import LoggedRun, Store, TrainingRun, log_training
from scoring.workflows.labelled import Corpus, cuts_before, latest_moments, read_corpus
from scoring.workflows.models import importances_of

_INTRO = (
    "The figures are of a model that was fitted on the records before the test block and judged on that "
    "block. The model that was saved has the same configuration and was fitted on all records."
)
_STEPS = ("quality", "lead, heat and published", "forecast", "baselines")


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
    metrics: dict[str, float]
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class _Held:
    """What the fit on the records before the test block, `n_training` of them, made of that block."""

    scorer: Scorer
    evaluation: Evaluation
    account: Account
    n_training: int


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
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
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
    out: Path | None = None,
    experiment: str | None = None,
    run_name: str | None = None,
    register: str | None = None,
    is_tracked: bool = True,
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
    out : Path, optional
        Folder of the model; ``models/NAME`` in the home if not given.
    experiment, run_name, register : str, optional
        Names of the experiment, of the run, and of the registered model that gets a version.
    is_tracked : bool
        Whether to log a run.
    stdin, on_fault, reporter
        What ``-`` reads, who hears of bad records, who hears of progress.

    Returns
    -------
    TrainOutcome

    Raises
    ------
    RecordError
        If a path names no record.
    ModelError
        If the records do not suffice, or the model cannot be saved.
    TrackingError
        If the run cannot be logged; the model is saved by then.
    """
    as_of = parse_as_of(config.as_of) if config.as_of else None
    until = as_of if isinstance(as_of, datetime) else None
    corpus = read_corpus(paths, stdin=stdin, on_fault=on_fault, reporter=reporter, until=until)
    if not corpus.documents:
        raise ModelError("training records: got none with a quality and a date, expected some")
    is_test = test_mask(corpus.moments, corpus.sections, config.split)
    held = _evaluate_before_the_cut(corpus, is_test, config, settings, reporter, as_of)
    nothing = np.zeros(len(corpus.documents), dtype=bool)
    cuts = latest_moments(corpus, ~nothing, until)
    models = _fit(corpus.training_apart(nothing, cuts, config), config, settings, reporter, "all records")
    folder = out or settings.home / "models" / config.name
    at_publication = corpus.as_seen(~nothing, AS_OF)
    profile = fit_profile(at_publication, at_publication.take(is_test), held.scorer, models, settings.threads)
    saved = save_model(folder, models, _facts(corpus, cuts, config, held.evaluation), profile)
    logged = None
    if is_tracked:
        reporter.step("logging", 0, 1)
        counts = {"train": held.n_training, "test": int(is_test.sum()), "all": len(is_test)}
        logged = _log(saved, folder, held, counts, paths, settings, now, experiment, run_name, register)
        reporter.step("logging", 1, 1)
    return TrainOutcome(
        logged.run_id if logged else None,
        str(folder),
        logged.model_uri if logged else None,
        corpus.data_sha256,
        len(corpus.documents),
        corpus.n_faults,
        {name: figure.value for name, figure in held.evaluation.figures.items()},
        held.evaluation,
    )


def _evaluate_before_the_cut(
    corpus: Corpus,
    is_test: NDArray[np.bool_],
    config: TrainConfig,
    settings: Settings,
    reporter: Reporter,
    as_of: AsOf,
) -> _Held:
    """Fit on what precedes the test block, and compare with the labels of that block."""
    if not is_test.any():
        raise ModelError("split: got no record in the test block, expected some to evaluate on")
    cuts = cuts_before(corpus, is_test, config.split.gap_hours)
    training = corpus.training_apart(is_test, cuts, config)
    models = _fit(training, config, settings, reporter, "records before the test block")
    documents = [document for document, is_held in zip(corpus.documents, is_test, strict=True) if is_held]
    test = corpus.as_seen(is_test, as_of)
    scorer = Scorer(config.name, models)
    evaluation = evaluate_models(
        scorer,
        test,
        [document.path for document in documents],
        early=corpus.at_ingest(is_test) if as_of is None else {},
        n_bootstrap=config.n_bootstrap,
        seed=config.seed,
        num_threads=settings.threads,
    )
    account = account_for(models.quality, documents, test.table, evaluation.predictions, as_of)
    return _Held(scorer, evaluation, account, len(training.table))


def _fit(
    training: TrainingSet, config: TrainConfig, settings: Settings, reporter: Reporter, what: str
) -> Models:
    name = f"training on {what}"

    def tell(step: str) -> None:
        reporter.step(name, _STEPS.index(step), len(_STEPS))

    models = fit_models(training, config, num_threads=settings.threads, on_step=tell)
    reporter.step(name, len(_STEPS), len(_STEPS))
    return models


def _facts(
    corpus: Corpus, cuts: dict[str, datetime], config: TrainConfig, evaluation: Evaluation
) -> TrainingFacts:
    moments = corpus.moments
    return TrainingFacts(
        name=config.name,
        data_sha256=corpus.data_sha256,
        n_records=len(corpus.documents),
        begins_at=moments.min().item().replace(tzinfo=UTC),
        ends_at=moments.max().item().replace(tzinfo=UTC),
        sections=dict(sorted(Counter(corpus.sections).items())),
        section_ends_at=dict(sorted(cuts.items())),
        config=config,
        versions=library_versions(),
        metrics=evaluation.figures,
        baselines=evaluation.baselines,
    )


def _log(
    saved: SavedModel,
    folder: Path,
    held: _Held,
    counts: dict[str, int],
    paths: list[str],
    settings: Settings,
    now: datetime,
    experiment: str | None,
    run_name: str | None,
    register: str | None,
) -> LoggedRun:
    """Log the training as one run."""
    training = saved.manifest.training
    data_path, gains = " ".join(paths), importances_of(saved.models)
    report = evaluation_report(
        held.evaluation,
        title=f"Training of {saved.name}",
        intro=_INTRO,
        training=training,
        data_path=data_path,
        data_sha256=training.data_sha256,
        counts=counts,
        account=held.account,
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
            counts=counts,
            evaluation=held.evaluation,
            plots={**evaluation_figures(held.evaluation), "importances": importance_figure(gains)},
            report=report,
            started_at=now,
            model_folder=folder,
            importances=gains,
            register=register,
            description=training.config.description,
        ),
    )
