"""Backtest: train again for each month, or without each section, and judge on what was left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np

from scoring.errors import ModelError, shown
from scoring.evaluation.backtest import Fold, FoldResult, month_folds, pool, section_folds
from scoring.evaluation.evaluate import evaluate_models
from scoring.evaluation.results import Evaluation
from scoring.labels.own_scores import open_own_scores
from scoring.model.scorer import Scorer
from scoring.plots import backtest_figure, evaluation_figures
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import OnFault
from scoring.settings import Settings
from scoring.tracking import BacktestRun, Store, log_backtest, write_backtest
from scoring.training.config import TrainConfig
from scoring.training.dataset import LabelledDataset, latest_moments, read_dataset
from scoring.training.fit import fit_models
from scoring.training.training_set import TrainingSet


@dataclass(frozen=True, slots=True)
class BacktestOutcome:
    """What a backtest found.

    Parameters
    ----------
    run_id : str or None
        MLflow run of all folds together; None where nothing was logged.
    by : str
        What parts the folds: ``month`` or ``section``.
    data_sha256 : str
        Hex digest of the labelled records.
    n_records, n_faults : int
        Labelled records, and those that could not be used.
    folds : tuple of FoldResult
        Each training's figures, in order.
    evaluation : Evaluation
        All folds together.
    """

    run_id: str | None
    by: str
    data_sha256: str
    n_records: int
    n_faults: int
    folds: tuple[FoldResult, ...]
    evaluation: Evaluation


def backtest(
    paths: list[str],
    *,
    by: str = "month",
    first: str | None = None,
    config: TrainConfig,
    settings: Settings,
    now: datetime,
    output: Path | None = None,
    is_tracked: bool = True,
    has_own_scores: bool = False,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> BacktestOutcome:
    """Train again and again, and judge each training on records that it could not know.

    By month, a training learns from all that precedes the month, as it stood right before it: coverage
    that came later is cut off, and what hangs on it (heat, published) is no label. By section, it
    learns from the other sections.

    Parameters
    ----------
    paths : list of str
        As :func:`scoring.records.corpus.read_documents` takes them.
    by : str
        ``month`` or ``section``.
    first : str, optional
        First month to judge; see :func:`scoring.evaluation.backtest.month_folds`.
    config : TrainConfig
        The models; its split is not used but for the validation block.
    settings : Settings
        Home, store, experiment and threads.
    now : datetime
        When the run begins, aware UTC; it changes no figure.
    output : Path, optional
        Folder for the figures, the predictions and the plots.
    is_tracked : bool
        Whether to log runs.
    has_own_scores : bool
        Whether labels that scoring has written count like any other: see :mod:`scoring.labels.own_scores`.
    stdin, on_fault, reporter
        What ``-`` reads, who hears of bad records, who hears of progress.

    Returns
    -------
    BacktestOutcome

    Raises
    ------
    ModelError
        If the records do not suffice.
    TrackingError
        If the runs cannot be logged.
    """
    if by not in ("month", "section"):
        raise ModelError(f"backtest: by: got {by!r}, expected month or section")
    corpus = read_dataset(
        paths,
        stdin=stdin,
        on_fault=on_fault,
        reporter=reporter,
        own_scores=open_own_scores(settings, is_used=has_own_scores, reporter=reporter),
    )
    if not corpus.documents:
        raise ModelError("backtest records: got none with a quality and a date, expected some")
    folds = month_folds(corpus.moments, first) if by == "month" else section_folds(corpus.sections)
    evaluations, results = [], []
    for at, fold in enumerate(folds):
        reporter.step(f"backtest by {by}", at, len(folds))
        n_training, n_records = int(fold.is_training.sum()), int(fold.is_test.sum())
        reporter.note(f"{fold.name}: training on {n_training} records, evaluating on {n_records}")
        one = _evaluate(corpus, fold, config, settings)
        evaluations.append(one)
        results.append(FoldResult(fold.name, n_training, n_records, one.figures, one.baselines))
    reporter.step(f"backtest by {by}", len(folds), len(folds))
    pooled = pool(evaluations, folds, n_draws=config.n_bootstrap, seed=config.seed)
    outcome = BacktestOutcome(
        None, by, corpus.data_sha256, len(corpus.documents), corpus.n_faults, tuple(results), pooled
    )
    return _keep(outcome, paths, config, settings, now, output, is_tracked, corpus.tags)


def _evaluate(corpus: LabelledDataset, fold: Fold, config: TrainConfig, settings: Settings) -> Evaluation:
    """One training, judged on the fold's records as they stand."""
    try:
        models = fit_models(_training_set(corpus, fold, config), config, num_threads=settings.threads)
    except ModelError as error:
        raise ModelError(f"{fold.name}: {error}") from error
    documents = [one for one, is_held in zip(corpus.documents, fold.is_test, strict=True) if is_held]
    return evaluate_models(
        Scorer(fold.name, models),
        corpus.as_seen(fold.is_test),
        [document.path for document in documents],
        n_bootstrap=config.n_bootstrap,
        seed=config.seed,
        num_threads=settings.threads,
    )


def _training_set(corpus: LabelledDataset, fold: Fold, config: TrainConfig) -> TrainingSet:
    """What the fold learns from, as it stood when the fold's records were still to come."""
    if fold.as_of is None:
        return corpus.training_split(fold.is_test, latest_moments(corpus, fold.is_training), config)
    cut = fold.as_of - timedelta(hours=config.split.gap_hours)
    return corpus.training_split(fold.is_test, dict.fromkeys(np.unique(corpus.sections), cut), config)


def _keep(
    outcome: BacktestOutcome,
    paths: list[str],
    config: TrainConfig,
    settings: Settings,
    now: datetime,
    output: Path | None,
    is_tracked: bool,
    tags: dict[str, str],
) -> BacktestOutcome:
    """Write and log what was found, as far as that is wanted."""
    if output is None and not is_tracked:
        return outcome
    plots = {
        "backtest": backtest_figure(outcome.by, outcome.folds),
        **evaluation_figures(outcome.evaluation),
    }
    if output is not None:
        write_backtest(outcome.evaluation, outcome.folds, plots, output)
    if not is_tracked:
        return outcome
    run_id = log_backtest(
        Store(settings.tracking_uri, settings.home),
        BacktestRun(
            experiment=settings.experiment,
            run_name=f"backtest {config.name} by {outcome.by}",
            model=config.name,
            config={"by": outcome.by, **msgspec.to_builtins(config)},
            data_path=shown(" ".join(paths)),
            data_sha256=outcome.data_sha256,
            counts={"all": outcome.n_records, "folds": len(outcome.folds)},
            evaluation=outcome.evaluation,
            plots=plots,
            started_at=now,
            tags=tags,
            by=outcome.by,
            folds=outcome.folds,
        ),
    )
    return replace(outcome, run_id=run_id)
