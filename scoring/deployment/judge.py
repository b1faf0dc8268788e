"""Judge: a challenger against the champion on records that neither had seen, by the rule of the gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from scoring.artifact.saved_model import SavedModel
from scoring.deployment.candidates import Reference, logged
from scoring.deployment.gate import GateConfig, Verdict, judge_first, refuse, too_few
from scoring.deployment.paired_bootstrap import compare_paired
from scoring.errors import ModelError
from scoring.evaluation.evaluate import evaluate_models, prediction_columns
from scoring.progress import Reporter
from scoring.settings import Settings
from scoring.tracking import Store
from scoring.training.dataset import LabelledDataset
from scoring.training.splits import to_moment

_AGAIN = "name later records with --on"


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, and the hex digest of the records that it is of; empty where there are none."""

    verdict: Verdict
    data_sha256: str = ""


def judge_alone(saved: SavedModel, gate: GateConfig) -> Judged:
    """Judge a model where no champion is, by what its training found on the block that it held back."""
    training = saved.manifest.training
    figures = {name: figure.value for name, figure in training.metrics.items()}
    return Judged(judge_first(figures, training.baselines, gate), training.data_sha256)


def judge_logged(
    champion: Reference,
    challenger: Reference,
    gate: GateConfig,
    *,
    store: Store,
    seed: int,
    reporter: Reporter,
) -> Judged:
    """Judge two runs by what each said, before its last fit, of the block that it held back.

    Parameters
    ----------
    champion, challenger : Named
        The runs; only records that both held back count.
    gate : GateConfig
        What is asked for.
    store, seed, reporter
        Where the runs are, the seed of the draws, who hears of progress.

    Returns
    -------
    Judged
        Refused where the two cannot be compared fairly: the reason says why.

    Raises
    ------
    TrackingError
        If the store cannot be read.
    """
    if champion.run is None or challenger.run is None:
        return Judged(refuse(f"{challenger.spec}: no run has logged its predictions: {_AGAIN}", gate))
    stood = [run.params.get("as_of", "") for run in (champion.run, challenger.run)]
    if stood[0] != stood[1]:
        reason = f"as_of: got {stood[1]!r}, expected {stood[0]!r}, as of the champion: {_AGAIN}"
        return Judged(refuse(reason, gate))
    try:
        (one, two), notes = logged([champion, challenger], store, reporter)
    except ModelError as error:  # nothing that both held back, or labels that have changed between
        return Judged(refuse(f"{error}: {_AGAIN}", gate))
    for note in notes:
        reporter.note(note)
    verdict = compare_paired(one.predictions, two.predictions, gate, seed=seed)
    if not verdict.checks:
        verdict = refuse(f"{verdict.reasons[0]}, held back by both: {_AGAIN}", gate)
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
    """Let both score those of the records that are later than what either knew of.

    Parameters
    ----------
    corpus : LabelledDataset
        Labelled records.
    champion : SavedModel or None
        Who is in charge; without one the challenger is held against its baselines.
    challenger : SavedModel
        Who may follow.
    gate : GateConfig
        What is asked for.
    settings, reporter
        Seed and threads, who hears of progress.

    Returns
    -------
    Judged
        Refused where too few records are left.
    """
    contenders = [one for one in (champion, challenger) if one is not None]
    mask = np.ones(len(corpus.documents), dtype=bool)
    for each in contenders:
        mask &= is_later(corpus, each.manifest.training.section_ends_at)
    n_known = int((~mask).sum())
    if n_known:
        reporter.note(f"{n_known} of {len(mask)} records are left out: a training may have known of them")
    later = corpus.take(mask)
    if lacking := too_few(len(later.documents), later.n_days, gate):
        return Judged(refuse(f"records that are new to both: {lacking}", gate))
    seen = later.as_seen(np.ones(len(later.documents), dtype=bool))
    paths = [document.path for document in later.documents]
    if champion is None:
        found = evaluate_models(
            challenger.scorer, seen, paths, n_bootstrap=0, seed=settings.seed, num_threads=settings.threads
        )
        figures = {name: figure.value for name, figure in found.figures.items()}
        verdict = judge_first(figures, found.baselines, gate, n_records=found.n_records)
    else:
        reporter.step("judging", 0, 1)
        one, two = (
            prediction_columns(each.scorer, seen, paths, num_threads=settings.threads) for each in contenders
        )
        verdict = compare_paired(one, two, gate, seed=settings.seed)
        reporter.step("judging", 1, 1)
    return Judged(verdict, later.data_sha256)


def is_later(corpus: LabelledDataset, ends_at: Mapping[str, datetime]) -> NDArray[np.bool_]:
    """Which records are later than the moment of their section, shape (n_records,); all of other sections."""
    ends = np.array([to_moment(ends_at.get(section)) for section in corpus.sections], dtype="datetime64[us]")
    is_new: NDArray[np.bool_] = np.isnat(ends) | (corpus.moments > ends)
    return is_new
