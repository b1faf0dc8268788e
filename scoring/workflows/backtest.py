"""Backtest: rolling-origin evaluation by month, or leave-one-section-out cross-validation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec
import numpy as np

from scoring.errors import ModelError, shown
from scoring.evaluation.backtest import Fold, FoldResult, month_folds, pool, section_folds
from scoring.evaluation.evaluate import evaluate_models
from scoring.evaluation.results import Evaluation
from scoring.extras import naming_extras
from scoring.features.sections import rule_named
from scoring.labels.own_scores import open_own_scores
from scoring.model.scorer import Scorer
from scoring.progress import SILENT, Reporter
from scoring.records.field_maps.lookup import field_maps_of
from scoring.records.files import OnFault
from scoring.settings import Settings
from scoring.storage.remote_output import check_output, output_folder
from scoring.tracking import BacktestRun, Store, log_backtest, logs_one_run, write_backtest
from scoring.training.config import TrainConfig
from scoring.training.dataset import LabelledDataset, latest_moments
from scoring.training.fit import fit_models
from scoring.training.read_dataset import read_dataset
from scoring.training.training_set import TrainingSet
from scoring.workflows.coverage import deriver_of
from scoring.workflows.results import WithEvaluation, figure_rows, require_outputs

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Plot


@dataclass(frozen=True, slots=True, repr=False)
class BacktestOutcome(WithEvaluation):
    """Result of a backtest.

    Parameters
    ----------
    run_id : str or None
        MLflow run of all folds; None if nothing was logged.
    by : str
        Kind of folds: ``month`` or ``section``.
    data_sha256 : str
        Hex digest of the labelled records.
    n_records, n_faults : int
        Labelled and unusable records.
    folds : tuple of FoldResult
        Metrics of each fold, in order.
    evaluation : Evaluation
        Pooled evaluation of all folds.
    """

    run_id: str | None
    by: str
    data_sha256: str
    n_records: int
    n_faults: int
    folds: tuple[FoldResult, ...]
    evaluation: Evaluation

    @naming_extras("frames")
    def to_frame(self) -> pd.DataFrame:
        """Return the metrics of each fold, one metric per row.

        Returns
        -------
        DataFrame of shape (n_folds * n_metrics, 7 + n_baselines)
            ``fold``, its numbers of records for training and evaluation, ``metric``, ``value``, ``low`` and
            ``high`` (95 % interval), and the value of each baseline.
        """
        import pandas as pd

        return pd.DataFrame(
            [
                {"fold": fold.name, "n_training": fold.n_training, "n_records": fold.n_records} | row
                for fold in self.folds
                for row in figure_rows(fold.figures, fold.baselines)
            ]
        )

    def plot(self) -> dict[str, Plot]:
        """Draw the metrics of the folds (``backtest``), and the pooled evaluation.

        Returns
        -------
        dict of str to matplotlib Figure
            Plots by name.
        """
        from scoring.plots import backtest_figure, evaluation_figures

        return {"backtest": backtest_figure(self.by, self.folds), **evaluation_figures(self.evaluation)}

    def save(self, folder: str | Path) -> None:
        """Write the metrics of the folds and of the pooled evaluation, the predictions and the plots.

        Parameters
        ----------
        folder : str or Path
            Output folder or its URL; created if missing; files with the same names are replaced.
        """
        with output_folder(Path(folder)) as local:
            write_backtest(self.evaluation, self.folds, self.plot(), local)


@logs_one_run
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
    """Fit a model for each fold, and evaluate it on the records of that fold.

    By month, a model is fitted on the records before the month, as they were right before it: later
    coverage is removed, and labels that depend on it (heat, published) are not used. By section, a model
    is fitted on the other sections.

    Parameters
    ----------
    paths : list of str
        Files, folders, globs or ``-``: see :func:`scoring.records.corpus.read_documents`.
    by : str
        ``month`` or ``section``.
    first : str, optional
        First month to evaluate; see :func:`scoring.evaluation.backtest.month_folds`.
    config : TrainConfig
        Fit options. Of the split only the validation block is used.
    settings : Settings
        Home, store, experiment and threads.
    now : datetime
        Start of the run, aware UTC; it affects no result.
    output : Path, optional
        Folder for the metrics, the predictions and the plots.
    is_tracked : bool
        Whether to log runs.
    has_own_scores : bool
        Whether to use labels written by scoring: see :mod:`scoring.labels.own_scores`.
    stdin, on_fault, reporter
        Input of ``-``; callback for unusable records; receiver of progress.

    Returns
    -------
    BacktestOutcome

    Raises
    ------
    ModelError
        If there are too few records.
    TrackingError
        If the runs cannot be logged.
    """
    check_output(output)
    if by not in ("month", "section"):
        raise ModelError(f"backtest: by: got {by!r}, expected month or section")
    require_outputs(output, is_tracked=is_tracked)
    corpus = read_dataset(
        paths,
        stdin=stdin,
        on_fault=on_fault,
        reporter=reporter,
        own_scores=open_own_scores(settings, is_used=has_own_scores, reporter=reporter),
        sections=rule_named(settings.section),
        field_maps=field_maps_of(paths, settings),
        deriver=deriver_of(settings, reporter),
        wanted=config.labels,
    )
    if not corpus.documents:
        raise ModelError("no records with a label and a date for the backtest")
    folds = month_folds(corpus.moments, first) if by == "month" else section_folds(corpus.sections)
    evaluations, results = [], []
    for fold_index, fold in enumerate(folds):
        reporter.step(f"backtest by {by}", fold_index, len(folds))
        n_training, n_records = int(fold.is_training.sum()), int(fold.is_test.sum())
        reporter.note(f"{fold.name}: training on {n_training} records, evaluating on {n_records}")
        fold_evaluation = _evaluate(corpus, fold, config, settings)
        evaluations.append(fold_evaluation)
        results.append(
            FoldResult(fold.name, n_training, n_records, fold_evaluation.figures, fold_evaluation.baselines)
        )
    reporter.step(f"backtest by {by}", len(folds), len(folds))
    pooled = pool(evaluations, folds, n_draws=config.n_bootstrap, seed=config.seed)
    outcome = BacktestOutcome(
        None, by, corpus.data_sha256, len(corpus.documents), corpus.n_faults, tuple(results), pooled
    )
    return _write_and_log(outcome, paths, config, settings, now, output, is_tracked, corpus.tags)


def _evaluate(corpus: LabelledDataset, fold: Fold, config: TrainConfig, settings: Settings) -> Evaluation:
    """Fit on the fold's training records, and evaluate on its test records."""
    try:
        models = fit_models(_training_set(corpus, fold, config), config, num_threads=settings.threads)
    except ModelError as error:
        raise ModelError(f"{fold.name}: {error}") from error
    documents = [
        document for document, is_held_out in zip(corpus.documents, fold.is_test, strict=True) if is_held_out
    ]
    return evaluate_models(
        Scorer(fold.name, models),
        corpus.as_seen(fold.is_test),
        [document.name for document in documents],
        n_bootstrap=config.n_bootstrap,
        seed=config.seed,
        num_threads=settings.threads,
    )


def _training_set(corpus: LabelledDataset, fold: Fold, config: TrainConfig) -> TrainingSet:
    """Training records of a fold, as they were before its test records."""
    if fold.as_of is None:
        return corpus.training_split(fold.is_test, latest_moments(corpus, fold.is_training), config)
    cutoff = fold.as_of - timedelta(hours=config.split.gap_hours)
    return corpus.training_split(fold.is_test, dict.fromkeys(np.unique(corpus.sections), cutoff), config)


def _write_and_log(
    outcome: BacktestOutcome,
    paths: list[str],
    config: TrainConfig,
    settings: Settings,
    now: datetime,
    output: Path | None,
    is_tracked: bool,
    tags: dict[str, str],
) -> BacktestOutcome:
    """Write the result to ``output`` and log it, if requested."""
    if output is None and not is_tracked:
        return outcome
    plots = outcome.plot()
    if output is not None:
        with output_folder(output) as folder:
            write_backtest(outcome.evaluation, outcome.folds, plots, folder)
    if not is_tracked:
        return outcome
    run_id = log_backtest(
        Store(settings.tracking_uri, settings.home),
        BacktestRun(
            experiment=settings.experiment,
            run_name=settings.run_name or f"backtest {config.name} by {outcome.by}",
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
