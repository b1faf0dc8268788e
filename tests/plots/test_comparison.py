"""Plots of a comparison, checked by the drawn values."""

from __future__ import annotations

import numpy as np

from scoring.evaluation.paired_figures import Difference
from scoring.plots import differences_figure
from scoring.plots.drawing import BLUE, GREY, ORANGE


def test_gains_have_dots_whiskers_and_a_panel_for_each_unit() -> None:
    figure = differences_figure(
        {
            "lead_accuracy": Difference("lead_accuracy", 0.75, 1.0, 0.25, 0.125, 0.5),
            "quality_mae": Difference("quality_mae", 2.0, 3.0, -1.0, -2.0, -0.5),
            "heat_ndcg_10": Difference("heat_ndcg_10", 0.5, 0.625, 0.125, -0.25, 0.5),
            "published_f1": Difference("published_f1", 0.5, 0.75, 0.25),
        }
    )
    points, ratio = figure.axes
    assert points.get_xlabel().startswith("Gain (points)")
    assert [label.get_text() for label in points.get_yticklabels()] == ["quality mae"]
    assert [label.get_text() for label in ratio.get_yticklabels()] == [
        "lead accuracy", "heat ndcg 10", "published f1",
    ]  # fmt: skip
    dots = [line for axes in (points, ratio) for line in axes.get_lines()[1:]]
    assert [np.asarray(dot.get_xydata()).tolist() for dot in dots] == [
        [[-1.0, 0.0]], [[0.25, 0.0]], [[0.125, 1.0]], [[0.25, 2.0]],
    ]  # fmt: skip
    assert [(dot.get_color(), dot.get_marker()) for dot in dots] == [
        (ORANGE, "s"), (BLUE, "o"), (GREY, "D"), (GREY, "D"),
    ]  # fmt: skip
    whiskers = [collection.get_paths()[0].vertices for collection in ratio.collections]
    np.testing.assert_allclose(np.asarray(whiskers), [[[0.125, 0], [0.5, 0]], [[-0.25, 1], [0.5, 1]]])


def test_wide_interval_does_not_squeeze_the_others() -> None:
    names = ("lead_accuracy", "heat_ndcg_10", "published_f1")
    differences = {name: Difference(name, 0.5, 0.625, 0.125, 0.0625, 0.25) for name in names}
    wide = Difference("published_recall", 0.5, 0.75, 0.25, -8.0, 8.5)
    (axes,) = differences_figure(differences | {"published_recall": wide}).axes
    assert axes.get_xlim() == (-1.5, 1.5)
    arrows = [line for line in axes.get_lines() if str(line.get_marker()) in "<>"]
    assert [np.asarray(arrow.get_xydata()).tolist() for arrow in arrows] == [[[-1.5, 3.0]], [[1.5, 3.0]]]
    assert axes.get_xlabel().endswith("; an arrow: the interval goes on")


def test_no_difference_says_so() -> None:
    assert differences_figure({}).axes[0].texts[0].get_text() == "no data"
