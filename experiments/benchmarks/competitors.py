"""Competitors: common libraries with simple tuning and their native handling of categories.

Each library is imported where it is used, so that a missing one can be skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from contest import Competitor, Data, Fitted, Task

from scoring.features.table import TEXT_NAMES, Floats

MAX_TREES = 1000
PATIENCE = 50
CATEGORIES = list(TEXT_NAMES)

# Trains with one setting: on all records of a task, or on its earlier part with early stopping on the later.
# Returns the model and its number of trees.
Train = Callable[[Task, Any, int, bool], tuple[Fitted, int]]


def _tuned(task: Task, settings: Sequence[Any], train: Train) -> tuple[Floats, Fitted]:
    """Try each setting with early stopping, then refit the best on all records with as many trees."""
    later, later_y = task.later
    best: tuple[float, Any, int, Floats] | None = None
    for setting in settings:
        model, n_trees = train(task, setting, MAX_TREES, True)
        predictions = model(later)
        loss = task.loss(predictions, later_y)
        if best is None or loss < best[0]:
            best = loss, setting, n_trees, predictions
    if best is None:
        raise ValueError("settings: got none, expected some")
    _, setting, n_trees, predictions = best
    return predictions, train(task, setting, n_trees, False)[0]


def lightgbm(task: Task, *, has_words: bool = False) -> tuple[Floats, Fitted]:
    """LightGBM, native categories; with words, a flag for each word and pair of words of the title."""
    import lightgbm as lgb
    from sklearn.feature_extraction.text import CountVectorizer

    objectives = ["binary"] if task.is_binary else ["regression", "regression_l1"]

    def train(task: Task, setting: Any, n_trees: int, is_trial: bool) -> tuple[Fitted, int]:
        data, y = task.earlier if is_trial else (task.data, task.y)
        words = CountVectorizer(binary=True, min_df=5, ngram_range=(1, 2))
        if has_words:
            words.fit(data.texts["title"])

        def matrix(data: Data) -> pd.DataFrame:
            if not has_words:
                return data.frame
            flags = words.transform(data.texts["title"]).toarray().astype(np.int8)
            return data.frame.join(pd.DataFrame(flags).add_prefix("word_"))

        params = {
            "objective": setting[0],
            "num_leaves": setting[1],
            "learning_rate": 0.1,
            "min_data_in_leaf": 10,
            "feature_fraction": 0.5,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "min_data_per_group": 10,
            "num_threads": task.threads,
            "seed": task.seed,
            "verbosity": -1,
        }
        later, later_y = task.later
        dataset = lgb.Dataset(matrix(data), y, params=params, free_raw_data=False)
        booster = lgb.train(
            params,
            dataset,
            n_trees,
            valid_sets=[dataset.create_valid(matrix(later), later_y)] if is_trial else None,
            callbacks=[lgb.early_stopping(PATIENCE, verbose=False)] if is_trial else None,
        )
        return lambda data: np.asarray(booster.predict(matrix(data))), booster.best_iteration or n_trees

    return _tuned(task, [(objective, leaves) for objective in objectives for leaves in (15, 63)], train)


def xgboost(task: Task) -> tuple[Floats, Fitted]:
    """XGBoost with histograms and native categories."""
    import xgboost as xgb

    objectives = ["binary:logistic"] if task.is_binary else ["reg:squarederror", "reg:absoluteerror"]

    def matrix(data: Data, y: Floats | None = None) -> Any:
        return xgb.DMatrix(data.frame, y, enable_categorical=True, nthread=task.threads)

    def train(task: Task, setting: Any, n_trees: int, is_trial: bool) -> tuple[Fitted, int]:
        data, y = task.earlier if is_trial else (task.data, task.y)
        params = {
            "objective": setting[0],
            "max_depth": setting[1],
            "eta": 0.1,
            "subsample": 0.8,
            "colsample_bytree": 0.5,
            "tree_method": "hist",
            "nthread": task.threads,
            "seed": task.seed,
        }
        booster = xgb.train(
            params,
            matrix(data, y),
            n_trees,
            evals=[(matrix(*task.later), "later")] if is_trial else None,
            early_stopping_rounds=PATIENCE if is_trial else None,
            verbose_eval=False,
        )
        n_trees = booster.best_iteration + 1 if is_trial else n_trees
        return lambda data: np.asarray(
            booster.predict(matrix(data), iteration_range=(0, n_trees)), dtype=np.float64
        ), n_trees

    return _tuned(task, [(objective, depth) for objective in objectives for depth in (4, 8)], train)


def catboost(task: Task, *, has_text: bool = False) -> tuple[Floats, Fitted]:
    """CatBoost with ordered target statistics; with text, also its text features of the title."""
    from catboost import CatBoostClassifier, CatBoostRegressor, Pool

    objectives = ["Logloss"] if task.is_binary else ["RMSE", "MAE"]
    texts = ["title"] if has_text else []

    def pool(data: Data, y: Floats | None = None) -> Any:
        frame = data.frame.copy()
        for name in CATEGORIES:
            frame[name] = frame[name].astype(object).fillna("")
        for name in texts:
            frame[name] = data.texts[name]
        return Pool(frame, y, cat_features=CATEGORIES, text_features=texts)

    def train(task: Task, setting: Any, n_trees: int, is_trial: bool) -> tuple[Fitted, int]:
        data, y = task.earlier if is_trial else (task.data, task.y)
        model = (CatBoostClassifier if task.is_binary else CatBoostRegressor)(
            loss_function=setting[0],
            depth=setting[1],
            iterations=n_trees,
            learning_rate=0.1,
            thread_count=task.threads,
            random_seed=task.seed,
            allow_writing_files=False,
            verbose=False,
        )
        stop = {"eval_set": pool(*task.later), "early_stopping_rounds": PATIENCE} if is_trial else {}
        model.fit(pool(data, y), **stop)

        def predict(data: Data) -> Floats:
            if task.is_binary:
                return np.asarray(model.predict_proba(pool(data))[:, 1], dtype=np.float64)
            return np.asarray(model.predict(pool(data)), dtype=np.float64)

        return predict, model.tree_count_

    # Text features make each fit much slower: use only one depth.
    depths = (6,) if has_text else (4, 6)
    return _tuned(task, [(objective, depth) for objective in objectives for depth in depths], train)


def flaml(task: Task) -> tuple[Floats, Fitted]:
    """FLAML: search learners and settings within the budget, then refit the best on all records."""
    from flaml.automl import AutoML

    data, y = task.earlier
    later, later_y = task.later
    common: dict[str, Any] = {
        "task": "classification" if task.is_binary else "regression",
        "metric": "log_loss" if task.is_binary else "mae",
        "eval_method": "holdout",
        "n_jobs": task.threads,
        "seed": task.seed,
        "verbose": 0,
        "X_train": data.frame,
        "y_train": y,
        "X_val": later.frame,
        "y_val": later_y,
    }

    def predict(model: Any, data: Data) -> Floats:
        predictions = model.predict_proba(data.frame)[:, 1] if task.is_binary else model.predict(data.frame)
        return np.asarray(predictions, dtype=np.float64)

    search = AutoML()
    search.fit(**common, time_budget=task.budget_seconds, retrain_full=False)
    final = AutoML()
    final.fit(
        **common,
        estimator_list=[search.best_estimator],
        starting_points={search.best_estimator: search.best_config},
        max_iter=1,
        time_budget=-1,
        retrain_full=True,
    )
    return predict(search, later), partial(predict, final)


def ridge(task: Task) -> tuple[Floats, Fitted]:
    """Ridge regression on TF-IDF of title and excerpt, one-hot categories and scaled numbers."""
    from sklearn.compose import make_column_transformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [name for name in task.data.frame if name not in CATEGORIES]
    columns = make_column_transformer(
        (
            make_pipeline(
                SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
                StandardScaler(),
            ),
            numbers,
        ),
        (OneHotEncoder(min_frequency=2, handle_unknown="infrequent_if_exist"), CATEGORIES),
        (TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True), "title"),
        (TfidfVectorizer(min_df=3, sublinear_tf=True), "excerpt"),
        sparse_threshold=1.0,
    )

    def table(data: Data) -> pd.DataFrame:
        frame = data.frame.join(data.texts)
        frame[CATEGORIES] = frame[CATEGORIES].astype(object).fillna("")
        return frame

    def train(task: Task, alpha: Any, n_trees: int, is_trial: bool) -> tuple[Fitted, int]:
        data, y = task.earlier if is_trial else (task.data, task.y)
        model = make_pipeline(columns, Ridge(alpha=alpha, solver="sparse_cg", random_state=task.seed))
        model.fit(table(data), y)
        return lambda data: np.asarray(model.predict(table(data)), dtype=np.float64), n_trees

    return _tuned(task, (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0), train)


def ebm(task: Task) -> tuple[Floats, Fitted]:
    """Explainable boosting machine: additive shape functions, no interactions; 2 bags in the final fit."""
    from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor

    kinds = ["nominal" if name in CATEGORIES else "continuous" for name in task.data.frame]

    def table(data: Data) -> pd.DataFrame:
        frame = data.frame.copy()
        for name in CATEGORIES:
            frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
        return frame

    def train(is_trial: bool) -> Fitted:
        kind = ExplainableBoostingClassifier if task.is_binary else ExplainableBoostingRegressor
        bags = np.where(task.is_validation, -1, 1).astype(np.int8)[:, None] if is_trial else None
        model = kind(
            feature_types=kinds,
            interactions=0,
            outer_bags=1 if is_trial else 2,
            n_jobs=task.threads,
            random_state=task.seed,
        )
        model.fit(table(task.data), task.y, bags=bags)

        def predict(data: Data) -> Floats:
            X = table(data)
            return np.asarray(
                model.predict_proba(X)[:, 1] if task.is_binary else model.predict(X), dtype=np.float64
            )

        return predict

    return train(True)(task.later[0]), train(False)


#: By name in the table: required module, and competitor.
COMPETITORS: dict[str, tuple[str, Competitor]] = {
    "ridge on TF-IDF and columns": ("sklearn", ridge),
    "LightGBM": ("lightgbm", lightgbm),
    "LightGBM with title words": ("sklearn", partial(lightgbm, has_words=True)),
    "XGBoost": ("xgboost", xgboost),
    "CatBoost": ("catboost", catboost),
    "FLAML": ("flaml", flaml),
    "EBM": ("interpret", ebm),
    "CatBoost with title words": ("catboost", partial(catboost, has_text=True)),
}
