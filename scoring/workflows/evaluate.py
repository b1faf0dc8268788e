"""Evaluate a model: compare its scores with the labels of records."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
import numpy as np

from scoring.artifact.manifest import TrainingFacts
from scoring.artifact.saved_model import SavedModel
from scoring.deployment.open_model import importances_of, open_model
from scoring.errors import ModelError, ScoringError, shown
from scoring.evaluation.earlier_labels import earlier_labels
from scoring.evaluation.error_analysis import ErrorAnalysis, analyse_errors
from scoring.evaluation.evaluate import evaluate_models
from scoring.evaluation.results import Evaluation
from scoring.explanation.policy import policy_texts
from scoring.features.as_of import AsOf
from scoring.labels.own_scores import open_own_scores
from scoring.model.scorer import Scorer
from scoring.model.targets import needed_label
from scoring.progress import SILENT, Reporter
from scoring.records.field_maps.lookup import field_maps_of
from scoring.records.files import OnFault
from scoring.settings import Settings
from scoring.storage.remote_output import check_output, output_folder
from scoring.storage.urls import name_of
from scoring.tracking import EvaluationRun, Store, log_evaluation, logs_one_run, write_evaluation
from scoring.training.dataset import LabelledDataset
from scoring.training.read_dataset import read_dataset
from scoring.workflows.coverage import derived_note, deriver_of
from scoring.workflows.results import WithEvaluation, require_outputs

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False)
class EvaluateOutcome(WithEvaluation):
    """Result of an evaluation.

    Parameters
    ----------
    run_id : str or None
        MLflow run; None if nothing was logged.
    model : str
        Name and version of the model.
    n_records, n_faults : int
        Evaluated records and unusable records.
    n_own_labels : int
        Labels written by scoring.
    evaluation : Evaluation
        Metrics with intervals, baselines, slices and predictions.
    rows : tuple of int
        Line, row or entry of each evaluated record, from 1; 0 for a whole file.
    index : pandas Index or None
        Index of the frame of the records, if they were one of pandas.
    """

    run_id: str | None
    model: str
    n_records: int
    n_faults: int
    n_own_labels: int
    evaluation: Evaluation
    rows: tuple[int, ...] = ()
    index: Any = field(default=None, compare=False)

    def predictions(self) -> pd.DataFrame:
        """Return the labels and predictions, one record per row, with the index of a pandas frame."""
        frame = WithEvaluation.predictions(self)
        return frame if self.index is None else frame.set_axis(self.index[[row - 1 for row in self.rows]])


@logs_one_run
def evaluate(
    paths: list[str],
    *,
    model: str | SavedModel | None = None,
    settings: Settings,
    now: datetime,
    as_of: AsOf = None,
    since: datetime | None = None,
    output: Path | None = None,
    is_tracked: bool = True,
    has_own_scores: bool = False,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> EvaluateOutcome:
    """Compare a model's scores with labels.

    Parameters
    ----------
    paths : list of str
        Files, folders, globs or ``-``: see :func:`scoring.records.corpus.read_documents`.
    model : str or SavedModel, optional
        A loaded model, or a name for :func:`scoring.deployment.resolve_model.resolve`.
    settings : Settings
        Home, store, experiment, seed and threads.
    now : datetime
        Start of the run, aware UTC.
    as_of : datetime or timedelta, optional
        Coverage later than this time (aware UTC, or an age after publication) is ignored; the labels are
        the final ones.
    since : datetime, optional
        Use only records published at or after this time, aware UTC.
    output : Path, optional
        Folder for the metrics, the predictions, the plots and the report.
    is_tracked : bool
        Whether to log a run.
    has_own_scores : bool
        Whether to use labels written by scoring: see :mod:`scoring.labels.own_scores`.
    stdin, on_fault, reporter
        Input of ``-``; callback for unusable records; receiver of progress.

    Returns
    -------
    EvaluateOutcome

    Raises
    ------
    ModelError
        If the model cannot be used, or no record has a quality and a date.
    """
    check_output(output)
    require_outputs(output, is_tracked=is_tracked)
    saved = model if isinstance(model, SavedModel) else open_model(model, settings, reporter)
    own_scores = open_own_scores(settings, is_used=has_own_scores, reporter=reporter)
    corpus = _read(
        paths,
        saved.scorer,
        settings,
        stdin=stdin,
        on_fault=on_fault,
        reporter=reporter,
        since=since,
        own_scores=own_scores,
    )
    training = saved.manifest.training
    warning = "; ".join(filter(None, (_warning(training, corpus), derived_note(corpus.documents))))
    if warning:
        reporter.note(warning)
    all_records = np.ones(len(corpus.documents), dtype=bool)
    records = corpus.as_seen(all_records, as_of)
    evaluation = evaluate_models(
        saved.scorer,
        records,
        [document.name for document in corpus.documents],
        early=corpus.at_ingest(all_records) if as_of is None else {},
        n_bootstrap=training.config.n_bootstrap,
        seed=settings.seed,
        num_threads=settings.threads,
    )
    remedy = "--since {since} leaves them out"
    if note := earlier_labels(evaluation.predictions, saved.models.changes, remedy=remedy):
        reporter.note(note)
    run = EvaluationRun(
        experiment=settings.experiment,
        run_name=settings.run_name or f"evaluate {saved.name}",
        model=saved.name,
        config=msgspec.to_builtins(training.config),
        data_path=shown(" ".join(paths)),
        data_sha256=corpus.data_sha256,
        counts={"evaluated": evaluation.n_records},
        evaluation=evaluation,
        plots={},
        started_at=now,
        tags=corpus.tags,
        profile={"num_rows": evaluation.n_records},
    )
    if output or is_tracked:
        from scoring.plots import evaluation_figures

        errors = analyse_errors(
            saved.models.quality, corpus.documents, records.table, evaluation.predictions, as_of
        )
        report = _report(run, saved, errors, as_of, warning)
        run = replace(run, plots=evaluation_figures(evaluation), report=report)
    if output is not None:
        _write(run, output)
    run_id = log_evaluation(Store(settings.tracking_uri, settings.home), run) if is_tracked else None
    return EvaluateOutcome(
        run_id,
        saved.name,
        evaluation.n_records,
        corpus.n_faults,
        corpus.n_own_labels,
        evaluation,
        tuple(document.line for document in corpus.documents),
    )


def _read(paths: list[str], scorer: Scorer, settings: Settings, **options: Any) -> LabelledDataset:
    """Read the labelled records, in the sections and by the field map of the model."""
    corpus = read_dataset(
        paths,
        sections=scorer.sections,
        field_maps=field_maps_of(paths, settings).with_model_map(scorer.field_map),
        deriver=deriver_of(settings, options["reporter"]),
        targets=scorer.targets,
        **options,
    )
    if not corpus.documents:
        raise ModelError(f"no records with {needed_label(scorer.targets)} and a date to evaluate on")
    return corpus


def _write(run: EvaluationRun, output: Path) -> None:
    """Write the evaluation, its plots and its report into a folder."""
    try:
        with output_folder(output) as folder:
            write_evaluation(run.evaluation, run.plots, folder, report=run.report)
    except OSError as error:
        got = error.strerror or error
        raise ScoringError(f"{name_of(output)}: cannot write the evaluation: {got}") from error


def _warning(training: TrainingFacts, corpus: LabelledDataset) -> str:
    """Warning if the metrics are (partly) in-sample; empty otherwise."""
    if training.data_sha256 == corpus.data_sha256:
        return "the model was trained on the same records: the metrics are in-sample"
    if corpus.moments.min() <= np.datetime64(training.ends_at.replace(tzinfo=None)):
        return (
            f"some records are not newer than the model's training records (to {training.ends_at:%Y-%m-%d})"
        )
    return ""


def _report(run: EvaluationRun, saved: SavedModel, errors: ErrorAnalysis, as_of: AsOf, warning: str) -> str:
    """Render the HTML report."""
    from scoring.report import evaluation_report

    time = "" if as_of is None else f", as of {_as_of_text(as_of)}"
    intro = f"Scores of labelled records{time}, compared with their labels."
    return evaluation_report(
        run.evaluation,
        title=f"Evaluation of {saved.name}",
        intro=f"{intro} Note: {warning}." if warning else intro,
        training=saved.manifest.training,
        data_path=run.data_path,
        data_sha256=run.data_sha256,
        counts=run.counts,
        account=errors,
        importances=importances_of(saved.models),
        policies=policy_texts(saved.models.rules, saved.models.changes),
    )


def _as_of_text(as_of: datetime | timedelta) -> str:
    if isinstance(as_of, timedelta):
        return f"{as_of.total_seconds() / 3600:g} h after publication"
    return f"{as_of:%Y-%m-%d %H:%M} UTC"
