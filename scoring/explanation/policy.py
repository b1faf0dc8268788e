"""The learned policy in words, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scoring.features.encoding import ALL_COLUMNS
from scoring.model.rules import Rule, SectionRules

_MEANINGS = {column.name: column.meaning for column in ALL_COLUMNS}
_CLASSES = ("providers", "topics")
_COUNTED = {column.name for column in ALL_COLUMNS if column.type == "count"}


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


def policy_lines(groups: Sequence[SectionRules], section: str | None = None) -> list[PolicyLine]:
    """Write the rules of all sections, or of one, in words.

    Parameters
    ----------
    groups : sequence of SectionRules
        Rules of a model.
    section : str, optional
        Only the rules that hold for this section.

    Returns
    -------
    list of PolicyLine
        In the order of the rules.
    """
    return [
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


def policy_texts(groups: Sequence[SectionRules]) -> list[SectionPolicyText]:
    """The policies of a model in words: of the sections that share theirs, then of each other section."""
    return [
        SectionPolicyText(
            section=_joined(group.sections),
            is_own=group.is_own,
            n_records=group.n_records,
            lines=tuple(policy_lines([group])),
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
        {(line.target, line.name): line for line in lines if line.name.partition(" ")[0] not in _CLASSES}
        for lines in (first, second)
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


def text_of(rule: Rule) -> str:
    """A rule in words.

    Examples
    --------
    >>> text_of(Rule("quality", "has_image", 20.0, 19.5, 20.5, 900))
    '+20 where the record has an image'
    >>> text_of(Rule("quality", "title_chars from", 70.0, 69.0, 71.0, 300))
    'length of the title: counts from character 71 on'
    """
    value = shown(rule.value)
    signed = f"{'+' if rule.value >= 0 else ''}{value}"
    if rule.name == "floor":
        return f"never below {value}"
    if rule.name == "best leads":
        return "a record leads its story where no related record has a higher quality"
    if rule.name == "bonus":
        return f"each related record adds {value} to the heat of a lead"
    if rule.name == "bonus from":
        return f"it does where the quality of the lead is {value} or more"
    if rule.name == "published from":
        return f"published from a heat of {value}"
    column, _, detail = rule.name.partition(" ")
    meaning = _MEANINGS.get(column, column)
    if detail == "from":
        return f"{meaning}: counts from character {shown(rule.value + 1)} on"
    if column in _CLASSES:
        return f"{signed} for some {column}"
    if column in ("title_chars", "excerpt_chars"):
        return f"{signed} for each character of the {meaning} that counts"
    return f"{signed} for each of: {meaning}" if column in _COUNTED else f"{signed} where {meaning}"


def interval_of(rule: Rule) -> str:
    """The interval of a rule's number; empty where it has none."""
    return "" if rule.low == rule.high else f"{shown(rule.low)} to {shown(rule.high)}"


def shown(value: float) -> str:
    """A number with as many decimals as it needs, two at most.

    Examples
    --------
    >>> shown(20.004), shown(-0.5), shown(8.91)
    ('20', '-0.5', '8.91')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) >= 0.005 else "0"
