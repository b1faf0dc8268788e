"""Evaluation of a model on labelled records: metrics with intervals, baselines and slices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.evaluation.cluster_bootstrap import bootstrap
from scoring.evaluation.metrics import PredictionColumns, compute, ndcg_by_day
from scoring.evaluation.results import Evaluation, Slice
from scoring.model.cascade import NOT_LEADING
from scoring.model.components import FittedComponents
from scoring.model.scorer import Predictions, Scorer
from scoring.model.targets import TARGETS, Targets
from scoring.training.cascade import CascadeLabels
from scoring.training.splits import as_datetime
from scoring.training.training_set import TrainingSet

MIN_SLICE = 10
NEAR_STEP = 5  # points
Mask = NDArray[np.bool_]


def evaluate_models(
    scorer: Scorer,
    test: TrainingSet,
    paths: Sequence[str],
    *,
    early: Mapping[str, TrainingSet] | None = None,
    n_bootstrap: int,
    seed: int,
    num_threads: int,
) -> Evaluation:
    """Score labelled records and compute metrics.

    Parameters
    ----------
    scorer : Scorer
        Model to evaluate.
    test : TrainingSet
        The `n_records` test records.
    paths : sequence of str
        Path of each record.
    early : mapping of str to TrainingSet, optional
        The same records at earlier ages, by name of the age.
    n_bootstrap, seed : int
        Number of bootstrap draws, and their seed.
    num_threads : int
        Threads of the boosters.

    Returns
    -------
    Evaluation
    """
    predictions = prediction_columns(scorer, test, paths, num_threads=num_threads)
    at_ingest, forecast = {}, {}
    for name, test_at_age in (early or {}).items():
        labels = _label_columns(test_at_age, paths)
        age_predictions = scorer.predict(test_at_age.table, num_threads)
        at_ingest[name] = compute(labels | score_columns(age_predictions, scorer.targets))
        if "heat" in scorer.targets:
            forecast[name] = compute(
                labels
                | _forecast_columns(age_predictions, scorer.models.thresholds.published, scorer.targets)
            )
    known_moments = test.moments[~np.isnat(test.moments)]
    return Evaluation(
        len(test.table),
        as_datetime(known_moments.min()) if len(known_moments) else None,
        as_datetime(known_moments.max()) if len(known_moments) else None,
        bootstrap(predictions, n_draws=n_bootstrap, seed=seed),
        baseline_figures(scorer.models, test, _label_columns(test, paths)),
        tuple(slices(predictions, test, scorer.models)),
        predictions,
        at_ingest,
        forecast,
    )


def prediction_columns(
    scorer: Scorer, test: TrainingSet, paths: Sequence[str], *, num_threads: int
) -> dict[str, NDArray[Any]]:
    """Labels and predictions as columns."""
    predictions = scorer.predict(test.table, num_threads)
    return _label_columns(test, paths) | score_columns(predictions, scorer.targets)


def _label_columns(test: TrainingSet, paths: Sequence[str]) -> dict[str, NDArray[Any]]:
    return {
        "path": np.asarray(paths, dtype=object),
        "published_at": test.moments,
        "section": np.asarray(test.sections, dtype=object),
        "provider": test.table.text("provider_domain"),
        "coverage_count": test.table.number("coverage_count"),
        "quality": test.labels.quality,
        "heat": test.labels.heat,
        "lead": test.labels.heat > NOT_LEADING,
        "published": _published_column(test.labels),
    }


def _published_column(labels: CascadeLabels) -> NDArray[Any]:
    """Whether each record was published; see :func:`scoring.evaluation.metrics.has_published`."""
    is_known_by_heat = np.array_equal(np.isfinite(labels.published), np.isfinite(labels.heat))
    return labels.published == 1 if is_known_by_heat else labels.published


def score_columns(predictions: Predictions, targets: Targets) -> dict[str, NDArray[Any]]:
    """Predictions of the labels that a model has, as columns."""
    columns = {
        "quality_predicted": predictions.quality,
        "quality_low": predictions.quality_low,
        "quality_high": predictions.quality_high,
        "heat_predicted": predictions.heat,
        "heat_expected": predictions.heat_expected,
        "lead_predicted": predictions.is_lead,
        "lead_probability": predictions.lead_probability,
        "published_predicted": predictions.published,
        "published_probability": predictions.published_probability,
        "lead_settled_probability": predictions.lead_settled_probability,
        "heat_settled": predictions.heat_settled,
        "published_settled_probability": predictions.published_settled_probability,
    }
    return {name: values for name, values in columns.items() if is_learned(name, targets)}


def is_learned(column: str, targets: Targets) -> bool:
    """Whether a model of these labels makes the predictions of a column."""
    if column == "published_settled_probability":
        return targets == TARGETS
    label = column.partition("_")[0]
    return ("heat" if label == "lead" else label) in targets


def _forecast_columns(
    predictions: Predictions, published_from: float, targets: Targets
) -> dict[str, NDArray[Any]]:
    """Forecast under the column names of the current predictions."""
    is_lead = predictions.lead_settled_probability >= 0.5
    columns = score_columns(predictions, targets)
    forecast = {
        "heat_predicted": np.where(is_lead, np.round(predictions.heat_settled_if_lead), NOT_LEADING),
        "heat_expected": predictions.heat_settled,
        "lead_predicted": is_lead,
        "lead_probability": predictions.lead_settled_probability,
        "published_predicted": predictions.published_settled_probability >= published_from,
        "published_probability": predictions.published_settled_probability,
    }
    return columns | {name: values for name, values in forecast.items() if name in columns}


def baseline_figures(
    models: FittedComponents, test: TrainingSet, labels: PredictionColumns
) -> dict[str, dict[str, float]]:
    """Metrics of each baseline on the same records."""
    X = models.quality.encoder.transform(test.table)
    figures = {}
    for name, predicted in models.baselines.predict(test.table, X).items():
        lead, published = models.baselines.decide(predicted)
        columns = {
            "quality_predicted": predicted["quality"],
            "heat_predicted": np.where(lead, predicted["heat"], NOT_LEADING),
            "heat_expected": predicted["heat"],
            "lead_predicted": lead,
            "published_predicted": published,
        }
        if models.targets != TARGETS:  # the gate may need it
            columns["published_probability"] = np.clip(predicted["published"], 0.0, 1.0)
        figures[name] = compute(
            {
                **labels,
                **{
                    column: values for column, values in columns.items() if is_learned(column, models.targets)
                },
            }
        )
    return figures


def slices(predictions: PredictionColumns, test: TrainingSet, models: FittedComponents) -> Iterator[Slice]:
    """Metrics of every slice with :data:`MIN_SLICE` records or more."""
    for family, name, mask in _parts(test, models):
        if mask.sum() >= MIN_SLICE:
            part = {column: values[mask] for column, values in predictions.items()}
            daily_ndcg = ndcg_by_day(part) if "heat_expected" in part else None
            yield Slice(family, name, int(mask.sum()), compute(part, daily_ndcg))


def _parts(test: TrainingSet, models: FittedComponents) -> Iterator[tuple[str, str, Mask]]:
    table = test.table
    provider_count = models.quality.encoder.providers_.transform(table.text("provider_domain"))[:, 0]
    coverage_count = table.number("coverage_count")
    yield from _levels("section", test.sections)
    yield "provider", "unseen", provider_count == 0
    yield "provider", "rare (1 to 9 seen)", (provider_count > 0) & (provider_count < 10)
    yield "provider", "frequent (10 or more)", provider_count >= 10
    yield from _levels("provider domain", table.text("provider_domain"))
    sub_topics = [set(topics[1:]) for topics in table.topics]
    for topic in sorted(set().union(*sub_topics)) if sub_topics else []:
        yield "topic", topic, np.array([topic in topics for topics in sub_topics])
    yield "coverage", "none", coverage_count == 0
    yield "coverage", "1 to 2", (coverage_count >= 1) & (coverage_count <= 2)
    yield "coverage", "3 or more", coverage_count >= 3
    yield "image", "without", table.number("has_image") == 0
    yield "image", "with", table.number("has_image") == 1
    yield "excerpt", "without", table.number("has_excerpt") == 0
    quality, heat = test.labels.quality, test.labels.heat
    thresholds = models.cascade.learned_thresholds(float(np.nanmax(np.concatenate([quality, heat, [0.0]]))))
    if thresholds.bonus_from_quality is not None:
        is_near = np.abs(quality - thresholds.bonus_from_quality) <= NEAR_STEP
        yield "quality", f"within {NEAR_STEP} of the bonus step ({thresholds.bonus_from_quality:g})", is_near
    if thresholds.published_from_heat is not None:
        is_near = np.abs(heat - thresholds.published_from_heat) <= 2 * NEAR_STEP
        yield (
            "heat",
            f"within {2 * NEAR_STEP} of the published step ({thresholds.published_from_heat:g})",
            is_near,
        )
    yield from _levels("month", np.datetime_as_string(test.moments, unit="M"))


def _levels(family: str, values: Sequence[str] | NDArray[Any]) -> Iterator[tuple[str, str, Mask]]:
    column = np.asarray(values, dtype=object)
    for level in sorted(set(column)):
        yield family, str(level) or "(none)", column == level
