"""Plots; the only package that imports matplotlib.

Each function returns a new :class:`matplotlib.figure.Figure`. Neither pyplot nor a backend is used, and
global settings change only while :func:`to_svg` draws. The colours are those of Okabe and Ito, which
colour-blind readers can distinguish.
"""

from scoring.extras import naming_extras

with naming_extras("report"):
    from scoring.plots.backtest import backtest_figure
    from scoring.plots.comparison import differences_figure
    from scoring.plots.drift import drift_figure
    from scoring.plots.evaluation import evaluation_figures
    from scoring.plots.importance import importance_figure
    from scoring.plots.learning_curve import learning_curve_figure
    from scoring.plots.svg import to_svg

__all__ = [
    "backtest_figure",
    "differences_figure",
    "drift_figure",
    "evaluation_figures",
    "importance_figure",
    "learning_curve_figure",
    "to_svg",
]
