"""Plot of learning curves: error of quality by number of labels."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from scoring.evaluation.learning_curve import CurvePoint
from scoring.plots.drawing import COLOURS, empty, new_figure

_DASHES = ("-", "--", ":", "-.")  # once the colours are used up


def learning_curve_figure(points: Sequence[CurvePoint]) -> Figure:
    """Plot the median error by number of labels, with a band from the best to the worst draw.

    Parameters
    ----------
    points : sequence of CurvePoint
        Points of one or more sections; those that could not be trained are left out.

    Returns
    -------
    Figure
        One panel with a line for each section.
    """
    curves: dict[str, list[CurvePoint]] = {}
    for point in points:
        if point.draws:
            curves.setdefault(point.section, []).append(point)
    n_records = sum(curve[0].n_records for curve in curves.values())
    figure, axes = new_figure("Error of quality by number of labels", n_records, " evaluated")
    if not curves:
        return empty(figure, axes)
    for index, (section, curve) in enumerate(curves.items()):
        colour, dashes = COLOURS[index % len(COLOURS)], _DASHES[index // len(COLOURS) % len(_DASHES)]
        n_labels = [point.n_labels for point in curve]
        median, best, worst = (
            [point.figures[name] for point in curve]
            for name in ("quality_mae", "quality_mae_best", "quality_mae_worst")
        )
        # A dollar sign would begin a formula.
        label = f"{section} ({curve[0].n_records:,})".replace("$", r"\$")
        axes.fill_between(n_labels, best, worst, color=colour, alpha=0.15, linewidth=0)
        axes.plot(n_labels, median, "o", linestyle=dashes, color=colour, markersize=4, label=label)
    axes.set_xscale("log")
    ticks = sorted({point.n_labels for point in points if point.draws})
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("Labels of the section")
    axes.set_ylabel("Mean absolute error, points: median, best and worst draw")
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside lower center", frameon=False, ncols=3)
    return figure
