"""Training configuration, read from and written to one YAML file."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from scoring.model.targets import TARGETS, Target


class RubricConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fit options of the rubric.

    Parameters
    ----------
    n_passes : int
        Reweighting passes of the first fit; each later, warm-started fit has half as many.
    ridge : float
        Ridge penalty of a (scaled) column; an effect seen on that many records is halved.
    level_ridge : float
        Ridge penalty of a provider or topic.
    min_level_count : int
        Minimum records of a provider or topic with its own effect.
    min_term_count : int
        Minimum records of a term under a topic.
    term_support : float
        Minimum total reduction of the absolute error by a term, in standard deviations of the labels; 0
        disables terms.
    term_purity : float
        Minimum share of a term's records whose error its points do not raise; 0 to 1.
    n_term_rounds : int
        Term searches, each on the residuals of the one before.
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
    """LightGBM parameters of one booster, by their primary names, and its maximum number of trees."""

    num_iterations: Positive
    params: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if "objective" not in self.params:
            raise ValueError(f"params: got {sorted(self.params)}, expected an objective")


class SectionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fit options of the sections' own policies of quality.

    Parameters
    ----------
    design : {"difference", "affine", "shared"}
        Parts of a section's own policy: scale, shift and single effects; scale and shift only; none.
    min_shared_records : int
        Labelled records from which a section takes part in the shared fit, after its difference has been
        subtracted. A section with `min_shared_ratio` of the records in that fit takes part too.
    min_shared_ratio : float
        See `min_shared_records`; 0 to 1.
    min_records : int
        Minimum number of labelled records for a policy of its own.
    support : float
        Records that must support an effect that contradicts the shared policy.
    own_support : float
        Records that must support an effect that the shared policy lacks.
    change_support : float
        Records that must support an effect of a change in time, if the records of its side take part in the
        shared fit; twice as many if the other side lacks the effect.
    n_folds : int
        Folds of the section's residuals.
    """

    design: Literal["difference", "affine", "shared"] = "difference"
    min_shared_records: Positive = 150
    min_shared_ratio: Ratio = 0.2
    min_records: Positive = 8
    support: Annotated[float, msgspec.Meta(gt=0)] = 1.5
    own_support: Annotated[float, msgspec.Meta(gt=0)] = 3.0
    change_support: Annotated[float, msgspec.Meta(gt=0)] = 6.0
    n_folds: Annotated[int, msgspec.Meta(ge=2)] = 20


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fit options of every model.

    Parameters
    ----------
    rubric : RubricConfig
        The additive part of quality.
    sections : SectionConfig
        The sections' own policies of quality.
    quality, spread, lead, heat, published : BoosterConfig
        The boosters: residual of the rubric, its typical absolute error, probability of leading, heat
        added per related record, and probability of being published.
    settled_lead, growth : BoosterConfig
        The boosters of the forecast: probability of leading, and growth factor of heat, once the story is
        settled.
    forecast_ages_hours : tuple of float
        Ages of the training records that the forecast is fitted on; hours.
    n_folds : int
        Folds of the out-of-fold features.
    n_spread_bins : int
        Groups of records, by predicted error, each with its own residual distribution.
    interval_level : float
        Target coverage of the prediction interval; 0 to 1.
    patience : int
        Early-stopping rounds on the validation block.
    """

    rubric: RubricConfig = RubricConfig()
    sections: SectionConfig = SectionConfig()
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
    """Split of the records into training, validation and test blocks.

    Parameters
    ----------
    test_ratio : float
        Share of each section's records, the latest ones, in the test block; 0 to 1.
    test_from : dict of str to datetime
        Start of the test block by section, aware UTC; overrides `test_ratio`.
    validation_ratio : float
        Share of the records before the test block that choose iterations and intervals; 0 to 1.
    gap_hours : float
        Time before the test block that is excluded from training; hours, >= 0.
    apart : {"copies", "stories"}
        What stays on one side of the split: copies of a record (the same address, or nearly the same title
        and, if the title recurs, excerpt), or whole stories (copies, and records linked by related coverage).
    """

    test_ratio: Ratio = 0.15
    test_from: dict[str, datetime] = {}
    validation_ratio: Ratio = 0.15
    gap_hours: Annotated[float, msgspec.Meta(ge=0)] = 48.0
    apart: Literal["copies", "stories"] = "copies"


class TrainConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Configuration of one training run.

    Parameters
    ----------
    name : str
        Name of the model.
    description : str
        Question that the run answers.
    split : SplitConfig
        Split of the records.
    model : ModelConfig
        Fit options of the models.
    seed : int
        Random seed.
    n_bootstrap : int
        Bootstrap draws of the metrics' intervals; 0 disables the intervals.
    labels : tuple of str
        Labels to learn, of ``quality``, ``heat`` and ``published``; one that too few records have is not
        learned. Records without the first one that is learned are left out.
    as_of : str
        Train on records as they were at an age (``published+6h``), with settled labels, or at a moment,
        with everything later excluded. Empty: as they are now.
    """

    name: str = "default"
    description: str = ""
    split: SplitConfig = SplitConfig()
    model: ModelConfig = ModelConfig()
    seed: int = 0
    n_bootstrap: int = 1000
    labels: Annotated[tuple[Target, ...], msgspec.Meta(min_length=1)] = TARGETS
    as_of: str = ""
