"""Rows to records, and scores to rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scoring.errors import RecordError
from scoring.model.score import Score
from scoring.tracking.pyfunc.dataframe import read_as_of, read_rows, write_scores

RECORD: dict[str, Any] = {
    "title": "Harbour opens at dawn",
    "excerpt": "Tides &amp; times.",
    "publishedDateTime": "2021-03-04T05:06:07-08:00",
    "webUrl": "https://example.org/harbour",
    "type": "article",
    "category": "news",
    "provider": {"name": "Example", "domain": "example.org"},
    "topics": ["Sea", "Harbour"],
    "images": [{"url": "https://example.org/a.png", "width": 640, "height": 480, "isCached": True}],
    "related": [{"title": "Tides", "quality": 12, "provider": {"name": "Other", "domain": "example.com"}}],
}
NESTED = ("provider", "topics", "images", "related")


def test_objects_json_text_and_arrays_are_the_same_record() -> None:
    as_text = RECORD | {name: json.dumps(RECORD[name]) for name in NESTED}
    as_arrays = RECORD | {
        "topics": np.array(RECORD["topics"], dtype=object),
        "images": np.array(RECORD["images"]),
    }
    read = [document.record for document in read_rows(pd.DataFrame([RECORD, as_text, as_arrays]))]
    assert read[0] == read[1] == read[2]
    assert read[0].published_at == datetime(2021, 3, 4, 13, 6, 7, tzinfo=UTC)
    assert (read[0].excerpt, read[0].images[0].width, read[0].related[0].quality) == (
        "Tides & times.",
        640,
        12,
    )


def test_missing_values_are_fields_that_are_not_there() -> None:
    bare = {name: RECORD[name] for name in ("title", "publishedDateTime", "provider", "topics")}
    rows = pd.DataFrame(
        [bare | dict.fromkeys(("images", "excerpt", "webUrl"), gap) for gap in (None, np.nan, pd.NA)]
    )
    assert {document.record for document in read_rows(rows)} == {read_rows(pd.DataFrame([bare]))[0].record}


def test_a_row_is_named_by_its_path_else_by_its_number() -> None:
    rows = pd.DataFrame([RECORD | {"path": "inbox/a.md"}, RECORD])
    assert [(document.name, document.line) for document in read_rows(rows)] == [("inbox/a.md", 1), ("-:2", 2)]


def test_every_fault_of_every_row_is_named() -> None:
    rows = pd.DataFrame(
        [
            RECORD | {"topics": "[1,"},
            RECORD,
            RECORD | {"publishedDateTime": "soon"},
            RECORD | {"related": "soon"},
        ]
    )
    with pytest.raises(RecordError) as caught:
        read_rows(rows)
    faults = [(fault.line, fault.field) for fault in caught.value.faults]
    assert faults == [(1, "topics"), (3, "publishedDateTime"), (4, "related")]


def test_as_of_is_a_moment_or_counts_from_publication() -> None:
    assert read_as_of(None) is None
    assert read_as_of("2021-03-04T05:06:07Z") == datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert read_as_of("published+6h") == timedelta(hours=6)
    with pytest.raises(RecordError, match=r"^-: as_of: got 'yesterday', expected a time such as "):
        read_as_of("yesterday")


def test_scores_are_rows_with_all_their_fields() -> None:
    score = Score(
        path="a.md", quality=52, quality_low=48.5, quality_high=55.5, heat=-1, heat_expected=3.5,
        heat_settled=7.25, lead_probability=0.25, published=False, published_probability=0.125,
        lead_settled_probability=0.5, published_settled_probability=0.375, model="default 1",
        warnings=("provider unknown",),
    )  # fmt: skip
    frame = write_scores([score, score])
    assert frame.columns.tolist() == list(Score.__struct_fields__)
    assert frame.iloc[1].tolist() == [
        "a.md",
        52,
        48.5,
        55.5,
        -1,
        3.5,
        7.25,
        0.25,
        False,
        0.125,
        0.5,
        0.375,
        "default 1",
        ["provider unknown"],
    ]
