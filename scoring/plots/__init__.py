"""Plots; the only package that imports matplotlib.

Each function makes a :class:`matplotlib.figure.Figure` of its own: pyplot and its backend are never
touched, nor are the global settings, but for a moment while :func:`to_svg` draws. Colours are Okabe and
Ito's, which colour-blind readers can tell apart.
"""

from scoring.plots.backtest import backtest_figure
from scoring.plots.comparison import differences_figure
from scoring.plots.drift import drift_figure
from scoring.plots.evaluation import evaluation_figures
from scoring.plots.importance import importance_figure
from scoring.plots.svg import to_svg

__all__ = [
    "backtest_figure",
    "differences_figure",
    "drift_figure",
    "evaluation_figures",
    "importance_figure",
    "to_svg",
]
