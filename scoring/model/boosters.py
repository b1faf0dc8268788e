"""LightGBM, the one place: how boosters are trained, so that the same data give the same bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import lightgbm as lgb
import numpy as np

from scoring.errors import ModelError
from scoring.features.table import Floats

_THREADS = re.compile(r"\[num_threads: \d+\]")
# Deterministic: see "deterministic" in LightGBM's parameter manual. It holds for one machine and version.
# Below so many records a second thread waits more than it works.
_MIN_RECORDS_A_THREAD = 10_000
_FIXED: dict[str, Any] = {
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
    "feature_pre_filter": False,
}


def train_booster(
    X: Floats,
    y: Floats,
    *,
    names: Sequence[str],
    params: dict[str, Any],
    num_iterations: int,
    num_threads: int,
    seed: int,
    categories: Sequence[str] = (),
    validation: tuple[Floats, Floats] | None = None,
    patience: int = 50,
    start: Floats | None = None,
) -> lgb.Booster:
    """Train one booster.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Features, float64; NaN is missing.
    y : ndarray of shape (n_samples,)
        Targets.
    names : sequence of str
        Names of the columns.
    params : dict
        LightGBM parameters, by their primary names.
    num_iterations : int
        Trees; with `validation`, the most of them.
    num_threads, seed : int
        Threads, and the seed of all that is drawn.
    categories : sequence of str
        Columns that hold codes of categories.
    validation : tuple of ndarray, optional
        Later records, features and targets, on which to stop early.
    patience : int
        Trees without a gain on them after which to stop.
    start : ndarray of shape (n_samples,), optional
        What the first tree adds to, in the objective's raw scores; the booster's own have none of it.

    Returns
    -------
    lightgbm.Booster
        With `validation`, cut back to its best trees.

    Raises
    ------
    ModelError
        If LightGBM refuses a parameter.
    """
    settings = {
        **_FIXED,
        **params,
        "num_threads": min(num_threads, 1 + len(X) // _MIN_RECORDS_A_THREAD),
        "seed": seed,
    }
    columns = _column_names(names)
    coded = [columns[names.index(name)] for name in categories]
    data = lgb.Dataset(
        X, y, init_score=start, feature_name=columns, categorical_feature=coded, params=settings
    )
    try:
        if validation is None:
            return lgb.train(settings, data, num_boost_round=num_iterations)
        booster = lgb.train(
            settings,
            data,
            num_boost_round=num_iterations,
            valid_sets=[data.create_valid(*validation)],
            callbacks=[lgb.early_stopping(patience, verbose=False)],
        )
    except lgb.basic.LightGBMError as error:
        raise ModelError(f"LightGBM cannot train with {params}: {error}") from error
    return lgb.Booster(model_str=booster.model_to_string(num_iteration=max(booster.best_iteration, 1)))


def _column_names(names: Sequence[str]) -> list[str]:
    """Names as LightGBM takes them: none of JSON's special characters, no blanks, and each but once."""
    plain = ["".join(character if character.isalnum() else "_" for character in name) for name in names]
    counts = Counter(plain)
    return [name if counts[name] == 1 else f"{name}_{at}" for at, name in enumerate(plain)]


def predict(booster: lgb.Booster, X: Floats, num_threads: int = 1, *, is_raw: bool = False) -> Floats:
    """Predictions, shape (n_samples,); one thread by default, since records come one by one.

    `is_raw` gives what the trees add up to (log-odds of a binary objective).
    """
    X = np.ascontiguousarray(X)
    return np.asarray(booster.predict(X, num_threads=num_threads, raw_score=is_raw), dtype=np.float64)


def contributions(booster: lgb.Booster, X: Floats) -> Floats:
    """SHAP values, shape (n_samples, n_features + 1), the base in the last column."""
    return np.asarray(
        booster.predict(np.ascontiguousarray(X), pred_contrib=True, num_threads=1), dtype=np.float64
    )


def importances(booster: lgb.Booster, names: Sequence[str]) -> list[tuple[str, float, int]]:
    """Each column with its gain and its count of splits."""
    gains = booster.feature_importance("gain")
    splits = booster.feature_importance("split")
    return [(name, float(gain), int(split)) for name, gain, split in zip(names, gains, splits, strict=True)]


def to_text(booster: lgb.Booster) -> str:
    """The booster as LightGBM's text model, the same for any number of threads."""
    return _THREADS.sub("[num_threads: 0]", booster.model_to_string(num_iteration=-1, importance_type="gain"))


def from_text(text: str) -> lgb.Booster:
    """A booster from LightGBM's text model; the caller has checked that the text is whole.

    LightGBM ends the process on a text that is cut short, so its hash must have been compared first.
    """
    return lgb.Booster(model_str=text)
