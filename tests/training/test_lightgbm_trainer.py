"""Training of boosters: number of trees, threads, columns, start, seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scoring.features.table import Floats
from scoring.model.booster import Booster
from scoring.training.lightgbm_trainer import column_names, train_booster, useful_threads

X = np.random.default_rng(0).random((200, 2))


def train(y: Floats, X: Floats = X, **options: Any) -> Booster:
    params = {"objective": "regression", "min_data_in_leaf": 5, **options.pop("params", {})}
    common: dict[str, Any] = {"num_iterations": 30, "num_threads": 1, "seed": 0}
    return train_booster(X, y, names=("a", "b"), params=params, **common | options)


@pytest.mark.parametrize(
    ("n_records", "expected"), [(0, 1), (9_999, 1), (10_000, 2), (25_000, 3), (10**6, 4)]
)
def test_each_ten_thousand_records_pay_for_another_thread(n_records: int, expected: int) -> None:
    assert useful_threads(4, n_records) == expected


def test_names_that_would_be_alike_get_their_index() -> None:
    assert column_names(["a b", "c", "a,b", "Ünder_1"]) == ["a_b_0", "c", "a_b_2", "Ünder_1"]


def test_trees_that_later_records_contradict_are_cut() -> None:
    y = np.round(9 * X[:, 0])
    contrary = train(y, validation=(X, -y), patience=5)
    assert contrary.num_trees == 1  # 6 were trained
    assert train(y, validation=(X, y), patience=5).num_trees == 30
    assert train(y).num_trees == 30


def test_training_continues_from_a_start() -> None:
    y = 50 + np.round(9 * X[:, 0])
    assert train(y, start=y).predict(X) == pytest.approx(np.zeros(200), abs=1e-9)
    shifted = train(y, start=np.full(200, 50.0)).predict(X)
    assert shifted == pytest.approx(train(y - 50, start=np.zeros(200)).predict(X))


def test_categories_are_split_into_any_two_sets() -> None:
    codes = np.arange(200.0) % 4
    columns = np.column_stack([codes, np.zeros(200)])
    y = np.where((codes == 0) | (codes == 2), 10.0, 20.0)
    # One split of two leaves; sizes of groups and smoothing are those that change nothing.
    params = {"num_leaves": 2, "learning_rate": 1.0, "min_data_per_group": 1, "cat_smooth": 0, "cat_l2": 0}
    params["max_cat_to_onehot"] = 1
    split = train(y, columns, num_iterations=1, categories=("a",), params=params)
    assert split.predict(columns) == pytest.approx(y)
    ordered = train(y, columns, num_iterations=1, params=params)
    assert np.abs(ordered.predict(columns) - y).max() > 1


def test_seed_draws_the_records_of_each_tree() -> None:
    params = {"bagging_fraction": 0.5, "bagging_freq": 1}
    first, same, other = (train(X[:, 0], params=params, seed=seed).text for seed in (3, 3, 4))
    assert first == same
    trees, other_trees = (text.partition("\nparameters:")[0] for text in (first, other))
    assert trees != other_trees
