"""How boosters are trained, so that the same data give the same bytes; :mod:`.trees` has what predicts."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from scoring.errors import ModelError
from scoring.features.table import Floats
from scoring.model.booster import Booster

# Deterministic: see "deterministic" in LightGBM's parameter manual. It holds for one machine and version.
# Below so many records a second thread waits more than it works.
_MIN_RECORDS_A_THREAD = 10_000
FIXED: dict[str, Any] = {
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
    "feature_pre_filter": False,
}


class _Stop(threading.local):
    """Of each thread: what tells a training in it to end; None where nothing does."""

    event: threading.Event | None = None


_STOP = _Stop()


class StoppedError(Exception):
    """A training ended since nobody waits for it any more."""


def stop_with(event: threading.Event) -> None:
    """Let an event end the trainings of this thread, within one tree."""
    _STOP.event = event


def _check_stop(_: object) -> None:
    """A callback of LightGBM, after each tree."""
    if _STOP.event is not None and _STOP.event.is_set():
        raise StoppedError


class BoosterTrainer(Protocol):
    """What trains a booster: :func:`train_booster` on this machine, or something that has more of them."""

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
        """Train as :func:`train_booster` does."""


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
    Booster
        With `validation`, cut back to its best trees.

    Raises
    ------
    ModelError
        If LightGBM refuses a parameter.
    """
    import lightgbm as lgb  # two seconds, and no score needs them

    # Not `lgb.train`, which `mlflow.autolog()` of the calling program replaces by one that starts a run.
    from lightgbm.engine import train

    settings = {
        **FIXED,
        **params,
        "num_threads": useful_threads(num_threads, len(X)),
        "seed": seed,
    }
    columns = column_names(names)
    coded = [columns[names.index(name)] for name in categories]
    data = lgb.Dataset(
        X, y, init_score=start, feature_name=columns, categorical_feature=coded, params=settings
    )
    try:
        booster = train(
            settings,
            data,
            num_boost_round=num_iterations,
            valid_sets=[data.create_valid(*validation)] if validation else None,
            callbacks=[_check_stop, *([lgb.early_stopping(patience, verbose=False)] if validation else [])],
        )
    except lgb.basic.LightGBMError as error:
        raise ModelError(f"LightGBM cannot train with {params}: {error}") from error
    n_trees = max(booster.best_iteration, 1) if validation else -1
    return Booster(booster.model_to_string(num_iteration=n_trees, importance_type="gain"))


def useful_threads(num_threads: int, n_records: int) -> int:
    """How many of some threads are worth their while for so many records."""
    return min(num_threads, 1 + n_records // _MIN_RECORDS_A_THREAD)


def column_names(names: Sequence[str]) -> list[str]:
    """Names of columns as LightGBM takes them: no characters that JSON needs, no blanks, each but once."""
    plain = ["".join(character if character.isalnum() else "_" for character in name) for name in names]
    counts = Counter(plain)
    return [name if counts[name] == 1 else f"{name}_{at}" for at, name in enumerate(plain)]
