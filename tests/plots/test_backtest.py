"""Plots of a backtest, checked by the drawn values."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

from scoring.evaluation.backtest import HEADLINES, FoldResult
from scoring.evaluation.results import Figure as Value
from scoring.plots import backtest_figure


def test_backtest_has_a_panel_for_each_figure_and_a_gap_where_there_is_none() -> None:
    baselines = {"plain LightGBM": {"quality_mae": 4.0}}
    folds = [
        FoldResult("2021-01", 300, 1200, {"quality_mae": Value(2.0, 1.5, 2.75)}, baselines),
        FoldResult("2021-02", 400, 7, {"quality_mae": Value(1.0), "published_f1": Value(0.5)}, {}),
    ]
    figure = backtest_figure("month", folds)
    assert figure.get_suptitle() == "Backtest by month: 2 trainings, 1,207 records evaluated"
    panels = {axes.get_title(): axes for axes in figure.axes}
    assert list(panels) == [name.replace("_", " ") for name in HEADLINES]
    baseline, model = panels["quality mae"].get_lines()
    assert model.get_ydata() == pytest.approx([2.0, 1.0])
    assert baseline.get_ydata() == pytest.approx([4.0, np.nan], nan_ok=True)
    assert model.get_linestyle() == "-"
    (intervals,) = panels["quality mae"].collections
    assert intervals.get_paths()[0].vertices == pytest.approx(np.array([[0, 1.5], [0, 2.75]]))
    assert panels["published f1"].get_lines()[1].get_ydata() == pytest.approx([np.nan, 0.5], nan_ok=True)
    labels = [label.get_text() for label in panels["heat ndcg 10"].get_xticklabels()]
    assert labels == ["2021-01 (1,200)", "2021-02 (7)"]
    png = BytesIO()
    figure.savefig(png, format="png", dpi=40)
    assert png.getvalue().startswith(b"\x89PNG")


def test_sections_of_a_backtest_are_not_joined() -> None:
    figure = backtest_figure("section", [FoldResult("Tea", 10, 20, {"quality_mae": Value(2.0)}, {})])
    assert {line.get_linestyle() for line in figure.axes[0].get_lines()} == {"None"}
    png = BytesIO()
    backtest_figure("section", []).savefig(png, format="png", dpi=40)
    assert png.getvalue().startswith(b"\x89PNG")
