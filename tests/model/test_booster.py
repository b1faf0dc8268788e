"""LightGBM prediction through the C API, against the Python package."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from scoring.errors import ModelError
from scoring.features.table import Floats
from scoring.model.booster import Booster

RANDOM = np.random.default_rng(3)
X = np.column_stack([RANDOM.normal(size=(300, 3)), RANDOM.integers(0, 9, 300)])
X[RANDOM.random(X.shape) < 0.1] = np.nan
Y = np.nan_to_num(X[:, 0]) + 2 * (X[:, 3] == 4) + RANDOM.normal(size=300) / 4


def lightgbm_booster(objective: str) -> lgb.Booster:
    y = (np.median(Y) < Y).astype(float) if objective == "binary" else Y
    params = {"objective": objective, "verbosity": -1, "min_data_in_leaf": 5, "num_threads": 1}
    return lgb.train(params, lgb.Dataset(X, y, categorical_feature=[3]), num_boost_round=20)


@pytest.mark.parametrize("objective", ["regression", "regression_l1", "binary"])
def test_it_predicts_as_the_package_does(objective: str) -> None:
    other = lightgbm_booster(objective)
    booster = Booster(other.model_to_string(importance_type="gain"))
    assert (booster.num_trees, booster.n_features) == (20, 4)
    assert np.array_equal(booster.predict(X), np.asarray(other.predict(X)))
    assert np.array_equal(booster.predict(X, is_raw=True), np.asarray(other.predict(X, raw_score=True)))
    assert np.array_equal(booster.contributions(X), np.asarray(other.predict(X, pred_contrib=True)))
    stages = dict(booster.staged_raw(X, 8))
    assert list(stages) == [8, 16, 20]
    for n_trees, raw in stages.items():
        assert raw == pytest.approx(other.predict(X, raw_score=True, num_iteration=n_trees), abs=1e-12)
    gains, splits = booster.importances()
    assert gains == pytest.approx(other.feature_importance("gain"), rel=1e-4)
    assert splits.tolist() == other.feature_importance("split").tolist()


def test_threads_and_layout_change_nothing() -> None:
    booster = Booster(lightgbm_booster("regression").model_to_string())
    expected = booster.predict(X)
    assert np.array_equal(booster.predict(X, 2), expected)
    assert np.array_equal(booster.predict(np.asfortranarray(X)), expected)
    assert np.array_equal(np.concatenate([booster.predict(X[[row]]) for row in range(300)]), expected)
    assert booster.predict(X[:0]).shape == (0,)


def test_text_does_not_tell_the_number_of_threads() -> None:
    text = lightgbm_booster("regression").model_to_string()
    assert "[num_threads: 1]" in text
    assert Booster(text).text == text.replace("[num_threads: 1]", "[num_threads: 0]")


def test_it_survives_a_trip_through_pickle() -> None:
    booster = Booster(lightgbm_booster("binary").model_to_string())
    again = pickle.loads(pickle.dumps(booster))  # noqa: S301 -- its own bytes
    assert again.text == booster.text
    assert np.array_equal(again.predict(X), booster.predict(X))


@pytest.mark.parametrize("columns", [3, 5])
def test_other_columns_are_refused(columns: int) -> None:
    booster = Booster(lightgbm_booster("regression").model_to_string())
    wide: Floats = np.zeros((2, columns))
    with pytest.raises(ModelError, match=f"got {columns} columns, expected 4"):
        booster.predict(wide)


@pytest.mark.parametrize("text", ["", "tree\n", "no model at all"])
def test_what_is_no_model_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match="LightGBM cannot use this model: "):
        Booster(text)


def test_a_score_imports_nothing_heavy(archive: Path) -> None:
    """Imports used to take two of the three seconds of a score."""
    code = (
        "import sys; from scoring.cli import app\n"
        f"app(['score', {str(next(archive.glob('*.md')))!r}, '--model', 'shipped'], standalone_mode=False)\n"
        "slow = {'lightgbm', 'sklearn', 'pandas', 'scipy', 'mlflow', 'matplotlib', 'rich', 'yaml'}\n"
        "heavy = slow & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
