"""Compare: what differs between runs or models, whose ``published`` would change, and the page of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import msgspec
import numpy as np

from scoring.deployment.candidates import Candidate, logged, read_records, scored, split_arguments
from scoring.deployment.named_store import check_named_store
from scoring.errors import ModelError
from scoring.evaluation.comparison import Comparison, diff, diff_features
from scoring.evaluation.decision_changes import (
    DecisionChange,
    count_decision_changes,
    decision_change_rows,
    decision_changes,
    diff_reasons,
)
from scoring.evaluation.paired_figures import compare_predictions, is_labelled, slice_differences
from scoring.explanation.attribution import explain
from scoring.labels.own_scores import open_own_scores
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import OnFault
from scoring.report import comparison_report
from scoring.settings import Settings
from scoring.tracking import Store, add_page
from scoring.training.splits import as_datetime

N_DRAWS = 1000
N_PART_DRAWS = 200


def compare(
    arguments: Sequence[str],
    *,
    settings: Settings,
    limit: int = 20,
    has_own_scores: bool = False,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> tuple[Comparison, ...]:
    """Compare two or more runs or models.

    Parameters
    ----------
    arguments : sequence of str
        Runs and models: ``runs:/ID``, a run's id or 6 or more digits that it begins with, ``models:/...``, or
        a folder that holds a model. All else are records for the models to score, as
        :func:`scoring.records.corpus.read_documents` takes them; without any, the runs' own predictions of
        the records that they held back are compared.
    settings : Settings
        Store, seed and threads.
    limit : int
        Flips at most.
    has_own_scores : bool
        Whether labels that scoring has written count like any other: see :mod:`scoring.labels.own_scores`.
    stdin, on_fault, reporter
        What ``-`` reads, who hears of bad records, who hears of progress.

    Returns
    -------
    tuple of Comparison
        The first run against each of the others.

    Raises
    ------
    ModelError
        If fewer than two are named, a model cannot be used, or there are no records to compare on.
    TrackingError
        If the store cannot be read, or has no such run.
    """
    check_named_store(settings)
    store = Store(settings.tracking_uri, settings.home)
    named, paths = split_arguments(arguments, store)
    if len(named) < 2:
        got = ", ".join(one.spec for one in named) or "none"
        raise ModelError(f"runs to compare: got {got}, expected two or more")
    if paths:
        own_scores = open_own_scores(settings, is_used=has_own_scores, reporter=reporter)
        documents = read_records(paths, own_scores, stdin, on_fault, reporter)
        contenders, notes = scored(named, documents, settings, reporter)
    else:
        contenders, notes = logged(named, store, reporter)
    for note in notes:
        reporter.note(note)
    first, *others = contenders
    return tuple(_compared(first, other, notes, limit, settings.seed, reporter) for other in others)


def keep_page(comparison: Comparison, settings: Settings) -> str | None:
    """Put a comparison as a page among the artifacts of its second run.

    Parameters
    ----------
    comparison : Comparison
        As :func:`compare` gives it.
    settings : Settings
        Where the store is.

    Returns
    -------
    str or None
        Address of the page (``runs:/ID/comparisons/OTHER.html``); None where the second is no run.

    Raises
    ------
    TrackingError
        If the store cannot be written.
    """
    run_id = comparison.second.run_id
    if run_id is None:
        return None
    store = Store(settings.tracking_uri, settings.home)
    other = comparison.first.run_id or comparison.first.model
    return add_page(store, run_id, f"comparisons/{other}.html", comparison_report(comparison))


def _compared(
    first: Candidate, second: Candidate, notes: tuple[str, ...], limit: int, seed: int, reporter: Reporter
) -> Comparison:
    one, two = first.predictions, second.predictions
    name = f"comparing with {second.side.name}"
    reporter.step(name, 0, 2)
    differences = compare_predictions(one, two, n_draws=N_DRAWS, seed=seed)
    slices = slice_differences(one, two, n_draws=N_PART_DRAWS, seed=seed)
    reporter.step(name, 1, 2)
    rows = decision_change_rows(one, two)[:limit].tolist()
    changed = decision_changes(one, two, models=(first.side.model, second.side.model), rows=rows)
    moments = one["published_at"][~np.isnat(one["published_at"])]
    both = set(first.data) & set(second.data)  # what one side does not know does not differ
    comparison = Comparison(
        first=first.side,
        second=second.side,
        n_records=len(one["path"]),
        n_labelled=int(is_labelled(one).sum()),
        begins_at=as_datetime(moments.min()) if len(moments) else None,
        ends_at=as_datetime(moments.max()) if len(moments) else None,
        parameters=diff(first.params, second.params),
        data=tuple(each for each in diff(first.data, second.data) if each.name in both),
        features=diff_features(first.features, second.features),
        differences=differences,
        slices=slices,
        flip_counts=count_decision_changes(one, two),
        flips=tuple(_with_reasons(flip, row, first, second) for flip, row in zip(changed, rows, strict=True)),
        notes=notes,
    )
    reporter.step(name, 2, 2)
    return comparison


def _with_reasons(flip: DecisionChange, row: int, first: Candidate, second: Candidate) -> DecisionChange:
    """The flip with what the models see most differently, where they are at hand."""
    if first.saved is None or second.saved is None:
        return flip
    one, two = (explain(side.saved.scorer, side.documents[row]) for side in (first, second) if side.saved)
    return msgspec.structs.replace(flip, first=one.score, second=two.score, reasons=diff_reasons(one, two))
