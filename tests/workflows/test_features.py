"""The feature table as a file."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

from scoring.api.inference import extract_features
from scoring.cli import app
from scoring.errors import FeatureError, RecordError
from scoring.features import parquet_schema
from scoring.features.encoding import ALL_COLUMNS, FITTED_COLUMNS
from scoring.features.table import BODY_NAMES, NUMBER_NAMES, TEXT_NAMES, build_table
from scoring.records.corpus import read_documents
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings, load_settings
from scoring.workflows.features import catalogue, section_rule, write_features
from scoring.workflows.train import TrainOutcome

AS_OF = datetime(2018, 5, 1, tzinfo=UTC)


def stop(error: RecordError) -> None:
    raise error


@pytest.fixture
def news(tmp_path: Path) -> Path:
    write_sample(tmp_path / "news", n_records=40, seed=2)
    return tmp_path / "news"


@pytest.mark.parametrize("as_of", [None, AS_OF], ids=["as it stands", "as of"])
def test_file_holds_the_table(news: Path, tmp_path: Path, as_of: datetime | None) -> None:
    output = tmp_path / "a.parquet"
    assert write_features([str(news)], output=output, as_of=as_of, on_fault=stop) == 40
    written = parquet.read_table(output)
    documents = list(read_documents([str(news)], on_fault=stop))
    table = build_table([document.record for document in documents], as_of)
    assert written["path"].to_pylist() == [document.path for document in documents]
    assert written["topics"].to_pylist() == [list(topics) for topics in table.topics]
    for name in TEXT_NAMES:
        assert [text or "" for text in written[name].to_pylist()] == table.text(name).tolist()
    for name in NUMBER_NAMES:
        numbers = [np.nan if value is None else value for value in written[name].to_pylist()]
        assert np.array_equal(numbers, table.number(name), equal_nan=True), name
    assert (written["age_hours"].null_count == 40) == (as_of is None)
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_file_has_the_columns_of_the_catalogue(news: Path, tmp_path: Path) -> None:
    write_features([str(news)], output=tmp_path / "a.parquet", on_fault=stop)
    names = set(parquet.read_schema(tmp_path / "a.parquet").names) - {"path", "topics"}
    learned = {column.name for column in FITTED_COLUMNS}
    assert names == {column.name for column in catalogue()} - learned - set(BODY_NAMES)
    assert catalogue() == ALL_COLUMNS


@pytest.mark.parametrize("n_earlier", [0, 1, 39])
def test_file_has_the_columns_of_bodies_if_a_record_has_one(
    news: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_earlier: int
) -> None:
    monkeypatch.setattr(parquet_schema, "BATCH", 1)
    write_features([str(news)], output=tmp_path / "plain.parquet", on_fault=stop)
    file = sorted(news.iterdir())[n_earlier]
    file.write_text(file.read_text() + "\nIt rains in [Oslo](https://oslo.example).\n")
    assert write_features([str(news)], output=tmp_path / "a.parquet", on_fault=stop) == 40
    written = parquet.read_table(tmp_path / "a.parquet")
    plain = parquet.read_table(tmp_path / "plain.parquet")
    assert written.select(plain.column_names).equals(plain)
    assert written.column_names == [*plain.column_names, *BODY_NAMES]
    assert written["body_word_count"].to_pylist() == [4 if row == n_earlier else None for row in range(40)]
    frame = extract_features(str(news))
    assert frame["body_link_count"].notna().tolist() == [row == n_earlier for row in range(40)]


def test_file_that_cannot_be_written(news: Path, tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match="cannot write the features"):
        write_features([str(news)], output=tmp_path / "nowhere" / "a.parquet", on_fault=stop)


def test_old_file_stays_where_the_records_cannot_be_used(news: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.parquet"
    output.write_bytes(b"old")
    (news / "bad.md").write_text("---\ntitle: [a]\n---\n")
    with pytest.raises(RecordError):
        write_features([str(news)], output=output, on_fault=stop)
    assert output.read_bytes() == b"old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.parquet", "news"]
    faults: list[RecordError] = []
    assert write_features([str(news)], output=output, on_fault=faults.append) == 40
    assert len(faults) == 1


def test_sections_are_those_of_a_model_wherever_they_stand(
    training: TrainOutcome, tmp_path: Path, settings: Settings
) -> None:
    (tmp_path / "one.md").write_text("---\ntitle: Rain again\ntopics: [Grafting, Tessaril]\n---\n")
    for model, sections in ((None, ["Grafting"]), (training.model, ["Tessaril"])):
        rule = functools.partial(section_rule, model, settings)
        output = tmp_path / "a.parquet"
        write_features([str(tmp_path / "one.md")], output=output, sections=rule, on_fault=stop)
        assert parquet.read_table(output)["topic_section"].to_pylist() == sections
    folders = load_settings(home=tmp_path, section="folder")
    assert section_rule(None, folders).by == "folder"


def test_the_command_says_how_sections_are_found(training: TrainOutcome, news: Path, tmp_path: Path) -> None:
    def run(*arguments: object) -> Result:
        options = [str(news), "--output", str(tmp_path / "a.parquet"), *map(str, arguments)]
        return CliRunner().invoke(app, ["features", *options], prog_name="scoring")

    assert "section of each record: its first topic" in run().stderr
    assert "sections:" not in run("--model", training.model).stderr
    refused = run("--model", training.model, "--dask", "local")
    assert (refused.exit_code, "do not go with --dask" in refused.stderr) == (2, True)
