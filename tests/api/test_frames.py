"""Frames of pandas, Polars and Arrow: in, out, and the same numbers as any other way."""

from __future__ import annotations

import math
import pickle
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import scoring
from scoring.explanation.frames import BASE, REST
from scoring.records.frame_rows import read_frame
from scoring.records.synthetic.generate import sample_documents
from scoring.workflows.train import TrainOutcome
from tests.workflows.test_labels import QUICK

KINDS: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "pandas": pd.DataFrame,
    "polars": lambda rows: pl.DataFrame(rows, infer_schema_length=None),
    "arrow": pa.Table.from_pylist,
}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """Six records as builtin values; the third cannot be used."""
    records = [msgspec.to_builtins(record) for record, _ in sample_documents(n_records=6, seed=5)]
    for number, record in enumerate(records):
        del record["related"]
        record["path"] = f"{number}.md"
        record["publishedDateTime"] = datetime.fromisoformat(record["publishedDateTime"])
    records[2]["title"] = None
    return records


@pytest.fixture
def model(training: TrainOutcome) -> scoring.Model:
    return scoring.load_model(training.model)


def dicts(frame: Any) -> list[dict[str, Any]]:
    """Rows of any frame as builtin values, None where missing."""
    if isinstance(frame, pd.DataFrame):
        frame = pa.Table.from_pandas(frame, preserve_index=False)
    found: list[dict[str, Any]] = frame.to_dicts() if isinstance(frame, pl.DataFrame) else frame.to_pylist()
    return [
        {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in row.items()
        }
        for row in found
    ]


def usable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"publishedDateTime": row["publishedDateTime"].isoformat()} for row in rows if row["title"]]


@pytest.mark.parametrize("kind", KINDS)
def test_scores_come_in_a_frame_of_the_same_kind(
    kind: str, rows: list[dict[str, Any]], model: scoring.Model
) -> None:
    frame = KINDS[kind](rows)
    scored = model.score(frame)
    assert type(scored) is type(frame)
    found = dicts(scored)
    errors = [row.pop("error") for row in found]
    assert errors == [None, None, "2.md: title: got no text, expected a title", None, None, None]
    unusable = found.pop(2)
    assert unusable == dict.fromkeys(scoring.Score.__struct_fields__) | {"path": "2.md"}
    expected = [msgspec.structs.asdict(score) for score in model.score(usable(rows))]
    assert found == [row | {"warnings": "; ".join(row["warnings"])} for row in expected]
    assert dicts(scoring.score(frame, model=model)) == dicts(scored)


def test_the_index_of_pandas_is_kept(rows: list[dict[str, Any]], model: scoring.Model) -> None:
    index = pd.MultiIndex.from_product([["a", "b"], [1, 2, 3]])
    frame = pd.DataFrame(rows, index=index)
    assert model.score(frame).index.equals(index)
    assert model.features(frame).index.equals(index)
    assert set(model.explain(frame).index) == set(index)


def test_columns_are_numbers_and_truths(rows: list[dict[str, Any]], model: scoring.Model) -> None:
    whole = model.score(pd.DataFrame(rows).drop(index=2))
    assert {name: str(whole[name].dtype) for name in ("quality", "quality_low", "published")} == {
        "quality": "Int64",
        "quality_low": "float64",
        "published": "boolean",
    }
    with_null = model.score(pd.DataFrame(rows))
    assert (str(with_null.quality.dtype), str(with_null.published.dtype)) == ("Int64", "boolean")
    assert model.score(KINDS["polars"](rows)).schema["quality"] == pl.Int64


def test_an_explanation_is_a_table_too(rows: list[dict[str, Any]], model: scoring.Model) -> None:
    explanation = model.explain(usable(rows)[0])
    table = explanation.to_frame()
    of_frame = model.explain(pd.DataFrame(usable(rows)[:1]))
    expected = of_frame[list(table.columns)].reset_index(drop=True)
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)
    assert table.groupby("target")["contribution"].sum()["quality"] == pytest.approx(
        explanation.score.quality
    )
    assert repr(explanation).startswith("<Explanation of Score(path='0.md', quality=")
    assert "<table" in explanation._repr_html_()


@pytest.mark.parametrize("kind", KINDS)
def test_contributions_add_up_to_the_score(
    kind: str, rows: list[dict[str, Any]], model: scoring.Model
) -> None:
    frame = KINDS[kind](rows)
    reasons = model.explain(frame)
    assert type(reasons) is type(frame)
    contributions = dicts(reasons)
    scores = dicts(model.score(frame))
    for number, score in enumerate(scores):
        own = [row for row in contributions if row["row"] == number]
        if score["error"]:
            assert [row["error"] for row in own] == [score["error"]]
            continue
        totals = {
            target: sum(row["contribution"] for row in own if row["target"] == target)
            for target in ("quality", "lead", "heat", "published")
        }
        assert totals["quality"] == pytest.approx(score["quality"], abs=1e-6)
        assert totals["heat"] == pytest.approx(score["heat"], abs=1e-6)
        for target in ("lead", "published"):
            probability = 1 / (1 + math.exp(-totals[target]))
            assert probability == pytest.approx(score[f"{target}_probability"], abs=6e-5)
        rest = [row["contribution"] for row in own if (row["target"], row["feature"]) == ("quality", REST)]
        assert abs(rest[0]) <= 0.5
        assert next(row["feature"] for row in own if row["target"] == "quality") == BASE


def test_features_are_those_of_records(rows: list[dict[str, Any]], model: scoring.Model) -> None:
    by_record = scoring.extract_features(usable(rows), model=model)
    features = model.features(KINDS["polars"](rows))
    assert features["error"].null_count() == 5
    kept = features.filter(pl.col("error").is_null()).drop("error")
    expected = dicts(by_record.reset_index())
    assert dicts(kept) == [row | {"topics": list(row["topics"])} for row in expected]


def test_values_are_taken_for_what_they_are() -> None:
    frame = pd.DataFrame(
        {
            "title": ["Rain", "Snow"],
            "publishedDateTime": [pd.Timestamp("2021-03-04T05:00", tz="Europe/Oslo"), pd.NaT],
            "type": pd.Categorical(["video", None]),
            "topics": ['["Weather", "Coast"]', np.array(["Weather"])],
            "quality": pd.array([67.0, None], dtype="Float64"),
            "heat": [np.float64(80.0), np.nan],
            "published": pd.array([True, None], dtype="boolean"),
            "provider": [{"domain": "example.org", "name": pd.NA}, None],
            "model": [object(), object()],  # a column that no field uses
        }
    )
    first, second = read_frame(frame).documents
    assert first.record.published_at == datetime(2021, 3, 4, 4, tzinfo=UTC)
    assert (first.record.type, first.record.topics) == ("video", ("Weather", "Coast"))
    assert (first.labels.quality, first.labels.heat, first.labels.published) == (67, 80, True)
    assert (first.record.provider.domain, first.record.provider.name) == ("example.org", "")
    assert (second.record.published_at, second.record.topics) == (None, ("Weather",))
    assert second.labels == scoring.Labels()


def test_a_value_that_no_record_has_is_the_fault_of_its_row() -> None:
    [error] = read_frame(pd.DataFrame({"title": [object()]})).read
    assert str(error) == (
        "-:1: title: got a value of type object, expected text, a number, a date, a list or an object"
    )
    with pytest.raises(scoring.RecordError, match="frame: got columns of the same name"):
        read_frame(pd.DataFrame([[1, 2]], columns=["title", "title"]))


@pytest.mark.parametrize(
    ("value", "got"),
    [("half \ud800", "half of a character"), ({(1, 2): 3}, ""), (object(), "a value of type object")],
)
def test_what_json_does_not_have_is_the_fault_of_its_row_alone(
    value: object, got: str, model: scoring.Model
) -> None:
    rows: list[dict[str, Any]] = [
        {"title": "Rain", "excerpt": value},
        {"title": "Sun", "excerpt": "Warm."},
    ]
    scored = model.score(pd.DataFrame(rows, dtype=object))
    assert scored.error[0].startswith(f"-:1: excerpt: got {got}")
    assert pd.isna(scored.error[1])
    errors: list[scoring.RecordError] = []
    assert len(list(model.score(rows, on_error=errors.append))) == 1
    assert str(errors[0]) == scored.error[0]
    unused = [{"title": "Rain", "layout": value}]
    assert len(list(model.score(unused))) == 1


def test_training_goes_on_without_a_row_that_json_does_not_have(
    labelled: pd.DataFrame, settings: scoring.Settings, tmp_path: Path
) -> None:
    rows = rows_of(labelled)
    rows[3]["excerpt"] = object()
    rows[5]["title"] = None
    errors: list[scoring.RecordError] = []
    outcome = scoring.train(
        rows, config=QUICK, tracked=False, output=tmp_path / "m", settings=settings, on_error=errors.append
    )
    assert outcome.n_records == 148
    assert [error.faults[0].line for error in errors] == [4, 6]
    with pytest.raises(scoring.RecordError, match=r"-:4: excerpt: got a value of type object"):
        scoring.train(rows, config=QUICK, tracked=False, output=tmp_path / "other", settings=settings)


def test_errors_of_a_frame_may_be_raised_or_handed_over(
    rows: list[dict[str, Any]], model: scoring.Model
) -> None:
    frame = pd.DataFrame(rows)
    with pytest.raises(scoring.RecordError, match=r"2\.md: title"):
        model.score(frame, on_error="raise")
    errors: list[scoring.RecordError] = []
    assert len(model.score(frame, on_error=errors.append)) == 6
    assert len(errors) == 1


def test_an_empty_frame(model: scoring.Model) -> None:
    empty = pd.DataFrame({"title": []})
    assert list(model.score(empty).columns) == [*scoring.Score.__struct_fields__, "error"]
    assert model.explain(empty).empty


def test_a_model_shows_itself(model: scoring.Model) -> None:
    assert re.fullmatch(
        r"<scoring\.Model small@[0-9a-f]{8}: quality, heat and published, from [\d,]+ records>", repr(model)
    )
    card = model._repr_html_()
    assert card.startswith("<div>")
    assert "<td>Quality MAE</td>" in card
    assert model.policy()[0].text in card.replace("&#39;", "'")
    assert "<script" not in card


def test_a_model_is_pickled(rows: list[dict[str, Any]], model: scoring.Model, tmp_path: Path) -> None:
    copy = pickle.loads(pickle.dumps(model))  # noqa: S301 -- just written
    assert copy.name == model.name
    assert list(copy.score(usable(rows))) == list(model.score(usable(rows)))


@pytest.fixture(scope="module")
def labelled() -> pd.DataFrame:
    """150 labelled records as a frame."""
    records = [
        msgspec.to_builtins(record) | msgspec.structs.asdict(labels)
        for record, labels in sample_documents(n_records=150, seed=6)
    ]
    return pd.DataFrame(records)


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def test_training_on_a_frame_is_that_on_its_records(
    labelled: pd.DataFrame, settings: scoring.Settings, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"config": QUICK, "tracked": False, "settings": settings}
    by_frame = scoring.train(labelled, output=tmp_path / "frame", **options)
    by_rows = scoring.train(rows_of(labelled), output=tmp_path / "rows", **options)
    assert by_frame.n_records == 150
    assert by_frame.metrics == by_rows.metrics
    assert scoring.load_model(by_frame.model).name == scoring.load_model(by_rows.model).name
    table = by_frame.to_frame()
    assert table.loc["quality_mae", "value"] == by_frame.metrics["quality_mae"]
    assert {"low", "high", "global median"} <= set(table.columns)
    assert len(by_frame.predictions()) == by_frame.evaluation.n_records
    evaluated = scoring.evaluate(labelled, model=by_frame.model, tracked=False, settings=settings)
    assert evaluated.n_records == 150
    assert set(evaluated.plot()) >= {"quality", "heat"}
    evaluated.save(tmp_path / "evaluation")
    assert (tmp_path / "evaluation" / "evaluation.json").is_file()


def test_rows_keep_their_names(
    labelled: pd.DataFrame, model: scoring.Model, settings: scoring.Settings
) -> None:
    """By a column ``path``, or by an index of text; documents keep theirs."""
    few = labelled[:20]
    names = [f"news/{number}.md" for number in range(20)]
    by_column = few.assign(path=names)
    by_index = few.set_axis(names)
    documents = list(scoring.read_records(rows_of(by_column)))
    rows = rows_of(by_column)
    kinds: list[Any] = [by_column, by_index, pl.DataFrame(rows, infer_schema_length=None), rows, documents]
    for records in kinds:
        outcome = scoring.evaluate(records, model=model, tracked=False, settings=settings)
        assert outcome.predictions()["path"].tolist() == names
    assert model.score(by_index)["path"].tolist() == names
    unnamed = scoring.evaluate(few, model=model, tracked=False, settings=settings)
    assert set(unnamed.predictions()["path"]) == {f"-:{number}" for number in range(1, 21)}
    kept = few.set_axis([number % 7 for number in range(20)]).assign(
        path="same.md", title=list("abcdefghijklmnopqrst")
    )
    shuffled = kept.iloc[::-1]
    predictions = scoring.evaluate(shuffled, model=model, tracked=False, settings=settings).predictions()
    pairs = set(zip(shuffled.index, shuffled["quality"], strict=True))
    assert set(zip(predictions.index, predictions["quality"].astype(int), strict=True)) == pairs
    by_index.loc["news/3.md", "title"] = None
    with pytest.raises(scoring.RecordError, match=r"^news/3\.md: title: got no text"):
        scoring.evaluate(by_index, model=model, tracked=False, settings=settings)


def test_an_index_that_names_no_records_is_ignored(model: scoring.Model) -> None:
    titles = pd.DataFrame({"title": ["Rain", "Sun"]})
    for index in ([7, 9], ["a", "a"], [("a", 1), ("a", 2)], pd.to_datetime(["2021-01-01", "2021-01-02"])):
        assert model.score(titles.set_axis(index))["path"].tolist() == ["-:1", "-:2"]


def test_records_to_train_on_are_of_one_kind(settings: scoring.Settings) -> None:
    mixed: Any = [{"title": "Rain"}, "news"]
    with pytest.raises(
        TypeError, match=r"records: got a list with dict and str, expected only paths, or only mappings"
    ):
        scoring.train(mixed, tracked=False, settings=settings)


def test_lazy_frames_and_rows_are_refused(
    model: scoring.Model, labelled: pd.DataFrame, settings: scoring.Settings
) -> None:
    row: Any = labelled.iloc[0]
    lazy: Any = pl.LazyFrame({"title": ["Rain"]})
    for call in (model.score, model.explain, lambda records: scoring.train(records, settings=settings)):
        with pytest.raises(
            TypeError, match=r"got a row of a frame, expected a frame of one row: frame\.iloc"
        ):
            call(row)
        with pytest.raises(TypeError, match=r"got a LazyFrame, expected a frame: frame\.collect\(\)"):
            call(lazy)


@pytest.mark.parametrize(
    ("records", "got"),
    [(3, "int"), (None, "NoneType"), ([3], "a list or array with int"), (np.ones((2, 2)), "ndarray")],
)
def test_a_type_without_records_is_refused(records: Any, got: str, model: scoring.Model) -> None:
    with pytest.raises(TypeError, match=rf"^records: got .*{got}, expected "):
        list(model.score(records))


def test_a_time_may_be_text_and_has_a_zone(rows: list[dict[str, Any]], model: scoring.Model) -> None:
    six_hours = list(model.score(usable(rows), as_of=timedelta(hours=6)))
    assert list(model.score(usable(rows), as_of="published+6h")) == six_hours
    frame = pd.DataFrame(usable(rows))
    calls: list[Callable[..., Any]] = [model.score, model.explain, model.features, scoring.relate]
    for call in calls:
        with pytest.raises(scoring.FeatureError, match=r"as_of: got 2018-06-01 .* without a time zone"):
            call(frame, as_of=datetime(2018, 6, 1))
        with pytest.raises(scoring.FeatureError, match="as-of: got 'soon', expected"):
            call(frame, as_of="soon")


def in_place(document: scoring.Document) -> scoring.Document:
    """A document without the number of its row."""
    return msgspec.structs.replace(document, line=0)


def test_records_of_a_frame_are_read_and_related(rows: list[dict[str, Any]]) -> None:
    """By all functions that take records."""
    frame = pd.DataFrame(rows)
    with pytest.raises(scoring.RecordError, match=r"^2\.md: title: got no text"):
        list(scoring.read_records(frame))
    errors: list[scoring.RecordError] = []
    documents = list(scoring.read_records(frame, on_error=errors.append))
    of_mappings = scoring.read_records(usable(rows))
    assert [in_place(document) for document in documents] == [in_place(item) for item in of_mappings]
    assert len(errors) == 1
    usable_frame = frame.drop(index=2)
    assert list(scoring.relate(usable_frame)) == list(scoring.relate(documents))
    assert [document.path for document in scoring.derive_coverage(usable_frame, model="shipped")] == [
        document.path for document in documents
    ]
    assert scoring.read_frame(usable_frame)["path"].tolist() == [document.path for document in documents]


def test_an_archive_as_a_frame(archive: Path, model: scoring.Model, settings: scoring.Settings) -> None:
    """Its rows are the records of the files, with labels, names and the same scores."""
    files = sorted(archive.rglob("*.md"))[:30]
    frame = scoring.read_frame(files)
    assert {name: str(frame[name].dtype) for name in ("quality", "heat", "published")} == {
        "quality": "Int64",
        "heat": "Int64",
        "published": "boolean",
    }
    assert str(frame["publishedDateTime"].dtype).endswith("UTC]")
    documents = list(scoring.read_records(files))
    again = read_frame(frame).documents
    assert [document.path for document in again] == [str(file) for file in files]
    assert [(document.record, document.labels) for document in again] == [
        (document.record, document.labels) for document in documents
    ]
    assert model.score(frame)["quality"].tolist() == [score.quality for score in model.score(files)]
    empty = scoring.read_frame([])
    assert (len(empty), list(empty.columns)) == (0, list(frame.columns))


def test_results_are_one_line_and_a_table(
    labelled: pd.DataFrame, model: scoring.Model, settings: scoring.Settings
) -> None:
    """In one line, not with all of their predictions, and as tables in a notebook."""
    few = labelled[:60]
    evaluated = scoring.evaluate(few, model=model, tracked=False, settings=settings)
    compared = scoring.compare(model, model, on=few, settings=settings)
    measured = scoring.measure_drift(few, model=model, tracked=False, settings=settings)
    assert re.fullmatch(
        r"<EvaluateOutcome evaluated on 60 records: quality_mae [\d.]+, .*, \.\.\.>", repr(evaluated)
    )
    assert repr(evaluated.evaluation).startswith("<Evaluation of 60 records")
    assert repr(compared) == f"<Comparisons of {model.name} with {model.name}, on 60 labelled records>"
    assert repr(measured).startswith(f"<DriftOutcome of 60 records from the training data of {model.name}: ")
    unlabelled = few.assign(quality=few["quality"].where(few.index < 40))
    suggested = scoring.suggest(unlabelled, model=model, count=3, settings=settings)
    assert re.fullmatch(r"<SuggestOutcome with \d of 20 unlabelled records>", repr(suggested))
    assert suggested.to_frame()["rank"].tolist() == list(range(1, len(suggested.suggestions) + 1))
    for result in (evaluated, compared, measured, suggested, model.policy()):
        html = result._repr_html_()
        assert "<table" in html
        assert "&lt;table" not in html
    assert "<table" in model.policy()[:2]._repr_html_()
    rules = model.policy().to_frame()
    assert rules["text"].tolist() == [line.text for line in model.policy()]


def test_without_pandas_a_result_names_the_extra(
    labelled: pd.DataFrame, model: scoring.Model, settings: scoring.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated = scoring.evaluate(labelled[:60], model=model, tracked=False, settings=settings)
    record = {"title": "Rain"}
    monkeypatch.setitem(sys.modules, "pandas", None)
    for result in (evaluated, model.policy(), model.explain(record)):
        assert "news-scoring[frames]" in result._repr_html_()
        with pytest.raises(ImportError, match=r"news-scoring\[frames\]"):
            result.to_frame()
    with pytest.raises(ImportError, match=r"news-scoring\[frames\]"):
        scoring.read_frame(record)


def test_a_model_is_promoted_from_python(
    labelled: pd.DataFrame, training: TrainOutcome, settings: scoring.Settings
) -> None:
    dry = scoring.promote(training.model, dry_run=True, settings=settings)
    assert (dry.is_promoted, dry.version) == (True, None)
    with pytest.raises(scoring.ModelError, match="not from a run: give its run, its version or its folder"):
        scoring.promote(scoring.load_model(training.model), settings=settings)
    with pytest.raises(scoring.ModelError, match="train it with tracked=True"):
        scoring.promote(replace(training, run_id=None), settings=settings)
    promoted = scoring.promote(training.model, settings=settings)
    assert promoted.version == "models:/scoring/1"
    assert repr(promoted).startswith(f"<PromoteOutcome promoted: {promoted.model}, without a champion: ")
    checks = promoted.to_frame()
    assert checks["is_passed"].all()
    assert promoted.run_id is not None
    for name in (
        "models:/scoring@champion",
        "models:/scoring/1",
        f"runs:/{promoted.run_id}",
        promoted.run_id,
    ):
        assert scoring.load_model(name, settings=settings).name == promoted.model
    refused = scoring.promote("shipped", on=labelled, settings=settings)
    assert (refused.outcome, refused.champion) == ("refused", "models:/scoring/1")
    assert repr(refused).startswith(
        f"<PromoteOutcome refused: {refused.model}, compared with models:/scoring/1: "
    )


def test_comparison_of_models_on_a_frame(
    labelled: pd.DataFrame, training: TrainOutcome, settings: scoring.Settings, tmp_path: Path
) -> None:
    shipped = Path(scoring.__file__).parents[1] / "models" / "default"
    compared = scoring.compare(training.model, shipped, on=labelled, settings=settings)
    table = compared.to_frame()
    assert list(table.columns) == [
        "model",
        "metric",
        "first",
        "second",
        "gain",
        "low",
        "high",
        "verdict",
    ]
    assert {"quality_mae", "published_f1"} <= set(table.metric)
    [page] = compared.save(tmp_path / "pages")
    assert page.read_text("utf-8").startswith("<!")
    assert len(compared.plot()) == 1


def test_backtest_and_drift_of_a_frame(
    labelled: pd.DataFrame, training: TrainOutcome, settings: scoring.Settings, tmp_path: Path
) -> None:
    folds = scoring.backtest(labelled, first="2018-12", config=QUICK, tracked=False, settings=settings)
    table = folds.to_frame()
    assert table.fold.unique().tolist() == [fold.name for fold in folds.folds]
    assert "backtest" in folds.plot()
    folds.save(tmp_path / "backtest")
    assert (tmp_path / "backtest" / "folds.csv").is_file()
    measured = scoring.measure_drift(labelled, model=training.model, tracked=False, settings=settings)
    table = measured.to_frame()
    assert set(table.kind) == {"distance", "unseen", "shift"}
    beyond = [row.family for row in measured.drift.families if row.is_beyond]
    assert table[(table.kind == "distance") & table.is_beyond].name.tolist() == beyond
    measured.save(tmp_path / "drift")
    assert (tmp_path / "drift" / "drift.json").is_file()
