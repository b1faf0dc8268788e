"""Text alternatives of the plots of an evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from scoring.evaluation.paired_figures import predicted_labels
from scoring.evaluation.results import Evaluation
from scoring.plots.evaluation import (
    Predictions,
    average_precision,
    calibration,
    decisions_of,
    precision_recall,
    residuals_by_month,
    residuals_by_provider,
    with_decisions,
)

_STRONGEST = 5


def plot_labels(evaluation: Evaluation) -> dict[str, str]:
    """Text alternative of each plot of :func:`scoring.plots.evaluation_figures`, by name."""
    predictions = evaluation.predictions
    targets, settled = predicted_labels(predictions), with_decisions(predictions)
    labels: dict[str, str] = {}
    if "quality" in targets:
        labels["quality"] = _quality(predictions)
        labels["residuals_by_provider"] = _spread("provider", residuals_by_provider(predictions))
        labels["residuals_by_month"] = _spread("month of publication", residuals_by_month(predictions))
    if decisions_of(predictions):
        labels["precision_recall"] = _precision_recall(settled)
        labels["calibration"] = _calibration(settled)
    if "heat" in targets:
        labels["heat"] = _heat(settled)
    return labels


def importance_label(booster: str, rows: Iterable[tuple[str, str, float, int]]) -> str:
    """Text alternative of the importance plot of one booster."""
    gains = sorted(((gain, feature) for feature, _, gain, _ in rows), key=lambda row: (-row[0], row[1]))
    total = sum(gain for gain, _ in gains) or 1.0
    strongest = ", ".join(f"{feature} {gain / total:.0%}" for gain, feature in gains[:_STRONGEST])
    return f"Bar chart of each feature's share of the gain of the {booster} booster. Strongest: {strongest}."


def _quality(predictions: Predictions) -> str:
    abs_error = np.abs(predictions["quality_predicted"].astype(float) - predictions["quality"].astype(float))
    abs_error = abs_error[np.isfinite(abs_error)]
    title = "Scatter plot of predicted against true quality, in points."
    if not abs_error.size:
        return f"{title} No data."
    median, p95 = np.quantile(abs_error, [0.5, 0.95])
    return (
        f"{title} Absolute error of {abs_error.size:,} records: median {median:.1f}, "
        f"95th percentile {p95:.1f}."
    )


def _spread(by: str, groups: Mapping[str, np.ndarray]) -> str:
    known = {name: values[np.isfinite(values)] for name, values in groups.items()}
    medians = [f"{name} {np.median(values):+.1f}" for name, values in known.items() if values.size]
    summary = f"Medians: {', '.join(medians)}." if medians else "No data."
    return f"Distribution of the quality's error, predicted minus true, in points, by {by}. {summary}"


def _precision_recall(predictions: Predictions) -> str:
    summaries = []
    for target in decisions_of(predictions):
        truth = predictions[target].astype(bool)
        if truth.any() and not truth.all():
            average = average_precision(*precision_recall(truth, predictions[f"{target}_probability"]))
            summaries.append(f"{target}: average precision {average:.3f}, random guess {truth.mean():.2f}")
    return f"Precision-recall curves. {'; '.join(summaries) or 'No data'}."


def _calibration(predictions: Predictions) -> str:
    summaries = []
    for target in decisions_of(predictions) if predictions["lead"].size else ():
        truth, probability = predictions[target].astype(float), predictions[f"{target}_probability"]
        bins = ", ".join(
            f"{p:.0%} observed {s:.0%} ({n:,} records)"
            for p, s, n in zip(*calibration(truth, probability), strict=True)
        )
        summaries.append(f"{target}: predicted {bins}")
    return f"Observed share of positives by predicted probability. {'; '.join(summaries) or 'No data'}."


def _heat(predictions: Predictions) -> str:
    true, predicted = predictions["heat"].astype(float), predictions["heat_predicted"].astype(float)
    title = "Scatter plot of predicted against true heat, in points."
    if not true.size:
        return f"{title} No data."
    leads = (true >= 0) & (predicted >= 0)
    neither, wrong = int(((true < 0) & (predicted < 0)).sum()), int(((true < 0) ^ (predicted < 0)).sum())
    error_text = (
        f", median absolute error {np.median(np.abs(true - predicted)[leads]):.1f}" if leads.any() else ""
    )
    return (
        f"{title} {int(leads.sum()):,} records lead their story as predicted{error_text}; "
        f"{neither:,} do not, as predicted; for {wrong:,} the predicted lead is wrong."
    )
