"""What a training run can be told: one value, written in one YAML file."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec


class RubricConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the rubric is fitted.

    Parameters
    ----------
    n_passes : int
        Rounds of reweighting of the first fit; half as many of each that goes on where the last one ended.
    ridge : float
        Penalty on each (scaled) column, in records: an effect seen on as many records is halved.
    level_ridge : float
        The same for each provider and topic.
    min_level_count : int
        Records that a provider or topic needs to have an effect of its own.
    min_term_count : int
        Records that a word needs under a topic to be looked at.
    term_support : float
        Absolute error, in standard deviations of the labels, that a word must take away in all to be
        worth points; 0 leaves words out.
    term_purity : float
        Share of the records that bear a word whose error its points must not raise; 0 to 1.
    n_term_rounds : int
        Searches for such words, each on what the one before left.
    """

    n_passes: int = 12
    ridge: float = 1e-5
    level_ridge: float = 0.003
    min_level_count: int = 2
    min_term_count: int = 2
    term_support: float = 0.6
    term_purity: float = 0.7
    n_term_rounds: int = 2


Ratio = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[int, msgspec.Meta(ge=1)]


class BoosterConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """LightGBM's parameters of one booster, by their primary names, and the most trees that it may have."""

    num_iterations: Positive
    params: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if "objective" not in self.params:
            raise ValueError(f"params: got {sorted(self.params)}, expected an objective among them")


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the models are fitted.

    Parameters
    ----------
    rubric : RubricConfig
        The additive part of quality.
    quality, spread, lead, heat, published : BoosterConfig
        The boosters: what the rubric leaves of quality, how far off it is, who leads, what heat adds
        for each related record, and whether the site shows the record.
    settled_lead, growth : BoosterConfig
        The boosters of the forecast: who leads once the story is settled, and by what factor heat grows.
    forecast_ages_hours : tuple of float
        Ages at which the forecast looks at training records; hours.
    n_folds : int
        Folds of the out-of-fold features.
    n_spread_bins : int
        Groups of records, by how sure their quality is, that share a distribution of errors.
    interval_level : float
        Share of records whose quality the interval shall hold; 0 to 1.
    patience : int
        Trees without a gain on the validation block after which a booster stops.
    """

    rubric: RubricConfig = RubricConfig()
    quality: BoosterConfig = BoosterConfig(
        300,
        {
            "objective": "regression_l1",
            "learning_rate": 0.05,
            "num_leaves": 15,
            "min_data_in_leaf": 10,
            "feature_fraction": 0.5,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "lambda_l2": 1.0,
            "min_data_per_group": 10,
            "cat_smooth": 10.0,
        },
    )
    spread: BoosterConfig = BoosterConfig(
        60,
        {
            "objective": "regression",
            "learning_rate": 0.05,
            "num_leaves": 8,
            "min_data_in_leaf": 30,
            "lambda_l2": 5.0,
        },
    )
    lead: BoosterConfig = BoosterConfig(
        150, {"objective": "binary", "learning_rate": 0.1, "num_leaves": 8, "min_data_in_leaf": 10}
    )
    heat: BoosterConfig = BoosterConfig(
        150, {"objective": "regression_l1", "learning_rate": 0.1, "num_leaves": 8, "min_data_in_leaf": 5}
    )
    published: BoosterConfig = BoosterConfig(
        150, {"objective": "binary", "learning_rate": 0.1, "num_leaves": 4, "min_data_in_leaf": 5}
    )
    settled_lead: BoosterConfig = BoosterConfig(
        100,
        {
            "objective": "binary",
            "learning_rate": 0.02,
            "num_leaves": 4,
            "min_data_in_leaf": 200,
            "lambda_l2": 20.0,
        },
    )
    growth: BoosterConfig = BoosterConfig(
        100,
        {
            "objective": "regression_l1",
            "learning_rate": 0.02,
            "num_leaves": 4,
            "min_data_in_leaf": 200,
            "lambda_l2": 20.0,
        },
    )
    forecast_ages_hours: tuple[Annotated[float, msgspec.Meta(ge=0)], ...] = (0.0, 2.0, 6.0, 24.0, 48.0)
    n_folds: Positive = 3
    n_spread_bins: Positive = 4
    interval_level: Ratio = 0.9
    patience: Positive = 50


class SplitConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the test block begins.

    Parameters
    ----------
    test_ratio : float
        Share of the records, the latest of each section, that is held back; 0 to 1.
    test_from : dict of str to datetime
        By section (the first topic): where its test block begins, aware UTC; goes before `test_ratio`.
    validation_ratio : float
        Share of what precedes the test block on which iterations and intervals are chosen; 0 to 1.
    gap_hours : float
        Time before a test block that no training sees; hours, >= 0.
    apart : {"copies", "stories"}
        What is kept on one side of the cut: a record's copies (the same address, nearly the same title), or
        with them whatever related coverage links to it.
    """

    test_ratio: Ratio = 0.15
    test_from: dict[str, datetime] = {}
    validation_ratio: Ratio = 0.15
    gap_hours: Annotated[float, msgspec.Meta(ge=0)] = 48.0
    apart: Literal["copies", "stories"] = "copies"


class TrainConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One training.

    Parameters
    ----------
    name : str
        What the model is called.
    description : str
        The question that the training answers.
    split : SplitConfig
        What is held back.
    model : ModelConfig
        How the models are fitted.
    seed : int
        Seed of all that is drawn.
    n_bootstrap : int
        Draws of the figures' intervals; 0 leaves the intervals out.
    as_of : str
        Train on records as they stood then: at an age (``published+6h``), their labels as they settled, or
        at a moment, after which nothing is seen at all. Empty: as they stand.
    """

    name: str = "default"
    description: str = ""
    split: SplitConfig = SplitConfig()
    model: ModelConfig = ModelConfig()
    seed: int = 0
    n_bootstrap: int = 1000
    as_of: str = ""
