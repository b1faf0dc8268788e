"""Plot of a backtest: metrics by fold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scoring.evaluation.backtest import HEADLINES, FoldResult
from scoring.plots.drawing import BLUE, GREY, empty


def backtest_figure(by: str, folds: Sequence[FoldResult], *, baseline: str = "plain LightGBM") -> Figure:
    """Plot each headline metric by fold, with its interval and a baseline.

    Parameters
    ----------
    by : str
        Kind of folds: ``month`` (joined by a line) or ``section``.
    folds : sequence of FoldResult
        Folds, in order.
    baseline : str
        Baseline to draw; missing values leave gaps.

    Returns
    -------
    Figure
        One panel per metric.
    """
    columns = 3
    rows = -(-len(HEADLINES) // columns)
    width = 3.2 + 0.16 * max(4, len(folds))
    figure = Figure(figsize=(columns * width, 1.6 + 2.4 * rows), layout="constrained")
    n_records = sum(fold.n_records for fold in folds)
    figure.suptitle(f"Backtest by {by}: {len(folds)} trainings, {n_records:,} records evaluated", fontsize=12)
    panels: np.ndarray = figure.subplots(rows, columns, sharex=True, squeeze=False)
    if not folds:
        return empty(figure, panels[rows // 2, columns // 2])
    line = "-" if by == "month" else ""
    for axes, name in zip(panels.flat, HEADLINES, strict=True):
        _draw_folds(axes, name, folds, baseline, line)
    labels = [f"{fold.name} ({fold.n_records:,})" for fold in folds]
    for axes in panels[-1]:
        axes.set_xticks(range(len(folds)), labels, rotation=90, fontsize=8)
    figure.legend(
        *panels[0, 0].get_legend_handles_labels(), loc="outside lower center", frameon=False, ncols=2
    )
    return figure


def _draw_folds(axes: Axes, name: str, folds: Sequence[FoldResult], baseline: str, line: str) -> None:
    """Plot one metric of all folds; a fold without it leaves a gap."""
    nan = float("nan")
    metrics = [fold.figures.get(name) for fold in folds]
    value = np.array([nan if metric is None else metric.value for metric in metrics])
    low = np.array([nan if metric is None or metric.low is None else metric.low for metric in metrics])
    high = np.array([nan if metric is None or metric.high is None else metric.high for metric in metrics])
    others = np.array([fold.baselines.get(baseline, {}).get(name, nan) for fold in folds])
    x = np.arange(len(folds))
    axes.plot(x, others, "s", linestyle=line, color=GREY, markersize=3, linewidth=1, label=baseline)
    axes.plot(
        x, value, "o", linestyle=line, color=BLUE, markersize=4, linewidth=1.5, label="model, 95 % interval"
    )
    axes.vlines(x, low, high, color=BLUE, linewidth=1.2, alpha=0.6)
    axes.set_title(name.replace("_", " "), fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
