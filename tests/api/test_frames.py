"""Frames of pandas, Polars and Arrow: in, out, and the same numbers as any other way."""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Callable
from datetime import UTC, datetime
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
        "quality": "int64",
        "quality_low": "float64",
        "published": "bool",
    }
    with_null = model.score(pd.DataFrame(rows))
    assert (str(with_null.quality.dtype), str(with_null.published.dtype)) == ("Int64", "boolean")
    assert model.score(KINDS["polars"](rows)).schema["quality"] == pl.Int64


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
