"""Plots of an evaluation: predictions compared with labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from scoring.evaluation.metrics import has_published
from scoring.evaluation.paired_figures import predicted_labels
from scoring.evaluation.results import Evaluation
from scoring.plots.drawing import (
    BLUE,
    GREY,
    MAX_BARS,
    ORANGE,
    empty,
    new_figure,
    note_beyond,
    scatter,
    view,
)

MAX_STEPS = 500  # of a drawn curve
N_BINS = 10  # of the predicted probability
MIN_BIN = 10  # records of a bin
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

Predictions = Mapping[str, np.ndarray]


def evaluation_figures(evaluation: Evaluation) -> dict[str, Figure]:
    """Draw all plots of an evaluation.

    Parameters
    ----------
    evaluation : Evaluation
        Evaluation with ``predictions``, which may be empty.

    Returns
    -------
    dict of str to Figure
        By file name without suffix: ``quality``, ``residuals_by_provider``, ``residuals_by_month``,
        ``precision_recall``, ``calibration``, ``heat``; those of the labels that the model has.
    """
    predictions = evaluation.predictions
    targets, settled = predicted_labels(predictions), with_decisions(predictions)
    figures: dict[str, Figure] = {}
    if "quality" in targets:
        figures["quality"] = quality_figure(predictions)
        figures["residuals_by_provider"] = residuals_by_provider_figure(predictions)
        figures["residuals_by_month"] = residuals_by_month_figure(predictions)
    if decisions_of(predictions):
        figures["precision_recall"] = precision_recall_figure(settled)
        figures["calibration"] = calibration_figure(settled)
    if "heat" in targets:
        figures["heat"] = heat_figure(settled)
    return figures


def decisions_of(predictions: Predictions) -> tuple[str, ...]:
    """Decisions that the model makes: ``lead``, ``published``, or both."""
    return tuple(name for name in ("lead", "published") if f"{name}_probability" in predictions)


def with_decisions(predictions: Predictions) -> dict[str, np.ndarray]:
    """Select the records of known heat; of a model without heat, those known to be published or not."""
    if "heat_predicted" in predictions:
        return with_heat(predictions)
    known = has_published(predictions)
    return {name: column[known] for name, column in predictions.items()}


def _heading(predictions: Predictions) -> str:
    return " and ".join(decisions_of(predictions)).capitalize()


def with_heat(predictions: Predictions) -> dict[str, np.ndarray]:
    """Select the records with a known heat; whether the others lead is unknown."""
    known = np.isfinite(predictions["heat"].astype(float))
    return {name: column[known] for name, column in predictions.items()}


def quality_figure(predictions: Predictions) -> Figure:
    """Scatter plot of predicted against true quality, in points."""
    true, predicted = predictions["quality"].astype(float), predictions["quality_predicted"].astype(float)
    known = np.isfinite(true) & np.isfinite(predicted)
    true, predicted = true[known], predicted[known]
    figure, axes = new_figure("Quality: predicted against true", true.size)
    axes.set(xlabel="True quality (points)", ylabel="Predicted quality (points)")
    if not true.size:
        return empty(figure, axes)
    low, high = view(np.concatenate([true, predicted]))
    n_beyond = int(((np.minimum(true, predicted) < low) | (np.maximum(true, predicted) > high)).sum())
    note_beyond(figure, n_beyond)
    axes.axline((low, low), slope=1, color=ORANGE, linewidth=1.5, label="perfect prediction")
    scatter(axes, true, predicted)
    margin = 0.03 * (high - low) + 1
    axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), aspect="equal")
    error = np.abs(predicted - true).mean()
    axes.legend(loc="upper left", frameon=False, title=f"mean absolute error {error:.2f}")
    return figure


def residuals_by_provider(predictions: Predictions) -> dict[str, np.ndarray]:
    """Residuals of the quality, in points, of the providers with the most records."""
    residuals, domains = _residuals(predictions), predictions["provider"].astype(str)
    providers, counts = np.unique(domains, return_counts=True)
    top = providers[np.lexsort((providers, -counts))][:MAX_BARS]
    return {str(name) or "(none)": residuals[domains == name] for name in top}


def residuals_by_provider_figure(predictions: Predictions) -> Figure:
    """Plot the residuals of the quality, in points, of the providers with the most records."""
    groups = residuals_by_provider(predictions)
    n_providers = np.unique(predictions["provider"].astype(str)).size
    note = f", {len(groups)} of {n_providers} providers" if n_providers > len(groups) else ""
    return _spread_figure("Quality error by provider", groups, predictions["quality"].size, note)


def residuals_by_month(predictions: Predictions) -> dict[str, np.ndarray]:
    """Residuals of the quality, in points, by month of publication; undated records last."""
    residuals = _residuals(predictions)
    months = predictions["published_at"].astype("datetime64[M]").astype(str)
    groups = {name: residuals[months == name] for name in sorted(set(months.tolist()))}
    undated = groups.pop("NaT", None)
    return groups | ({"no date": undated} if undated is not None else {})


def residuals_by_month_figure(predictions: Predictions) -> Figure:
    """Plot the residuals of the quality, in points, by month of publication."""
    groups = residuals_by_month(predictions)
    return _spread_figure("Quality error by month of publication", groups, predictions["quality"].size)


def precision_recall_figure(predictions: Predictions) -> Figure:
    """Precision-recall curves of ``lead`` and ``published``; a dotted line is a random guess."""
    figure, axes = new_figure(f"{_heading(predictions)}: precision against recall", predictions["lead"].size)
    axes.set(xlabel="Recall (ratio)", ylabel="Precision (ratio)", xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
    if not predictions["lead"].size:
        return empty(figure, axes)
    for target, colour in (("lead", BLUE), ("published", ORANGE)):
        if target not in decisions_of(predictions):
            continue
        truth = predictions[target].astype(bool)
        if not truth.any() or truth.all():
            axes.plot([], [], color=colour, label=f"{target}: not drawn, all labels are of one class")
            continue
        precision, recall = precision_recall(truth, predictions[f"{target}_probability"])
        shown = np.unique(np.linspace(0, recall.size - 1, MAX_STEPS).astype(int))
        share = truth.mean()
        label = f"{target}: average precision {average_precision(precision, recall):.3f}, share {share:.2f}"
        axes.step(recall[shown], precision[shown], where="pre", color=colour, linewidth=1.8, label=label)
        axes.axhline(share, color=colour, linewidth=1, linestyle=":")
    axes.legend(loc="lower left", frameon=True, framealpha=0.9, edgecolor="none")
    return figure


def precision_recall(truth: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall at each distinct probability, in descending order.

    Parameters
    ----------
    truth : ndarray of bool of shape (n_records,)
        Labels; at least one is true.
    probability : ndarray of shape (n_records,)
        Predicted probabilities; 0 to 1.

    Returns
    -------
    tuple of ndarray of shape (n_distinct,)
        Precision and recall; 0 to 1.

    Examples
    --------
    >>> precision, recall = precision_recall(np.array([True, False, True]), np.array([0.9, 0.6, 0.3]))
    >>> precision.round(2).tolist(), recall.tolist()
    ([1.0, 0.5, 0.67], [0.5, 0.5, 1.0])
    """
    order = np.argsort(-probability, kind="stable")
    hits = np.cumsum(truth[order])
    last = np.append(np.flatnonzero(np.diff(probability[order])), probability.size - 1)
    return hits[last] / (last + 1), hits[last] / hits[-1]


def average_precision(precision: np.ndarray, recall: np.ndarray) -> float:
    """Average precision: precision at each threshold, weighted by the increase in recall; 0 to 1.

    Examples
    --------
    >>> average_precision(np.array([1.0, 0.5]), np.array([0.5, 1.0]))
    0.75
    """
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def calibration(
    truth: np.ndarray, probability: np.ndarray, n_bins: int = N_BINS, min_records: int = MIN_BIN
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean probability, share of positives and count of each bin.

    Bins of equal width are merged with their neighbours to the right until each has `min_records`; what is
    left over joins the last one.

    Examples
    --------
    >>> truth, probability = np.array([False, True, True, True]), np.array([0.125, 0.375, 0.875, 0.875])
    >>> calibration(truth, probability, n_bins=4, min_records=2)
    (array([0.25 , 0.875]), array([0.5, 1. ]), array([2, 2]))
    """
    bins = np.minimum((probability * n_bins).astype(int), n_bins - 1)
    groups: list[list[int]] = [[]]
    for index in np.unique(bins).tolist():
        if np.isin(bins, groups[-1]).sum() >= min_records:
            groups.append([])
        groups[-1].append(index)
    if len(groups) > 1 and np.isin(bins, groups[-1]).sum() < min_records:
        groups[-2:] = [groups[-2] + groups[-1]]
    masks = [np.isin(bins, group) for group in groups]
    middle = np.array([probability[mask].mean() for mask in masks])
    share = np.array([truth[mask].mean() for mask in masks])
    return middle, share, np.array([int(mask.sum()) for mask in masks])


def calibration_figure(predictions: Predictions) -> Figure:
    """Reliability diagram: observed share of positives by predicted probability, and the records of each bin.

    Bins are those of :func:`calibration`; error bars are the 95 % intervals of a share (Wilson, 1927).
    """
    n_records = predictions["lead"].size
    figure, axes = new_figure(f"{_heading(predictions)}: calibration", n_records)
    axes.set(xlabel="Predicted probability", ylabel="Observed share", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    if not n_records:
        return empty(figure, axes)
    figure.set_figheight(7.5)
    axes.remove()
    targets = decisions_of(predictions)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(9, len(targets)))
    axes.set(ylabel="Observed share", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    below.set(xlabel="Predicted probability", ylim=(len(targets) - 0.5, -0.5))
    below.set_yticks(range(len(targets)), [f"records, {target}" for target in targets])
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="perfect")
    # The first marker is larger, so that it stays visible behind the second.
    for target, colour, marker, size in (("lead", BLUE, "o", 8), ("published", ORANGE, "s", 5)):
        if target not in targets:
            continue
        truth, probability = predictions[target].astype(float), predictions[f"{target}_probability"]
        middle, share, count = calibration(truth, probability)
        low, high = _wilson(share, count)
        axes.errorbar(
            middle, share, yerr=np.maximum([share - low, high - share], 0), color=colour, marker=marker,
            markersize=size, linewidth=1.5, elinewidth=1, capsize=2, label=target,
        )  # fmt: skip
        for x, number in zip(middle, count, strict=True):
            below.text(x, targets.index(target), f"{number:,}", ha="center", va="center", fontsize=9)
    for panel in (axes, below):
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="both" if panel is axes else "x", alpha=0.3)
        panel.set_axisbelow(True)
    figure.legend(loc="outside lower center", frameon=False, ncols=3, title="with 95 % intervals")
    return figure


def heat_figure(predictions: Predictions) -> Figure:
    """Scatter plot of predicted against true heat, in points (log scale), with a band for non-leads."""
    true, predicted = predictions["heat"].astype(float), predictions["heat_predicted"].astype(float)
    figure, axes = new_figure("Heat: predicted against true", true.size)
    axes.set(xlabel="True heat (points)", ylabel="Predicted heat (points)")
    if not true.size:
        return empty(figure, axes)
    high = max(10.0, true.max(), predicted.max())
    end = np.log10(1 + high) + 0.1
    ticks = [value for value in (0, 3, 10, 30, 100, 300, 1000, 3000, 10000) if value <= high * 1.2]
    positions = [-0.5, *np.log10(1 + np.array(ticks))]
    labels = ["no lead", *(f"{tick // 1000}k" if tick >= 1000 else str(tick) for tick in ticks)]
    axes.set_xticks(positions, labels)
    axes.set_yticks(positions, labels)
    axes.axvspan(-0.8, -0.2, color=GREY, alpha=0.12, linewidth=0)
    axes.axhspan(-0.8, -0.2, color=GREY, alpha=0.12, linewidth=0)
    axes.plot([0, end], [0, end], color=ORANGE, linewidth=1.5, label="perfect prediction")
    leads = (true >= 0) & (predicted >= 0)
    scatter(axes, np.log10(1 + true[leads]), np.log10(1 + predicted[leads]))
    # Records that do not lead, as predicted, would all be one point: show their number instead.
    neither = int(((true < 0) & (predicted < 0)).sum())
    axes.text(-0.5, -0.5, f"{neither:,}\nagree", ha="center", va="center", fontsize=8)
    wrong = (true < 0) ^ (predicted < 0)
    x, y = (
        np.where(value < 0, -0.5, np.log10(1 + np.maximum(value, 0)))[wrong] for value in (true, predicted)
    )
    jitter = np.random.default_rng(0).uniform(-0.2, 0.2, (2, x.size))  # within the bands only
    x, y = np.where(x < 0, x + jitter[0], x), np.where(y < 0, y + jitter[1], y)
    axes.plot(x, y, "x", color=ORANGE, markersize=4, alpha=0.7, rasterized=True,
              label=f"wrong lead: {x.size:,}")  # fmt: skip
    axes.set(xlim=(-0.8, end), ylim=(-0.8, end), aspect="equal")
    axes.legend(loc="upper left", bbox_to_anchor=(0.24, 1), frameon=True, framealpha=0.9, edgecolor="none")
    return figure


def _residuals(predictions: Predictions) -> np.ndarray:
    residuals: np.ndarray = predictions["quality_predicted"].astype(float) - predictions["quality"]
    return residuals


def _spread_figure(title: str, groups: Mapping[str, np.ndarray], n_records: int, note: str = "") -> Figure:
    """Draw one row per group: median, interquartile range, and 5th to 95th percentile."""
    figure, axes = new_figure(title, n_records, note)
    figure.set_figheight(2.2 + 0.28 * max(4, len(groups)))
    axes.set_xlabel("Predicted minus true quality (points)")
    groups = {name: values[np.isfinite(values)] for name, values in groups.items()}
    groups = {name: values for name, values in groups.items() if values.size}
    if not groups:
        return empty(figure, axes)
    spread = np.array([np.quantile(values, _QUANTILES) for values in groups.values()])
    rows = np.arange(len(groups))
    low, high = view(np.append(spread, 0))
    margin = 0.03 * (high - low) + 0.5
    axes.set_xlim(low - margin, high + margin)
    note_beyond(figure, int(((spread[:, 0] < low) | (spread[:, 4] > high)).sum()), "row")
    axes.axvline(0, color=GREY, linewidth=1)
    axes.hlines(rows, spread[:, 0], spread[:, 4], color=BLUE, linewidth=1.2, label="5 % to 95 %")
    axes.hlines(rows, spread[:, 1], spread[:, 3], color=BLUE, linewidth=6, alpha=0.5, label="25 % to 75 %")
    axes.plot(spread[:, 2], rows, "o", color=ORANGE, markersize=5, label="median")
    labels = [f"{name} ({values.size:,})" for name, values in groups.items()]
    axes.set_yticks(rows, labels, parse_math=False)  # dollar signs in names are not math
    axes.set_ylim(len(groups) - 0.5, -0.5)
    figure.legend(loc="outside lower center", frameon=False, ncols=3)
    return figure


def _wilson(share: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the 95 % score interval of a share (E. B. Wilson, 1927, JASA 22)."""
    z = 1.96
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return middle - half, middle + half
