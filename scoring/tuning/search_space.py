"""Search space of a tuning study."""

from __future__ import annotations

from typing import Any

import msgspec

from scoring.training.config import ModelConfig

Value = float | int | str


class Dimension(msgspec.Struct, frozen=True):
    """One dimension of a search space.

    Parameters
    ----------
    path : str
        Dotted path in :class:`~scoring.training.config.ModelConfig`.
    default : float, int or str
        Default of LightGBM if the configuration does not set it.
    low, high : float or int
        Inclusive limits; both integers for an integer parameter.
    is_log : bool
        Whether to sample on a logarithmic scale.
    choices : tuple of str
        Choices, instead of limits.
    """

    path: str
    default: Value = 0
    low: float | int = 0
    high: float | int = 0
    is_log: bool = False
    choices: tuple[str, ...] = ()


class Trial(msgspec.Struct, frozen=True):
    """One trial of a study.

    Parameters
    ----------
    number : int
        Number, from 0; an interrupted trial leaves a gap.
    values : dict of str to float, int or str
        Values by path of the dimension.
    rubric_mae : float
        Quality MAE of the rubric alone; points.
    quality_mae : float or None
        Quality MAE of rubric and booster; points. None if the trial was pruned after the rubric.
    n_trees : int or None
        Trees of the booster; None if the trial was pruned.
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
    """Dimensions of :data:`SPACE`, widened to include the values of the configuration.

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
        is_log=dimension.is_log and value > 0,  # 0 has no logarithm
    )


def values_of(config: ModelConfig, space: tuple[Dimension, ...]) -> dict[str, Value]:
    """Values of a configuration by path of the dimension.

    Examples
    --------
    >>> values_of(ModelConfig(), SPACE[6:8])
    {'n_folds': 3, 'quality.params.objective': 'regression_l1'}
    """
    values = {}
    for dimension in space:
        node = msgspec.to_builtins(config)
        for key in dimension.path.split("."):
            node = node.get(key, dimension.default)
        values[dimension.path] = node
    return values


def with_values(config: ModelConfig, values: dict[str, Value]) -> ModelConfig:
    """Configuration with replaced values, by path.

    Examples
    --------
    >>> with_values(ModelConfig(), {"quality.params.num_leaves": 7}).quality.params["num_leaves"]
    7
    """
    fields = msgspec.to_builtins(config)
    for path, value in values.items():
        *parents, leaf = path.split(".")
        node = fields
        for key in parents:
            node = node[key]
        node[leaf] = value
    return msgspec.convert(fields, ModelConfig)
