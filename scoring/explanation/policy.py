"""The learned policy in words, and the differences between two policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from scoring.explanation.policy_changes import effect_text, moment_of
from scoring.explanation.rule_texts import CLASSES, interval_of, text_of
from scoring.model.policy_change import PolicyChange
from scoring.model.rules import SectionRules

Key = tuple[str, str]
"""Label and name of a rule."""


class OfSections(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to a section, or to several sections that share it.

    Parameters
    ----------
    sections : tuple of str
        The sections; the name of records without a section is empty.
    """

    sections: tuple[str, ...] = ()

    @property
    def sections_text(self) -> str:
        """The sections, joined by commas; empty if there are none."""
        return ", ".join(name or "(no section)" for name in self.sections)


class PolicyLine(OfSections, frozen=True):
    """One rule in words.

    Parameters
    ----------
    sections : tuple of str
        The sections that share the rule; the name of records without a section is empty.
    target : str
        The label that it determines.
    text : str
        The rule.
    interval : str
        95 % interval of its number; empty if it has none.
    n_records : int
        Labelled records that it is based on.
    followed_ratio : float or None
        Share of these that follow it, if it applies.
    name : str
        Name of the rule; see :class:`scoring.model.rules.Rule`.
    value, low, high : float
        Its number and interval.
    since : str
        Time from which a changed rule holds, ISO 8601; empty for other rules.
    points : float or None
        The most that the rule, or the change of a changed rule, moves a quality; None if unknown.
    label_step : float
        Points by which nearly all labels of quality differ from one another.
    """

    target: str
    text: str
    interval: str
    n_records: int
    followed_ratio: float | None
    name: str
    value: float
    low: float
    high: float
    since: str = ""
    points: float | None = None
    label_step: float = 1.0

    @property
    def is_small_change(self) -> bool:
        """Whether it is a changed rule whose change moves no quality by a step of the labels."""
        return bool(self.since) and self.points is not None and self.points < self.label_step


class PolicyDifference(OfSections, frozen=True):
    """A rule that differs between two policies; None where a policy has no such rule.

    ``sections`` has the sections that it applies to; it is empty if two sections are compared. ``points`` is
    the most that the difference moves a quality, None if unknown; ``label_step`` is the smaller step of the
    labels of both.
    """

    target: str
    name: str
    first: PolicyLine | None
    second: PolicyLine | None
    points: float | None = None
    label_step: float = 1.0

    @property
    def is_small(self) -> bool:
        """Whether the difference moves no quality by a step of the labels."""
        return self.points is not None and self.points < self.label_step


class SectionPolicyText(OfSections, frozen=True, kw_only=True):
    """The policy of a section, or of the sections that share one, in words.

    Parameters
    ----------
    sections : tuple of str
        The sections; the name of records without a section is empty.
    is_own : bool
        Whether the section has a policy of its own.
    n_records : int
        Labelled records that it was learned from.
    lines : tuple of PolicyLine
        Its rules.
    """

    is_own: bool
    n_records: int
    lines: tuple[PolicyLine, ...]


class PolicyComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Differences between the policies of two models.

    Parameters
    ----------
    differences : tuple of PolicyDifference
        Rules that differ, section by section.
    only_first, only_second : tuple of str
        Sections that only one of the models knows; their rules are not compared.
    fault : str
        Reason why the policies were not compared; empty if they were.
    """

    differences: tuple[PolicyDifference, ...] = ()
    only_first: tuple[str, ...] = ()
    only_second: tuple[str, ...] = ()
    fault: str = ""


def policy_lines(
    groups: Sequence[SectionRules], section: str | None = None, changes: Sequence[PolicyChange] = ()
) -> list[PolicyLine]:
    """Write the rules of all sections, or of one, in words.

    Parameters
    ----------
    groups : sequence of SectionRules
        Rules of a model.
    section : str, optional
        Only the rules that hold for this section.
    changes : sequence of PolicyChange
        Changes of its policies.

    Returns
    -------
    list of PolicyLine
        The rules in their order, then the changed effects.
    """
    lines = [
        PolicyLine(
            rule.target,
            text_of(rule),
            interval_of(rule),
            rule.n_records,
            rule.followed_ratio,
            rule.name,
            rule.value,
            rule.low,
            rule.high,
            points=rule.points,
            label_step=group.label_step,
            sections=group.sections,
        )
        for group in groups
        if section is None or section in group.sections
        for rule in group.rules
    ]
    steps = {name: group.label_step for group in groups for name in group.sections}
    return lines + _change_lines([change for change in changes if section in (None, change.section)], steps)


def _change_lines(changes: Sequence[PolicyChange], steps: Mapping[str, float]) -> list[PolicyLine]:
    """Each changed effect in words, with its value since the change and the number of labels since then.

    `steps` has the step of the labels by section.
    """
    return [
        PolicyLine(
            change.target,
            f"since {moment_of(change)}: {effect_text(effect)}",
            "",
            change.n_since,
            None,
            effect.name,
            effect.since,
            effect.since,
            effect.since,
            f"{change.since:%Y-%m-%dT%H:%M:%SZ}",
            effect.points,
            steps.get(change.section, 1.0),
            sections=(change.section,),
        )
        for change in changes
        for effect in change.effects
    ]


def policy_texts(
    groups: Sequence[SectionRules], changes: Sequence[PolicyChange] = ()
) -> list[SectionPolicyText]:
    """Write the policies of a model in words, with their changes; the shared policy comes first."""
    return [
        SectionPolicyText(
            sections=group.sections,
            is_own=group.is_own,
            n_records=group.n_records,
            lines=tuple(
                policy_lines(
                    [group], changes=[change for change in changes if change.section in group.sections]
                )
            ),
        )
        for group in groups
    ]


def policy_differences(first: Sequence[PolicyLine], second: Sequence[PolicyLine]) -> list[PolicyDifference]:
    """Find rules whose intervals do not overlap, and quality rules that only one of the policies has.

    Groups of providers or topics with the same points are not compared, since their members may differ.
    """
    of_first, of_second = (
        {(line.target, line.name): line for line in lines if _is_compared(line)} for lines in (first, second)
    )
    differences = []
    for key in {**of_first, **of_second}:
        first_line, second_line = of_first.get(key), of_second.get(key)
        if first_line is None or second_line is None:
            is_different = key[0] == "quality"  # a missing rule of another label means too few records
        else:
            is_different = first_line.high < second_line.low or second_line.high < first_line.low
        if is_different:
            sides = [line for line in (first_line, second_line) if line is not None]
            step = min(line.label_step for line in sides)
            points = _moved_points(*key, of_first, of_second)
            differences.append(PolicyDifference(*key, first_line, second_line, points, step))
    return differences


def _moved_points(
    target: str, name: str, first: Mapping[Key, PolicyLine], second: Mapping[Key, PolicyLine]
) -> float | None:
    """The most that the difference of a rule moves a quality; None if unknown.

    A rule that a side lacks gives no points there. A knot that only one side has counts as its slope does.
    """
    column = name.removesuffix(" from")
    lines = [side.get((target, column)) for side in (first, second)]
    known = [(abs(line.value), line.points) for line in lines if line is not None]
    if not known or any(not value or points is None for value, points in known):
        return None
    values = [0.0 if line is None else line.value for line in lines]
    knots = [line.value for side in (first, second) if (line := side.get((target, name))) and column != name]
    if len(knots) == 2:
        return abs(knots[0] - knots[1]) * max(map(abs, values))
    return abs(values[0] - values[1]) * max((points or 0.0) / value for value, points in known)


def _is_compared(line: PolicyLine) -> bool:
    return not line.since and line.name.partition(" ")[0] not in CLASSES


def compare_rules(first: Sequence[SectionRules], second: Sequence[SectionRules]) -> PolicyComparison:
    """Compare the policies of two models, for each section that both know.

    Two models with a single policy each are compared even if their sections have different names.

    Parameters
    ----------
    first, second : sequence of SectionRules
        Rules of the models, not empty.

    Returns
    -------
    PolicyComparison
    """
    groups = [{name: group for group in groups for name in group.sections} for groups in (first, second)]
    shared = [name for name in groups[0] if name in groups[1]]
    if not shared and len(first) == len(second) == 1:
        lines = (policy_lines(first), policy_lines(second))
        return PolicyComparison(differences=tuple(policy_differences(*lines)))
    pairs: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for name in shared:
        pairs.setdefault((groups[0][name].sections, groups[1][name].sections), []).append(name)
    differences = [
        msgspec.structs.replace(difference, sections=tuple(names))
        for names in pairs.values()
        for difference in policy_differences(
            policy_lines([groups[0][names[0]]]), policy_lines([groups[1][names[0]]])
        )
    ]
    return PolicyComparison(
        differences=tuple(differences),
        only_first=tuple(name for name in groups[0] if name not in groups[1]),
        only_second=tuple(name for name in groups[1] if name not in groups[0]),
    )
