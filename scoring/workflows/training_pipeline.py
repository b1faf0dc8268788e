"""Training pipeline: fit, evaluate on the test block, refit on all records, save; nothing is logged."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from scoring.artifact.manifest import TrainingFacts
from scoring.artifact.saved_model import SavedModel, library_versions, save_model
from scoring.drift.reference_profile import AS_OF, fit_profile
from scoring.errors import ModelError
from scoring.evaluation.boosting_curves import Curves, boosting_curves
from scoring.evaluation.error_analysis import ErrorAnalysis, analyse_errors
from scoring.evaluation.evaluate import evaluate_models
from scoring.evaluation.results import Evaluation
from scoring.features.as_of import AsOf, parse_as_of
from scoring.features.sections import rule_named
from scoring.labels.corrections import open_corrections
from scoring.labels.own_scores import open_own_scores
from scoring.model.components import FittedComponents
from scoring.model.scorer import Scorer
from scoring.progress import Reporter
from scoring.records.field_maps.lookup import field_maps_of
from scoring.records.files import OnFault
from scoring.settings import Settings
from scoring.storage.home import writing
from scoring.training.config import TrainConfig
from scoring.training.dataset import LabelledDataset, cutoffs_before, latest_moments
from scoring.training.fit import counted, fit_models
from scoring.training.folder_policies import conflicting_folders
from scoring.training.leaders import count_leaders
from scoring.training.lightgbm_trainer import BoosterTrainer, train_booster
from scoring.training.read_dataset import read_dataset
from scoring.training.splits import test_mask
from scoring.training.training_set import TrainingSet
from scoring.workflows.coverage import deriver_of
from scoring.workflows.training_notes import (
    copies_notes,
    folder_warnings,
    labels_note,
    merged_archives,
    section_notes,
)

_STEPS = ("quality", "lead, heat and published", "baselines")


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A saved model, and the evaluation of an earlier fit on the records before the test block.

    Parameters
    ----------
    saved : SavedModel
        Fitted on all records.
    evaluation : Evaluation
        Metrics and predictions of the earlier fit.
    account : ErrorAnalysis
        Analysis of its worst errors.
    counts : dict of str to int
        Numbers of records: of the earlier fit (``train``), of the test block (``test``), and ``all``.
    tags : dict of str to str
        Additional tags of the run.
    curves : dict of str to dict of int to float
        Error of its boosters by number of trees: see :func:`boosting_curves`.
    """

    saved: SavedModel
    evaluation: Evaluation
    account: ErrorAnalysis
    counts: dict[str, int]
    tags: dict[str, str]
    curves: Curves


@dataclass(frozen=True, slots=True)
class _HoldoutResult:
    """Fit on the `n_training` records before the test block, and its evaluation on that block."""

    scorer: Scorer
    evaluation: Evaluation
    account: ErrorAnalysis
    n_training: int
    curves: Curves


def read_training(
    paths: Sequence[str],
    config: TrainConfig,
    *,
    settings: Settings,
    corrections: Path | None = None,
    has_own_scores: bool = False,
    stdin: BinaryIO | None,
    on_fault: OnFault,
    reporter: Reporter,
) -> LabelledDataset:
    """Read the training records of a configuration: those up to its ``as_of`` time, if it has one.

    The ledger's corrections replace labels. Labels that scoring has written, according to the journal, are
    not used, unless ``has_own_scores`` is set.

    Raises
    ------
    RecordError
        If a path has no records, or the ledger or the journal cannot be used.
    ModelError
        If no record has a quality and a date.
    """
    corpus = read_dataset(
        paths,
        stdin=stdin,
        on_fault=on_fault,
        reporter=reporter,
        until=until_of(config),
        corrections=open_corrections(corrections),
        own_scores=open_own_scores(settings, is_used=has_own_scores, reporter=reporter),
        sections=rule_named(settings.section),
        field_maps=field_maps_of(paths, settings),
        deriver=deriver_of(settings, reporter),
        wanted=config.labels,
    )
    for note in merged_archives(corpus, paths):
        reporter.note(note)
    return with_records(corpus)


def with_records(corpus: LabelledDataset) -> LabelledDataset:
    """Return the dataset if it is not empty.

    Raises
    ------
    ModelError
        If it is empty.
    """
    if not corpus.documents:
        raise ModelError("no records with a date and a label (quality, heat or published) to train on")
    return corpus


def fit_and_save(
    corpus: LabelledDataset,
    folder: Path,
    config: TrainConfig,
    settings: Settings,
    reporter: Reporter,
    trainer: BoosterTrainer = train_booster,
    *,
    admit: Callable[[str], None] | None = None,
) -> TrainingResult:
    """Fit on the records before the test block and evaluate on it; then fit on all records and save.

    Parameters
    ----------
    corpus : LabelledDataset
        Result of :func:`read_training` for this configuration.
    folder : Path
        Folder of the model.
    config : TrainConfig
        Split and fit options.
    settings : Settings
        Home and number of threads; they do not affect the model.
    reporter : Reporter
        Receiver of progress.
    trainer : callable
        See :func:`scoring.training.fit.fit_models`.
    admit : callable, optional
        See :func:`scoring.artifact.saved_model.save_model`.

    Returns
    -------
    TrainingResult

    Raises
    ------
    ModelError
        If there are too few records, or the model cannot be saved.
    """
    reporter.note(labels_note(corpus))
    is_test = test_mask(corpus.moments, corpus.sections, config.split)
    holdout = _evaluate_holdout(corpus, is_test, config, settings, reporter, trainer)
    no_records = np.zeros(len(corpus.documents), dtype=bool)
    cutoffs = latest_moments(corpus, ~no_records, until_of(config))
    training = corpus.training_split(no_records, cutoffs, config)
    models = _fit(training, config, settings, reporter, trainer, "all records")
    models = replace(models, field_map=corpus.field_map, leaders=count_leaders(corpus.documents))
    for note in section_notes(corpus.sections, models, config):
        reporter.note(note)
    used = corpus.chosen(corpus.mask_apart(no_records, cutoffs, config.split.apart))
    folders = [os.path.dirname(document.path) for document in used]
    conflicts = conflicting_folders(replace(training, changes=models.changes), folders, config.model)
    for warning in folder_warnings(conflicts):
        reporter.warn(warning)
    at_publication = corpus.as_seen(~no_records, AS_OF)
    profile = fit_profile(
        at_publication, at_publication.take(is_test), holdout.scorer, models, settings.threads
    )
    with writing(settings.home, folder):
        facts = _facts(corpus, cutoffs, config, holdout.evaluation)
        saved = save_model(
            folder, models, facts, profile, derived_coverage=corpus.derived_coverage, admit=admit
        )
    counts = {"train": holdout.n_training, "test": int(is_test.sum()), "all": len(is_test)}
    return TrainingResult(saved, holdout.evaluation, holdout.account, counts, corpus.tags, holdout.curves)


def as_of_training(config: TrainConfig) -> AsOf:
    """The ``as_of`` age or time of a configuration; None for records as they are."""
    return parse_as_of(config.as_of) if config.as_of else None


def until_of(config: TrainConfig) -> datetime | None:
    """The ``as_of`` time of a configuration, which later records do not pass; None if there is none."""
    as_of = as_of_training(config)
    return as_of if isinstance(as_of, datetime) else None


def _evaluate_holdout(
    corpus: LabelledDataset,
    is_test: NDArray[np.bool_],
    config: TrainConfig,
    settings: Settings,
    reporter: Reporter,
    trainer: BoosterTrainer,
) -> _HoldoutResult:
    """Fit on the records before the test block, and evaluate on that block."""
    if not is_test.any():
        raise ModelError("split: got no record in the test block, expected some: raise test_ratio")
    cutoffs = cutoffs_before(corpus, is_test, config.split.gap_hours)
    training = corpus.training_split(is_test, cutoffs, config)
    if left_out := copies_notes(corpus, is_test, config.split.apart):
        counted(training, "; ".join(left_out))
        for note in left_out:
            reporter.note(note)
    models = _fit(training, config, settings, reporter, trainer, "earlier records")
    as_of = as_of_training(config)
    test_records = corpus.as_seen(is_test, as_of)
    scorer = Scorer(config.name, models)
    evaluation = evaluate_models(
        scorer,
        test_records,
        [document.name for document in corpus.chosen(is_test)],
        early=corpus.at_ingest(is_test) if as_of is None else {},
        n_bootstrap=config.n_bootstrap,
        seed=config.seed,
        num_threads=settings.threads,
    )
    errors = analyse_errors(
        models.quality, corpus.whole(is_test), test_records.table, evaluation.predictions, as_of
    )
    curves = boosting_curves(models, training, test_records, settings.threads)
    return _HoldoutResult(scorer, evaluation, errors, len(training.table), curves)


def _fit(
    training: TrainingSet,
    config: TrainConfig,
    settings: Settings,
    reporter: Reporter,
    trainer: BoosterTrainer,
    description: str,
) -> FittedComponents:
    name = f"training on {description}"

    def report_step(step: str) -> None:
        reporter.step(name, _STEPS.index(step), len(_STEPS))

    models = fit_models(training, config, num_threads=settings.threads, trainer=trainer, on_step=report_step)
    reporter.step(name, len(_STEPS), len(_STEPS))
    return models


def _facts(
    corpus: LabelledDataset, cutoffs: dict[str, datetime], config: TrainConfig, evaluation: Evaluation
) -> TrainingFacts:
    moments = corpus.moments
    return TrainingFacts(
        name=config.name,
        data_sha256=corpus.data_sha256,
        n_records=len(corpus.documents),
        begins_at=moments.min().item().replace(tzinfo=UTC),
        ends_at=moments.max().item().replace(tzinfo=UTC),
        sections=dict(sorted(Counter(corpus.sections).items())),
        section_ends_at=dict(sorted(cutoffs.items())),
        config=config,
        versions=library_versions(),
        metrics=evaluation.figures,
        baselines=evaluation.baselines,
    )
