"""Labels that follow from a corrected quality by the model's own rules."""

from __future__ import annotations

import msgspec
import numpy as np

from scoring.artifact.saved_model import SavedModel
from scoring.errors import Fault, RecordError
from scoring.features.extraction import extracted
from scoring.features.table import FeatureTable, Floats, assemble
from scoring.inbox.inbox import Inbox
from scoring.inbox.rows import Row
from scoring.model.cascade import NOT_LEADING
from scoring.model.components import FittedComponents
from scoring.model.score import Score
from scoring.model.targets import TARGETS
from scoring.records.record import Document, Labels


class RuleLabels(msgspec.Struct, frozen=True):
    """Labels of a record, given some of them.

    Parameters
    ----------
    labels : Labels
        The given labels, and what the rules make of them for the others.
    by_rule : Labels
        Labels by the rules alone, given the quality, and the heat for whether it is published. A given label
        that differs contradicts the rules.
    note : str
        What else does not fit; empty if nothing.
    """

    labels: Labels
    by_rule: Labels
    note: str = ""


def labels_by_rule(inbox: Inbox, path: str, saved: SavedModel, given: Labels) -> RuleLabels:
    """Compute labels for a record of an inbox: see :func:`rule_labels`.

    Raises
    ------
    RecordError
        If the inbox has no such record, or it cannot be used.
    """
    _, document = inbox.read(path)
    row = inbox.row(path)
    if row.score is None:
        raise RecordError(Fault(path, 0, "", "a file that cannot be used", "a scored record"))
    leader = inbox.row(row.leader.path) if row.leader is not None and row.leader.path else None
    return rule_labels(document, row.score, leader, saved, given)


def rule_labels(
    document: Document, score: Score, leader: Row | None, saved: SavedModel, given: Labels
) -> RuleLabels:
    """Compute the labels that nobody has given from those that somebody has.

    The rules are those of the model: from the quality whether the record leads and its heat, from both
    whether it is published, with the learned thresholds, and one leader a story if the model has learned so.

    Parameters
    ----------
    document : Document
        The record.
    score : Score
        Its scores.
    leader : Row or None
        The record of the inbox that leads its story instead; None if there is none.
    saved : SavedModel
        The model.
    given : Labels
        Labels that are fixed; None for those to be computed. Without a quality, that of the score counts.
    """
    models = saved.models
    quality = score.quality if given.quality is None else given.quality
    predicted = Labels(quality, score.heat, score.published)
    if "quality" not in models.targets or quality is None:  # no rule to go by
        return RuleLabels(_filled(given, predicted), predicted)
    table = assemble([extracted(document, None, saved.scorer.sections).row])
    at = np.array([float(quality)])
    probability = float(models.cascade.lead_probability(table, at)[0])
    outranked_by = models.leaders if _is_outranked(score, leader, probability, models) else None
    heat, is_published = predicted.heat, predicted.published
    if "heat" in models.targets:
        is_lead = probability >= models.thresholds.lead and outranked_by is None
        heat = round(float(models.cascade.heat_if_lead(table, at)[0])) if is_lead else int(NOT_LEADING)
    counted = heat if given.heat is None else given.heat
    if "published" in models.targets and outranked_by is not None and counted == NOT_LEADING:
        is_published = outranked_by.published_ratio_ >= 0.5
    elif "published" in models.targets:
        is_published = _is_published(models, table, at, counted)
    by_rule = Labels(quality, heat, is_published)
    note = ""
    if leader is not None and counted is not None and counted > NOT_LEADING:
        note = f"both this record and {leader.title!r} would lead the story"
    return RuleLabels(_filled(given, by_rule), by_rule, note)


def _is_published(models: FittedComponents, table: FeatureTable, quality: Floats, heat: int | None) -> bool:
    at = np.array([float(NOT_LEADING if heat is None else heat)])
    probability = models.cascade.published_probability(table, quality, at)[0]
    return bool(probability >= models.thresholds.published)


def _is_outranked(score: Score, leader: Row | None, probability: float, models: FittedComponents) -> bool:
    """Whether another record leads the story although this one would, and is still more likely to."""
    if models.leaders is None or not models.leaders.is_rule or leader is None or leader.score is None:
        return False
    would_lead = score.heat == NOT_LEADING and (score.lead_probability or 0.0) >= models.thresholds.lead
    return would_lead and (leader.score.lead_probability or 0.0) >= probability


def _filled(given: Labels, computed: Labels) -> Labels:
    values = {
        name: getattr(computed, name) if getattr(given, name) is None else getattr(given, name)
        for name in TARGETS
    }
    return Labels(**values)
