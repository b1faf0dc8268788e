"""Judge a challenger by the gate: compare it with the champion on records that neither has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from scoring.artifact.saved_model import SavedModel
from scoring.deployment.candidates import Reference, logged
from scoring.deployment.gate import GateConfig, Verdict, judge_first, refuse, too_few
from scoring.deployment.paired_bootstrap import compare_paired
from scoring.errors import ModelError
from scoring.evaluation.earlier_labels import earlier_labels
from scoring.evaluation.evaluate import evaluate_models, prediction_columns
from scoring.model.policy_change import PolicyChange
from scoring.progress import Reporter
from scoring.settings import Settings
from scoring.tracking import Store
from scoring.training.dataset import LabelledDataset
from scoring.training.splits import to_moment

_NAME_LATER_RECORDS = "name later records with --on"


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, and the hex digest of the records that it was reached on; empty if there were none."""

    verdict: Verdict
    data_sha256: str = ""


def judge_alone(saved: SavedModel, gate: GateConfig) -> Judged:
    """Judge a model without a champion, by its metrics on the test period of its own training."""
    training = saved.manifest.training
    metrics = {name: metric.value for name, metric in training.metrics.items()}
    gate = gate.of_models(saved.manifest.targets)
    return Judged(judge_first(metrics, training.baselines, gate), training.data_sha256)


def judge_logged(
    champion: Reference,
    challenger: Reference,
    gate: GateConfig,
    *,
    changes: Sequence[PolicyChange] = (),
    store: Store,
    seed: int,
    reporter: Reporter,
) -> Judged:
    """Judge two runs by their logged predictions of the test period, from before the final fit.

    Parameters
    ----------
    champion, challenger : Reference
        The runs; only records in the test periods of both count.
    gate : GateConfig
        Rule of the gate.
    changes : sequence of PolicyChange
        Changes of policy that the challenger knows.
    store, seed, reporter
        Store of the runs, seed of the bootstrap, receiver of progress.

    Returns
    -------
    Judged
        Refused, with the reason, if the two cannot be compared fairly.

    Raises
    ------
    TrackingError
        If the store cannot be read.
    """
    if champion.run is None or challenger.run is None:
        reason = f"{challenger.spec}: no run with logged predictions: {_NAME_LATER_RECORDS}"
        return Judged(refuse(reason, gate))
    champion_as_of, as_of = (run.params.get("as_of", "") for run in (champion.run, challenger.run))
    if as_of != champion_as_of:
        reason = f"as_of: got {as_of!r}, expected the champion's {champion_as_of!r}: {_NAME_LATER_RECORDS}"
        return Judged(refuse(reason, gate))
    try:
        (first, second), notes = logged([champion, challenger], store, reporter)
    except ModelError as error:  # no common test records, or labels that have changed since
        return Judged(refuse(f"{error}: {_NAME_LATER_RECORDS}", gate))
    remedy = f"{_NAME_LATER_RECORDS} to leave them out"
    for note in (*notes, earlier_labels(second.predictions, changes, challenger.spec, remedy)):
        if note:
            reporter.note(note)
    verdict = compare_paired(first.predictions, second.predictions, gate, seed=seed)
    if not verdict.checks:
        verdict = refuse(f"{verdict.reasons[0]}, held out by both runs: {_NAME_LATER_RECORDS}", gate)
    return Judged(verdict, challenger.run.summary.data_sha256)


def judge_on(
    corpus: LabelledDataset,
    champion: SavedModel | None,
    challenger: SavedModel,
    gate: GateConfig,
    *,
    settings: Settings,
    reporter: Reporter,
) -> Judged:
    """Judge two models by their scores of the records that are later than the training data of both.

    Parameters
    ----------
    corpus : LabelledDataset
        Labelled records. Those from before a change of policy that a model knows are never later than its
        training data, so that none is judged.
    champion : SavedModel or None
        The champion; without one the challenger is compared with its baselines.
    challenger : SavedModel
        The model that may become the champion.
    gate : GateConfig
        Rule of the gate.
    settings, reporter
        Seed and number of threads; receiver of progress.

    Returns
    -------
    Judged
        Refused if too few records are later.
    """
    models = [saved for saved in (champion, challenger) if saved is not None]
    mask = np.ones(len(corpus.documents), dtype=bool)
    for saved in models:
        mask &= is_later(corpus, saved)
    n_known = int((~mask).sum())
    if n_known:
        reporter.note(f"{n_known} of {len(mask)} records are left out: they may have been trained on")
    later_records = corpus.take(mask)
    if lacking := too_few(len(later_records.documents), later_records.n_days, gate):
        return Judged(refuse(f"records later than all training data: {lacking}", gate))
    all_records = np.ones(len(later_records.documents), dtype=bool)
    # Each model has its own rule for the section of a record, and its features depend on it.
    seen_by = [later_records.under(saved.scorer.sections).as_seen(all_records) for saved in models]
    records = seen_by[-1]
    paths = [document.name for document in later_records.documents]
    if champion is None:
        evaluation = evaluate_models(
            challenger.scorer, records, paths, n_bootstrap=0, seed=settings.seed, num_threads=settings.threads
        )
        metrics = {name: metric.value for name, metric in evaluation.figures.items()}
        gate = gate.of_models(challenger.manifest.targets)
        verdict = judge_first(metrics, evaluation.baselines, gate, n_records=evaluation.n_records)
    else:
        reporter.step("judging", 0, 1)
        first, second = (
            prediction_columns(
                saved.scorer,
                replace(seen, sections=records.sections),
                paths,
                num_threads=settings.threads,
            )
            for saved, seen in zip(models, seen_by, strict=True)
        )
        verdict = compare_paired(first, second, gate, seed=settings.seed)
        reporter.step("judging", 1, 1)
    return Judged(verdict, later_records.data_sha256)


def is_later(corpus: LabelledDataset, saved: SavedModel) -> NDArray[np.bool_]:
    """Mask of the records later than the last training record of their section, shape (n_records,).

    All records of a section that has no training records are later. Sections are the model's own.
    """
    ends_at = saved.manifest.training.section_ends_at
    sections = corpus.under(saved.scorer.sections).sections
    ends = np.array([to_moment(ends_at.get(section)) for section in sections], dtype="datetime64[us]")
    is_new: NDArray[np.bool_] = np.isnat(ends) | (corpus.moments > ends)
    return is_new


def section_ends(corpus: LabelledDataset, saved: SavedModel) -> dict[str, datetime]:
    """Moment up to which a model may have been trained on records, by section of the dataset (aware UTC)."""
    if saved.scorer.sections == corpus.section_rule:
        return saved.manifest.training.section_ends_at
    ends: dict[str, datetime] = {}
    for document, section, is_new in zip(
        corpus.documents, corpus.sections, is_later(corpus, saved), strict=True
    ):
        if not is_new and document.record.published_at is not None:
            ends[section] = max(document.record.published_at, ends.get(section, document.record.published_at))
    return ends
