"""`scoring suggest`: table, JSON lines, sections of the archive, and input that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scoring.cli import app
from scoring.records.synthetic.generate import write_sample
from scoring.workflows.suggest import Suggestion


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="scoring")


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "inbox"
    write_sample(folder, n_records=60, seed=5, is_labelled=False, section="Meadow")
    return folder


def test_json_has_a_line_for_each_record(inbox: Path) -> None:
    done = run("suggest", inbox, "--model", "shipped", "--count", 7, "--json")
    assert done.exit_code == 0, done.output
    assert done.stderr == "60 unlabelled records, 0 labelled ones: 7 suggestions\n"
    suggestions = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(suggestion.keys() == set(Suggestion.__struct_fields__) for suggestion in suggestions)
    assert [suggestion["rank"] for suggestion in suggestions] == list(range(1, 8))
    assert all(Path(suggestion["path"]).is_file() for suggestion in suggestions)
    assert {suggestion["section"] for suggestion in suggestions} == {"Meadow"}
    assert suggestions[0]["reasons"][0] == "section Meadow is unknown to the model"
    again = run("suggest", inbox, "--model", "shipped", "--count", 7, "--json", "--quiet")
    assert (again.exit_code, again.stdout, again.stderr) == (0, done.stdout, "")


def test_table_is_for_people_and_a_faulty_record_is_reported(inbox: Path) -> None:
    (inbox / "bad.md").write_text("---\ntitle: [a]\n---\n")
    done = run("suggest", inbox, "--model", "shipped", "--count", 2)
    (inbox / "bad.md").unlink()
    assert done.exit_code == 1
    assert f"{inbox}/bad.md:2: title: got " in done.stderr
    assert done.stdout.splitlines()[0].split() == ["rank", "section", "record", "why"]
    assert "section Meadow is unknown" in " ".join(done.stdout.split())


def test_lines_of_json_are_named_by_their_line(inbox: Path, tmp_path: Path) -> None:
    lines = [
        json.dumps(
            {"title": f"Rain {word}", "topics": ["Meadow"], "publishedDateTime": "2018-05-01T00:00:00Z"}
        )
        for word in ("today", "tomorrow never comes", "on the harbour wall")
    ]
    (tmp_path / "inbox.jsonl").write_text("\n".join([*lines, '{"title": "No date"}']), "utf-8")
    done = run("suggest", tmp_path / "inbox.jsonl", "--model", "shipped", "--json")
    assert done.exit_code == 0, done.output
    assert "1 records without a date are left out" in done.stderr
    assert sorted(json.loads(line)["line"] for line in done.stdout.splitlines()) == [1, 2, 3]


def test_where_all_have_labels_there_is_nothing_to_suggest(tmp_path: Path) -> None:
    write_sample(tmp_path / "news", n_records=8, seed=5)
    done = run("suggest", tmp_path / "news", "--model", "shipped")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "error: no records with a date and without a quality: there is nothing to label" in done.stderr


@pytest.mark.parametrize("count", [0, -3, "many"])
def test_count_is_checked(inbox: Path, count: object) -> None:
    done = run("suggest", inbox, "--model", "shipped", "--count", count)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--count" in done.stderr


def test_labels_that_scoring_wrote_are_none(tmp_path: Path) -> None:
    folder = tmp_path / "news"
    write_sample(folder, n_records=12, seed=5, is_labelled=False)
    assert run("score", folder, "--model", "shipped", "--write").exit_code == 0
    done = run("suggest", folder, "--model", "shipped", "--count", 3)
    assert done.exit_code == 0, done.output
    assert "12 unlabelled records, 0 labelled ones: 3 suggestions" in done.stderr
