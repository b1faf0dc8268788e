"""Values of rows: the same in front matter, lines of JSON, frames and mappings."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import scoring
from scoring.records.corpus import read_documents
from scoring.records.decode import decode_file, decode_json
from scoring.records.field_maps.map_file import parse_field_map
from scoring.records.record import Document
from scoring.records.unread_columns import unread_columns


def read(value: Any) -> Document:
    (document,) = scoring.read_records({"title": "Rain"} | value)
    return document


@pytest.mark.parametrize(("value", "text"), [(5, "5"), (True, "true"), (-1.5, "-1.5"), (1984, "1984")])
def test_a_title_that_is_no_text_is_a_warning_everywhere(value: Any, text: str) -> None:
    expected = f"title: got {text}, a number or boolean: taken as text"
    front_matter = f"---\ntitle: {text}\nprovider: Sea\ntopics: [Rain]\npublishedDateTime: 2021-03-04\n---\n"
    in_file = decode_file(front_matter.encode(), "a.md")
    in_line = decode_json(json.dumps({"title": value}).encode(), "a.jsonl", 1)
    for document in (in_file, in_line, read({"title": value})):
        assert document.record.title == text
        assert document.warnings[0] == expected
    for document in (
        decode_file(front_matter.replace(f"title: {text}", f'title: "{text}"').encode(), "a.md"),
        read({"title": text}),
    ):
        assert expected not in document.warnings


@pytest.mark.parametrize("value", [{"title": b"Rain"}, {"topics": [b"a"]}, {"provider": {"name": b"a"}}])
def test_bytes_are_a_fault(value: dict[str, Any]) -> None:
    with pytest.raises(scoring.RecordError, match="got a value of type bytes, expected text"):
        read(value)


def test_bytes_that_no_field_uses_are_ignored() -> None:
    assert read({"thumbnail": b"a", "topics": ["b"]}).record.topics == ("b",)


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT, np.nan])
def test_a_missing_topic_is_left_out_with_a_warning(missing: Any) -> None:
    document = read({"topics": ["a", missing, "b"]})
    assert document.record.topics == ("a", "b")
    assert "topics[1]: got nothing, expected text: left out" in document.warnings
    in_file = decode_file(b"---\ntitle: Rain\ntopics:\n- a\n- null\n- b\n---\n", "a.md")
    assert (in_file.record.topics, in_file.warnings[0]) == (document.record.topics, document.warnings[0])


def test_json_text_in_a_line_is_read_as_in_a_frame() -> None:
    fields = {"title": "Rain", "topics": '["a"]', "provider": '{"name": "Sea"}', "related": " [ ]"}
    line = decode_json(json.dumps(fields).encode(), "a.jsonl", 1).record
    assert line == read(fields).record
    assert (line.topics, line.provider.name) == (("a",), "Sea")
    with pytest.raises(scoring.RecordError, match=r"^-:1: topics: got JSON that does not parse"):
        read({"topics": "[1,"})
    with pytest.raises(scoring.RecordError, match=r"^-:1: topics: got JSON that does not parse"):
        decode_json(b'{"topics": "[1,"}', "-", 1)
    (plain,) = scoring.read_records({"title": "[Rain]"})
    assert plain.record.title == "[Rain]"


def test_columns_that_no_field_uses_are_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    expected = (
        "columns not read: 'tittle' (did you mean title?), 'published_at' (did you mean publishedDateTime?), "
        "'x'"
    )
    columns = ["id", "tittle", "x", "published_at", "secured", "path"]
    assert unread_columns(columns) == (expected, True)
    assert unread_columns(["title", "x"]) == ("columns not read: 'x'", False)
    assert unread_columns(["title", "tittle"]) == ("columns not read: 'tittle'", False)
    assert unread_columns(["title", "path"]) == ("", False)
    file = tmp_path / "r.csv"
    file.write_text("title,topcis\nRain,a\nSun,b\n")
    model = scoring.load_model("shipped")
    message = "columns not read: 'topcis' (did you mean topics?)"
    with caplog.at_level(logging.INFO, "scoring"):
        assert len(list(read_documents([str(file)], on_fault=print))) == 2
        assert [record.getMessage() for record in caplog.records] == [f"{file}: {message}"]
        caplog.clear()
        pd.read_csv(file).to_parquet(tmp_path / "r.parquet")
        scoring.extract_features(tmp_path / "r.parquet")
        assert [record.getMessage() for record in caplog.records] == [f"{tmp_path / 'r.parquet'}: {message}"]
    with pytest.warns(UserWarning, match="columns") as warned:
        model.score(pd.DataFrame([{"title": "Rain", "topcis": "a"}, {"title": "Sun", "topcis": "b"}]))
    assert [str(warning.message) for warning in warned] == [message]
    headlines = parse_field_map("fields:\n  title: tittle\n")
    (document,) = scoring.read_records(pd.DataFrame([{"tittle": "Rain"}]), fields=headlines)
    assert document.record.title == "Rain"  # and no warning, since the field map uses the column


def test_kinds_of_score_columns_do_not_depend_on_the_data() -> None:
    model = scoring.load_model("shipped")
    good, bad = {"title": "Rain", "path": "a"}, {"title": None, "path": "b"}
    frames = [model.score(pd.DataFrame(rows)) for rows in ([good, good], [good, bad], [bad])]
    kinds = [frame.dtypes.astype(str).to_dict() for frame in frames]
    assert kinds[0] == kinds[1] == kinds[2]
    assert (kinds[0]["quality"], kinds[0]["published"], kinds[0]["quality_low"]) == (
        "Int64",
        "boolean",
        "float64",
    )
