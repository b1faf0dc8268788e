"""The report of a comparison: only what differs between two runs or models."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from scoring.evaluation.comparison import Comparison
from scoring.evaluation.metrics import MEANINGS
from scoring.evaluation.paired_figures import Difference, SliceDifference
from scoring.plots import differences_figure, to_svg
from scoring.report.pages import interval, render, signed, words

_SURE = ("better", "worse")


class Moved(NamedTuple):
    """A part of the records on which figures surely differ."""

    part: SliceDifference
    differences: list[Difference]


def comparison_report(comparison: Comparison) -> str:
    """One page about what differs between two runs or models, and how sure that is.

    The page is whole, as that of :func:`scoring.report.evaluation_report`. Of records it tells paths, dates,
    scores and words of features.

    Parameters
    ----------
    comparison : Comparison
        Who is compared, and what differs.

    Returns
    -------
    str
        HTML; the same for the same value.
    """
    differences = comparison.differences
    unlike = {name: one for name, one in differences.items() if one.verdict != "same"}
    moved = [
        Moved(part, [one for one in part.differences.values() if one.verdict in _SURE])
        for part in comparison.slices
    ]
    return render(
        "comparison.html.j2",
        title=f"{comparison.second.name} against {comparison.first.name}",
        intro=_intro(comparison),
        comparison=comparison,
        differences=unlike.values(),
        same=[words(name) for name in differences if name not in unlike],
        meanings=MEANINGS,
        gains=to_svg(differences_figure(unlike), name="gains", label=_gains_label(unlike.values())),
        families=_families(one for one in moved if one.differences),
        tables=(("Parameters", comparison.parameters), ("Data", comparison.data)),
    )


def _intro(comparison: Comparison) -> str:
    span = ""
    if comparison.begins_at and comparison.ends_at:
        span = f", {comparison.begins_at:%Y-%m-%d} to {comparison.ends_at:%Y-%m-%d}"
    return (
        f"First: {comparison.first.name}; second: {comparison.second.name}. What differs on "
        f"{comparison.n_records:,} records that both scored{span}, "
        f"{comparison.n_labelled:,} of them with labels."
    )


def _families(moved: Iterable[Moved]) -> list[tuple[str, list[Moved]]]:
    return [(family, list(group)) for family, group in groupby(moved, key=lambda one: one.part.family)]


def _gains_label(differences: Iterable[Difference]) -> str:
    """What the plot of the gains shows, in words and numbers."""
    told = "; ".join(
        f"{words(one.name)} {signed(one.gain, 3)} ({interval(one)}), {one.verdict}" for one in differences
    )
    return f"Gain of the second over the first with 95 % intervals. {told or 'Nothing to draw'}."
