"""Tables of the metrics by section, the worst section first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.text import Text

from scoring.cli.tables.common import empty_table, shown_number
from scoring.deployment.gate import Check
from scoring.evaluation.paired_figures import Difference, SliceDifference
from scoring.evaluation.section_changes import SECTION, SectionChange

MAX_SECTIONS = 10  # listed in the table; the JSON output has all
_PART = f"{SECTION}: "

SectionFigures = tuple[str, int, Sequence[Difference | Check]]


def of_slices(slices: Iterable[SliceDifference]) -> list[SectionFigures]:
    """Metrics of each section, from the slices of a comparison."""
    return [
        (part.name, part.n_records, list(part.differences.values()))
        for part in slices
        if part.family == SECTION and part.differences
    ]


def of_checks(checks: Iterable[Check]) -> list[SectionFigures]:
    """Metrics of each section, from the checks of the gate."""
    by_section: dict[str, list[Check]] = {}
    for check in checks:
        if check.part.startswith(_PART):
            by_section.setdefault(check.part.removeprefix(_PART), []).append(check)
    return [(name, of_section[0].n_records, of_section) for name, of_section in by_section.items()]


def section_blocks(
    sections: Sequence[SectionFigures],
    changes: Sequence[SectionChange],
    sides: tuple[str, str],
    left_out: Mapping[str, int],
) -> Iterator[RenderableType]:
    """One line on the worst section, the metrics of each section, and the sections with too few records."""
    if changes:
        yield Text(worst_in_words(changes, sides), style="bold" if changes[0].is_clearly_worse else "")
        table = empty_table(
            SECTION, "records>", "metric", *(f"{s}>" for s in sides), "gain>", "95 % interval>"
        )
        for name, n_records, differences in sections[:MAX_SECTIONS]:
            first_cells: tuple[str | Text, str] = (Text(name, overflow="fold"), f"{n_records:,}")
            for difference in differences:
                table.add_row(*first_cells, *_cells(difference))
                first_cells = ("", "")
        yield table
    if len(sections) > MAX_SECTIONS:
        yield Text(f"{len(sections) - MAX_SECTIONS} more sections, all with a better gain: see --json")
    if left_out:
        listed = ", ".join(f"{name} ({count:,} records)" for name, count in left_out.items())
        yield Text(f"too few records to compare by {SECTION}: {listed}")


def worst_in_words(changes: Sequence[SectionChange], sides: tuple[str, str]) -> str:
    """One line on the worst section: the metric in which it is worst, and its gain."""
    worst = changes[0]
    difference = worst.difference
    verdict = "clearly worse" if worst.is_clearly_worse else difference.verdict
    gain, interval = _gain(difference)
    text = (
        f"worst {SECTION}: {worst.section} ({worst.n_records:,} records), {difference.name} "
        f"{sides[0]} {shown_number(difference.first)}, {sides[1]} {shown_number(difference.second)}, "
        f"gain {gain}{f' ({interval})' if interval else ''}"
    )
    if verdict in ("better", "worse", "clearly worse"):
        text += f": {verdict}"
    n_more = sum(change.is_clearly_worse for change in changes[1:])
    if not n_more:
        return text
    others = "1 other section" if n_more == 1 else f"{n_more} other sections"
    return f"{text}; also clearly worse in {others}"


def _cells(difference: Difference | Check) -> tuple[str, ...]:
    name = difference.figure if isinstance(difference, Check) else difference.name
    values = (shown_number(difference.first), shown_number(difference.second))
    return (name, *values, *_gain(difference))


def _gain(difference: Difference | Check) -> tuple[str, str]:
    low, high = difference.low, difference.high
    interval = "" if low is None or high is None else f"{low:+.3g} to {high:+.3g}"
    return f"{difference.gain:+.3g}", interval
