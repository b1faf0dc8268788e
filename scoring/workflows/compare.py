"""Compare runs or models: metrics, parameters, data, and changed decisions; write the HTML report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

import msgspec
import numpy as np

from scoring.artifact.saved_model import SavedModel
from scoring.deployment.candidates import Candidate, logged, read_records, scored, split_arguments
from scoring.deployment.named_store import check_named_store
from scoring.deployment.open_model import open_model
from scoring.errors import ModelError, ScoringError
from scoring.evaluation.comparison import Comparison, diff, diff_features
from scoring.evaluation.decision_changes import (
    DecisionChange,
    count_decision_changes,
    decision_change_rows,
    decision_changes,
    diff_reasons,
)
from scoring.evaluation.earlier_labels import earlier_labels
from scoring.evaluation.paired_figures import compare_predictions, is_labelled, slice_differences
from scoring.evaluation.section_changes import section_changes, sections_left_out, worst_sections_first
from scoring.explanation.attribution import explain
from scoring.explanation.policy import PolicyComparison, compare_rules
from scoring.labels.own_scores import open_own_scores
from scoring.progress import SILENT, Reporter
from scoring.records.field_maps.lookup import field_maps_of
from scoring.records.files import OnFault
from scoring.settings import Settings
from scoring.tracking import Store, add_page
from scoring.training.splits import as_datetime
from scoring.workflows.coverage import deriver_of
from scoring.workflows.results import Comparisons

N_DRAWS = 1000
N_PART_DRAWS = 200


def compare(
    arguments: Sequence[str | SavedModel],
    *,
    settings: Settings,
    limit: int = 20,
    has_own_scores: bool = False,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> Comparisons:
    """Compare two or more runs or models.

    Parameters
    ----------
    arguments : sequence of str or SavedModel
        Runs and models: ``runs:/ID``, a run's id or its first 6 or more digits, ``models:/...``, a model
        folder, or a loaded model. Other arguments are records for the models to score: see
        :func:`scoring.records.corpus.read_documents`. Without records the logged predictions of the runs'
        test periods are compared.
    settings : Settings
        Store, seed and number of threads.
    limit : int
        Maximum number of listed decision changes.
    has_own_scores : bool
        Whether to use labels written by scoring: see :mod:`scoring.labels.own_scores`.
    stdin, on_fault, reporter
        Input of ``-``; callback for unusable records; receiver of progress.

    Returns
    -------
    Comparisons
        Comparison of the first with each of the others.

    Raises
    ------
    ModelError
        If fewer than two are given, a model cannot be used, or there are no records to compare on.
    TrackingError
        If the store cannot be read, or has no such run.
    """
    check_named_store(settings)
    store = Store(settings.tracking_uri, settings.home)
    references, paths = split_arguments(arguments, store)
    if len(references) < 2:
        got = ", ".join(reference.spec for reference in references) or "none"
        raise ModelError(f"runs to compare: got {got}, expected two or more")
    if paths:
        own_scores = open_own_scores(settings, is_used=has_own_scores, reporter=reporter)
        documents = read_records(paths, own_scores, field_maps_of(paths, settings), stdin, on_fault, reporter)
        if (deriver := deriver_of(settings, reporter)) is not None:
            documents = deriver.put_to(documents, paths)
        candidates, notes = scored(references, documents, settings, reporter)
        models: list[SavedModel | None] = [candidate.saved for candidate in candidates]
    else:
        candidates, notes = logged(references, store, reporter)
        models = [_model_of(candidate, settings) for candidate in candidates]
        notes += _earlier_labels(candidates, models)
    for note in notes:
        reporter.note(note)
    (first, first_model), *others = zip(candidates, models, strict=True)
    compared = []
    for other, other_model in others:
        first_side, other_side = replace(first, saved=first_model), replace(other, saved=other_model)
        compared.append(compare_candidates(first_side, other_side, notes, limit, settings.seed, reporter))
    return Comparisons(compared)


def keep_page(comparison: Comparison, settings: Settings) -> str | None:
    """Write the HTML report of a comparison to the artifacts of its second run.

    Parameters
    ----------
    comparison : Comparison
        Result of :func:`compare`.
    settings : Settings
        Home and store.

    Returns
    -------
    str or None
        Address of the page (``runs:/ID/comparisons/OTHER.html``); None if the second is not a run.

    Raises
    ------
    TrackingError
        If the store cannot be written.
    """
    run_id = comparison.second.run_id
    if run_id is None:
        return None
    from scoring.report import comparison_report

    store = Store(settings.tracking_uri, settings.home)
    other = comparison.first.run_id or comparison.first.model
    return add_page(store, run_id, f"comparisons/{other}.html", comparison_report(comparison))


def compare_candidates(
    first: Candidate, second: Candidate, notes: tuple[str, ...], limit: int, seed: int, reporter: Reporter
) -> Comparison:
    """Compare two candidates by their predictions of the same records.

    Parameters
    ----------
    first, second : Candidate
        The candidates; decision changes have reasons if both have their documents.
    notes : tuple of str
        Notes on how to read the metrics.
    limit : int
        Maximum number of listed decision changes.
    seed, reporter
        Seed of the bootstrap; receiver of progress.

    Returns
    -------
    Comparison
    """
    baseline, candidate = first.predictions, second.predictions
    name = f"comparing with {second.side.name}"
    reporter.step(name, 0, 2)
    differences = compare_predictions(baseline, candidate, n_draws=N_DRAWS, seed=seed)
    slices = slice_differences(baseline, candidate, n_draws=N_PART_DRAWS, seed=seed)
    reporter.step(name, 1, 2)
    sections = section_changes(slices)
    rows = decision_change_rows(baseline, candidate)[:limit].tolist()
    changed = decision_changes(baseline, candidate, models=(first.side.model, second.side.model), rows=rows)
    moments = baseline["published_at"][~np.isnat(baseline["published_at"])]
    both = set(first.data) & set(second.data)  # a value known of one side only is not a difference
    comparison = Comparison(
        first=first.side,
        second=second.side,
        n_records=len(baseline["path"]),
        n_labelled=int(is_labelled(baseline).sum()),
        begins_at=as_datetime(moments.min()) if len(moments) else None,
        ends_at=as_datetime(moments.max()) if len(moments) else None,
        parameters=diff(first.params, second.params),
        data=tuple(value for value in diff(first.data, second.data) if value.name in both),
        features=diff_features(first.features, second.features),
        differences=differences,
        slices=worst_sections_first(slices),
        flip_counts=count_decision_changes(baseline, candidate),
        flips=tuple(_with_reasons(flip, row, first, second) for flip, row in zip(changed, rows, strict=True)),
        notes=notes,
        sections=sections,
        sections_left_out=sections_left_out(baseline, {change.section for change in sections}),
        policy=_compare_policies(first, second),
    )
    reporter.step(name, 2, 2)
    return comparison


def _model_of(candidate: Candidate, settings: Settings) -> SavedModel | None:
    """The model of a run, without its boosters; None if it cannot be opened."""
    try:
        return open_model(f"runs:/{candidate.side.run_id}", settings, is_whole=False)
    except ScoringError:
        return None


def _earlier_labels(candidates: Sequence[Candidate], models: Sequence[SavedModel | None]) -> tuple[str, ...]:
    """Notes on labels in the test periods that are from before a change of policy that a model knows."""
    notes = [
        earlier_labels(candidate.predictions, saved.models.changes, candidate.side.name)
        for candidate, saved in zip(candidates, models, strict=True)
        if saved is not None
    ]
    return tuple(filter(None, notes))


def _compare_policies(*candidates: Candidate) -> PolicyComparison:
    """Compare the policies of two candidates; if one has no rules, the result gives the reason."""
    rules = []
    for candidate in candidates:
        saved = candidate.saved
        if saved is None:
            return PolicyComparison(fault=f"{candidate.side.name} has no model that can be opened")
        if not saved.models.rules:
            return PolicyComparison(fault=f"{saved.name} has no rules; train it again with this version")
        rules.append(saved.models.rules)
    return compare_rules(*rules)


def _with_reasons(flip: DecisionChange, row: int, first: Candidate, second: Candidate) -> DecisionChange:
    """Add the feature contributions that differ most, if both have scored the documents."""
    if not first.documents or not second.documents:
        return flip
    before, after = (
        explain(side.saved.scorer, side.documents[row]) for side in (first, second) if side.saved
    )
    reasons = diff_reasons(before, after)
    return msgspec.structs.replace(flip, first=before.score, second=after.score, reasons=reasons)
