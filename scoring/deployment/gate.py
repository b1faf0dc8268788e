"""The gate: one rule that decides whether a challenger replaces the champion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from scoring.evaluation.metrics import MEANINGS
from scoring.evaluation.paired_figures import Difference, SliceDifference, gain_of
from scoring.evaluation.section_changes import (
    MAX_WORSENING_RATIO,
    SECTION,
    SectionChange,
    section_changes,
    worst_sections_first,
)
from scoring.model.targets import Target, Targets

#: Headline metrics: none may become significantly worse, whichever of them has to improve.
HEADLINES = (
    *("quality_mae", "lead_accuracy", "heat_within_5", "heat_ndcg_10"),
    *("published_f1", "quality_interval_score"),
)

#: Default metric that has to improve, by label: that of the first of these labels that the models have.
DEFAULT_FIGURES: dict[Target, str] = {
    "quality": "quality_mae",
    "published": "published_brier",
    "heat": "heat_mae",
}


class GateConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rule of the gate.

    Parameters
    ----------
    figure : str
        The metric that has to improve: one of :data:`scoring.evaluation.metrics.MEANINGS`. For models without
        quality the default is another one: see :data:`DEFAULT_FIGURES`.
    margin : float or None
        None: superiority, the interval of the gain has to lie above 0. Otherwise non-inferiority: the
        interval may reach down to minus this ratio of the champion's metric; 0 <= margin < 1.
    part_ratio : float
        Ratio of the champion's metric by which a subset of the records may worsen; >= 0.
    min_records, min_days : int
        Least number of labelled records, and of days with such records, of the whole and of each subset.
    level : float
        Confidence level of the intervals; 0 to 1.
    n_draws : int
        Draws of the paired bootstrap over days.
    """

    figure: str = DEFAULT_FIGURES["quality"]
    margin: float | None = None
    part_ratio: float = MAX_WORSENING_RATIO
    min_records: int = 30
    min_days: int = 7
    level: float = 0.95
    n_draws: int = 1000

    def __post_init__(self) -> None:
        if self.figure not in MEANINGS:
            raise ValueError(f"figure: got {self.figure!r}, expected one of {', '.join(MEANINGS)}")
        if self.margin is not None and not 0 <= self.margin < 1:
            raise ValueError(f"margin: got {self.margin:g}, expected a ratio, 0 or more and below 1")

    def of_models(self, targets: Targets) -> GateConfig:
        """The rule for models of some labels: the default metric is that of their labels.

        Parameters
        ----------
        targets : tuple of str
            Labels that both models have.
        """
        if self.figure != DEFAULT_FIGURES["quality"] or "quality" in targets:
            return self
        figures = [figure for name, figure in DEFAULT_FIGURES.items() if name in targets]
        return msgspec.structs.replace(self, figure=figures[0]) if figures else self

    @property
    def rule(self) -> str:
        """The rule as text."""
        needs = "its interval above 0" if self.margin is None else f"its interval above -{self.margin:.0%}"
        return (
            f"{self.figure} must improve, {needs}; no other headline metric may be significantly worse; no "
            f"subset of {self.min_records} records or more may significantly worsen by more than "
            f"{self.part_ratio:.0%}. "
            f"Intervals are {self.level:.0%}, simultaneous for subsets."
        )


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison that the gate makes.

    Parameters
    ----------
    figure : str
        See :data:`scoring.evaluation.metrics.MEANINGS`.
    against : str
        ``champion``, or the name of a baseline.
    part : str
        Subset of the records, as ``provider: example.org``; empty for all records.
    n_records : int
        Number of labelled records; 0 if unknown.
    first, second : float
        Metric of the champion (or baseline) and of the challenger.
    gain : float
        Improvement of the challenger; negative if it is worse.
    low, high : float or None
        Bounds of the gain's interval; None if there is no bootstrap.
    expected : str
        Condition, as text.
    is_passed : bool
        Whether the condition holds.
    """

    figure: str
    against: str
    part: str = ""
    n_records: int
    first: float
    second: float
    gain: float
    low: float | None = None
    high: float | None = None
    expected: str
    is_passed: bool

    @property
    def shown_gain(self) -> str:
        """The gain with its interval, as text."""
        return f"{self.gain:+.3g}" + ("" if self.low is None else f" ({self.low:+.3g} to {self.high:+.3g})")

    def __str__(self) -> str:
        where = f"{self.figure} of {self.part}" if self.part else self.figure
        values = f"{self.against} {self.first:.3f}, challenger {self.second:.3f}"
        return f"{where}: {values}, gain {self.shown_gain}"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Decision of the gate.

    Parameters
    ----------
    is_passed : bool
        Whether the challenger may become the champion.
    reasons : tuple of str
        Reasons as text: all failed checks, or the improvement.
    rule : str
        The rule as text.
    n_records, n_days : int
        Labelled records that the decision rests on, and the number of their days.
    checks : tuple of Check
        All checks: first the metric that has to improve, later the subsets, of which sections come first, the
        worst section before the others.
    sections : tuple of SectionChange
        The metric in which the challenger is worst, for each section; the worst section first.
    sections_not_judged : dict of str to int
        Sections with too few labelled records or days, and their numbers of records.
    """

    is_passed: bool
    reasons: tuple[str, ...]
    rule: str
    n_records: int = 0
    n_days: int = 0
    checks: tuple[Check, ...] = ()
    sections: tuple[SectionChange, ...] = ()
    sections_not_judged: dict[str, int] = {}


def too_few(n_records: int, n_days: int, config: GateConfig) -> str:
    """Message if there are too few records or days to judge on; empty if there are enough."""
    if n_records >= config.min_records and n_days >= config.min_days:
        return ""
    return (
        f"got {n_records} labelled records of {n_days} days, "
        f"expected {config.min_records} or more of {config.min_days} days or more"
    )


def refuse(reason: str, config: GateConfig, *, n_records: int = 0, n_days: int = 0) -> Verdict:
    """Refuse without comparing any metric."""
    return Verdict(is_passed=False, reasons=(reason,), rule=config.rule, n_records=n_records, n_days=n_days)


def judge(
    whole: Mapping[str, Difference],
    slices: Sequence[SliceDifference],
    config: GateConfig,
    *,
    n_records: int,
) -> Verdict:
    """Apply the rule: the metric improves, and no headline or subset becomes significantly worse.

    Parameters
    ----------
    whole : mapping of str to Difference
        Metrics on all records, champion first, each with its own interval.
    slices : sequence of SliceDifference
        Metrics on subsets, with simultaneous intervals: of many subsets some get worse by chance, which
        must not refuse a challenger.
    config : GateConfig
        Rule of the gate.
    n_records : int
        Number of labelled records.

    Returns
    -------
    Verdict
    """
    if config.figure not in whole:
        return refuse(f"{config.figure}: not defined on these records", config, n_records=n_records)
    checks = [_has_gained(whole[config.figure], config, n_records)]
    for name in HEADLINES:
        if name in whole and name != config.figure:
            checks.append(_check(whole[name], "interval not below 0", _reaches(whole[name], 0.0), n_records))
    for part in worst_sections_first(slices, config.part_ratio):
        for difference in part.differences.values():
            limit = -config.part_ratio * abs(difference.first)
            expected = f"interval not below {limit:+.3g}"
            label = f"{part.family}: {part.name}"
            checks.append(_check(difference, expected, _reaches(difference, limit), part.n_records, label))
    failed = [check for check in checks if not check.is_passed]
    n_parts = len({check.part for check in checks} - {""})
    passed = f"{checks[0]}; nothing else is significantly worse ({n_parts} subsets checked)"
    sections = section_changes(slices, config.part_ratio)
    reasons = [f"{check}, expected its {check.expected}" for check in failed]
    if checks[0].is_passed and (worse := [change.section for change in sections if change.is_clearly_worse]):
        reasons.insert(0, f"better on all records, but clearly worse in {SECTION} {', '.join(worse)}")
    return Verdict(
        is_passed=not failed,
        reasons=tuple(reasons) or (passed,),
        rule=config.rule,
        n_records=n_records,
        checks=tuple(checks),
        sections=sections,
    )


def judge_first(
    figures: Mapping[str, float],
    baselines: Mapping[str, Mapping[str, float]],
    config: GateConfig,
    *,
    n_records: int = 0,
) -> Verdict:
    """Judge a model without a champion: its metric has to be better than that of every baseline.

    Parameters
    ----------
    figures : mapping of str to float
        Metrics of the model on unseen records.
    baselines : mapping of str to (mapping of str to float)
        Metrics of each baseline; a baseline without the metric is skipped.
    config : GateConfig
        Rule of the gate.
    n_records : int
        Number of labelled records; 0 if unknown.

    Returns
    -------
    Verdict
    """
    name = config.figure
    rule = f"Without a champion, {name} has to be better than that of every baseline."
    challenger_value = figures.get(name)
    others = {baseline: values[name] for baseline, values in baselines.items() if name in values}
    if challenger_value is None or not others:
        reason = f"{name}: no value for {'the model' if challenger_value is None else 'any baseline'}"
        return Verdict(is_passed=False, reasons=(reason,), rule=rule, n_records=n_records)
    checks = tuple(
        Check(
            figure=name,
            against=baseline,
            n_records=n_records,
            first=value,
            second=challenger_value,
            gain=gain_of(name, value, challenger_value),
            expected="gain above 0",
            is_passed=gain_of(name, value, challenger_value) > 0,
        )
        for baseline, value in others.items()
    )
    failed = tuple(f"{check}, expected its {check.expected}" for check in checks if not check.is_passed)
    passed = (
        f"there was no champion, and {name} {challenger_value:.3f} beats every baseline: {_listed(others)}"
    )
    return Verdict(
        is_passed=not failed, reasons=failed or (passed,), rule=rule, n_records=n_records, checks=checks
    )


def _has_gained(difference: Difference, config: GateConfig, n_records: int) -> Check:
    if config.margin is None:
        return _check(
            difference, "interval above 0", difference.low is not None and difference.low > 0, n_records
        )
    limit = -config.margin * abs(difference.first)
    is_within_margin = difference.low is not None and difference.low >= limit
    return _check(difference, f"interval above {limit:+.3g}", is_within_margin, n_records)


def _reaches(difference: Difference, limit: float) -> bool:
    return difference.high is None or difference.high >= limit


def _check(difference: Difference, expected: str, is_passed: bool, n_records: int, part: str = "") -> Check:
    return Check(
        figure=difference.name,
        against="champion",
        part=part,
        n_records=n_records,
        first=difference.first,
        second=difference.second,
        gain=difference.gain,
        low=difference.low,
        high=difference.high,
        expected=expected,
        is_passed=is_passed,
    )


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())
