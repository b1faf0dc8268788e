"""Points in time at which the policies of sections changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from threadpoolctl import threadpool_limits

from scoring.features.table import FeatureTable, Floats
from scoring.model.policy_change import ChangedEffect, PolicyChange
from scoring.model.rubric import TOPICS, Rubric
from scoring.model.section_policy import LABEL_STEP, SectionPolicy
from scoring.training.change_search import MIN_RECORDS, Segment
from scoring.training.config import ModelConfig
from scoring.training.design_matrix import DesignMatrix
from scoring.training.one_hinge import one_hinge
from scoring.training.section_effects import MIN_EFFECT_RATIO
from scoring.training.section_plan import MIN_SCALE
from scoring.training.story_changes import story_changes
from scoring.training.training_set import TrainingSet

MIN_SHOWN = 5  # records that a changed effect must concern to be listed


def with_changes(training: TrainingSet, config: ModelConfig) -> TrainingSet:
    """Find the changes of policy in the training records, and add them.

    Parameters
    ----------
    training : TrainingSet
        Labelled records.
    config : ModelConfig
        Fit options. With the design "shared" of the sections no changes are looked for.

    Returns
    -------
    TrainingSet
    """
    if config.sections.design == "shared":
        return training
    changes: list[PolicyChange] = []
    sections = np.array(training.sections, dtype=object)
    with threadpool_limits(1, "blas"):
        for section in sorted(set(training.sections)):
            rows = np.flatnonzero(sections == section)
            rows = rows[np.argsort(training.moments[rows], kind="stable")]
            records = training.take(rows)
            changes += _quality_changes(section, records, config)
            changes += story_changes(section, records)
    return replace(training, changes=tuple(changes))


def _quality_changes(section: str, records: TrainingSet, config: ModelConfig) -> Iterator[PolicyChange]:
    """Changes of a section's quality rules; the records are in order of time."""
    if "quality" not in records.targets or len(records.table) < MIN_RECORDS:
        return
    design_matrix = DesignMatrix.of(records.table, config.rubric)
    quality = records.labels.quality
    whole = Segment(records.table, design_matrix, quality, records.moments, records.copies, config)
    edges = [0, *whole.changes(), len(whole)]
    for start, row, end in zip(edges, edges[1:], edges[2:], strict=False):
        segment = whole.between(start, end)
        base, other_rows = segment.sides(row - start)
        rubric, policy = segment.two_policies(base, other_rows)
        rows = start, row, end
        yield quality_change(section, records, rubric, policy, rows, is_newer=base.is_before)


def quality_change(
    section: str,
    records: TrainingSet,
    base: Rubric,
    policy: SectionPolicy,
    rows: tuple[int, int, int],
    *,
    is_newer: bool,
) -> PolicyChange:
    """Describe a change of quality.

    Parameters
    ----------
    section : str
        Name of the section.
    records : TrainingSet
        Its labelled records, in order of time.
    base : Rubric
        Policy on one side of the change.
    policy : SectionPolicy
        Policy on the other side, as its difference from `base`.
    rows : tuple of int
        First row before the change, first row since the change, and end of the rows (excluded).
    is_newer : bool
        Whether `policy` is that of the later side.
    """
    start, row, end = rows
    part = records.take(np.arange(row, end) if is_newer else np.arange(start, row))
    y = records.labels.quality[start:end]
    min_points = max(MIN_EFFECT_RATIO * float(y.std()), LABEL_STEP)
    effects = changed_effects(base, policy, part.table, min_points, is_newer=is_newer)
    since: datetime = records.moments[row].item().replace(tzinfo=UTC)
    return PolicyChange(section, "quality", since, row - start, end - row, effects)


def changed_effects(
    base: Rubric, policy: SectionPolicy, table: FeatureTable, min_points: float, *, is_newer: bool
) -> tuple[ChangedEffect, ...]:
    """List the effects in which a policy differs from a rubric.

    Parameters
    ----------
    base : Rubric
        The rubric.
    policy : SectionPolicy
        The policy, as its difference from the rubric.
    table : FeatureTable
        Labelled records of the policy.
    min_points : float
        Smallest change of a record's quality that is listed.
    is_newer : bool
        Whether the policy is later than the rubric.

    Returns
    -------
    tuple of ChangedEffect
        The change of scale, and effects that it does not explain; the largest change first.
    """
    scale, difference = policy.scale_, policy.difference_
    other = policy.rubric(base)
    before, since = (base, other) if is_newer else (other, base)
    is_scaled = abs(scale) >= MIN_SCALE
    factor = (scale if is_newer else 1.0 / scale) if is_scaled else 1.0
    changes: list[tuple[float, ChangedEffect]] = []

    def add(name: str, old: float, new: float, change: float, sizes: Floats) -> None:
        """Add an effect that changed by `change` points per unit; `sizes` has the units of each record."""
        rows, points = sizes != 0, np.abs(change * sizes)
        if rows.sum() >= MIN_SHOWN and np.percentile(points[rows], 90) >= min_points:
            effect = ChangedEffect(name, old, new, float(points.max()))
            changes.append((float(points.mean()), effect))

    everywhere = np.ones(len(table))
    if is_scaled:
        shift = difference.intercept_ if is_newer else -difference.intercept_ * factor
        add("scale", 1.0, factor, factor - 1.0, before.predict(table))
        add("shift", 0.0, shift, shift, everywhere)
    else:
        old, new = before.intercept_, since.intercept_
        add("shift", old, new, new - old, everywhere)
    for name in difference.numbers_:
        old, new = (rubric.numbers_.get(name, 0.0) for rubric in (before, since))
        add(name, old, new, new - factor * old, np.nan_to_num(table.number(name)))
    for name in difference.hinges_:
        lengths = table.number(name)
        (old, old_knot), (new, new_knot) = (
            one_hinge(rubric.hinges_.get(name, ()), lengths) for rubric in (before, since)
        )
        beyond = np.maximum(lengths - min(old_knot, new_knot), 0.0)
        add(name, old, new, new - factor * old, beyond)
        if old and new:
            add(f"{name} from", old_knot, new_knot, (new_knot - old_knot) * new, (beyond > 0).astype(float))
    for column, word in (("provider_domain", "provider"), (TOPICS, "topic")):
        for name in difference.levels_.get(column, {}):
            old, new = (rubric.levels_.get(column, {}).get(name, 0.0) for rubric in (before, since))
            is_of = [name in row for row in table.topics] if word == "topic" else table.text(column) == name
            add(f"{word} {name}", old, new, new - factor * old, np.asarray(is_of, dtype=np.float64))
    changes.sort(key=lambda change: (-change[0], change[1].name))
    return tuple(effect for _, effect in changes)
