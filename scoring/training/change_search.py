"""Search for a change of policy among the labelled records of one section.

Linear models propose points in time. A proposed point counts as a change on two conditions: a sparse
difference between the records of one side and the policy of the other side improves the prediction of
held-out records clearly, and two policies explain all records clearly better than one.
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
from scoring.training.section_difference import Difference, fit_difference
from scoring.training.section_plan import MIN_SCALE, change_options, contradiction, is_enough
from scoring.training.section_policy import constants_of, policy_of
from scoring.training.structural_breaks import (
    MIN_SEGMENT,
    break_columns,
    clear_gain,
    largest_f,
    last_lengths,
    settled_break,
)

Groups = NDArray[np.intp]
MIN_RECORDS = 3 * MIN_SEGMENT  # records of a segment in which a change is looked for
MAX_DEPTH = 3  # recursion depth of the proposals
MAX_PASSES = 3  # passes over the proposed changes
MIN_F = 1.5  # F statistic from which a break is proposed
MAX_LAST_RATIO = 1 / 3  # share of a segment that may follow a recent break
MAX_LAST = 160  # records that may follow a recent break
MIN_GAIN = 3.0  # standard errors by which two policies must explain the records better than one
EFFECT_PRICE = 3.0  # points of error that each effect must save in the latest records
MAX_COMPARED = 500  # records of one side that are compared with the other, evenly spaced in time
MAX_MOVES = 4  # times that a point in time is moved to where both policies fit best


@dataclass(frozen=True, slots=True)
class Segment:
    """Records of one section, in order of time, among which a change is looked for."""

    table: FeatureTable
    design_matrix: DesignMatrix
    y: Floats
    moments: NDArray[np.datetime64]
    copies: Groups
    config: ModelConfig

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Groups) -> Segment:
        """Select records by row."""
        return Segment(
            self.table.take(rows),
            self.design_matrix.take(rows),
            self.y[rows],
            self.moments[rows],
            self.copies[rows],
            self.config,
        )

    def between(self, start: int, end: int) -> Segment:
        """The records from row `start` to row `end`, which is excluded."""
        return self.take(np.arange(start, end))

    def changes(self) -> list[int]:
        """Find the first row since each change, in order of time.

        Each proposed change is tested between its neighbours, the least likely first. Dropping one makes the
        neighbouring segments longer, so the remaining ones are tested again.
        """
        rows = dict(_proposed(break_columns(self.table), self.y, 0, MAX_DEPTH))
        for _ in range(MAX_PASSES):
            n_proposed = len(rows)
            for row in sorted(rows, key=rows.__getitem__):
                start = max((earlier for earlier in rows if earlier < row), default=0)
                end = min((later for later in rows if later > row), default=len(self))
                moved, f = self.between(start, end).confirmed(row - start), rows.pop(row)
                if moved is not None:
                    rows[start + moved] = f
            if len(rows) == n_proposed:
                break
        start = max(rows, default=0)
        last = self.between(start, len(self))
        recent = last.recent()
        if recent is not None and (moved := last.confirmed(recent)) is not None:
            rows[start + moved] = 0.0
        return sorted(rows)

    def recent(self) -> int | None:
        """First row of the latest records whose own policy saves the most error; None if none does."""
        lengths = last_lengths(min(MAX_LAST, int(MAX_LAST_RATIO * len(self))))
        if not lengths:
            return None
        return Side.of(self, np.arange(len(self) - lengths[-1])).departure(lengths)

    def confirmed(self, row: int) -> int | None:
        """Find the row at which the change near a row begins; None unless two policies are clearly better."""
        sides: dict[int, tuple[Side, Groups]] = {}

        def errors_of(row: int) -> tuple[Floats, Floats] | None:
            sides[row] = base, other_rows = self.sides(row)
            difference = base.difference_of(other_rows)
            if not difference.effects:
                return None
            errors = np.abs(self.y - base.quality), np.abs(self.y - base.by(difference, other_rows))
            return errors if base.is_before else errors[::-1]

        least = MIN_SEGMENT // 2
        moved = settled_break(row, errors_of, self.moments, least, least, MAX_MOVES)
        if moved is None:
            return None
        base, other_rows = sides[moved] if moved in sides else self.sides(moved)
        return moved if self.has_two_policies(base, other_rows) else None

    def has_two_policies(self, base: Side, other_rows: Groups) -> bool:
        """Whether the other rows contradict a side, and two policies explain all records clearly better."""
        if not base.is_contradicted(other_rows):
            return False
        unchanged = Side.of(self, np.arange(len(self))).quality
        rubric, policy = self.two_policies(base, other_rows)
        changed = rubric.predict(self.table)
        changed[other_rows] = policy.predict(self.table.take(other_rows), changed[other_rows])
        return clear_gain(np.abs(self.y - unchanged), np.abs(self.y - changed), MIN_GAIN)

    def sides(self, row: int) -> tuple[Side, Groups]:
        """Fit one side of a row; return the fit, and the rows of the other side.

        The later side is fitted if it has enough records, as in
        :func:`scoring.training.section_plan.plan_sections`.
        """
        before, since = np.arange(row), np.arange(row, len(self))
        is_since = is_enough(len(since), len(self), self.config.sections) or 2 * row < len(self)
        return (Side.of(self, since), before) if is_since else (Side.of(self, before), since)

    def fit(self, rows: Groups, y: Floats) -> Rubric:
        """Fit a rubric to some of the records."""
        return fit_rubric(self.design_matrix.take(rows), y[rows], self.config.rubric)

    def two_policies(self, base: Side, other_rows: Groups) -> tuple[Rubric, SectionPolicy]:
        """Fit the rubric of both sides, and the policy of the other side as its difference from it.

        The difference is subtracted from the labels of the other side before the rubric is fitted.
        """
        difference = base.difference_of(other_rows)
        if abs(difference.scale) >= MIN_SCALE:
            policy, floor = base.policy(difference, other_rows), base.rubric.floor_
            labels, part = self.y[other_rows], self.table.take(other_rows)
            shared_labels = (labels - policy.points(part)) / policy.scale_
            is_fitted = np.ones(len(self), dtype=bool)
            is_fitted[other_rows] = (labels > difference.floor) | (shared_labels <= floor)
            aligned = self.y.copy()
            aligned[other_rows] = np.maximum(shared_labels, floor)
            rubric = self.fit(np.flatnonzero(is_fitted), aligned)
            base = replace(base, rubric=rubric, quality=rubric.predict(self.table))
        return base.rubric, base.policy(base.difference_of(other_rows), other_rows)


@dataclass(frozen=True, slots=True)
class Side:
    """The fitted policy of one side of a change.

    Parameters
    ----------
    segment : Segment
        The records among which the change is.
    is_before : bool
        Whether it is the earlier side.
    rubric : Rubric
        Its rubric.
    quality : ndarray of shape (n_records,)
        Quality of all records of the segment by this policy; points.
    deviation : float
        Standard deviation of the labels of this side; points.
    constants : mapping of str to float
        Columns that have the same value in all records of this side.
    """

    segment: Segment
    is_before: bool
    rubric: Rubric
    quality: Floats
    deviation: float
    constants: Mapping[str, float]

    @classmethod
    def of(cls, segment: Segment, rows: Groups) -> Side:
        """Fit the policy of some of the records."""
        rubric = segment.fit(rows, segment.y)
        deviation, constants = float(segment.y[rows].std()), constants_of(segment.table.take(rows))
        return cls(segment, bool(rows[0] == 0), rubric, rubric.predict(segment.table), deviation, constants)

    def departure(self, lengths: list[int]) -> int | None:
        """First row of the latest records whose own policy saves the most error; None if none does.

        `lengths` are the candidate numbers of latest records.
        """
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
        """Fit how the labels of other records contradict the policy."""
        segment, options = self.segment, change_options(self.segment.config.sections, len(rows))
        rows = some_of(rows)
        table, quality, y = segment.table.take(rows), self.quality[rows], segment.y[rows]
        return fit_difference(
            self.rubric, table, quality, y, options, self.deviation, self.constants
        ).contradiction

    def policy(self, difference: Difference, rows: Groups) -> SectionPolicy:
        """Policy of other records, given their difference."""
        return policy_of(difference, self.rubric, self.segment.table.take(rows), {})

    def by(self, difference: Difference, rows: Groups) -> Floats:
        """Quality of all records by the policy of a difference, shape (n_records,); points."""
        return self.policy(difference, rows).predict(self.segment.table, self.quality)

    def is_contradicted(self, rows: Groups) -> bool:
        """Whether a difference predicts held-out records of other rows clearly better than none does."""
        rows = some_of(rows)
        part, quality = self.segment.take(rows), self.quality[rows]
        deviation, constants = self.deviation, self.constants
        difference = contradiction(
            self.rubric, part.table, quality, part.y, part.copies, part.config, deviation, constants
        )
        return difference is not None


def _proposed(X: Floats, y: Floats, start: int, depth: int) -> Iterator[tuple[int, float]]:
    """Rows at which changes may begin, with their F statistics: the largest, then those on each side."""
    if depth and len(y) >= MIN_RECORDS:
        f, row = largest_f(X, y)
        if f >= MIN_F:
            yield start + row, f
            yield from _proposed(X[:row], y[:row], start, depth - 1)
            yield from _proposed(X[row:], y[row:], start + row, depth - 1)


def some_of(rows: Groups) -> Groups:
    """At most :data:`MAX_COMPARED` of the rows, evenly spaced."""
    if len(rows) <= MAX_COMPARED:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MAX_COMPARED).astype(np.intp)]
