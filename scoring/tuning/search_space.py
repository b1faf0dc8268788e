"""What a search may change of a model's configuration, and within which limits."""

from __future__ import annotations

from typing import Any

import msgspec

from scoring.training.config import ModelConfig

Value = float | int | str


class Dimension(msgspec.Struct, frozen=True):
    """One parameter of a search.

    Parameters
    ----------
    path : str
        Where it stands in :class:`~scoring.training.config.ModelConfig`, with dots.
    default : float, int or str
        What LightGBM takes where the configuration does not name it.
    low, high : float or int
        Limits, both included; both integers for an integer.
    is_log : bool
        Whether equal ratios count alike, not equal differences.
    choices : tuple of str
        What there is to choose from, instead of limits.
    """

    path: str
    default: Value = 0
    low: float | int = 0
    high: float | int = 0
    is_log: bool = False
    choices: tuple[str, ...] = ()


class Trial(msgspec.Struct, frozen=True):
    """One trial of a search.

    Parameters
    ----------
    number : int
        From 0; one that was broken off leaves a gap.
    values : dict of str to float, int or str
        By the dimensions' paths.
    rubric_mae : float
        Quality MAE of the rubric alone; points.
    quality_mae : float or None
        Quality MAE of rubric and booster; points. None where the trial was given up after the rubric.
    n_trees : int or None
        Trees of the booster, likewise.
    """

    number: int
    values: dict[str, Value]
    rubric_mae: float
    quality_mae: float | None = None
    n_trees: int | None = None


SPACE = (
    Dimension("rubric.ridge", low=1e-7, high=1e-2, is_log=True),
    Dimension("rubric.level_ridge", low=1e-4, high=1.0, is_log=True),
    Dimension("rubric.min_level_count", low=1, high=6),
    Dimension("rubric.min_term_count", low=1, high=6),
    Dimension("rubric.term_support", low=0.1, high=2.0),
    Dimension("rubric.term_purity", low=0.5, high=0.95),
    Dimension("n_folds", low=2, high=6),
    Dimension("quality.params.objective", choices=("regression_l1", "huber", "regression")),
    Dimension("quality.params.learning_rate", 0.1, 0.01, 0.2, is_log=True),
    Dimension("quality.params.num_leaves", 31, 4, 63, is_log=True),
    Dimension("quality.params.min_data_in_leaf", 20, 3, 50, is_log=True),
    Dimension("quality.params.lambda_l2", 0.0, 0.0, 10.0),
    Dimension("quality.params.feature_fraction", 1.0, 0.2, 1.0),
)


def space_around(config: ModelConfig) -> tuple[Dimension, ...]:
    """The dimensions of :data:`SPACE`, widened where the configuration stands outside of their limits.

    Examples
    --------
    >>> space_around(ModelConfig(n_folds=10))[6]
    Dimension(path='n_folds', default=0, low=2, high=10, is_log=False, choices=())
    """
    return tuple(
        _around(dimension, value)
        for dimension, value in zip(SPACE, values_of(config, SPACE).values(), strict=True)
    )


def _around(dimension: Dimension, value: Any) -> Dimension:
    if dimension.choices:
        return msgspec.structs.replace(dimension, choices=tuple(dict.fromkeys([*dimension.choices, value])))
    return msgspec.structs.replace(
        dimension,
        low=min(dimension.low, value),
        high=max(dimension.high, value),
        is_log=dimension.is_log and value > 0,  # nothing is a ratio of 0
    )


def values_of(config: ModelConfig, space: tuple[Dimension, ...]) -> dict[str, Value]:
    """What a configuration says for each dimension, by path.

    Examples
    --------
    >>> values_of(ModelConfig(), SPACE[6:8])
    {'n_folds': 3, 'quality.params.objective': 'regression_l1'}
    """
    values = {}
    for dimension in space:
        part = msgspec.to_builtins(config)
        for key in dimension.path.split("."):
            part = part.get(key, dimension.default)
        values[dimension.path] = part
    return values


def with_values(config: ModelConfig, values: dict[str, Value]) -> ModelConfig:
    """The configuration with other values, by path.

    Examples
    --------
    >>> with_values(ModelConfig(), {"quality.params.num_leaves": 7}).quality.params["num_leaves"]
    7
    """
    plain = msgspec.to_builtins(config)
    for path, value in values.items():
        *parents, last = path.split(".")
        part = plain
        for key in parents:
            part = part[key]
        part[last] = value
    return msgspec.convert(plain, ModelConfig)
