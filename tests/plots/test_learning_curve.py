"""Plot of learning curves, checked by the drawn values."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

from scoring.evaluation.learning_curve import CurvePoint, summarize
from scoring.plots import learning_curve_figure


def point(section: str, n_labels: int, *errors: float) -> CurvePoint:
    draws = tuple({"quality_mae": error} for error in errors)
    error = "" if draws else "too few records"
    return CurvePoint(section, n_labels, 300, 1200, draws, summarize(draws), error)


def test_each_section_has_a_line_of_medians_in_a_band() -> None:
    points = [point("Tea", 5), point("Tea", 20, 4.0, 2.0, 9.0), point("Tea", 100, 1.5), point("$x$", 50, 3.0)]
    figure = learning_curve_figure(points)
    assert figure.get_suptitle() == "Error of quality by number of labels\n2,400 records evaluated"
    (axes,) = figure.axes
    tea, other = axes.get_lines()
    assert tea.get_xdata() == pytest.approx([20, 100])
    assert tea.get_ydata() == pytest.approx([4.0, 1.5])
    assert other.get_xdata() == pytest.approx([50])
    assert other.get_ydata() == pytest.approx([3.0])
    assert tea.get_color() != other.get_color()
    vertices = np.asarray(axes.collections[0].get_paths()[0].vertices)
    assert {tuple(vertex) for vertex in vertices} >= {(20.0, 2.0), (20.0, 9.0), (100.0, 1.5)}
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["20", "50", "100"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["Tea (1,200)", r"\$x\$ (1,200)"]
    png = BytesIO()
    figure.savefig(png, format="png", dpi=40)
    assert png.getvalue().startswith(b"\x89PNG")


def test_there_may_be_nothing_to_draw() -> None:
    figure = learning_curve_figure([point("Tea", 5)])
    assert [text.get_text() for text in figure.axes[0].texts] == ["no data"]


def test_many_sections_differ_by_colour_or_dashes() -> None:
    figure = learning_curve_figure([point(f"section {index}", 20, 1.0) for index in range(14)])
    lines = figure.axes[0].get_lines()
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == len(lines)
