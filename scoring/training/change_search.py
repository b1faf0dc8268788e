"""Search for a change of policy among the labelled records of one section.

A screening by linear models proposes a point in time. It counts as a change if a sparse difference of the
records on one side from the policy of the other side predicts other records clearly better than none does,
and if the two policies then explain all records clearly better than one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.features.table import FeatureTable, Floats
from scoring.model.rubric import Rubric
from scoring.model.section_policy import SectionPolicy
from scoring.training.config import ModelConfig
from scoring.training.design_matrix import DesignMatrix
from scoring.training.rubric import fit_rubric
from scoring.training.section_plan import MIN_SCALE, change_options, contradiction, is_enough
from scoring.training.section_policy import Difference, constants_of, fit_difference, policy_of
from scoring.training.structural_breaks import (
    MIN_SEGMENT,
    best_break,
    break_columns,
    clear_gain,
    largest_f,
    last_lengths,
)

Groups = NDArray[np.intp]
MIN_RECORDS = 3 * MIN_SEGMENT  # of a segment in which a change is looked for
MAX_DEPTH = 3  # of the segments that changes are proposed in
MAX_PASSES = 3  # over the proposed changes
MIN_F = 1.5  # F statistic from which a break is looked at closely
MAX_LAST_RATIO = 1 / 3  # of a segment that a recent break may leave
MAX_LAST = 160  # records after a recent break
MIN_GAIN = 3.0  # standard errors by which two policies have to explain the records better than one
EFFECT_PRICE = 3.0  # points of error that an effect has to save in the latest records
MAX_COMPARED = 500  # records of one side that are compared with the other, evenly spread over time
MAX_MOVES = 4  # of a point in time, to where the policies before and since fit best


@dataclass(frozen=True, slots=True)
class Segment:
    """Records of one section, by time, among which a change is looked for."""

    table: FeatureTable
    design_matrix: DesignMatrix
    y: Floats
    moments: NDArray[np.datetime64]
    copies: Groups
    config: ModelConfig

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Groups) -> Segment:
        """Some of the records."""
        return Segment(
            self.table.take(rows),
            self.design_matrix.take(rows),
            self.y[rows],
            self.moments[rows],
            self.copies[rows],
            self.config,
        )

    def between(self, start: int, end: int) -> Segment:
        """The records from a first row up to a last one, which is excluded."""
        return self.take(np.arange(start, end))

    def changes(self) -> list[int]:
        """First row since each change, by time.

        Each proposed change is looked at between its neighbours, the least likely first. Without those that
        do not count the segments are longer, so the others are looked at again.
        """
        rows = dict(_proposed(break_columns(self.table), self.y, 0, MAX_DEPTH))
        for _ in range(MAX_PASSES):
            n_proposed = len(rows)
            for row in sorted(rows, key=rows.__getitem__):
                start = max((other for other in rows if other < row), default=0)
                end = min((other for other in rows if other > row), default=len(self))
                found, f = self.between(start, end).confirmed(row - start), rows.pop(row)
                if found is not None:
                    rows[start + found] = f
            if len(rows) == n_proposed:
                break
        start = max(rows, default=0)
        last = self.between(start, len(self))
        recent = last.recent()
        if recent is not None and (found := last.confirmed(recent)) is not None:
            rows[start + found] = 0.0
        return sorted(rows)

    def recent(self) -> int | None:
        """First of the latest records for which another policy saves most errors of that of those before."""
        lengths = last_lengths(min(MAX_LAST, int(MAX_LAST_RATIO * len(self))))
        if not lengths:
            return None
        return Side.of(self, np.arange(len(self) - lengths[-1])).departure(lengths)

    def confirmed(self, row: int) -> int | None:
        """The row at which the change near a row begins; None unless two policies are clearly better."""
        for _ in range(MAX_MOVES):
            base, other = self.sides(row)
            difference = base.difference_of(other)
            if not difference.effects:
                return None
            errors = np.abs(self.y - base.quality), np.abs(self.y - base.by(difference, other))
            before, since = errors if base.is_before else errors[::-1]
            moved = best_break(before, since, self.moments, MIN_SEGMENT // 2, MIN_SEGMENT // 2)
            if moved is None:
                return None
            if moved == row:
                break
            row = moved
        else:
            base, other = self.sides(row)
        if not base.is_contradicted(other):
            return None
        one = Side.of(self, np.arange(len(self))).quality
        rubric, policy = self.two_policies(base, other)
        two = rubric.predict(self.table)
        two[other] = policy.predict(self.table.take(other), two[other])
        return row if clear_gain(np.abs(self.y - one), np.abs(self.y - two), MIN_GAIN) else None

    def sides(self, row: int) -> tuple[Side, Groups]:
        """Fit of one side of a row, and the rows of the other side.

        It is the later one if that has enough records to stand alone, as in :func:`plan_sections`.
        """
        before, since = np.arange(row), np.arange(row, len(self))
        is_since = is_enough(len(since), len(self), self.config.sections) or 2 * row < len(self)
        return (Side.of(self, since), before) if is_since else (Side.of(self, before), since)

    def fit(self, rows: Groups, y: Floats) -> Rubric:
        """A rubric of some of the records."""
        return fit_rubric(self.design_matrix.take(rows), y[rows], self.config.rubric)

    def two_policies(self, base: Side, other: Groups) -> tuple[Rubric, SectionPolicy]:
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
            base = replace(base, rubric=rubric, quality=rubric.predict(self.table))
        return base.rubric, base.policy(base.difference_of(other), other)


@dataclass(frozen=True, slots=True)
class Side:
    """The policy of one side of a change.

    Parameters
    ----------
    segment : Segment
        The records among which the change is.
    is_before : bool
        Whether it is the earlier side.
    rubric : Rubric
        Its rubric.
    quality : ndarray of shape (n_records,)
        Quality of all records of the segment by its policy; points.
    deviation : float
        Standard deviation of its labels; points.
    constants : mapping of str to float
        Columns of which all its records have one value.
    """

    segment: Segment
    is_before: bool
    rubric: Rubric
    quality: Floats
    deviation: float
    constants: Mapping[str, float]

    @classmethod
    def of(cls, segment: Segment, rows: Groups) -> Side:
        """Fit the rubric of some of the records."""
        rubric = segment.fit(rows, segment.y)
        deviation, constants = float(segment.y[rows].std()), constants_of(segment.table.take(rows))
        return cls(segment, bool(rows[0] == 0), rubric, rubric.predict(segment.table), deviation, constants)

    def departure(self, lengths: list[int]) -> int | None:
        """First of so many latest records for which another policy saves most errors; None if none does."""
        y, best, best_row = self.segment.y, 0.0, None
        for length in lengths:
            rows = np.arange(len(y) - length, len(y))
            difference = self.difference_of(rows)
            errors = np.abs(y[rows] - self.by(difference, rows)[rows])
            saved = float(np.sum(np.abs(y[rows] - self.quality[rows]) - errors))
            saved -= EFFECT_PRICE * len(difference.effects)
            if saved > best:
                best, best_row = saved, len(y) - length
        return best_row

    def difference_of(self, rows: Groups) -> Difference:
        """How the labels of other records contradict the policy."""
        segment, options = self.segment, change_options(self.segment.config.sections, len(rows))
        rows = some_of(rows)
        table, quality, y = segment.table.take(rows), self.quality[rows], segment.y[rows]
        return fit_difference(
            self.rubric, table, quality, y, options, self.deviation, self.constants
        ).contradiction

    def policy(self, difference: Difference, rows: Groups) -> SectionPolicy:
        """Policy of a difference that other records have."""
        return policy_of(difference, self.rubric, self.segment.table.take(rows), {})

    def by(self, difference: Difference, rows: Groups) -> Floats:
        """Quality of all records by that policy, shape (n_records,); points."""
        return self.policy(difference, rows).predict(self.segment.table, self.quality)

    def is_contradicted(self, rows: Groups) -> bool:
        """Whether a difference of other records predicts some of them clearly better than none."""
        rows = some_of(rows)
        part, quality = self.segment.take(rows), self.quality[rows]
        deviation, constants = self.deviation, self.constants
        difference = contradiction(
            self.rubric, part.table, quality, part.y, part.copies, part.config, deviation, constants
        )
        return difference is not None


def _proposed(X: Floats, y: Floats, start: int, depth: int) -> Iterator[tuple[int, float]]:
    """Rows that changes may begin with, and their F statistics: that of the largest, then on either side."""
    if depth and len(y) >= MIN_RECORDS:
        f, row = largest_f(X, y)
        if f >= MIN_F:
            yield start + row, f
            yield from _proposed(X[:row], y[:row], start, depth - 1)
            yield from _proposed(X[row:], y[row:], start + row, depth - 1)


def some_of(rows: Groups) -> Groups:
    """At most :data:`MAX_COMPARED` rows, evenly spread."""
    if len(rows) <= MAX_COMPARED:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MAX_COMPARED).astype(np.intp)]
