"""Tables of records: CSV and Parquet files, one record a row."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scoring.errors import RecordError
from scoring.features.cache import FeatureCache
from scoring.features.extraction import extracted
from scoring.features.reading import read_features
from scoring.features.sections import FIRST_TOPIC
from scoring.records.corpus import read_documents
from scoring.records.decode import decode_json
from scoring.records.field_maps.field_map import FILE_NAME
from scoring.records.record import Document, Labels
from scoring.records.synthetic.generate import sample_documents

MAP = """
fields:
  title: headline
  published_at: {key: date, zone: Europe/Berlin}
  original_url: link
  provider.domain: {host: link}
  provider.name: source.name
  topics: {key: tags, separator: "|"}
labels:
  quality: {key: rating, scale: 20}
  published: {key: draft, invert: true}
"""


def read(path: Path) -> tuple[list[Document], list[str]]:
    errors: list[RecordError] = []
    documents = list(read_documents([str(path)], on_fault=errors.append))
    return documents, [str(error).removeprefix(f"{path.parent}/") for error in errors]


def write_csv(path: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_text(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value


def lines() -> list[dict[str, Any]]:
    drawn = sample_documents(n_records=30, seed=3)
    return [
        json.loads(msgspec.json.encode(record))
        | {name: value for name, value in msgspec.to_builtins(labels).items() if value is not None}
        for record, labels in drawn
    ]


def stop(error: RecordError) -> None:
    raise error


def stripped(documents: list[Document]) -> list[Any]:
    return [(document.record, document.labels, document.warnings) for document in documents]


@pytest.mark.parametrize("form", ["csv", "semicolons", "parquet", "nested parquet"])
def test_a_table_has_the_same_records_as_json_lines(tmp_path: Path, form: str) -> None:
    rows = lines()
    expected = [decode_json(json.dumps(row).encode(), "a.jsonl", 1) for row in rows]
    names = list(dict.fromkeys(name for row in rows for name in row))
    flat = [{name: as_text(row.get(name)) for name in names} for row in rows]
    if "parquet" in form:
        path = tmp_path / "a.parquet"
        pq.write_table(pa.Table.from_pylist(rows if "nested" in form else flat), path, row_group_size=7)
    else:
        path = write_csv(tmp_path / "a.csv", flat, "," if form == "csv" else ";")
    documents, faults = read(path)
    assert not faults
    assert stripped(documents) == stripped(expected)
    first = 1 if "parquet" in form else 2
    assert [(document.path, document.line) for document in documents] == [
        (str(path), number) for number in range(first, first + len(rows))
    ]
    assert len({document.sha256 for document in documents}) == len(rows)


@pytest.mark.parametrize("cell", ["0012", "1e5", "null", "~", "true", "[Update] 2"])
def test_a_cell_stays_the_text_that_it_is(tmp_path: Path, cell: str) -> None:
    ((document,), faults) = read(write_csv(tmp_path / "a.csv", [{"title": cell, "topics": "Rain"}]))
    assert not faults
    assert document.record.title == cell


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_nested_value_that_was_written_as_json_is_missing(tmp_path: Path, missing: object) -> None:
    nested = dict.fromkeys(("provider", "topics", "images", "related"), json.dumps(missing))
    ((document,), faults) = read(write_csv(tmp_path / "a.csv", [{"title": "Rain", **nested}]))
    assert not faults
    assert document.record == decode_json(b'{"title": "Rain"}', "-", 1).record


@pytest.mark.parametrize(
    ("cell", "label"), [("67", 67), ("67.0", 67), (" 67 ", 67), ("", None), ("67.5", None), ("1e1", None)]
)
def test_a_label_is_a_whole_number_even_with_a_decimal_point(
    tmp_path: Path, cell: str, label: int | None
) -> None:
    rows = [{"title": "Rain", "quality": cell, "published": "TRUE"}]
    ((document,), _) = read(write_csv(tmp_path / "a.csv", rows))
    assert document.labels == Labels(quality=label, published=True)
    assert any("quality" in warning for warning in document.warnings) == bool(cell and label is None)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_is_read_by_the_field_map_of_its_folder(tmp_path: Path, form: str) -> None:
    (tmp_path / FILE_NAME).write_text(MAP)
    row = {
        "headline": "[2021] in rain",
        "date": "2021-03-04 08:15",
        "link": "https://www.gulls.example/rain",
        "source": '{"name": "Gulls"}',
        "tags": "sea|weather",
        "rating": "4",
        "draft": "false",
    }
    path = tmp_path / f"a.{form}"
    if form == "csv":
        write_csv(path, [row, row | {"rating": "high"}])
    else:
        pq.write_table(pa.Table.from_pylist([row, row | {"rating": "high"}]), path)
    documents, faults = read(path)
    assert not faults
    record = documents[0].record
    assert (record.title, record.topics) == ("[2021] in rain", ("sea", "weather"))
    assert (record.provider.name, record.provider.domain) == ("Gulls", "gulls.example")
    assert record.published_at == datetime(2021, 3, 4, 7, 15, tzinfo=UTC)
    assert documents[0].labels == Labels(quality=80, published=True)
    assert documents[1].labels == Labels(published=True)
    assert any(
        "rating: got the text 'high', expected a number" in warning for warning in documents[1].warnings
    )


def test_times_of_a_parquet_file_may_have_nanoseconds(tmp_path: Path) -> None:
    moment = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)
    table = pa.table(
        {
            "title": [b"Rain"],
            "publishedDateTime": pa.array([moment], pa.timestamp("ns", "Europe/Berlin")),
            "quality": [67.0],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", version="2.6")
    ((document,), _) = read(tmp_path / "a.parquet")
    assert document.record.published_at == moment
    assert (document.record.title, document.labels.quality) == ("Rain", 67)


FAULTS = {
    "title,topics\nSnow,Ice\nRain\nWind,Air\n": [
        "a.csv:3: got a row of length 1, expected 2 cells, as in the first row"
    ],
    'title,topics\n"Ra"in,Sea\nSnow,Ice\nWind,Air\n': [
        "a.csv:2: got a row that does not parse (',' expected after '\"'), expected a row of CSV"
    ],
    "title,topics\nSnow,Ice\nWind,Air\n,Sea\n": ["a.csv:4: title: got no text, expected a title"],
    'title,topics\nSnow,Ice\nRain,"[Sea"\nWind,Air\n': ["a.csv:3: topics: got JSON that does not parse"],
    "title,topics\nSnow,Ice\nWind,Air\nCaf\udce9,Sea\n": [
        "a.csv:4: title: got bytes that are not UTF-8, expected text in UTF-8"
    ],
    'title,topics\nSnow,Ice\nWind,Air\n"Rain,Sea\n': [
        "a.csv:4: got a row that does not parse (unexpected end of data), expected a row of CSV"
    ],
}


@pytest.mark.parametrize(("text", "expected"), list(FAULTS.items()))
def test_a_fault_names_its_row_and_the_others_are_read(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode(errors="surrogateescape"))
    documents, faults = read(tmp_path / "a.csv")
    assert [fault[: len(start)] for fault, start in zip(faults, expected, strict=True)] == expected
    assert [document.record.title for document in documents] == ["Snow", "Wind"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"", "a.csv: got no row, expected a row with the names of the columns"),
        ("a.csv", b"title\n\n", "a.csv: got no record, expected one record per row"),
        ("a.csv", b",,\nRain,,\n", "a.csv:1: got an empty first row, expected the names of the columns"),
        ("a.csv", b"title,title\na,b\n", "a.csv:1: title: got a repeated column, expected one column"),
        ("a.csv", "title\n".encode("utf-16"), "a.csv:1: got bytes that are not UTF-8, expected a CSV file"),
        ("a.parquet", b"PAR1 no PAR1", "a.parquet: got no Parquet ("),
        ("a.parquet", b"", "a.parquet: got no Parquet ("),
    ],
)
def test_a_table_that_cannot_be_read_is_one_fault(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)
    documents, (fault,) = read(tmp_path / name)
    assert not documents
    assert fault.startswith(expected)


def test_text_may_have_line_breaks_and_the_file_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbftitle;excerpt\r\nRain;"It, rains.\r\nAgain."\r\nSnow;\r\n')
    documents, faults = read(tmp_path / "a.csv")
    assert not faults
    assert [document.record.excerpt for document in documents] == ["It, rains.\r\nAgain.", ""]
    assert [document.line for document in documents] == [2, 3]


def test_a_parquet_file_without_rows_is_a_fault(tmp_path: Path) -> None:
    pq.write_table(pa.table({"title": pa.array([], pa.string())}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == ([], ["a.parquet: got no record, expected one record per row"])


def test_a_folder_is_not_searched_for_tables(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [{"title": "Rain"}])
    (tmp_path / "b.md").write_text("---\ntitle: Snow\n---\n")
    assert [document.record.title for document in read(tmp_path)[0]] == ["Snow"]
    globbed = read_documents([f"{tmp_path}/*"], on_fault=lambda _: None)
    assert [document.record.title for document in globbed] == ["Rain", "Snow"]


def test_the_cache_tells_a_row_from_a_line_of_the_same_bytes(tmp_path: Path) -> None:
    row = '{"title":"Rain","topics":"[\\"Sea\\",\\"Air\\"]"}'
    (tmp_path / "a.jsonl").write_text(row + "\n")
    write_csv(tmp_path / "b.csv", [json.loads(row)])
    cache = FeatureCache(tmp_path / "cache.db", 10**7, 0)
    for _ in range(2):
        for name in ("a.jsonl", "b.csv"):
            path = str(tmp_path / name)
            ((document,), _) = read(Path(path))
            (features,) = read_features([path], cache=cache, on_fault=stop)
            assert repr(features) == repr(extracted(document, None, FIRST_TOPIC))
