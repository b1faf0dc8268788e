"""Fit: evaluate on the held-back block, fit again on all, save; nothing is logged here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from scoring.artifact.manifest import TrainingFacts
from scoring.artifact.saved_model import SavedModel, library_versions, save_model
from scoring.drift.reference_profile import AS_OF, fit_profile
from scoring.errors import ModelError
from scoring.evaluation.error_analysis import ErrorAnalysis, analyse_errors
from scoring.evaluation.evaluate import evaluate_models
from scoring.evaluation.results import Evaluation
from scoring.features.as_of import AsOf, parse_as_of
from scoring.labels.corrections import open_corrections
from scoring.labels.own_scores import open_own_scores
from scoring.model.components import FittedComponents
from scoring.model.scorer import Scorer
from scoring.progress import Reporter
from scoring.records.corpus import OnFault
from scoring.settings import Settings
from scoring.storage.home import writing
from scoring.training.config import TrainConfig
from scoring.training.dataset import LabelledDataset, cutoffs_before, latest_moments, read_dataset
from scoring.training.fit import fit_models
from scoring.training.lightgbm_trainer import BoosterTrainer, train_booster
from scoring.training.splits import test_mask
from scoring.training.training_set import TrainingSet

_STEPS = ("quality", "lead, heat and published", "baselines")


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A saved model, and what a fit on the records before the test block made of that block.

    Parameters
    ----------
    saved : SavedModel
        Fitted on all records.
    evaluation : Evaluation
        Figures and predictions of the earlier fit.
    account : ErrorAnalysis
        What a report says of its worst misses.
    counts : dict of str to int
        Records that the earlier fit learned from (``train``), the test block (``test``), and ``all``.
    tags : dict of str to str
        What its run is to tell besides.
    """

    saved: SavedModel
    evaluation: Evaluation
    account: ErrorAnalysis
    counts: dict[str, int]
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class _HoldoutResult:
    """What the fit on the records before the test block, `n_training` of them, made of that block."""

    scorer: Scorer
    evaluation: Evaluation
    account: ErrorAnalysis
    n_training: int


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
    """Read the records that a configuration learns from: those up to its moment, where it has one.

    Labels that the ledger of corrections names are those that people have set. Labels that the journal of the
    settings names are scoring's own, and none to learn from, unless that is asked for.

    Raises
    ------
    RecordError
        If a path names no record, or the ledger or the journal cannot be used.
    ModelError
        If none has a quality and a date.
    """
    corpus = read_dataset(
        paths,
        stdin=stdin,
        on_fault=on_fault,
        reporter=reporter,
        until=until_of(config),
        corrections=open_corrections(corrections),
        own_scores=open_own_scores(settings, is_used=has_own_scores, reporter=reporter),
    )
    return with_records(corpus)


def with_records(corpus: LabelledDataset) -> LabelledDataset:
    """The corpus, if there is something in it.

    Raises
    ------
    ModelError
        If there is not.
    """
    if not corpus.documents:
        raise ModelError("training records: got none with a quality and a date, expected some")
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
    """Fit and judge models on what precedes the test block, then fit on all records and save that.

    Parameters
    ----------
    corpus : LabelledDataset
        What :func:`read_training` read for this configuration.
    folder : Path
        Where to save the model.
    config : TrainConfig
        The split and the models.
    settings : Settings
        Home and threads; they change no byte.
    reporter : Reporter
        Who hears of progress.
    trainer : callable
        As :func:`scoring.training.fit.fit_models` takes it.
    admit : callable, optional
        As :func:`scoring.artifact.saved_model.save_model` takes it.

    Returns
    -------
    Fitted

    Raises
    ------
    ModelError
        If the records do not suffice, or the model cannot be saved.
    """
    is_test = test_mask(corpus.moments, corpus.sections, config.split)
    held = _evaluate_before_the_cut(corpus, is_test, config, settings, reporter, trainer)
    nothing = np.zeros(len(corpus.documents), dtype=bool)
    cuts = latest_moments(corpus, ~nothing, until_of(config))
    training = corpus.training_split(nothing, cuts, config)
    models = _fit(training, config, settings, reporter, trainer, "all records")
    at_publication = corpus.as_seen(~nothing, AS_OF)
    profile = fit_profile(at_publication, at_publication.take(is_test), held.scorer, models, settings.threads)
    with writing(settings.home, folder):
        facts = _facts(corpus, cuts, config, held.evaluation)
        saved = save_model(folder, models, facts, profile, admit=admit)
    counts = {"train": held.n_training, "test": int(is_test.sum()), "all": len(is_test)}
    return TrainingResult(saved, held.evaluation, held.account, counts, corpus.tags)


def as_of_training(config: TrainConfig) -> AsOf:
    """The age or the moment at which a configuration looks at records; None for as they stand."""
    return parse_as_of(config.as_of) if config.as_of else None


def until_of(config: TrainConfig) -> datetime | None:
    """The moment after which a configuration sees nothing; None where there is no such moment."""
    as_of = as_of_training(config)
    return as_of if isinstance(as_of, datetime) else None


def _evaluate_before_the_cut(
    corpus: LabelledDataset,
    is_test: NDArray[np.bool_],
    config: TrainConfig,
    settings: Settings,
    reporter: Reporter,
    trainer: BoosterTrainer,
) -> _HoldoutResult:
    """Fit on what precedes the test block, and compare with the labels of that block."""
    if not is_test.any():
        raise ModelError("split: got no record in the test block, expected some to evaluate on")
    cuts = cutoffs_before(corpus, is_test, config.split.gap_hours)
    training = corpus.training_split(is_test, cuts, config)
    models = _fit(training, config, settings, reporter, trainer, "records before the test block")
    as_of = as_of_training(config)
    test = corpus.as_seen(is_test, as_of)
    scorer = Scorer(config.name, models)
    evaluation = evaluate_models(
        scorer,
        test,
        [document.path for document in corpus.chosen(is_test)],
        early=corpus.at_ingest(is_test) if as_of is None else {},
        n_bootstrap=config.n_bootstrap,
        seed=config.seed,
        num_threads=settings.threads,
    )
    account = analyse_errors(models.quality, corpus.whole(is_test), test.table, evaluation.predictions, as_of)
    return _HoldoutResult(scorer, evaluation, account, len(training.table))


def _fit(
    training: TrainingSet,
    config: TrainConfig,
    settings: Settings,
    reporter: Reporter,
    trainer: BoosterTrainer,
    what: str,
) -> FittedComponents:
    name = f"training on {what}"

    def tell(step: str) -> None:
        reporter.step(name, _STEPS.index(step), len(_STEPS))

    models = fit_models(training, config, num_threads=settings.threads, trainer=trainer, on_step=tell)
    reporter.step(name, len(_STEPS), len(_STEPS))
    return models


def _facts(
    corpus: LabelledDataset, cuts: dict[str, datetime], config: TrainConfig, evaluation: Evaluation
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
