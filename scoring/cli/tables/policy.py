"""Tables of the learned policy; :mod:`scoring.cli.formats` writes JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text

from scoring.cli.tables.common import empty_table
from scoring.explanation.policy import PolicyDifference, PolicyLine


def policy_table(lines: Iterable[PolicyLine]) -> RenderableType:
    """The rules of each section, or of the sections that share them."""
    views: list[RenderableType] = []
    for section, of_section in groupby(lines, key=lambda line: line.section):
        table = empty_table("label", "rule", "95 % interval", "records>", "follow it>")
        for line in of_section:
            followed = "" if line.followed_ratio is None else f"{line.followed_ratio:.1%}"
            table.add_row(line.target, Text(line.text), line.interval, f"{line.n_records:,}", followed)
        views += [Text(section, style="bold"), table, Text()]
    if not views:
        return Text("no rules: they need labels of quality, or of both heat and published")
    return Group(*views[:-1])


def differences_table(
    first: str,
    second: str,
    differences: Iterable[PolicyDifference],
    only_first: Sequence[str] = (),
    only_second: Sequence[str] = (),
) -> RenderableType:
    """The rules that differ between two policies, side by side, and the sections that were not compared."""
    rows = list(differences)
    notes = [
        Text(f"only {name} knows: {', '.join(sections)}")
        for name, sections in ((first, only_first), (second, only_second))
        if sections
    ]
    if not rows:
        if notes:
            return Group(Text(f"{first} and {second}: no rule differs in a section that both know."), *notes)
        return Group(Text(f"{first} and {second}: no rule differs."))
    has_sections = any(row.section for row in rows)  # of two models
    table = empty_table(*(["section"] if has_sections else []), "label", first, second)
    for row in rows:
        sides = [Text("-" if line is None else with_interval(line)) for line in (row.first, row.second)]
        table.add_row(*([Text(row.section)] if has_sections else []), row.target, *sides)
    return Group(table, *notes)


def with_interval(line: PolicyLine) -> str:
    """A rule with the interval of its number."""
    return f"{line.text} ({line.interval})" if line.interval else line.text
