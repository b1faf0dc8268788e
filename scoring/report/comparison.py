"""HTML report of a comparison: the differences between two runs or models."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from scoring.evaluation.comparison import Comparison
from scoring.evaluation.metrics import MEANINGS
from scoring.evaluation.paired_figures import Difference, SliceDifference
from scoring.evaluation.section_changes import SECTION
from scoring.evaluation.verdict import comparison_verdict
from scoring.plots import differences_figure, to_svg
from scoring.report.pages import interval, render, signed, words

_SIGNIFICANT = ("better", "worse")


class Moved(NamedTuple):
    """A slice with metrics that differ significantly."""

    part: SliceDifference
    differences: list[Difference]


def comparison_report(comparison: Comparison, verdict: str | None = None) -> str:
    """Render the differences between two runs or models, with their intervals, as one page.

    The page begins with a verdict in one sentence. It is self-contained, like that of
    :func:`scoring.report.evaluation_report`. Of records it shows paths, dates, scores and words of features.

    Parameters
    ----------
    comparison : Comparison
        Result of a comparison.
    verdict : str, optional
        The verdict, if the models were judged. Default: that of
        :func:`scoring.evaluation.verdict.comparison_verdict`.

    Returns
    -------
    str
        HTML; deterministic.
    """
    differences = comparison.differences
    changed = {name: difference for name, difference in differences.items() if difference.verdict != "same"}
    moved = [Moved(part, _significant(part)) for part in comparison.slices]
    return render(
        "comparison.html.j2",
        title=f"{comparison.second.name} against {comparison.first.name}",
        intro=_intro(comparison),
        verdict=comparison_verdict(comparison) if verdict is None else verdict,
        contents=_contents(comparison),
        comparison=comparison,
        differences=changed.values(),
        same=[words(name) for name in differences if name not in changed],
        meanings=MEANINGS,
        gains=to_svg(differences_figure(changed), name="gains", label=_gains_label(changed.values())),
        section_family=SECTION,
        families=_families(entry for entry in moved if entry.differences),
        tables=(("Parameters", comparison.parameters), ("Data", comparison.data)),
    )


def _contents(comparison: Comparison) -> list[tuple[str, str]]:
    """Ids and names of the parts of the page."""
    has_sections = comparison.sections or comparison.sections_left_out
    return [
        ("figures", "Metrics"),
        *([("sections", "Sections")] if has_sections else []),
        *(("slices", "Slices"), ("flips", "Decision changes"), ("policy", "Policy")),
        ("making", "Models and data"),
    ]


def _significant(part: SliceDifference) -> list[Difference]:
    return [difference for difference in part.differences.values() if difference.verdict in _SIGNIFICANT]


def _intro(comparison: Comparison) -> str:
    span = ""
    if comparison.begins_at and comparison.ends_at:
        span = f", {comparison.begins_at:%Y-%m-%d} to {comparison.ends_at:%Y-%m-%d}"
    return (
        f"First: {comparison.first.name}; second: {comparison.second.name}. Differences on "
        f"{comparison.n_records:,} records scored by both{span}, "
        f"{comparison.n_labelled:,} of them with labels."
    )


def _families(moved: Iterable[Moved]) -> list[tuple[str, list[Moved]]]:
    return [(family, list(group)) for family, group in groupby(moved, key=lambda entry: entry.part.family)]


def _gains_label(differences: Iterable[Difference]) -> str:
    """Text alternative of the plot of gains."""
    gains = "; ".join(
        f"{words(gain.name)} {signed(gain.gain, 3)} ({interval(gain)}), {gain.verdict}"
        for gain in differences
    )
    return f"Gain of the second over the first with 95 % intervals. {gains or 'No data'}."
