"""Deterministic training of LightGBM boosters; :mod:`scoring.model.booster` predicts."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from scoring.errors import ModelError
from scoring.features.table import Floats
from scoring.model.booster import Booster

# With fewer records per thread, another thread does not pay off.
_MIN_RECORDS_PER_THREAD = 10_000
# "deterministic" in LightGBM's parameters: the same bytes on one machine with one version.
FIXED: dict[str, Any] = {
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
    "feature_pre_filter": False,
}


class _StopSignal(threading.local):
    """Thread-local event that stops the trainings of a thread; None if there is none."""

    event: threading.Event | None = None


_STOP_SIGNAL = _StopSignal()


class StoppedError(Exception):
    """A training was stopped because its result is no longer needed."""


def stop_with(event: threading.Event) -> None:
    """Stop the trainings of this thread, within one tree, once the event is set."""
    _STOP_SIGNAL.event = event


def _raise_if_stopped(_: object) -> None:
    """LightGBM callback, called after each tree."""
    if _STOP_SIGNAL.event is not None and _STOP_SIGNAL.event.is_set():
        raise StoppedError


class BoosterTrainer(Protocol):
    """Trains a booster: :func:`train_booster`, or a distributed one."""

    def __call__(
        self,
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
    ) -> Booster:
        """Train a booster; see :func:`train_booster`."""


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
) -> Booster:
    """Train one booster.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Features, float64; NaN is missing.
    y : ndarray of shape (n_samples,)
        Targets.
    names : sequence of str
        Column names.
    params : dict
        LightGBM parameters, by their primary names.
    num_iterations : int
        Number of trees; the maximum with `validation`.
    num_threads, seed : int
        Number of threads and random seed.
    categories : sequence of str
        Columns of category codes.
    validation : tuple of ndarray, optional
        Features and targets of later records, for early stopping.
    patience : int
        Early-stopping rounds.
    start : ndarray of shape (n_samples,), optional
        Initial raw scores (``init_score``); the booster's predictions exclude them.

    Returns
    -------
    Booster
        With `validation`, cut to its best iteration.

    Raises
    ------
    ModelError
        If LightGBM rejects a parameter.
    """
    import lightgbm as lgb  # takes two seconds, and scoring does not need it

    # Not `lgb.train`: `mlflow.autolog()` in the calling program patches that to start a run.
    from lightgbm.engine import train

    all_params = {
        **FIXED,
        **params,
        "num_threads": useful_threads(num_threads, len(X)),
        "seed": seed,
    }
    columns = column_names(names)
    categorical_features = [columns[names.index(name)] for name in categories]
    data = lgb.Dataset(
        X,
        y,
        init_score=start,
        feature_name=columns,
        categorical_feature=categorical_features,
        params=all_params,
    )
    try:
        booster = train(
            all_params,
            data,
            num_boost_round=num_iterations,
            valid_sets=[data.create_valid(*validation)] if validation else None,
            callbacks=[
                _raise_if_stopped,
                *([lgb.early_stopping(patience, verbose=False)] if validation else []),
            ],
        )
    except lgb.basic.LightGBMError as error:
        raise ModelError(f"LightGBM cannot train with {params}: {error}") from error
    n_trees = max(booster.best_iteration, 1) if validation else -1
    return Booster(booster.model_to_string(num_iteration=n_trees, importance_type="gain"))


def useful_threads(num_threads: int, n_records: int) -> int:
    """Number of threads, at most `num_threads`, that pay off for `n_records`."""
    return min(num_threads, 1 + n_records // _MIN_RECORDS_PER_THREAD)


def column_names(names: Sequence[str]) -> list[str]:
    """Column names that LightGBM accepts: unique, without blanks and characters special in JSON."""
    sanitized = ["".join(character if character.isalnum() else "_" for character in name) for name in names]
    counts = Counter(sanitized)
    return [name if counts[name] == 1 else f"{name}_{index}" for index, name in enumerate(sanitized)]
