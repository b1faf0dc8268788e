"""Records of an inbox to label next, with reasons: the suggestions of ``scoring suggest``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from scoring.artifact.saved_model import SavedModel
from scoring.errors import RecordError, shown
from scoring.features.extraction import extracted
from scoring.features.sections import SectionRule, learn_sections, rule_named
from scoring.features.table import Row as Features
from scoring.features.table import assemble
from scoring.inbox.inbox import Inbox
from scoring.inbox.rows import Row
from scoring.labels.journal import Journal
from scoring.model.targets import Target

MAX_RECORDS = 5000
"""Records that are considered: the newest ones."""

N_LABELS = 50
"""Records that are listed, at most."""


class LabelToGive(msgspec.Struct, frozen=True):
    """A record to label: its path in the inbox, and the reasons, the most important first."""

    path: str
    reasons: tuple[str, ...]


class LabelsToGive(msgspec.Struct, frozen=True, kw_only=True):
    """The records of an inbox to label next.

    Parameters
    ----------
    labels : tuple of LabelToGive
        The most useful first; at most one record of a story.
    n_unlabelled : int
        Records without a label that a person gave, among those considered: a quality, if the model has it.
    n_left_out : int
        Older records that were not considered: see :data:`MAX_RECORDS`.
    n_undated : int
        Records without a date, which training cannot use.
    """

    labels: tuple[LabelToGive, ...]
    n_unlabelled: int
    n_left_out: int
    n_undated: int


class _Considered(NamedTuple):
    """A record that is considered; sorted by date."""

    order: tuple[float, str, str]
    row: Row
    is_labelled: bool
    features: Features


def labels_to_give(
    inbox: Inbox,
    saved: SavedModel,
    journal: Journal,
    section: str,
    on_progress: Callable[[], None] = lambda: None,
) -> LabelsToGive:
    """Find the records of an inbox whose labels would teach the model the most.

    Parameters
    ----------
    inbox : Inbox
        The inbox; its files are read again, one at a time.
    saved : SavedModel
        The model that the labels are for.
    journal : Journal
        Identifies labels that scoring wrote, which do not count.
    section : str
        The setting ``section``.
    on_progress : callable
        Called before each file; may raise to abandon the work.

    Returns
    -------
    LabelsToGive

    Raises
    ------
    RecordError
        If the journal cannot be read.
    """
    journal.refresh()
    usable = [row for row in inbox.since(0).rows if row.score is not None]
    dated = [row for row in usable if row.published_at is not None]
    rows = sorted(dated, key=_moment)[-MAX_RECORDS:]
    rule = section_rule(saved.scorer.sections, [[row.topics for row in rows]], section)
    considered = []
    for row in rows:
        on_progress()
        try:
            considered.append(_considered(row, inbox, journal, rule, saved.scorer.targets[0]))
        except RecordError:  # the file is gone; the next refresh removes its row
            continue
    considered.sort(key=lambda record: record.order)
    is_labelled = np.array([record.is_labelled for record in considered], dtype=bool)
    chosen: list[LabelToGive] = []
    if not is_labelled.all():
        from scoring.training.label_suggestions import (
            suggest_labels,
        )  # imports SciPy, which nothing else here needs

        facts = saved.manifest.training
        stories = [record.row.story or record.row.path for record in considered]
        suggestions = suggest_labels(
            saved.scorer.models.quality,
            assemble([record.features for record in considered]),
            is_labelled,
            np.unique(stories, return_inverse=True)[1].reshape(-1),
            N_LABELS,
            facts.config.model.sections,
            facts.sections,
        )
        chosen = [
            LabelToGive(considered[suggestion.row].row.path, suggestion.reasons) for suggestion in suggestions
        ]
    return LabelsToGive(
        labels=tuple(chosen),
        n_unlabelled=int((~is_labelled).sum()),
        n_left_out=len(dated) - len(rows),
        n_undated=len(usable) - len(dated),
    )


def section_rule(
    learned: SectionRule, archives: Sequence[Sequence[tuple[str, ...]]], setting: str
) -> SectionRule:
    """Rule of sections for records to label; it also finds sections that the model does not know.

    Parameters
    ----------
    learned : SectionRule
        The model's own rule.
    archives : sequence of sequence of tuple of str
        For each archive, the topics of each of its records.
    setting : str
        The setting ``section``, which replaces the rule if it names a folder or a field.

    Returns
    -------
    SectionRule
        The model's rule; if it goes by topics, with the section topics that only these records have.
    """
    if named := rule_named(setting):
        return named
    if learned.by != "topic" or learned.rest:
        return learned
    new = learn_sections(archives)
    names = (*learned.names, *(name for name in new.names if name not in learned.names))
    return msgspec.structs.replace(learned, names=names, rest=new.rest)


def _considered(row: Row, inbox: Inbox, journal: Journal, rule: SectionRule, label: Target) -> _Considered:
    _, document = inbox.read(row.path)
    in_journal = msgspec.structs.replace(document, path=shown(str(inbox.file(row.path))))
    own = journal.own_labels(in_journal)
    is_labelled = getattr(document.labels, label) is not None and label not in own
    order = (_moment(row), document.record.title, document.sha256)
    return _Considered(order, row, is_labelled, extracted(document, None, rule).row)


def _moment(row: Row) -> float:
    return row.published_at.timestamp() if row.published_at else 0.0
