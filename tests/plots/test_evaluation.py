"""Plots of an evaluation, checked by the drawn values; no global state changes."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

from scoring.evaluation.results import Evaluation
from scoring.plots import evaluation_figures
from scoring.plots.drawing import MAX_BARS
from scoring.plots.evaluation import (
    MAX_STEPS,
    calibration,
    calibration_figure,
    heat_figure,
    precision_recall,
    precision_recall_figure,
    quality_figure,
    residuals_by_month_figure,
    residuals_by_provider_figure,
)

NAMES = ["quality", "residuals_by_provider", "residuals_by_month", "precision_recall", "calibration", "heat"]


def predictions(n: int, *, is_one_class: bool = False) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    quality = rng.integers(0, 130, n)
    lead = np.zeros(n, bool) if is_one_class else rng.random(n) < 0.4
    heat = np.where(lead, quality + 20 * rng.integers(0, 9, n), -1)
    day = rng.integers(0, 300, n).astype("timedelta64[D]")
    return {
        "published_at": np.datetime64("2021-01-01", "us") + day,
        "provider": np.array([f"news{k}.example.com" for k in rng.integers(0, 30, n)], dtype=object),
        "quality": quality,
        "quality_predicted": quality + rng.normal(0, 3, n),
        "heat": heat,
        "heat_predicted": np.where(rng.random(n) < 0.1, -1, heat),
        "lead": lead,
        "lead_probability": np.clip(lead * 0.6 + rng.random(n) * 0.4, 0, 1),
        "published": heat >= 70,
        "published_probability": rng.random(n),
    }


def evaluation(columns: dict[str, np.ndarray]) -> Evaluation:
    return Evaluation(len(columns["quality"]), None, None, {}, {}, (), columns)


@pytest.mark.parametrize("is_one_class", [False, True])
@pytest.mark.parametrize("n", [0, 1, 300])
def test_every_figure_can_be_saved(n: int, is_one_class: bool) -> None:
    figures = evaluation_figures(evaluation(predictions(n, is_one_class=is_one_class)))
    assert list(figures) == NAMES
    for figure in figures.values():
        png = BytesIO()
        figure.savefig(png, format="png", dpi=40)
        assert png.getvalue().startswith(b"\x89PNG")
        assert f"{n} record" in figure.get_suptitle()
        assert figure.axes[-1].get_xlabel()


def test_quality_shows_each_record_and_the_error() -> None:
    columns = predictions(40)
    figure = quality_figure(columns)
    points = np.asarray(figure.axes[0].collections[0].get_offsets())
    np.testing.assert_allclose(points, np.column_stack([columns["quality"], columns["quality_predicted"]]))
    legend = figure.axes[0].get_legend()
    error = np.abs(columns["quality"] - columns["quality_predicted"]).mean()
    assert legend is not None
    assert legend.get_title().get_text() == f"mean absolute error {error:.2f}"


def test_residuals_name_the_largest_providers_and_their_median() -> None:
    columns = predictions(0) | {
        "provider": np.array(["b.example"] * 3 + ["a.example"] * 1, dtype=object),
        "quality": np.array([10, 10, 10, 10]),
        "quality_predicted": np.array([9.0, 12.0, 15.0, 4.0]),
    }
    axes = residuals_by_provider_figure(columns).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b.example (3)", "a.example (1)"]
    medians = next(line for line in axes.lines if line.get_label() == "median")
    assert np.asarray(medians.get_xdata()).tolist() == [2.0, -6.0]


def test_residuals_tell_how_many_providers_are_left_out() -> None:
    figure = residuals_by_provider_figure(predictions(300))
    assert figure.get_suptitle().endswith(f"300 records, {MAX_BARS} of 30 providers")
    assert len(figure.axes[0].get_yticklabels()) == MAX_BARS


def test_months_are_in_order_and_undated_records_last() -> None:
    columns = predictions(0) | {
        "published_at": np.array(["2021-03-02", "NaT", "2020-12-31", "2021-03-30"], dtype="datetime64[us]"),
        "quality": np.array([1, 2, 3, 4]),
        "quality_predicted": np.array([1.0, 2.0, 3.0, 4.0]),
    }
    labels = residuals_by_month_figure(columns).axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["2020-12 (1)", "2021-03 (2)", "no date (1)"]


def test_precision_and_recall_against_a_count_at_each_cut() -> None:
    rng = np.random.default_rng(3)
    truth, probability = rng.random(80) < 0.3, rng.integers(0, 12, 80) / 12  # ties on purpose
    precision, recall = precision_recall(truth, probability)
    cuts = sorted(set(probability.tolist()), reverse=True)
    expected = [
        (truth[probability >= cut].mean(), truth[probability >= cut].sum() / truth.sum()) for cut in cuts
    ]
    np.testing.assert_allclose(np.column_stack([precision, recall]), expected)


def test_precision_recall_says_what_it_cannot_draw() -> None:
    legend = precision_recall_figure(predictions(30, is_one_class=True)).axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "lead: not drawn, all labels are of one class",
        "published: not drawn, all labels are of one class",
    ]


def test_calibration_draws_the_share_of_each_bin() -> None:
    columns = predictions(0) | {
        "lead": np.repeat([True, False, True, True], 5),
        "lead_probability": np.repeat([0.42, 0.48, 0.97, 1.0], 5),
        "published": np.repeat([False, False, False, True], 5),
        "published_probability": np.repeat([0.0, 0.01, 0.02, 0.03], 5),
    }
    line = next(line for line in calibration_figure(columns).axes[0].lines if line.get_color() == "#0072B2")
    np.testing.assert_allclose(np.asarray(line.get_xydata()), [[0.45, 0.5], [0.985, 1.0]])


def test_bins_of_few_records_are_merged() -> None:
    probability = np.concatenate([np.full(12, 0.05), np.full(3, 0.35), np.full(8, 0.55), np.full(4, 0.95)])
    truth = np.arange(27) % 2 == 0
    middle, share, count = calibration(truth, probability)
    assert count.tolist() == [12, 15]
    assert middle.tolist() == pytest.approx([0.05, (3 * 0.35 + 8 * 0.55 + 4 * 0.95) / 15])
    assert share.tolist() == pytest.approx([0.5, 8 / 15])
    few = calibration(truth[:4], probability[:4])
    assert few[2].tolist() == [4]


def test_calibration_counts_the_records_of_its_points() -> None:
    figure = calibration_figure(predictions(300))
    _, below = figure.axes
    numbers = [text.get_text() for text in below.texts]
    columns = predictions(300)
    expected = [
        calibration(columns[name], columns[f"{name}_probability"])[2] for name in ("lead", "published")
    ]
    assert numbers == [str(number) for counts in expected for number in counts]


def test_one_far_record_does_not_squeeze_the_others() -> None:
    columns = predictions(60)
    columns["quality"] = columns["quality"].copy()
    columns["quality"][0] = 9000
    figure = quality_figure(columns)
    assert figure.get_suptitle().endswith("60 records, 1 record out of view")
    assert figure.axes[0].get_xlim()[1] < 400
    assert "out of view" not in quality_figure(predictions(60)).get_suptitle()


def test_heat_counts_who_leads() -> None:
    columns = predictions(0) | {
        "heat": np.array([-1, -1, 70, 9, -1]),
        "heat_predicted": np.array([-1, 40, 70, -1, -1]),
    }
    axes = heat_figure(columns).axes[0]
    assert axes.texts[0].get_text() == "2\nagree"
    legend = axes.get_legend()
    assert legend is not None
    assert legend.get_texts()[1].get_text() == "wrong lead: 2"
    np.testing.assert_allclose(np.asarray(axes.collections[0].get_offsets()), [[np.log10(71)] * 2])


def test_curves_of_many_records_are_thinned_but_keep_their_ends_and_figures() -> None:
    rng = np.random.default_rng(3)
    columns = predictions(5000) | {"lead_probability": rng.random(5000)}
    line = precision_recall_figure(columns).axes[0].get_lines()[0]
    precision, recall = precision_recall(columns["lead"], columns["lead_probability"])
    drawn = np.asarray(line.get_xydata())
    assert len(drawn) == MAX_STEPS
    assert drawn[[0, -1]].tolist() == [[recall[0], precision[0]], [recall[-1], precision[-1]]]
    average = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    assert f"average precision {average:.3f}" in str(line.get_label())


def test_names_with_dollar_signs_are_no_formulas() -> None:
    columns = predictions(60) | {"provider": np.array(["$x^$.example"] * 60, dtype=object)}
    figure = residuals_by_provider_figure(columns)
    figure.savefig(BytesIO(), format="png", dpi=40)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["$x^$.example (60)"]


def test_records_without_a_heat_are_in_the_plots_of_quality_alone() -> None:
    columns = predictions(40)
    columns["heat"] = np.where(np.arange(40) < 15, np.nan, columns["heat"])
    figures = evaluation_figures(evaluation(columns))
    shown = {name: figure.get_suptitle().splitlines()[1] for name, figure in figures.items()}
    assert shown["quality"] == "40 records"
    assert [shown[name] for name in ("precision_recall", "calibration", "heat")] == ["25 records"] * 3
