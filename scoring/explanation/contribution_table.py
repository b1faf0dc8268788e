"""Contributions of the features to the predictions of many records, as one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scoring.explanation.attribution import FLOOR, quality_contributions, reported_name
from scoring.explanation.frames import value_of
from scoring.features.table import FeatureTable, Floats
from scoring.model.cascade import NOT_LEADING
from scoring.model.quality import QualityModel
from scoring.model.rubric import TERMS, Rubric
from scoring.model.score import Score
from scoring.model.scorer import Scorer, rounded

ROUNDING = "rounding"
REST = "rest"


class ContributionTable(NamedTuple):
    """Contributions to the predictions of `n_records` records: ``base + values.sum(axis=1)``.

    Parameters
    ----------
    values : ndarray of shape (n_records, n_features)
        Contribution of each feature.
    base : float
        Value of a typical record.
    names : tuple of str
        Names of the features, in order; the same for all records that a model scores.
    """

    values: NDArray[np.float64]
    base: float
    names: tuple[str, ...]


def quality_table(model: QualityModel, table: FeatureTable) -> ContributionTable:
    """Contributions to the quality, in points.

    Those of the rubric, the booster and the section's policy are added up by feature. ``floor`` is what the
    lowest label adds, ``rounding`` what rounding to a whole number, or to the nearest rating, adds.

    Parameters
    ----------
    model : QualityModel
        Predicts the quality.
    table : FeatureTable
        Features of the records; one at least.

    Returns
    -------
    ContributionTable
        Of the quality that scores have.
    """
    base, points = quality_contributions(model, table)
    expected, spread = model.estimate(table)
    quality, *_ = rounded(expected, *model.interval(table, expected, spread), model.steps)
    points[ROUNDING] = quality - expected
    return _stacked(base, points, _quality_names(model), len(table))


def heat_table(scorer: Scorer, table: FeatureTable, scores: Sequence[Score]) -> ContributionTable:
    """Contributions to the heat, in points.

    They are those of the quality; where the model has no quality, those of the heat that the record has
    without coverage. ``coverage_count`` is what the coverage adds, ``lead`` what is missing if another record
    leads the story.

    Parameters
    ----------
    scorer : Scorer
        Has scored the records.
    table : FeatureTable
        Features of the records; one at least.
    scores : sequence of Score
        Scores of the records.

    Returns
    -------
    ContributionTable
        Of the heat that the scores have.
    """
    model = scorer.models.quality
    values, base, names = quality_table(model, table)
    points = dict(zip(names, values.T, strict=True))
    quality = base + values.sum(axis=1)
    heat_if_lead = scorer.models.cascade.heat_if_lead(table, scorer.predict(table).quality)
    heat = np.array([score.heat for score in scores], dtype=np.float64)
    is_lead = heat > NOT_LEADING
    points["coverage_count"] = points.get("coverage_count", 0.0) + heat_if_lead - quality
    points[ROUNDING] = points[ROUNDING] + np.where(is_lead, heat - heat_if_lead, 0.0)
    points["lead"] = np.where(is_lead, 0.0, NOT_LEADING - heat_if_lead)
    return _stacked(base, points, _unique([*names, "coverage_count", "lead"]), len(table))


def published_table(scorer: Scorer, table: FeatureTable, scores: Sequence[Score]) -> ContributionTable:
    """Contributions to the probability of being published, in log-odds.

    Those of the features are at the predicted quality and heat; ``rest`` is what other qualities that the
    record may have add, and what rules of its section and of its story do.

    Parameters
    ----------
    scorer : Scorer
        Has scored the records.
    table : FeatureTable
        Features of the records; one at least.
    scores : sequence of Score
        Scores of the records.

    Returns
    -------
    ContributionTable
        Of the log-odds of the probability that the scores have; 0 and 1 are taken for 0.00005 and 0.99995.
    """
    cascade, predictions = scorer.models.cascade, scorer.predict(table)
    shap = cascade.published.contributions(
        cascade.published_matrix(table, predictions.quality, predictions.heat)
    )
    points = {
        name: values
        for name, values in zip(cascade.names["published"], shap[:, :-1].T, strict=True)
        if name != "quality" or "quality" in scorer.targets  # a stand-in contributes nothing
    }
    base = float(shap[0, -1])
    log_odds = np.array([value_of(score, "published") for score in scores])
    names = (*points, REST)
    points[REST] = log_odds - base - sum(points.values())
    return _stacked(base, points, names, len(table))


def _quality_names(model: QualityModel) -> tuple[str, ...]:
    """Names of all features that contribute to some record's quality, whatever its section."""
    names = [*_parts(model.rubric), *model.names]
    for policy in model.policies.values():
        names += ["topic_section", *_parts(policy.difference_)]
    return _unique([*map(reported_name, names), FLOOR, ROUNDING])


def _parts(rubric: Rubric) -> tuple[str, ...]:
    return (*rubric.numbers_, *rubric.hinges_, *rubric.levels_, TERMS)


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _stacked(
    base: float, points: dict[str, Floats], names: tuple[str, ...], n_records: int
) -> ContributionTable:
    columns = [points.get(name, np.zeros(n_records)) for name in names]
    return ContributionTable(np.column_stack(columns), base, names)
