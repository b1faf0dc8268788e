"""Tables of the learned policy; :mod:`scoring.cli.formats` writes JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text

from scoring.cli.tables.common import empty_table
from scoring.explanation.policy import PolicyDifference, PolicyLine


def policy_table(lines: Iterable[PolicyLine]) -> RenderableType:
    """The rules of each section, or of the sections that share them, without very small changes."""
    views: list[RenderableType] = []
    all_lines = list(lines)
    shown = [line for line in all_lines if not line.is_small_change]
    for section, of_section in groupby(shown, key=lambda line: line.sections_text):
        heads = ("label", "rule", "95 % interval", "records>", "follow it>")
        table = empty_table(*heads, drops=("records", "95 % interval", "follow it"), wraps=("rule",))
        for line in of_section:
            followed = "" if line.followed_ratio is None else f"{line.followed_ratio:.1%}"
            table.add_row(line.target, Text(line.text), line.interval, f"{line.n_records:,}", followed)
        views += [Text(section, style="bold"), table, Text()]
    if not views:
        return Text("no rules: they need labels of quality, or of both heat and published")
    return Group(*views[:-1], *_left_out(len(all_lines) - len(shown), "change"))


def _left_out(count: int, what: str) -> list[Text]:
    """A line that says how many small changes or differences are left out; none if there are none."""
    counted = f"{count} {what}{'' if count == 1 else 's'}"
    text = f"left out: {counted} of less than a step of the labels (--json has all)"
    return [Text(text)] if count else []


def differences_table(
    first: str,
    second: str,
    differences: Iterable[PolicyDifference],
    only_first: Sequence[str] = (),
    only_second: Sequence[str] = (),
) -> RenderableType:
    """The rules that differ between two policies, side by side, and the sections that were not compared.

    Very small differences are counted.
    """
    all_rows = list(differences)
    rows = [row for row in all_rows if not row.is_small]
    notes = [
        Text(f"only {name} knows: {', '.join(sections)}")
        for name, sections in ((first, only_first), (second, only_second))
        if sections
    ]
    left_out = _left_out(len(all_rows) - len(rows), "difference")
    if not rows:
        where = " in a section that both know" if notes else ""
        return Group(Text(f"{first} and {second}: no rule differs{where}."), *left_out, *notes)
    has_sections = any(row.sections for row in rows)  # of two models
    section = ["section"] if has_sections else []
    table = empty_table(*section, "label", first, second, drops=("section",), wraps=(first, second))
    for row in rows:
        sides = [Text("-" if line is None else with_interval(line)) for line in (row.first, row.second)]
        table.add_row(*([Text(row.sections_text)] if has_sections else []), row.target, *sides)
    return Group(table, *left_out, *notes)


def with_interval(line: PolicyLine) -> str:
    """A rule with the interval of its number."""
    return f"{line.text} ({line.interval})" if line.interval else line.text
