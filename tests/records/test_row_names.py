"""Names of records that are rows: the same in documents, features, scores and faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

import scoring
from scoring.features.cache import FeatureCache
from scoring.features.reading import read_features
from scoring.records.corpus import read_documents

ROWS: list[dict[str, Any]] = [
    {"title": "Rain", "topics": "Weather"},
    {"title": "Sun", "id": "a1"},
    {"title": "Snow", "id": 7},
    {"title": "Fog", "id": 3, "path": "news/fog.md"},
    {"title": "Hail", "id": ["x"]},
]
OWN = ["a1", "7", "news/fog.md"]


def as_lines(folder: Path) -> tuple[Path, list[str]]:
    file = folder / "r.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    return file, [f"{file}:1", *OWN, f"{file}:5"]


def as_csv(folder: Path) -> tuple[Path, list[str]]:
    file = folder / "r.csv"
    file.write_text("title,id,path\nRain,,\nSun,a1,\nSnow,7,\nFog,3,news/fog.md\nHail,,\n")
    return file, [f"{file}:2", *OWN, f"{file}:6"]


def as_parquet(folder: Path) -> tuple[Path, list[str]]:
    file = folder / "r.parquet"
    ids = pa.array([None, "a1", "7", "3", None])
    paths = pa.array([None, None, None, "news/fog.md", None])
    titles = [row["title"] for row in ROWS]
    parquet.write_table(pa.table({"title": titles, "id": ids, "path": paths}), file)
    return file, [f"{file}:1", *OWN, f"{file}:5"]


def as_feed(folder: Path) -> tuple[Path, list[str]]:
    file = folder / "feed.json"
    items = [{"title": row["title"], "id": "urn:1"} for row in ROWS]
    file.write_text(json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": items}))
    return file, [f"{file}:{number}" for number in range(1, 6)]


@pytest.mark.parametrize("write", [as_lines, as_csv, as_parquet, as_feed])
def test_rows_are_told_apart(tmp_path: Path, write: Callable[[Path], tuple[Path, list[str]]]) -> None:
    """By the ``path`` or ``id`` that they have, else by their number; from a cache as well."""
    file, names = write(tmp_path)
    documents = list(read_documents([str(file)], on_fault=_stop))
    assert [document.name for document in documents] == names
    assert {document.path for document in documents} == {str(file)}
    for _ in range(2):
        cache = FeatureCache(tmp_path / "features.db", 10**6, 1)
        features = read_features([str(file)], cache=cache, on_fault=_stop)
        assert [row.path for row in features] == names
    model = scoring.load_model("shipped")
    assert [score.path for score in model.score(file)] == names
    assert model.features(file).index.tolist() == names


def test_files_keep_their_path_and_rows_of_frames_theirs(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\ntitle: Rain\nid: 7\n---\n")
    (document,) = read_documents([str(tmp_path)], on_fault=_stop)
    assert (document.name, document.line_in_path) == (str(tmp_path / "a.md"), 0)
    named, numbered, with_id = scoring.read_records(
        [{"title": "Rain", "path": "b.md"}, {"title": "Sun"}, {"title": "Snow", "id": 7}]
    )
    assert [item.name for item in (named, numbered, with_id)] == ["b.md", "-:2", "7"]
    assert [item.line_in_path for item in (named, numbered, with_id)] == [0, 2, 3]


def test_a_name_is_one_safe_line() -> None:
    (document,) = scoring.read_records([{"title": "Rain", "id": "a\nb\x1b[2J"}])
    assert document.name == "a\\nb\\x1b[2J"


def _stop(error: Exception) -> None:
    raise error
