"""The learned policy in words, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scoring.explanation.policy_changes import effect_text, moment_of
from scoring.explanation.rule_texts import CLASSES, interval_of, text_of
from scoring.model.policy_change import PolicyChange
from scoring.model.rules import SectionRules


class PolicyLine(msgspec.Struct, frozen=True):
    """One rule in words.

    Parameters
    ----------
    section : str
        The section, or the sections that share the rule, joined by commas.
    target : str
        The label that it decides.
    text : str
        The rule.
    interval : str
        95 % interval of its number; empty where it has none.
    n_records : int
        Labelled records that it rests on.
    followed_ratio : float or None
        Share of them that follow it.
    name : str
        Name of the rule; see :class:`scoring.model.rules.Rule`.
    value, low, high : float
        Its number and interval.
    since : str
        Of a changed rule: when it began to hold, ISO 8601; empty otherwise.
    """

    section: str
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


class PolicyDifference(msgspec.Struct, frozen=True):
    """A rule that two policies do not agree on; None where one has no such rule.

    ``section`` has the sections of two models to which it applies, joined by commas.
    """

    target: str
    name: str
    first: PolicyLine | None
    second: PolicyLine | None
    section: str = ""


class SectionPolicyText(msgspec.Struct, frozen=True, kw_only=True):
    """The policy of a section, or of the sections that share theirs, in words.

    Parameters
    ----------
    section : str
        The section, or the sections, joined by commas.
    is_own : bool
        Whether the section has a policy of its own.
    n_records : int
        Labelled records that it was learned from.
    lines : tuple of PolicyLine
        Its rules.
    """

    section: str
    is_own: bool
    n_records: int
    lines: tuple[PolicyLine, ...]


class PolicyComparison(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between the policies of two models.

    Parameters
    ----------
    differences : tuple of PolicyDifference
        Rules that they do not agree on, section by section.
    only_first, only_second : tuple of str
        Sections that only one of the models knows; their rules are not compared.
    fault : str
        Why the policies were not compared; empty if they were.
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
        In the order of the rules; then what changed.
    """
    lines = [
        PolicyLine(
            _joined(group.sections),
            rule.target,
            text_of(rule),
            interval_of(rule),
            rule.n_records,
            rule.followed_ratio,
            rule.name,
            rule.value,
            rule.low,
            rule.high,
        )
        for group in groups
        if section is None or section in group.sections
        for rule in group.rules
    ]
    return lines + _change_lines([change for change in changes if section in (None, change.section)])


def _change_lines(changes: Sequence[PolicyChange]) -> list[PolicyLine]:
    """Each changed effect in words: its value since the change, which rests on the labels since then."""
    return [
        PolicyLine(
            _joined([change.section]),
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
        )
        for change in changes
        for effect in change.effects
    ]


def policy_texts(
    groups: Sequence[SectionRules], changes: Sequence[PolicyChange] = ()
) -> list[SectionPolicyText]:
    """The policies of a model in words, with their changes: of sections that share theirs, then of others."""
    return [
        SectionPolicyText(
            section=_joined(group.sections),
            is_own=group.is_own,
            n_records=group.n_records,
            lines=(
                *policy_lines([group]),
                *_change_lines([change for change in changes if change.section in group.sections]),
            ),
        )
        for group in groups
    ]


def _joined(sections: Sequence[str]) -> str:
    return ", ".join(name or "(no section)" for name in sections)


def policy_differences(first: Sequence[PolicyLine], second: Sequence[PolicyLine]) -> list[PolicyDifference]:
    """Rules whose intervals do not overlap, and effects on quality that only one of the policies has.

    Providers and topics of the same worth are not compared: two policies name different ones.
    """
    of_first, of_second = (
        {(line.target, line.name): line for line in lines if _is_compared(line)} for lines in (first, second)
    )
    differences = []
    for key in {**of_first, **of_second}:
        one, other = of_first.get(key), of_second.get(key)
        if one is None or other is None:
            is_other = key[0] == "quality"  # other rules are missing where too few records show them
        else:
            is_other = one.high < other.low or other.high < one.low
        if is_other:
            differences.append(PolicyDifference(*key, one, other))
    return differences


def _is_compared(line: PolicyLine) -> bool:
    return not line.since and line.name.partition(" ")[0] not in CLASSES


def compare_rules(first: Sequence[SectionRules], second: Sequence[SectionRules]) -> PolicyComparison:
    """What differs between the policies of two models, for each section that both know.

    Models of one policy each are compared whatever their sections are called.

    Parameters
    ----------
    first, second : sequence of SectionRules
        Rules of the models; each has some.

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
        msgspec.structs.replace(difference, section=_joined(names))
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
