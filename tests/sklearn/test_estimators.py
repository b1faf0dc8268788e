"""Estimators: the numbers of the library, from any kind of records, and errors that name rows."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone

import scoring
from scoring.errors import FeatureError, FieldMapError, ModelError, RecordError, SettingsError
from scoring.records.synthetic.generate import sample_documents
from scoring.sklearn import HeatRegressor, PublishedClassifier, QualityRegressor
from scoring.training.config import TrainConfig
from scoring.workflows.train import TrainOutcome
from tests.sklearn.conftest import CONFIG, FIELDS, KEYS, LABELS

TARGETS = {QualityRegressor: "quality", HeatRegressor: "heat", PublishedClassifier: "published"}
KINDS: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "pandas": pd.DataFrame,
    "polars": lambda rows: pl.DataFrame(rows, infer_schema_length=None),
    "arrow": pa.Table.from_pylist,
    "mappings": list,
    "documents": lambda rows: list(scoring.read_records(rows)),
}


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


@pytest.fixture(scope="module")
def fitted(labelled: pd.DataFrame) -> dict[str, Any]:
    """Each estimator, by its label; tests do not fit it again."""
    return {
        target: kind(CONFIG).fit(labelled[:150], labelled[target][:150]) for kind, target in TARGETS.items()
    }


@pytest.mark.slow
def test_numbers_are_those_of_the_library(archive: Path, training: TrainOutcome) -> None:
    """Of a model of all three labels, trained by ``scoring.train`` on the same records."""
    documents = list(scoring.read_records(archive))
    later = [record for record, _ in sample_documents(n_records=60, seed=9)]
    rows = [msgspec.to_builtins(record) for record in later]
    scores = list(scoring.load_model(training.model).score(rows))

    def fitted(kind: type[Any]) -> Any:
        y = [getattr(document.labels, TARGETS[kind]) for document in documents]
        return kind(TrainConfig(name="small")).fit(documents, y)

    quality = fitted(QualityRegressor)
    assert quality.predict(rows).tolist() == [score.quality for score in scores]
    intervals = [[score.quality_low, score.quality_high] for score in scores]
    assert quality.predict_interval(rows).tolist() == intervals
    assert fitted(HeatRegressor).predict(rows).tolist() == [score.heat for score in scores]
    published = fitted(PublishedClassifier)
    assert published.predict(rows).tolist() == [score.published for score in scores]
    probabilities = [score.published_probability for score in scores]
    assert published.predict_proba(rows)[:, 1].tolist() == probabilities


def test_results_are_plain_arrays(fitted: dict[str, Any], records: pd.DataFrame) -> None:
    later = records[150:]
    quality, heat, published = (fitted[target].predict(later) for target in LABELS)
    assert (quality.dtype, heat.dtype, published.dtype) == (np.float64, np.float64, np.bool_)
    assert quality.shape == heat.shape == published.shape == (50,)
    assert heat.min() == -1
    assert fitted["published"].classes_.tolist() == [False, True]
    assert fitted["published"].predict_proba(later).sum(axis=1) == pytest.approx(np.ones(50))
    assert fitted["quality"].predict_interval(later).shape == (50, 2)


def test_scores_are_good(fitted: dict[str, Any], labelled: pd.DataFrame) -> None:
    later = labelled[150:]
    found = {target: estimator.score(later, later[target]) for target, estimator in fitted.items()}
    assert found["quality"] > 0.8
    assert found["heat"] > 0.8
    assert found["published"] > 0.9


def test_other_labels_are_learned_where_the_records_have_them(
    fitted: dict[str, Any], records: pd.DataFrame, labelled: pd.DataFrame
) -> None:
    assert {target: estimator.targets_ for target, estimator in fitted.items()} == {
        "quality": ("quality",),
        "heat": ("quality", "heat"),
        "published": ("quality", "heat", "published"),
    }
    alone = HeatRegressor(CONFIG).fit(records, labelled["heat"])
    assert alone.targets_ == ("heat",)
    assert PublishedClassifier(CONFIG).fit(records, labelled["published"]).targets_ == ("published",)
    named = msgspec.structs.replace(CONFIG, labels=("heat",))
    unnamed = HeatRegressor(named).fit(labelled, labelled["heat"])
    assert unnamed.targets_ == ("heat",)
    assert unnamed.predict(records).tolist() == alone.predict(records).tolist()


def test_the_label_is_that_of_y(records: pd.DataFrame, labelled: pd.DataFrame) -> None:
    """Not that of the column, and not that of the records to predict."""
    doubled = QualityRegressor(CONFIG).fit(labelled, 2 * labelled["quality"])
    assert doubled.predict(labelled).mean() == pytest.approx(2 * labelled["quality"].mean(), rel=0.05)
    assert doubled.predict(records).tolist() == doubled.predict(labelled).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_records_gives_the_same(kind: str, labelled: pd.DataFrame) -> None:
    y = labelled["quality"][:60]
    expected = QualityRegressor(CONFIG).fit(labelled[:60], y).predict(labelled[60:])
    X = KINDS[kind](rows_of(labelled[:60]))
    labels = {"polars": pl.Series(y), "arrow": pa.chunked_array([y])}.get(kind, y.tolist())
    later = KINDS[kind](rows_of(labelled[60:]))
    assert QualityRegressor(CONFIG).fit(X, labels).predict(later).tolist() == expected.tolist()


def test_the_order_of_the_rows_does_not_matter(fitted: dict[str, Any], labelled: pd.DataFrame) -> None:
    earlier, later = labelled[:150].sample(frac=1, random_state=3), labelled[150:]
    again = QualityRegressor(CONFIG, n_jobs=2).fit(earlier, earlier["quality"])
    assert again.predict(later).tolist() == fitted["quality"].predict(later).tolist()


def test_classes_are_as_the_labels_are(labelled: pd.DataFrame) -> None:
    numbers = PublishedClassifier(CONFIG).fit(labelled, labelled["published"].astype(int))
    assert numbers.classes_.tolist() == [0, 1]
    assert set(numbers.predict(labelled)) == {0, 1}
    nullable = labelled["published"].astype("boolean")
    assert PublishedClassifier(CONFIG).fit(labelled, nullable).classes_.dtype == np.bool_


def test_records_are_seen_at_an_age(labelled: pd.DataFrame) -> None:
    """At publication, later coverage is not seen yet."""

    def until_publication(row: Any) -> list[Any]:
        return [entry for entry in row.related if entry["publishedDateTime"] <= row.publishedDateTime]

    early = HeatRegressor(CONFIG, as_of="published").fit(labelled, labelled["heat"])
    cut = labelled.assign(related=labelled.apply(until_publication, axis=1))
    expected = early.predict(labelled).tolist()
    assert early.predict(cut).tolist() == expected
    late = HeatRegressor(CONFIG).fit(labelled, labelled["heat"])
    assert late.predict(cut).tolist() != late.predict(labelled).tolist()
    by_config = HeatRegressor(msgspec.structs.replace(CONFIG, as_of="published")).fit(
        labelled, labelled["heat"]
    )
    assert by_config.predict(labelled).tolist() == expected


def test_configuration_is_a_file_or_values_by_path(
    tmp_path: Path, records: pd.DataFrame, labelled: pd.DataFrame
) -> None:
    (tmp_path / "few.yaml").write_text("model: {n_folds: 2}\nseed: 5\n", "utf-8")
    path = QualityRegressor(tmp_path / "few.yaml").fit(records, labelled["quality"])
    value = QualityRegressor(model_params={"n_folds": 2}, random_state=5).fit(records, labelled["quality"])
    assert path.predict(records).tolist() == value.predict(records).tolist()


@pytest.mark.parametrize(
    ("parameters", "kind", "message"),
    [
        ({"model_params": {"quality.leaves": 4}}, SettingsError, "model_params: .*unknown field `leaves`"),
        ({"model_params": {"none.leaves": 4}}, SettingsError, "got 'none', expected a path in ModelConfig"),
        ({"model_params": {"n_folds": "two"}}, SettingsError, "model_params: Expected `int`"),
        ({"as_of": "2018-06-01"}, SettingsError, "as_of: got '2018-06-01', expected an age"),
        ({"as_of": "soon"}, FeatureError, "as-of: got 'soon'"),
        ({"config": "no.yaml"}, SettingsError, "no.yaml: cannot read the configuration"),
    ],
)
def test_wrong_parameters_are_reported_by_fit(
    parameters: dict[str, Any], kind: type[Exception], message: str, records: pd.DataFrame
) -> None:
    with pytest.raises(kind, match=message):
        QualityRegressor(**parameters).fit(records, [1] * len(records))


def test_a_row_that_cannot_be_used_is_named(fitted: dict[str, Any], labelled: pd.DataFrame) -> None:
    broken = labelled.copy()
    broken.loc[7, "title"] = None
    message = r"^row 8: title: got no text, expected a title(\n|$)"
    for target, estimator in fitted.items():
        with pytest.raises(RecordError, match=message):
            clone(estimator).fit(broken, broken[target])
        with pytest.raises(RecordError, match=message) as caught:
            estimator.predict(broken)
        assert any("scoring.Model.score" in note for note in caught.value.__notes__)
    with pytest.raises(RecordError, match=r"^row 2: b.md: title: got no text"):
        fitted["quality"].predict([{"title": "Rain"}, {"title": "", "path": "b.md"}])


def test_records_need_dates_to_learn_from_but_not_to_be_predicted(
    fitted: dict[str, Any], labelled: pd.DataFrame
) -> None:
    undated = labelled.copy()
    undated.loc[4, "publishedDateTime"] = None
    message = "^row 5: publishedDateTime: got no date, expected a date in each row: the latest records choose"
    for target, estimator in fitted.items():
        with pytest.raises(RecordError, match=message):
            clone(estimator).fit(undated, undated[target])
        assert len(estimator.predict(undated)) == len(undated)


@pytest.mark.parametrize(
    ("kind", "wrong", "message"),
    [
        (QualityRegressor, 0.5, "y: row 3: got 0.5, expected a whole number$"),
        (QualityRegressor, None, "y: row 3: got no label, expected a whole number$"),
        (QualityRegressor, "high", "y: row 3: got 'high', expected a whole number$"),
        (HeatRegressor, -2, "y: row 3: got -2, expected a whole number of -1 or more$"),
        (PublishedClassifier, "yes", "y: row 3: got 'yes', expected true or false$"),
        (PublishedClassifier, None, "y: row 3: got no label, expected true or false$"),
        (PublishedClassifier, 2, "y: row 3: got 2, expected true or false, or 1 or 0$"),
    ],
)
def test_a_label_that_cannot_be_used_is_named(
    kind: type[Any], wrong: object, message: str, records: pd.DataFrame, labelled: pd.DataFrame
) -> None:
    y = labelled[TARGETS[kind]].astype(object).tolist()
    y[2] = wrong
    with pytest.raises(ValueError, match=message):
        kind(CONFIG).fit(records, np.array(y, dtype=object))


def test_labels_of_another_shape_are_refused(records: pd.DataFrame, labelled: pd.DataFrame) -> None:
    estimator, y = QualityRegressor(CONFIG), labelled["quality"]
    with pytest.raises(ValueError, match="X has 200 samples and y has 199"):
        estimator.fit(records, y[:-1])
    with pytest.raises(ValueError, match="y should be a 1d array"):
        estimator.fit(records, np.ones((200, 2)))
    with pytest.raises(ValueError, match="requires y to be passed"):
        estimator.fit(records, None)
    with pytest.raises(ValueError, match="y: got one class, True, expected both"):
        PublishedClassifier(CONFIG).fit(records, [True] * 200)


def test_too_few_labels_are_refused(records: pd.DataFrame, labelled: pd.DataFrame) -> None:
    with pytest.raises(ModelError, match="got 10 with a quality and a date, expected 15 or more"):
        QualityRegressor(CONFIG).fit(records[:10], labelled["quality"][:10])
    with pytest.raises(ModelError, match="heat of 0 or more"):
        HeatRegressor(CONFIG).fit(records, [-1] * 200)


def test_labels_that_only_some_rows_have_are_refused(labelled: pd.DataFrame) -> None:
    """The others would be left out, and their labels with them."""
    gaps = labelled.astype({"quality": object}).copy()
    gaps.loc[9, "quality"] = None
    message = "^row 10: quality: got no label, expected one in each row, or in none: heat is learned from it"
    with pytest.raises(RecordError, match=message):
        HeatRegressor(CONFIG).fit(gaps, gaps["heat"])


def test_labels_of_too_few_rows_are_not_learned(labelled: pd.DataFrame) -> None:
    few = labelled.astype({"quality": object, "heat": object}).copy()
    few.loc[5:, "quality"] = None
    with pytest.warns(
        UserWarning, match="^quality is not learned: 5 records have it, 15 are needed$"
    ) as caught:
        assert HeatRegressor(CONFIG).fit(few, labelled["heat"]).targets_ == ("heat",)
    assert caught[0].filename == __file__
    few["quality"] = labelled["quality"]
    few.loc[100:, "heat"] = None
    estimator = PublishedClassifier(CONFIG).fit(few, few["published"])
    assert estimator.targets_ == ("quality", "heat", "published")
    few["heat"] = -1
    with pytest.warns(UserWarning, match="^heat is not learned: it is -1 in all records"):
        assert PublishedClassifier(CONFIG).fit(few, few["published"]).targets_ == ("quality", "published")


@pytest.mark.parametrize(
    "wrong", [np.ones((20, 2)), [[1.0]] * 20, ["inbox"] * 20, "inbox", {"title": "Rain"}, 3]
)
def test_what_holds_no_records_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"^X: got .* expected a frame with one record per row, or a list of"):
        QualityRegressor(CONFIG).fit(wrong, [1] * 20)


def test_columns_of_fit_are_needed_by_name(fitted: dict[str, Any], records: pd.DataFrame) -> None:
    estimator = fitted["quality"]
    assert estimator.feature_names_in_.tolist() == list(records.columns)
    assert estimator.n_features_in_ == len(records.columns)
    with pytest.raises(ValueError, match="X: got no column 'excerpt', 'topics', expected the fields of fit"):
        estimator.predict(records.drop(columns=["topics", "excerpt"]))
    other = records[records.columns[::-1]].assign(path="a.md", note="more")
    assert estimator.predict(other).tolist() == estimator.predict(records).tolist()
    with pytest.raises(ValueError, match="X: got no records, expected one or more"):
        estimator.predict(records[:0])
    again = clone(estimator).fit(records.to_dict("records"), [1, 2] * 100)
    assert not hasattr(again, "feature_names_in_")


@pytest.mark.parametrize("kind", ["pandas", "polars", "mappings"])
def test_columns_may_be_named_by_a_field_map(
    kind: str, fitted: dict[str, Any], labelled: pd.DataFrame
) -> None:
    """It names the other labels too; no label is needed to predict."""
    named = labelled.rename(columns=KEYS).assign(published=None)
    earlier, later = (KINDS[kind](rows_of(named[rows])) for rows in (slice(150), slice(150, None)))
    estimator = HeatRegressor(CONFIG, fields=FIELDS).fit(earlier, labelled["heat"][:150])
    assert estimator.targets_ == ("quality", "heat")
    assert estimator.predict(later).tolist() == fitted["heat"].predict(labelled[150:]).tolist()
    if kind == "pandas":
        assert {"headline", "date"} < set(estimator.feature_names_in_)
        assert not {"points", "warmth", "published"} & set(estimator.feature_names_in_)
        bare = later.drop(columns=["points", "warmth", "published"])
        assert estimator.predict(bare).tolist() == estimator.predict(later).tolist()
        with pytest.raises(ValueError, match="X: got no column 'headline'"):
            estimator.predict(bare.drop(columns="headline"))


def test_a_field_map_is_read_by_fit(tmp_path: Path, labelled: pd.DataFrame) -> None:
    """From a file; it may name the rule of sections."""
    file = tmp_path / "fields.yaml"
    file.write_text("fields: {title: headline, published_at: date}\nsection: folder\n", "utf-8")
    named = labelled.rename(columns=KEYS)[["headline", "date"]]
    named.index = pd.Index([f"sea/{number}.md" for number in range(len(named))])
    estimator = QualityRegressor(CONFIG, fields=file)
    assert estimator.get_params()["fields"] is file
    estimator.fit(named, labelled["quality"])
    assert estimator._model.encoder.sections_.by == "folder"
    with pytest.raises(FieldMapError, match=r"none\.yaml"):
        QualityRegressor(CONFIG, fields=tmp_path / "none.yaml").fit(named, labelled["quality"])


def test_contributions_add_up_to_the_whole_prediction(fitted: dict[str, Any], records: pd.DataFrame) -> None:
    for target, estimator in fitted.items():
        values, base, names = estimator.contributions(records)
        assert values.shape == (len(records), len(names))
        assert len(set(names)) == len(names)
        assert estimator.contributions(records[:1]).names == names
        expected = estimator.predict(records)
        if target == "published":
            probability = np.clip(estimator.predict_proba(records)[:, 1], 5e-5, 1 - 5e-5)
            expected = np.log(probability / (1 - probability))
        assert base + values.sum(axis=1) == pytest.approx(expected, abs=1e-6)


def test_contributions_add_up_without_other_labels(records: pd.DataFrame, labelled: pd.DataFrame) -> None:
    estimator = HeatRegressor(CONFIG).fit(records, labelled["heat"])
    values, base, _ = estimator.contributions(records)
    assert base + values.sum(axis=1) == pytest.approx(estimator.predict(records), abs=1e-6)


def test_estimators_are_cloned_and_pickled(fitted: dict[str, Any], records: pd.DataFrame) -> None:
    for estimator in fitted.values():
        assert clone(estimator).get_params() == estimator.get_params()
        assert estimator.get_params()["config"] is CONFIG
        loaded = pickle.loads(pickle.dumps(estimator))  # noqa: S301 -- bytes of this very test
        assert loaded.predict(records).tolist() == estimator.predict(records).tolist()


def test_scikit_learn_is_not_imported_unasked() -> None:
    source = "import sys, scoring; scoring.load_model('shipped'); print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_without_scikit_learn_the_extra_is_named() -> None:
    source = "import sys; sys.modules['sklearn'] = None; import scoring.sklearn"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    expected = (
        "scoring.extras.MissingExtraError: estimators need scikit-learn: pip install 'news-scoring[sklearn]'"
    )
    assert done.stderr.splitlines()[-1] == expected
