"""Points in time at which a section's rules of heat and publication changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC
from typing import TypeVar

import numpy as np

from scoring.features.table import Floats
from scoring.model.cascade import NOT_LEADING
from scoring.model.policy_change import ChangedEffect, PolicyChange
from scoring.training.story_policy import BonusRule, fit_bonus, fit_threshold
from scoring.training.structural_breaks import best_break, breaks_within, clear_gain, last_lengths
from scoring.training.training_set import TrainingSet

MIN_SEGMENT = 10  # records on either side of a change
MIN_BETTER = 5  # records that two rules explain better than one, beyond those that they explain worse
MIN_GAIN = 3.0  # standard errors of that gain
N_CANDIDATES = 24  # rows, evenly spread, that a change is looked for near; and those of the latest records
MIN_DIFFERENCE = 1.0  # points between two rules

Rule = TypeVar("Rule", BonusRule, float)


def story_changes(section: str, records: TrainingSet) -> Iterator[PolicyChange]:
    """Find the changes of a section's rules of heat and publication.

    Parameters
    ----------
    section : str
        Name of the section.
    records : TrainingSet
        Its labelled records, by time.

    Yields
    ------
    PolicyChange
    """
    labels = records.labels
    n_related = np.nan_to_num(records.table.number("coverage_count"))
    rows = np.flatnonzero(np.isfinite(labels.heat) & (labels.heat > NOT_LEADING) & (n_related > 0))
    quality, heat, related = labels.quality[rows], labels.heat[rows], n_related[rows]

    def bonus_errors(rule: BonusRule) -> Floats:
        return np.abs(heat - rule.heat(quality, related))

    def bonus_of(start: int, end: int) -> BonusRule:
        return fit_bonus(quality[start:end], heat[start:end], related[start:end])

    for start, row, end in _changes(len(rows), bonus_of, bonus_errors):
        before, since = bonus_of(start, row), bonus_of(row, end)
        effects = (
            ("bonus", before.bonus, since.bonus),
            ("bonus from", before.from_quality, since.from_quality),
        )
        yield PolicyChange(
            section,
            "heat",
            records.moments[rows[row]].item().replace(tzinfo=UTC),
            row - start,
            end - row,
            tuple(ChangedEffect(*effect) for effect in effects if abs(effect[2] - effect[1]) >= 0.5),
        )
    decided = np.flatnonzero(np.isfinite(labels.heat) & np.isfinite(labels.published))
    all_heat, is_published = labels.heat[decided], labels.published[decided] > 0.5

    def decision_errors(threshold: float) -> Floats:
        errors: Floats = ((all_heat >= threshold) != is_published).astype(np.float64)
        return errors

    def threshold_of(start: int, end: int) -> float:
        return fit_threshold(all_heat[start:end], is_published[start:end])

    for start, row, end in _changes(len(decided), threshold_of, decision_errors):
        thresholds = (float(np.ceil(threshold_of(*part))) for part in ((start, row), (row, end)))
        yield PolicyChange(
            section,
            "published",
            records.moments[decided[row]].item().replace(tzinfo=UTC),
            row - start,
            end - row,
            (ChangedEffect("published from", *thresholds),),
        )


def _changes(
    n_records: int, rule_of: Callable[[int, int], Rule], errors_of: Callable[[Rule], Floats]
) -> Iterator[tuple[int, int, int]]:
    """First row, row of the change and end of each pair of segments with different rules.

    Parameters
    ----------
    n_records : int
        Number of records, by time.
    rule_of : callable
        Fits the rule of the records from a first row up to a last one, which is excluded.
    errors_of : callable
        Absolute error of every record by a rule, shape (n_records,).
    """

    def find(start: int, end: int) -> int | None:
        spread: list[int] = np.linspace(start, end, N_CANDIDATES + 2)[1:-1].astype(int).tolist()
        recent: list[int] = [end - length for length in last_lengths((end - start) // 2)]
        possible = [row for row in {*spread, *recent} if start + MIN_SEGMENT <= row <= end - MIN_SEGMENT]
        splits = []
        for row in sorted(possible):
            before, since = errors_of(rule_of(start, row)), errors_of(rule_of(row, end))
            splits.append((float(before[start:row].sum() + since[row:end].sum()), row))
        if not splits:
            return None
        _, row = min(splits)
        for _ in range(len(spread)):
            before, since = (errors_of(rule_of(*part))[start:end] for part in ((start, row), (row, end)))
            moved = start + best_break(before, since, MIN_SEGMENT)
            if moved == row:
                break
            row = moved
        one = errors_of(rule_of(start, end))[start:end]
        two = np.where(np.arange(start, end) < row, before, since)
        gains = one - two
        n_better = np.count_nonzero(gains >= MIN_DIFFERENCE) - np.count_nonzero(gains <= -MIN_DIFFERENCE)
        return row if n_better >= MIN_BETTER and clear_gain(one, two, MIN_GAIN) else None

    edges = [0, *breaks_within(n_records, 2 * MIN_SEGMENT, find), n_records]
    return zip(edges, edges[1:], edges[2:], strict=False)
