"""The command ``relate``: learn links from one archive, find related records in another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scoring.cli.app import app
from scoring.records.synthetic.generate import write_sample

TITLE = "Harbour council opens the northern river bridge again"


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def lines_of(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    for hour, name in enumerate("ab"):
        front_matter = f"title: {TITLE}\npublishedDateTime: 2021-03-04T0{hour}:00:00Z\n"
        (folder / f"{name}.md").write_text(f"---\n{front_matter}---\n", "utf-8")
    return folder


def test_copies_are_found_with_the_shipped_links(inbox: Path) -> None:
    code, output = run("relate", inbox, "--json")
    assert code == 0
    first, second = lines_of(output)
    assert [first["path"], second["path"]] == [f"{inbox}/a.md", f"{inbox}/b.md"]
    assert [copy["path"] for copy in first["copies"]] == [f"{inbox}/b.md"]  # type: ignore[attr-defined]
    assert first["line"] == 0
    code, output = run("relate", inbox, "--json", "--as-of", "published", "--quiet")
    assert [len(line["copies"]) for line in lines_of(output)] == [0, 1]  # type: ignore[arg-type]


def test_the_table_says_that_it_is_an_estimate(inbox: Path) -> None:
    code, output = run("relate", inbox)
    assert code == 0
    assert "same story (estimate)" in output
    assert "an estimate: where they were learned" in output.replace("\n", " ")


def test_links_are_learned_from_lists(tmp_path: Path, inbox: Path) -> None:
    write_sample(tmp_path / "listed", n_records=400, seed=2)
    file = tmp_path / "links.json"
    code, output = run("relate", tmp_path / "listed", "--learn", file, "--json")
    (outcome,) = lines_of(output)
    assert code == 0
    assert outcome["file"] == str(file)
    assert outcome["n_records"] == 400
    code, output = run("relate", inbox, "--links", file)
    assert code == 0
    assert str(outcome["links"]) in output


def test_an_archive_without_lists_teaches_nothing(inbox: Path, tmp_path: Path) -> None:
    code, output = run("relate", inbox, "--learn", tmp_path / "links.json")
    assert code == 2
    assert "fewer than 200 pairs" in output
    code, output = run("relate", inbox, "--learn", tmp_path / "links.json", "--as-of", "published")
    assert code == 2
    assert "cannot be combined" in output
