"""Points in time from which the labels of new records depart from a model's rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scoring.features.table import Floats
from scoring.model.components import FittedComponents
from scoring.model.policy_change import PolicyChange
from scoring.training.change_search import MAX_MOVES, Segment, Side
from scoring.training.config import ModelConfig
from scoring.training.design_matrix import DesignMatrix
from scoring.training.policy_changes import quality_change
from scoring.training.story_changes import bonuses, publications
from scoring.training.story_policy import BonusRule
from scoring.training.structural_breaks import MIN_SEGMENT, last_lengths, settled_break
from scoring.training.training_set import TrainingSet


def changes_from(
    models: FittedComponents, records: TrainingSet, config: ModelConfig, num_threads: int = 1
) -> tuple[PolicyChange, ...]:
    """Find the points in time from which the labels of each section depart from a model's rules.

    Parameters
    ----------
    models : FittedComponents
        The model.
    records : TrainingSet
        Labelled records. Records from before a change that the model knows are left out, and so are sections
        with fewer than 20 remaining records and those that the model does not know.
    config : ModelConfig
        Fit options of the model.
    num_threads : int
        Threads of the boosters.

    Returns
    -------
    tuple of PolicyChange
        By section. The rules before a change are those of the model; all records may be from after it.
    """
    changes: list[PolicyChange] = []
    records = replace(records, changes=models.changes)
    of_quality, of_story = records.regimes("quality"), records.regimes("heat", "published")
    for section in sorted(set(records.sections) - set(unknown_sections(models, records))):
        part = _by_time(records, of_quality == section)
        if "quality" in models.targets and len(part.table) >= MIN_SEGMENT:
            changes += _quality_change(section, models, part, config, num_threads)
        changes += _story_changes(section, models, _by_time(records, of_story == section))
    return tuple(changes)


def unknown_sections(models: FittedComponents, records: TrainingSet) -> list[str]:
    """Sections of records that the model does not know, whose labels cannot depart from its rules."""
    is_unknown = models.quality.is_of_unseen_section(records.table)
    return sorted({section for section, unknown in zip(records.sections, is_unknown, strict=True) if unknown})


def present_counts(models: FittedComponents, records: TrainingSet) -> dict[str, int]:
    """Number of records of each section that follow its rules of quality of today."""
    regimes = replace(records, changes=models.changes).regimes("quality")
    counts = Counter(regimes)
    return {section: counts[section] for section in sorted(set(records.sections))}


def _by_time(records: TrainingSet, mask: NDArray[np.bool_]) -> TrainingSet:
    """Records of a mask, by date."""
    rows = np.flatnonzero(mask)
    return records.take(rows[np.argsort(records.moments[rows], kind="stable")])


def _quality_change(
    section: str, models: FittedComponents, records: TrainingSet, config: ModelConfig, num_threads: int
) -> Iterator[PolicyChange]:
    table, model = records.table, models.quality
    design_matrix = DesignMatrix.of(table, config.rubric)
    y, moments = records.labels.quality, records.moments
    segment = Segment(table, design_matrix, y, moments, records.copies, config)
    policy = model.policies.get(section)
    rubric = model.rubric if policy is None else policy.rubric(model.rubric)
    quality, _ = model.estimate(table, num_threads)
    base = Side(segment, True, rubric, quality, float(segment.y.std()), {})
    n_records = len(segment)
    row = base.departure([*last_lengths(n_records), n_records])
    if row is None:
        return

    def errors_of(row: int) -> tuple[Floats, Floats]:
        rows = np.arange(row, n_records)
        predicted = base.by(base.difference_of(rows), rows)
        return np.abs(segment.y - quality), np.abs(segment.y - predicted)

    row = settled_break(row, errors_of, moments, 0, MIN_SEGMENT // 2, MAX_MOVES)
    if row is None:
        return
    rows = np.arange(row, n_records)
    if base.is_contradicted(rows):
        own = base.policy(base.difference_of(rows), rows)
        yield quality_change(section, records, rubric, own, (0, row, n_records), is_newer=True)


def _story_changes(section: str, models: FittedComponents, records: TrainingSet) -> Iterator[PolicyChange]:
    """Changes of heat and publication, compared with the rules that the model has in words."""
    rules = {
        rule.name: rule.value for group in models.rules if section in group.sections for rule in group.rules
    }
    changes = []
    if "bonus" in rules:
        changes.append(bonuses(records).departure(section, BonusRule(rules["bonus"], rules["bonus from"])))
    if "published from" in rules:
        changes.append(publications(records).departure(section, rules["published from"]))
    yield from filter(None, changes)
