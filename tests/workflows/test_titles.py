"""Titles of records for tables on a terminal."""

from __future__ import annotations

from pathlib import Path

from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.left_out import collecting
from scoring.workflows.titles import titles_of


def test_titles_by_path(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\ntitle: Harbour counts its gulls\n---\n", "utf-8")
    (tmp_path / "bad.md").write_text("---\ntitle: [a]\n---\n", "utf-8")
    (tmp_path / "notes.md").write_text("# Notes\n", "utf-8")
    (tmp_path / "two.jsonl").write_text('{"title": "A"}\n{"title": "B"}\n', "utf-8")
    with collecting() as walks:
        titles = titles_of([str(tmp_path), str(tmp_path / "two.jsonl")], FieldMaps([str(tmp_path)]))
    assert titles == {
        str(tmp_path / "a.md"): "Harbour counts its gulls",
        f"{tmp_path / 'two.jsonl'}:1": "A",
        f"{tmp_path / 'two.jsonl'}:2": "B",
    }
    assert walks.n_left_out == 0  # they were counted where the records were scored


def test_standard_input_is_not_read_again() -> None:
    assert titles_of(["-"], FieldMaps(["-"])) == {}
