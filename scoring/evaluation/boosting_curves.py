"""Error of each booster by number of trees, on the training records and on the test block.

A booster is a sum over its trees, so the error after some of them can be computed from the fitted booster:
nothing is recorded during the fit, so the models are the same with and without the curves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from scoring.features.table import Floats
from scoring.model.booster import Booster
from scoring.model.cascade import NOT_LEADING, heat_matrix
from scoring.model.components import FittedComponents
from scoring.model.conformal import MIN_SPREAD
from scoring.training.training_set import TrainingSet

EVERY = 10
"""Trees between two points of a curve."""
MAX_RECORDS = 2_000
"""Maximum number of records for a curve; of more records, evenly spaced ones are used."""

Curves = dict[str, dict[int, float]]
_MIN_PROBABILITY = 1e-9


def boosting_curves(
    models: FittedComponents, training: TrainingSet, test: TrainingSet, num_threads: int = 1
) -> Curves:
    """Compute the error of each booster after each tenth tree.

    Parameters
    ----------
    models : FittedComponents
        Fitted models.
    training : TrainingSet
        Records that they were fitted on.
    test : TrainingSet
        Later records.
    num_threads : int
        Threads of LightGBM.

    Returns
    -------
    dict of str to dict of int to float
        By ``BOOSTER/BLOCK_METRIC`` (``quality/test_mae``) and number of trees: the mean absolute error of
        ``quality``, ``spread`` (of the predicted error) and ``heat`` (of leads), in points, and the log loss
        of ``lead`` and ``published``. Labels that the models do not have are skipped, and records of sections
        with a policy of their own, which the boosters do not predict.
    """
    curves: Curves = {}
    for block, records in (("training", training), ("test", test)):
        for name, curve in _curves(models, _sampled(records), num_threads):
            booster, metric = name.split("/")
            curves[f"{booster}/{block}_{metric}"] = curve
    return curves


def _sampled(records: TrainingSet) -> TrainingSet:
    """At most :data:`MAX_RECORDS` of the records, evenly spaced."""
    n_records = len(records.table)
    if n_records <= MAX_RECORDS:
        return records
    mask = np.zeros(n_records, dtype=bool)
    mask[np.linspace(0, n_records - 1, MAX_RECORDS).astype(int)] = True
    return records.take(mask)


def _curves(
    models: FittedComponents, records: TrainingSet, num_threads: int
) -> Iterator[tuple[str, dict[int, float]]]:
    """Curves of the boosters on some records, by ``BOOSTER/METRIC``."""
    if "quality" in models.targets:
        yield from _quality_curves(models, records, num_threads)
    if "heat" in models.targets:
        yield from _heat_curves(models, records, num_threads)
    if "published" in models.targets:
        yield from _published_curves(models, records, num_threads)


def _quality_curves(
    models: FittedComponents, records: TrainingSet, num_threads: int
) -> Iterator[tuple[str, dict[int, float]]]:
    model = models.quality
    is_shared = np.isfinite(records.labels.quality)
    for rows, _ in model.policies_of(records.table):
        is_shared[rows] = False
    X, y = model.matrix(records.table.take(is_shared)), records.labels.quality[is_shared]
    if not len(y):
        return
    floor = model.rubric.floor_

    def quality_error(predicted: Floats) -> float:
        return float(np.mean(np.abs(y - np.maximum(X[:, -1] + predicted, floor))))

    yield "quality/mae", _curve(model.booster, X, quality_error, num_threads)
    abs_error = np.abs(y - model.predict(X, num_threads))

    def spread_error(predicted: Floats) -> float:
        return float(np.mean(np.abs(abs_error - np.maximum(predicted, MIN_SPREAD))))

    yield "spread/mae", _curve(model.spread, X, spread_error, num_threads)


def _heat_curves(
    models: FittedComponents, records: TrainingSet, num_threads: int
) -> Iterator[tuple[str, dict[int, float]]]:
    cascade, quality = models.cascade, _known_quality(models, records, num_threads)
    is_known = np.isfinite(records.labels.heat)
    if not is_known.any():
        return
    table, is_lead = records.table.take(is_known), records.labels.heat[is_known] > NOT_LEADING
    X = cascade.lead_matrix(table, quality[is_known])
    yield "lead/log_loss", _curve(cascade.lead, X, _log_loss(is_lead), num_threads)
    is_shared = is_known & (records.labels.heat > NOT_LEADING)
    is_shared &= ~np.isin(records.table.text("topic_section"), list(cascade.policies))
    if not is_shared.any():
        return
    leads, heat = records.table.take(is_shared), records.labels.heat[is_shared]
    coverage_count = np.maximum(leads.number("coverage_count"), 1.0)

    def heat_error(predicted: Floats) -> float:
        return float(np.mean(np.abs(heat - quality[is_shared] - predicted * coverage_count)))

    yield "heat/mae", _curve(cascade.heat, heat_matrix(leads, quality[is_shared]), heat_error, num_threads)


def _published_curves(
    models: FittedComponents, records: TrainingSet, num_threads: int
) -> Iterator[tuple[str, dict[int, float]]]:
    cascade, labels = models.cascade, records.labels
    is_known = np.isfinite(labels.published)
    if "heat" in models.targets:
        is_known &= np.isfinite(labels.heat)
    if not is_known.any():
        return
    quality = _known_quality(models, records, num_threads)[is_known]
    X = cascade.published_matrix(records.table.take(is_known), quality, labels.heat[is_known])
    is_published = labels.published[is_known] > 0.5
    yield "published/log_loss", _curve(cascade.published, X, _log_loss(is_published), num_threads)


def _known_quality(models: FittedComponents, records: TrainingSet, num_threads: int) -> Floats:
    """Labels of quality; where there are none, the prediction."""
    quality = records.labels.quality
    predicted = models.quality.estimate(records.table, num_threads)[0]
    return np.where(np.isfinite(quality), quality, predicted)


def _log_loss(truth: NDArray[np.bool_]) -> Callable[[Floats], float]:
    """Log loss of probabilities."""

    def loss(probability: Floats) -> float:
        of_truth = np.where(truth, probability, 1.0 - probability)
        return float(-np.mean(np.log(np.clip(of_truth, _MIN_PROBABILITY, 1.0))))

    return loss


def _curve(
    booster: Booster, X: Floats, error: Callable[[Floats], float], num_threads: int
) -> dict[int, float]:
    """Error of the predictions by number of trees."""
    objective = re.search(r"^objective=(\w+)", booster.text, re.MULTILINE)
    predicted = _LINKS.get(objective[1] if objective else "", np.asarray)
    return {n_trees: error(predicted(raw)) for n_trees, raw in booster.staged_raw(X, EVERY, num_threads)}


def _sigmoid(raw: Floats) -> Floats:
    return np.exp(-np.logaddexp(0.0, -raw))


# Predictions by raw scores, by objective; other objectives have raw scores that are predictions.
_LINKS: dict[str, Callable[[Floats], Floats]] = {
    **dict.fromkeys(("binary", "cross_entropy"), _sigmoid),
    **dict.fromkeys(("poisson", "gamma", "tweedie"), np.exp),
}
