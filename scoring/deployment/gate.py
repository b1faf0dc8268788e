"""The gate: whether a challenger takes the champion's place, by a rule that is the same for every pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from scoring.evaluation.metrics import MEANINGS
from scoring.evaluation.paired_figures import Difference, SliceDifference, gain_of

#: What a site lives on: each is guarded, whichever of them has to gain.
HEADLINES = (
    *("quality_mae", "lead_accuracy", "heat_within_5", "heat_ndcg_10"),
    *("published_f1", "quality_interval_score"),
)


class GateConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the gate asks for.

    Parameters
    ----------
    figure : str
        The figure that has to gain: one of :data:`scoring.evaluation.metrics.MEANINGS`.
    margin : float or None
        None: the gain's interval has to lie above 0. Else the challenger may be as good: the interval may
        reach down to this share of the champion's figure; >= 0.
    part_ratio : float
        Share of the champion's figure by which a part of the records may fall; >= 0.
    min_records, min_days : int
        Labelled records, and days that they are of, that it takes to judge; also of a part.
    level : float
        Share of draws that an interval holds; 0 to 1.
    n_draws : int
        Draws of the paired bootstrap over days.
    """

    figure: str = "quality_mae"
    margin: float | None = None
    part_ratio: float = 0.05
    min_records: int = 30
    min_days: int = 7
    level: float = 0.95
    n_draws: int = 1000

    def __post_init__(self) -> None:
        if self.figure not in MEANINGS:
            raise ValueError(f"figure: got {self.figure!r}, expected one of {', '.join(MEANINGS)}")
        if self.margin is not None and not 0 <= self.margin < 1:
            raise ValueError(f"margin: got {self.margin:g}, expected a share, 0 or more and below 1")

    @property
    def rule(self) -> str:
        """What is asked for, in words."""
        needs = "its interval above 0" if self.margin is None else f"its interval above -{self.margin:.0%}"
        return (
            f"{self.figure} must improve, {needs}; no other headline metric may be significantly worse; no "
            f"subset of {self.min_records} records or more may significantly worsen by more than "
            f"{self.part_ratio:.0%}. "
            f"Intervals are {self.level:.0%}, simultaneous for subsets."
        )


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at.

    Parameters
    ----------
    figure : str
        See :data:`scoring.evaluation.metrics.MEANINGS`.
    against : str
        ``champion``, or the name of a baseline.
    part : str
        Part of the records, as ``provider: example.org``; empty for all of them.
    n_records : int
        Labelled records that it is of; 0 where that is not known.
    first, second : float
        The figure of the champion (or baseline) and of the challenger.
    gain : float
        By how much the challenger is better; below 0 where it is worse.
    low, high : float or None
        Interval of the gain; None where it was not drawn.
    expected : str
        What is asked of it, in words.
    is_passed : bool
        Whether that is so.
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
        figures = f"{self.against} {self.first:.3f}, challenger {self.second:.3f}"
        return f"{where}: {figures}, gain {self.shown_gain}"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate says.

    Parameters
    ----------
    is_passed : bool
        Whether the challenger may take the champion's place.
    reasons : tuple of str
        Why, in words: every check that failed, or what was gained.
    rule : str
        What is asked for, in words.
    n_records, n_days : int
        Labelled records that both were judged on, and the days that they are of.
    checks : tuple of Check
        Everything that was looked at, the figure that has to gain first.
    """

    is_passed: bool
    reasons: tuple[str, ...]
    rule: str
    n_records: int = 0
    n_days: int = 0
    checks: tuple[Check, ...] = ()


def too_few(n_records: int, n_days: int, config: GateConfig) -> str:
    """What lacks to judge on, in words; empty where nothing does."""
    if n_records >= config.min_records and n_days >= config.min_days:
        return ""
    return (
        f"got {n_records} labelled records of {n_days} days, "
        f"expected {config.min_records} or more of {config.min_days} days or more"
    )


def refuse(reason: str, config: GateConfig, *, n_records: int = 0, n_days: int = 0) -> Verdict:
    """A no without a look at the figures."""
    return Verdict(is_passed=False, reasons=(reason,), rule=config.rule, n_records=n_records, n_days=n_days)


def judge(
    whole: Mapping[str, Difference],
    slices: Sequence[SliceDifference],
    config: GateConfig,
    *,
    n_records: int,
) -> Verdict:
    """The rule: the figure gains, no other headline is surely worse, no part surely falls beyond its limit.

    Parameters
    ----------
    whole : mapping of str to Difference
        Figures on all records, champion first, each with its own interval.
    slices : sequence of SliceDifference
        Figures on parts of them, whose intervals hold all together: of many parts some seem to fall by
        chance, and that alone shall refuse nobody.
    config : GateConfig
        What is asked for.
    n_records : int
        Labelled records.

    Returns
    -------
    Verdict
    """
    if config.figure not in whole:
        return refuse(
            f"{config.figure}: got none on these records, expected a value", config, n_records=n_records
        )
    checks = [_has_gained(whole[config.figure], config, n_records)]
    for name in HEADLINES:
        if name in whole and name != config.figure:
            checks.append(_check(whole[name], "interval not below 0", _reaches(whole[name], 0.0), n_records))
    for part in slices:
        for each in part.differences.values():
            limit = -config.part_ratio * abs(each.first)
            told = f"interval not below {limit:+.3g}"
            label = f"{part.family}: {part.name}"
            checks.append(_check(each, told, _reaches(each, limit), part.n_records, label))
    failed = [check for check in checks if not check.is_passed]
    n_parts = len({check.part for check in checks} - {""})
    passed = f"{checks[0]}; nothing else is significantly worse ({n_parts} subsets checked)"
    return Verdict(
        is_passed=not failed,
        reasons=tuple(f"{check}, expected its {check.expected}" for check in failed) or (passed,),
        rule=config.rule,
        n_records=n_records,
        checks=tuple(checks),
    )


def judge_first(
    figures: Mapping[str, float],
    baselines: Mapping[str, Mapping[str, float]],
    config: GateConfig,
    *,
    n_records: int = 0,
) -> Verdict:
    """Judge a model where no champion is: it has to beat every baseline's figure.

    Parameters
    ----------
    figures : mapping of str to float
        Of the model, on records that it had not seen.
    baselines : mapping of str to (mapping of str to float)
        The same of each baseline; one without the figure is passed over.
    config : GateConfig
        What is asked for.
    n_records : int
        Labelled records; 0 where that is not known.

    Returns
    -------
    Verdict
    """
    name = config.figure
    rule = f"There is no champion: {name} has to be better than that of every baseline."
    mine = figures.get(name)
    others = {baseline: values[name] for baseline, values in baselines.items() if name in values}
    if mine is None or not others:
        reason = f"{name}: got none of {'the model' if mine is None else 'a baseline'}, expected a value"
        return Verdict(is_passed=False, reasons=(reason,), rule=rule, n_records=n_records)
    checks = tuple(
        Check(
            figure=name,
            against=baseline,
            n_records=n_records,
            first=value,
            second=mine,
            gain=gain_of(name, value, mine),
            expected="gain above 0",
            is_passed=gain_of(name, value, mine) > 0,
        )
        for baseline, value in others.items()
    )
    failed = tuple(f"{check}, expected its {check.expected}" for check in checks if not check.is_passed)
    passed = f"there was no champion, and {name} {mine:.3f} beats every baseline: {_listed(others)}"
    return Verdict(
        is_passed=not failed, reasons=failed or (passed,), rule=rule, n_records=n_records, checks=checks
    )


def _has_gained(each: Difference, config: GateConfig, n_records: int) -> Check:
    if config.margin is None:
        return _check(each, "interval above 0", each.low is not None and each.low > 0, n_records)
    limit = -config.margin * abs(each.first)
    is_close = each.low is not None and each.low >= limit
    return _check(each, f"interval above {limit:+.3g}", is_close, n_records)


def _reaches(each: Difference, limit: float) -> bool:
    return each.high is None or each.high >= limit


def _check(each: Difference, expected: str, is_passed: bool, n_records: int, part: str = "") -> Check:
    return Check(
        figure=each.name,
        against="champion",
        part=part,
        n_records=n_records,
        first=each.first,
        second=each.second,
        gain=each.gain,
        low=each.low,
        high=each.high,
        expected=expected,
        is_passed=is_passed,
    )


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())
