"""Predictions against labels: columns, figures with intervals, baselines beside them, slices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.evaluation.metrics import PredictionColumns, bootstrap, compute, ndcg_by_day
from scoring.evaluation.results import Evaluation, Slice
from scoring.model.cascade import NOT_LEADING
from scoring.model.components import FittedComponents
from scoring.model.scorer import Predictions, Scorer
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
    """Score labelled records and compare.

    Parameters
    ----------
    scorer : Scorer
        The model.
    test : TrainingSet
        `n_records` records that it was not fitted on.
    paths : sequence of str
        Where they were found.
    early : mapping of str to TrainingSet, optional
        The same records as they stood at an age, by its name.
    n_bootstrap, seed : int
        Draws of the intervals, and their seed.
    num_threads : int
        Threads of the boosters.

    Returns
    -------
    Evaluation
    """
    predictions = prediction_columns(scorer, test, paths, num_threads=num_threads)
    at_ingest, forecast = {}, {}
    for name, then in (early or {}).items():
        labels, said = _label_columns(then, paths), scorer.predict(then.table, num_threads)
        at_ingest[name] = compute(labels | _score_columns(said))
        forecast[name] = compute(labels | _forecast_columns(said, scorer.models.thresholds.published))
    known = test.moments[~np.isnat(test.moments)]
    return Evaluation(
        len(test.table),
        as_datetime(known.min()) if len(known) else None,
        as_datetime(known.max()) if len(known) else None,
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
    """Labels of records beside what a model says of them."""
    return _label_columns(test, paths) | _score_columns(scorer.predict(test.table, num_threads))


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
        "published": test.labels.published == 1,
    }


def _score_columns(said: Predictions) -> dict[str, NDArray[Any]]:
    return {
        "quality_predicted": said.quality,
        "quality_low": said.quality_low,
        "quality_high": said.quality_high,
        "heat_predicted": said.heat,
        "heat_expected": said.heat_expected,
        "lead_predicted": said.is_lead,
        "lead_probability": said.lead_probability,
        "published_predicted": said.published,
        "published_probability": said.published_probability,
        "lead_settled_probability": said.lead_settled_probability,
        "heat_settled": said.heat_settled,
        "published_settled_probability": said.published_settled_probability,
    }


def _forecast_columns(said: Predictions, published_from: float) -> dict[str, NDArray[Any]]:
    """What is expected once coverage has come, under the names of what holds now."""
    is_lead = said.lead_settled_probability >= 0.5
    return _score_columns(said) | {
        "heat_predicted": np.where(is_lead, np.round(said.heat_settled_if_lead), NOT_LEADING),
        "heat_expected": said.heat_settled,
        "lead_predicted": is_lead,
        "lead_probability": said.lead_settled_probability,
        "published_predicted": said.published_settled_probability >= published_from,
        "published_probability": said.published_settled_probability,
    }


def baseline_figures(
    models: FittedComponents, test: TrainingSet, labels: PredictionColumns
) -> dict[str, dict[str, float]]:
    """Figures of each baseline on the same records."""
    X = models.quality.encoder.transform(test.table)
    figures = {}
    for name, predicted in models.baselines.predict(test.table, X).items():
        lead, published = models.baselines.decide(predicted)
        figures[name] = compute(
            {
                **labels,
                "quality_predicted": predicted["quality"],
                "heat_predicted": np.where(lead, predicted["heat"], NOT_LEADING),
                "heat_expected": predicted["heat"],
                "lead_predicted": lead,
                "published_predicted": published,
            }
        )
    return figures


def slices(predictions: PredictionColumns, test: TrainingSet, models: FittedComponents) -> Iterator[Slice]:
    """Figures of every part of the records that has :data:`MIN_SLICE` records or more."""
    for family, name, mask in _parts(test, models):
        if mask.sum() >= MIN_SLICE:
            part = {column: values[mask] for column, values in predictions.items()}
            yield Slice(family, name, int(mask.sum()), compute(part, ndcg_by_day(part)))


def _parts(test: TrainingSet, models: FittedComponents) -> Iterator[tuple[str, str, Mask]]:
    table = test.table
    seen = models.quality.encoder.providers_.transform(table.text("provider_domain"))[:, 0]
    count = table.number("coverage_count")
    yield from _levels("section", test.sections)
    yield "provider", "unseen", seen == 0
    yield "provider", "rare (1 to 9 seen)", (seen > 0) & (seen < 10)
    yield "provider", "frequent (10 or more)", seen >= 10
    yield from _levels("provider domain", table.text("provider_domain"))
    finer = [set(topics[1:]) for topics in table.topics]
    for topic in sorted(set().union(*finer)) if finer else []:
        yield "topic", topic, np.array([topic in topics for topics in finer])
    yield "coverage", "none", count == 0
    yield "coverage", "1 to 2", (count >= 1) & (count <= 2)
    yield "coverage", "3 or more", count >= 3
    yield "image", "without", table.number("has_image") == 0
    yield "image", "with", table.number("has_image") == 1
    yield "excerpt", "without", table.number("has_excerpt") == 0
    quality, heat = test.labels.quality, test.labels.heat
    steps = models.cascade.learned_thresholds(float(np.nanmax(np.concatenate([quality, heat, [0.0]]))))
    if steps.bonus_from_quality is not None:
        near = np.abs(quality - steps.bonus_from_quality) <= NEAR_STEP
        yield "quality", f"within {NEAR_STEP} of the bonus step ({steps.bonus_from_quality:g})", near
    if steps.published_from_heat is not None:
        near = np.abs(heat - steps.published_from_heat) <= 2 * NEAR_STEP
        yield "heat", f"within {2 * NEAR_STEP} of the published step ({steps.published_from_heat:g})", near
    yield from _levels("month", np.datetime_as_string(test.moments, unit="M"))


def _levels(family: str, values: Sequence[str] | NDArray[Any]) -> Iterator[tuple[str, str, Mask]]:
    column = np.asarray(values, dtype=object)
    for level in sorted(set(column)):
        yield family, str(level) or "(none)", column == level
