"""Plot of the boosters' feature importances."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scoring.plots.drawing import BLUE, MAX_BARS, empty


def importance_figure(importances: Iterable[tuple[str, str, float, int]]) -> Figure:
    """Plot the most important features of each booster by their share of the gain.

    Parameters
    ----------
    importances : iterable of (feature, booster, gain, split)
        Gain summed over the booster's trees, >= 0; number of splits.

    Returns
    -------
    Figure
        One panel per booster.
    """
    boosters: dict[str, list[tuple[float, str]]] = {}
    for feature, booster, gain, _ in importances:
        boosters.setdefault(booster, []).append((gain, feature))
    shown = {
        name: sorted(rows, key=lambda row: (-row[0], row[1]))[:MAX_BARS] for name, rows in boosters.items()
    }
    n_bars = max(map(len, shown.values()), default=0)
    figure = Figure(figsize=(max(1, len(shown)) * 5.2, 1.8 + 0.24 * max(4, n_bars)), layout="constrained")
    figure.suptitle("Feature importance", fontsize=13)
    if not shown:
        return empty(figure, figure.subplots())
    panels: Sequence[Axes] = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, (name, rows) in zip(panels, shown.items(), strict=True):
        total = sum(gain for gain, _ in boosters[name]) or 1.0
        axes.barh([feature for _, feature in rows], [100 * gain / total for gain, _ in rows], color=BLUE)
        axes.invert_yaxis()
        axes.set_xlabel("Share of gain (%)")
        axes.set_title(f"{name}: {len(rows)} of {len(boosters[name])} features", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
    return figure
