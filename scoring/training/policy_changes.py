"""Points in time at which the policy of quality of a section changed.

A screening by linear models proposes a point in time. It counts as a change if a sparse difference of the
records on one side from the policy of the other side predicts other records clearly better than none does,
and if the two policies then explain all records clearly better than one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from scoring.features.table import FeatureTable, Floats
from scoring.model.policy_change import ChangedEffect, PolicyChange
from scoring.model.rubric import TOPICS, Rubric
from scoring.model.section_policy import LABEL_STEP, SectionPolicy
from scoring.training.config import ModelConfig
from scoring.training.design_matrix import DesignMatrix
from scoring.training.rubric import fit_rubric
from scoring.training.section_plan import MIN_SCALE, contradiction, is_enough
from scoring.training.section_policy import (
    MIN_PAID_RATIO,
    Difference,
    constants_of,
    fit_difference,
    policy_of,
)
from scoring.training.story_changes import story_changes
from scoring.training.structural_breaks import (
    MIN_SEGMENT,
    best_break,
    break_columns,
    breaks_within,
    clear_gain,
    largest_f,
    last_lengths,
)
from scoring.training.training_set import TrainingSet

Groups = NDArray[np.intp]
MIN_F = 1.5  # F statistic from which a break is looked at closely
MIN_RECORDS = 3 * MIN_SEGMENT  # of a segment in which a change is looked for
MAX_LAST_RATIO = 1 / 3  # of a segment that a recent break may leave
MAX_LAST = 160  # records after a recent break
MIN_GAIN = 3.0  # standard errors by which two policies have to explain the records better than one
EFFECT_PRICE = 3.0  # points of error that an effect has to save in the latest records
MAX_COMPARED = 500  # records of one side that are compared with the other, evenly spread over time
MIN_SHOWN = 5  # records that a changed effect is written down for
MAX_MOVES = 4  # of a point in time, to where the policies before and since fit best


def with_changes(training: TrainingSet, config: ModelConfig) -> TrainingSet:
    """The training records with the changes of policy found in them.

    Parameters
    ----------
    training : TrainingSet
        Labelled records.
    config : ModelConfig
        Fit options; the design "shared" of the sections means one policy for all times, too.

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
    """Changes of a section's quality, given its records by time."""
    if len(records.table) < MIN_RECORDS:
        return
    design_matrix = DesignMatrix.of(records.table, config.rubric)
    whole = _Segment(records.table, design_matrix, records.labels.quality, records.copies, config)

    def find(start: int, end: int) -> int | None:
        row = whole.between(start, end).change(is_last=end == len(whole))
        return None if row is None else start + row

    edges = [0, *breaks_within(len(whole), MIN_RECORDS, find), len(whole)]
    for start, row, end in zip(edges, edges[1:], edges[2:], strict=False):
        since = records.moments[row].item().replace(tzinfo=UTC)
        effects = whole.between(start, end).changed_effects(row - start)
        yield PolicyChange(section, "quality", since, row - start, end - row, effects)


@dataclass(frozen=True, slots=True)
class _Segment:
    """Records of one section, by time, among which a change is looked for."""

    table: FeatureTable
    design_matrix: DesignMatrix
    y: Floats
    copies: Groups
    config: ModelConfig

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Groups) -> _Segment:
        """Some of the records."""
        return _Segment(
            self.table.take(rows), self.design_matrix.take(rows), self.y[rows], self.copies[rows], self.config
        )

    def between(self, start: int, end: int) -> _Segment:
        """The records from a first row up to a last one, which is excluded."""
        return self.take(np.arange(start, end))

    def change(self, *, is_last: bool) -> int | None:
        """First row since the change; None if there is none. In the last segment, it may be a recent one."""
        confirmed = (self.confirmed(row) for row in self.candidates(is_last=is_last))
        return next((row for row in confirmed if row is not None), None)

    def candidates(self, *, is_last: bool) -> Iterator[int]:
        """Rows that a change may begin with: of the largest F statistic, and among the latest records."""
        f, row = largest_f(break_columns(self.table), self.y)
        if f >= MIN_F:
            yield row
        if is_last and (recent := self.recent()) is not None:
            yield recent

    def recent(self) -> int | None:
        """First of the latest records for which another policy saves most errors of that of those before."""
        lengths = last_lengths(min(MAX_LAST, int(MAX_LAST_RATIO * len(self))))
        if not lengths:
            return None
        base = _Side.of(self, np.arange(len(self) - lengths[-1]))
        best, best_row = 0.0, None
        for length in lengths:
            rows = np.arange(len(self) - length, len(self))
            difference = base.difference_of(rows)
            errors = np.abs(self.y[rows] - base.by(difference, rows)[rows])
            saved = float(np.sum(np.abs(self.y[rows] - base.quality[rows]) - errors))
            saved -= EFFECT_PRICE * len(difference.effects)
            if saved > best:
                best, best_row = saved, len(self) - length
        return best_row

    def confirmed(self, row: int) -> int | None:
        """The row at which the change near a row begins; None unless two policies are clearly better."""
        for _ in range(MAX_MOVES):
            base, other = self.sides(row)
            difference = base.difference_of(other)
            if not difference.effects:
                return None
            errors = np.abs(self.y - base.quality), np.abs(self.y - base.by(difference, other))
            moved = best_break(*(errors if base.is_before else errors[::-1]), MIN_SEGMENT // 2)
            if moved == row:
                break
            row = moved
        else:
            base, other = self.sides(row)
        if not base.is_contradicted(other):
            return None
        one = _Side.of(self, np.arange(len(self))).quality
        rubric, policy = self.two_policies(base, other)
        two = rubric.predict(self.table)
        two[other] = policy.predict(self.table.take(other), two[other])
        return row if clear_gain(np.abs(self.y - one), np.abs(self.y - two), MIN_GAIN) else None

    def sides(self, row: int) -> tuple[_Side, Groups]:
        """Fit of one side of a row, and the rows of the other side.

        It is the later one if that has enough records to stand alone, as in :func:`plan_sections`.
        """
        before, since = np.arange(row), np.arange(row, len(self))
        is_since = is_enough(len(since), len(self), self.config.sections) or 2 * row < len(self)
        return (_Side.of(self, since), before) if is_since else (_Side.of(self, before), since)

    def fit(self, rows: Groups, y: Floats) -> Rubric:
        """A rubric of some of the records."""
        return fit_rubric(self.design_matrix.take(rows), y[rows], self.config.rubric)

    def two_policies(self, base: _Side, other: Groups) -> tuple[Rubric, SectionPolicy]:
        """Rubric of both sides, fitted once what differs is subtracted from the other, and its policy."""
        difference = base.difference_of(other)
        if abs(difference.scale) >= MIN_SCALE:
            policy, part, floor = base.policy(difference, other), self.table.take(other), base.rubric.floor_
            aligned = self.y.copy()
            aligned[other] = (self.y[other] - policy.points(part)) / policy.scale_
            is_fitted = np.ones(len(self), dtype=bool)
            is_fitted[other] = (self.y[other] > difference.floor) | (aligned[other] <= floor)
            aligned[other] = np.maximum(aligned[other], floor)
            rubric = self.fit(np.flatnonzero(is_fitted), aligned)
            base = _Side(self, base.rows, rubric, rubric.predict(self.table))
        return base.rubric, base.policy(base.difference_of(other), other)

    def changed_effects(self, row: int) -> tuple[ChangedEffect, ...]:
        """What changed at a row, the largest change first."""
        base, other = self.sides(row)
        rubric, policy = self.two_policies(base, other)
        min_points = max(MIN_PAID_RATIO * float(self.y.std()), LABEL_STEP)
        part = self.table.take(other)
        return changed_effects(rubric, policy, part, min_points, is_newer=base.is_before)


@dataclass(frozen=True, slots=True)
class _Side:
    """The records of one side of a change, and their rubric's quality of all records."""

    segment: _Segment
    rows: Groups
    rubric: Rubric
    quality: Floats

    @classmethod
    def of(cls, segment: _Segment, rows: Groups) -> _Side:
        """Fit the rubric of some of the records."""
        rubric = segment.fit(rows, segment.y)
        return cls(segment, rows, rubric, rubric.predict(segment.table))

    @property
    def is_before(self) -> bool:
        """Whether it is the earlier side."""
        return bool(self.rows[0] == 0)

    def difference_of(self, rows: Groups) -> Difference:
        """How the labels of other records contradict the rubric."""
        segment, config, rows = self.segment, self.segment.config.sections, some_of(rows)
        table, quality, y = segment.table.take(rows), self.quality[rows], segment.y[rows]
        return fit_difference(
            self.rubric, table, quality, y, config, self.deviation, self.constants
        ).contradiction

    def policy(self, difference: Difference, rows: Groups) -> SectionPolicy:
        """Policy of a difference that other records have."""
        return policy_of(difference, self.rubric, self.segment.table.take(rows), {})

    def by(self, difference: Difference, rows: Groups) -> Floats:
        """Quality of all records by that policy, shape (n_records,); points."""
        return self.policy(difference, rows).predict(self.segment.table, self.quality)

    def is_contradicted(self, rows: Groups) -> bool:
        """Whether a difference of other records predicts some of them clearly better than none."""
        part = self.segment.take(some_of(rows))
        deviation, constants = self.deviation, self.constants
        difference = contradiction(
            self.rubric, part.table, part.y, part.copies, part.config, deviation, constants
        )
        return difference is not None

    @property
    def deviation(self) -> float:
        """Standard deviation of its labels; points."""
        return float(self.segment.y[self.rows].std())

    @property
    def constants(self) -> dict[str, float]:
        """Columns of which all its records have one value."""
        return constants_of(self.segment.table.take(self.rows))


def some_of(rows: Groups) -> Groups:
    """At most :data:`MAX_COMPARED` rows, evenly spread."""
    if len(rows) <= MAX_COMPARED:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MAX_COMPARED).astype(np.intp)]


def changed_effects(
    base: Rubric, policy: SectionPolicy, table: FeatureTable, min_points: float, *, is_newer: bool
) -> tuple[ChangedEffect, ...]:
    """Write down how a policy differs from a rubric.

    Parameters
    ----------
    base : Rubric
        The rubric.
    policy : SectionPolicy
        The policy, as its difference from the rubric.
    table : FeatureTable
        Labelled records of the policy.
    min_points : float
        Least change of the quality of a record that is written down.
    is_newer : bool
        Whether the policy came after the rubric, not before it.

    Returns
    -------
    tuple of ChangedEffect
        Effects that the scale of all qualities does not explain, and that scale; the largest change first.
    """
    scale, difference = policy.scale_, policy.difference_
    other = policy.rubric(base)
    before, since = (base, other) if is_newer else (other, base)
    is_scaled = abs(scale) >= MIN_SCALE
    factor = (scale if is_newer else 1.0 / scale) if is_scaled else 1.0
    changes: list[tuple[float, ChangedEffect]] = []

    def note(name: str, old: float, new: float, change: float, sizes: Floats) -> None:
        """Note a change of so many points for each unit, given the sizes of the records in units."""
        rows = sizes != 0
        if rows.sum() >= MIN_SHOWN and np.percentile(np.abs(change * sizes[rows]), 90) >= min_points:
            changes.append((float(np.abs(change * sizes).mean()), ChangedEffect(name, old, new)))

    everywhere = np.ones(len(table))
    if is_scaled:
        shift = difference.intercept_ if is_newer else -difference.intercept_ * factor
        note("scale", 1.0, factor, factor - 1.0, before.predict(table))
        note("shift", 0.0, shift, shift, everywhere)
    else:
        old, new = before.intercept_, since.intercept_
        note("shift", old, new, new - old, everywhere)
    for name in difference.numbers_:
        old, new = (rubric.numbers_.get(name, 0.0) for rubric in (before, since))
        note(name, old, new, new - factor * old, np.nan_to_num(table.number(name)))
    for name in difference.hinges_:
        (old, old_knot), (new, new_knot) = (_length_rule(rubric, name) for rubric in (before, since))
        beyond = np.maximum(table.number(name) - min(old_knot, new_knot), 0.0)
        note(name, old, new, new - factor * old, beyond)
        if old and new:
            note(f"{name} from", old_knot, new_knot, (new_knot - old_knot) * new, (beyond > 0).astype(float))
    for column, word in (("provider_domain", "provider"), (TOPICS, "topic")):
        for name in difference.levels_.get(column, {}):
            old, new = (rubric.levels_.get(column, {}).get(name, 0.0) for rubric in (before, since))
            is_of = [name in row for row in table.topics] if word == "topic" else table.text(column) == name
            note(f"{word} {name}", old, new, new - factor * old, np.asarray(is_of, dtype=np.float64))
    changes.sort(key=lambda change: (-change[0], change[1].name))
    return tuple(effect for _, effect in changes)


def _length_rule(rubric: Rubric, name: str) -> tuple[float, float]:
    """Slope of a length beyond its knot, points per character, and that knot, characters."""
    hinges = rubric.hinges_.get(name, ())
    slope = float(sum(points for _, points in hinges))
    if abs(slope) < 1e-9:
        return 0.0, 0.0
    return slope, float(np.round(sum(knot * points for knot, points in hinges) / slope))
