"""Points in time at which a section's rules of heat and publication changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from scoring.features.table import Floats
from scoring.model.cascade import NOT_LEADING
from scoring.model.policy_change import ChangedEffect, PolicyChange
from scoring.model.targets import Target
from scoring.training.story_policy import BonusRule, fit_bonus, fit_threshold
from scoring.training.structural_breaks import breaks_within, clear_gain, last_lengths, settled_break
from scoring.training.training_set import TrainingSet

MIN_SEGMENT = 10  # records on either side of a change
MIN_BETTER = 5  # records that two rules must explain better than one, minus those that they explain worse
MIN_GAIN = 3.0  # standard errors by which two rules must explain the records better than one
MIN_SIGNS = 4.5  # or standard errors of a sign test of those records, since few large gains vary too much
N_CANDIDATES = 24  # evenly spaced rows at which the search starts, besides rows near the end
MIN_DIFFERENCE = 1.0  # points of error; smaller differences of a record do not count as better or worse
MIN_EFFECT = 0.5  # points; smaller changes of a value are not listed

Rule = TypeVar("Rule", BonusRule, float)


@dataclass(frozen=True, slots=True)
class Decisions(Generic[Rule]):
    """Labels that follow a rule, by time, with the functions that fit and compare rules.

    Parameters
    ----------
    target : {"heat", "published"}
        The label.
    moments : ndarray of datetime64, shape (n_records,)
        Dates of publication.
    fit : callable
        Fits the rule to the rows from a start to an end, which is excluded.
    errors : callable
        Absolute error of every record by a rule, shape (n_records,).
    effects : callable
        Lists the values that differ between two rules.
    """

    target: Target
    moments: NDArray[np.datetime64]
    fit: Callable[[int, int], Rule]
    errors: Callable[[Rule], Floats]
    effects: Callable[[Rule, Rule], tuple[ChangedEffect, ...]]

    def __len__(self) -> int:
        return len(self.moments)

    def changes(self, section: str) -> Iterator[PolicyChange]:
        """Find the changes of the rule, by time."""
        edges = [0, *breaks_within(len(self), 2 * MIN_SEGMENT, self._break), len(self)]
        for start, row, end in zip(edges, edges[1:], edges[2:], strict=False):
            yield self._change(section, start, row, end, self.fit(start, row))

    def departure(self, section: str, known: Rule) -> PolicyChange | None:
        """Find the change from a known rule; None if the records follow it. It may precede all records."""
        if len(self) < MIN_SEGMENT:
            return None
        row = self._located(0, len(self), lambda row: known, min_before=0)
        return None if row is None else self._change(section, 0, row, len(self), known)

    def _change(self, section: str, start: int, row: int, end: int, before: Rule) -> PolicyChange:
        since: datetime = self.moments[row].item().replace(tzinfo=UTC)
        effects = self.effects(before, self.fit(row, end))
        return PolicyChange(section, self.target, since, row - start, end - row, effects)

    def _break(self, start: int, end: int) -> int | None:
        """Find the row at which the rule changes within a segment; None if it does not change."""
        return self._located(start, end, lambda row: self.fit(start, row), min_before=MIN_SEGMENT)

    def _located(
        self, start: int, end: int, rule_before: Callable[[int], Rule], *, min_before: int
    ) -> int | None:
        """Find the row of the best change within a segment; None if a single rule explains it as well.

        `rule_before` returns the rule that holds before a row.
        """
        spread: list[int] = np.linspace(start, end, N_CANDIDATES + 2)[:-1].astype(int).tolist()
        recent: list[int] = [end - length for length in last_lengths((end - start) // 2)]
        possible = [row for row in {*spread, *recent} if start + min_before <= row <= end - MIN_SEGMENT]
        if not possible:
            return None

        def errors_of(row: int) -> tuple[Floats, Floats]:
            before, since = self.errors(rule_before(row)), self.errors(self.fit(row, end))
            return before[start:end], since[start:end]

        def total(row: int) -> float:
            before, since = errors_of(row)
            return float(before[: row - start].sum() + since[row - start :].sum())

        row = min(sorted(possible), key=total)
        moved = settled_break(
            row - start,
            lambda row: errors_of(start + row),
            self.moments[start:end],
            min_before,
            MIN_SEGMENT,
            N_CANDIDATES,
        )
        if moved is None:
            return None
        row = start + moved
        before, since = errors_of(row)
        unchanged_errors = self.errors(rule_before(end))[start:end]
        changed_errors = np.where(np.arange(start, end) < row, before, since)
        return row if _is_clearly_better(unchanged_errors, changed_errors) else None

    def has_two_rules(self, row: int) -> bool:
        """Whether two rules, before a row and from it on, explain the labels clearly better than one."""
        if not MIN_SEGMENT <= row <= len(self) - MIN_SEGMENT:
            return False
        before, since = self.errors(self.fit(0, row)), self.errors(self.fit(row, len(self)))
        unchanged = self.errors(self.fit(0, len(self)))
        return _is_clearly_better(unchanged, np.where(np.arange(len(self)) < row, before, since))


def _is_clearly_better(unchanged: Floats, changed: Floats) -> bool:
    """Whether two rules explain clearly more labels, given the absolute errors of one rule and of two."""
    gains = unchanged - changed
    n_better, n_worse = (
        np.count_nonzero(gains >= MIN_DIFFERENCE),
        np.count_nonzero(gains <= -MIN_DIFFERENCE),
    )
    if n_better - n_worse < MIN_BETTER:
        return False
    is_clear = n_better - n_worse >= MIN_SIGNS * np.sqrt(n_better + n_worse)
    return bool(is_clear) or clear_gain(unchanged, changed, MIN_GAIN)


def bonuses(records: TrainingSet) -> Decisions[BonusRule]:
    """Heat of the leads that have related records; the records are in order of time."""
    labels, n_related = records.labels, np.nan_to_num(records.table.number("coverage_count"))
    rows = np.isfinite(labels.heat) & (labels.heat > NOT_LEADING) & (n_related > 0)
    quality, heat, related = labels.quality[rows], labels.heat[rows], n_related[rows]

    def effects(before: BonusRule, since: BonusRule) -> tuple[ChangedEffect, ...]:
        values = (
            ("bonus", before.bonus, since.bonus),
            ("bonus from", before.from_quality, since.from_quality),
        )
        return tuple(ChangedEffect(*value) for value in values if abs(value[2] - value[1]) >= MIN_EFFECT)

    return Decisions(
        "heat",
        records.moments[rows],
        lambda start, end: fit_bonus(quality[start:end], heat[start:end], related[start:end]),
        lambda rule: np.abs(heat - rule.heat(quality, related)),
        effects,
    )


def publications(records: TrainingSet) -> Decisions[float]:
    """Publication of the records, in order of time; the rule is the heat from which they are published."""
    labels = records.labels
    rows = np.isfinite(labels.heat) & np.isfinite(labels.published)
    heat, is_published = labels.heat[rows], labels.published[rows] > 0.5
    return Decisions(
        "published",
        records.moments[rows],
        lambda start, end: fit_threshold(heat[start:end], is_published[start:end]),
        lambda threshold: ((heat >= threshold) != is_published).astype(np.float64),
        lambda before, since: (
            ChangedEffect("published from", float(np.ceil(before)), float(np.ceil(since))),
        ),
    )


def story_changes(section: str, records: TrainingSet) -> Iterator[PolicyChange]:
    """Find the changes of a section's rules of heat and publication.

    Parameters
    ----------
    section : str
        Name of the section.
    records : TrainingSet
        Its labelled records, in order of time.

    Yields
    ------
    PolicyChange
    """
    if {"quality", "heat"} <= set(records.targets):
        yield from bonuses(records).changes(section)
    if {"heat", "published"} <= set(records.targets):
        yield from publications(records).changes(section)
