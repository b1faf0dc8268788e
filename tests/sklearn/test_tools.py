"""Tools of scikit-learn take the estimators: pipelines, cross-validation, searches, importances, joblib."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.inspection import permutation_importance
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from scoring.sklearn import HeatRegressor, PublishedClassifier, QualityRegressor
from tests.sklearn.conftest import CONFIG, FIELDS, KEYS


def without_excerpts(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="excerpt")


def test_pipeline(records: pd.DataFrame, labelled: pd.DataFrame) -> None:
    pipeline = make_pipeline(FunctionTransformer(without_excerpts), QualityRegressor(CONFIG))
    pipeline.fit(records, labelled["quality"])
    alone = QualityRegressor(CONFIG).fit(without_excerpts(records), labelled["quality"])
    assert pipeline.predict(records).tolist() == alone.predict(without_excerpts(records)).tolist()
    assert "excerpt" not in pipeline[-1].feature_names_in_


@pytest.mark.slow
def test_cross_validation_in_time(labelled: pd.DataFrame) -> None:
    split = TimeSeriesSplit(n_splits=2)
    scores = cross_val_score(
        QualityRegressor(CONFIG), labelled, labelled["quality"], cv=split, scoring="neg_mean_absolute_error"
    )
    assert len(scores) == 2
    assert (scores > -10).all()
    areas = cross_val_score(
        PublishedClassifier(CONFIG), labelled, labelled["published"], cv=split, scoring="roc_auc"
    )
    assert (areas > 0.9).all()


def test_cross_validation_of_other_kinds_of_records(records: pd.DataFrame, labelled: pd.DataFrame) -> None:
    rows, y = records[:60].to_dict("records"), labelled["quality"][:60].tolist()
    expected = cross_val_predict(QualityRegressor(CONFIG), records[:60], y, cv=2)
    for X in (rows, pl.DataFrame(rows, infer_schema_length=None)):
        assert cross_val_predict(QualityRegressor(CONFIG), X, y, cv=2).tolist() == expected.tolist()


@pytest.mark.slow
def test_grid_search(records: pd.DataFrame, labelled: pd.DataFrame) -> None:
    values = [{"rubric.ridge": 1e-5}, {"rubric.ridge": 1e3, "rubric.level_ridge": 1e3}]
    search = GridSearchCV(
        QualityRegressor(CONFIG), {"model_params": values}, cv=TimeSeriesSplit(2), error_score="raise"
    )
    search.fit(records, labelled["quality"])
    assert search.best_params_ == {"model_params": {"rubric.ridge": 1e-5}}
    assert search.best_estimator_.predict(records).shape == (200,)


@pytest.mark.slow
def test_search_with_a_field_map(labelled: pd.DataFrame) -> None:
    named = labelled.rename(columns=KEYS)
    grid = {"fields": [FIELDS], "random_state": [3]}
    search = GridSearchCV(QualityRegressor(CONFIG), grid, cv=TimeSeriesSplit(2), error_score="raise")
    search.fit(named, named["points"])
    assert search.best_params_ == {"fields": FIELDS, "random_state": 3}
    copy = clone(search.best_estimator_)
    assert copy.get_params()["fields"] == FIELDS
    assert copy.set_params(fields=None).get_params()["fields"] is None


def test_permutation_importance(records: pd.DataFrame, labelled: pd.DataFrame) -> None:
    """The columns of a frame are permuted, nested ones included."""
    estimator = QualityRegressor(CONFIG).fit(records[:150], labelled["quality"][:150])
    found = permutation_importance(
        estimator, records[150:], labelled["quality"][150:], n_repeats=2, random_state=0
    )
    means = dict(zip(records.columns, found.importances_mean, strict=True))
    assert max(means, key=lambda name: means[name]) == "provider"
    assert means["webUrl"] == 0


def test_scorers_and_joblib(records: pd.DataFrame, labelled: pd.DataFrame, tmp_path: Path) -> None:
    heat = HeatRegressor(CONFIG, random_state=np.random.RandomState(3)).fit(labelled, labelled["heat"])
    joblib.dump(heat, tmp_path / "heat.joblib")
    loaded = joblib.load(tmp_path / "heat.joblib")
    assert loaded.predict(records).tolist() == heat.predict(records).tolist()
    scorer = get_scorer("neg_median_absolute_error")
    assert scorer(heat, records, labelled["heat"]) == pytest.approx(scorer(loaded, records, labelled["heat"]))
