"""What each plot of an evaluation shows, in words and numbers, for those who do not see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from scoring.evaluation.results import Evaluation
from scoring.plots.evaluation import (
    Predictions,
    average_precision,
    calibration,
    precision_recall,
    residuals_by_month,
    residuals_by_provider,
    with_heat,
)

_TARGETS = ("lead", "published")
_STRONGEST = 5


def plot_labels(evaluation: Evaluation) -> dict[str, str]:
    """Label of each plot that :func:`scoring.plots.evaluation_figures` draws, by its name."""
    predictions = evaluation.predictions
    settled = with_heat(predictions)
    return {
        "quality": _quality(predictions),
        "residuals_by_provider": _spread("provider", residuals_by_provider(predictions)),
        "residuals_by_month": _spread("month of publication", residuals_by_month(predictions)),
        "precision_recall": _precision_recall(settled),
        "calibration": _calibration(settled),
        "heat": _heat(settled),
    }


def importance_label(booster: str, rows: Iterable[tuple[str, str, float, int]]) -> str:
    """Label of the plot of one booster's importances."""
    gains = sorted(((gain, feature) for feature, _, gain, _ in rows), key=lambda row: (-row[0], row[1]))
    total = sum(gain for gain, _ in gains) or 1.0
    told = ", ".join(f"{feature} {gain / total:.0%}" for gain, feature in gains[:_STRONGEST])
    return f"Bar chart of each feature's share of the gain of the {booster} booster. Strongest: {told}."


def _quality(predictions: Predictions) -> str:
    off = np.abs(predictions["quality_predicted"].astype(float) - predictions["quality"].astype(float))
    off = off[np.isfinite(off)]
    what = "Scatter plot of predicted against true quality, in points."
    if not off.size:
        return f"{what} Nothing to draw."
    half, most = np.quantile(off, [0.5, 0.95])
    return f"{what} Half of {off.size:,} records are off by {half:.1f} at most, 95 % by {most:.1f}."


def _spread(by: str, groups: Mapping[str, np.ndarray]) -> str:
    known = {name: values[np.isfinite(values)] for name, values in groups.items()}
    medians = [f"{name} {np.median(values):+.1f}" for name, values in known.items() if values.size]
    told = f"Medians: {', '.join(medians)}." if medians else "Nothing to draw."
    return f"Spread of the quality's error, predicted less true, in points, by {by}. {told}"


def _precision_recall(predictions: Predictions) -> str:
    told = []
    for target in _TARGETS:
        truth = predictions[target].astype(bool)
        if truth.any() and not truth.all():
            average = average_precision(*precision_recall(truth, predictions[f"{target}_probability"]))
            told.append(f"{target}: average precision {average:.3f}, guessing reaches {truth.mean():.2f}")
    return f"Curves of precision against recall. {'; '.join(told) or 'Nothing to draw'}."


def _calibration(predictions: Predictions) -> str:
    told = []
    for target in _TARGETS if predictions["lead"].size else ():
        truth, probability = predictions[target].astype(float), predictions[f"{target}_probability"]
        middle, share, _ = calibration(truth, probability)
        bins = ", ".join(f"{p:.0%} came true {s:.0%}" for p, s in zip(middle, share, strict=True))
        told.append(f"{target}: predicted {bins}")
    return (
        f"Lines of the share that came true by predicted probability. {'; '.join(told) or 'Nothing to draw'}."
    )


def _heat(predictions: Predictions) -> str:
    true, predicted = predictions["heat"].astype(float), predictions["heat_predicted"].astype(float)
    what = "Scatter plot of predicted against true heat, in points."
    if not true.size:
        return f"{what} Nothing to draw."
    leads = (true >= 0) & (predicted >= 0)
    neither, wrong = int(((true < 0) & (predicted < 0)).sum()), int(((true < 0) ^ (predicted < 0)).sum())
    half = (
        f", half of them off by {np.median(np.abs(true - predicted)[leads]):.1f} at most"
        if leads.any()
        else ""
    )
    return (
        f"{what} {int(leads.sum()):,} records lead their story as predicted{half}; "
        f"{neither:,} do not, as predicted; about {wrong:,} the prediction of who leads is wrong."
    )
