"""Tables of the learned policy; :mod:`scoring.cli.formats` has JSON."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text

from scoring.cli.tables.common import empty_table
from scoring.explanation.policy import PolicyDifference, PolicyLine


def policy_table(lines: Iterable[PolicyLine]) -> RenderableType:
    """The rules of each section, or of those that share theirs."""
    views: list[RenderableType] = []
    for section, of_section in groupby(lines, key=lambda line: line.section):
        table = empty_table("label", "rule", "95 % interval", "records>", "follow it>")
        for line in of_section:
            followed = "" if line.followed_ratio is None else f"{line.followed_ratio:.1%}"
            table.add_row(line.target, Text(line.text), line.interval, f"{line.n_records:,}", followed)
        views += [Text(section, style="bold"), table, Text()]
    return Group(*views[:-1])


def differences_table(first: str, second: str, differences: Iterable[PolicyDifference]) -> RenderableType:
    """The rules that two policies do not agree on, side by side."""
    rows = list(differences)
    if not rows:
        return Text(f"{first} and {second} have the same rules.")
    table = empty_table("label", first, second)
    for row in rows:
        cells = [
            "-" if line is None else f"{line.text} ({line.interval})" if line.interval else line.text
            for line in (row.first, row.second)
        ]
        table.add_row(row.target, *map(Text, cells))
    return table
