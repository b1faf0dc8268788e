"""Which files of a folder are read, by the `files` of its field map."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoring.errors import FieldMapError
from scoring.records.corpus import read_documents
from scoring.records.field_maps.field_map import FILE_NAME
from scoring.records.files import expand
from scoring.records.left_out import NOT_IN_FIELD_MAP, collecting

RECORD = "---\ntitle: Rain\n---\n"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    for name in ("posts/a.md", "posts/deep/b.md", "posts/c.txt", "pages/d.md", "own/e.md", "own/f.page"):
        file = tmp_path / "archive" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(RECORD)
    return tmp_path / "archive"


def read(archive: Path) -> list[str]:
    return [str(Path(file).relative_to(archive)) for file in expand([str(archive)])]


def test_without_globs_the_extension_tells(archive: Path) -> None:
    (archive / FILE_NAME).write_text("fields: {title: title}")
    assert read(archive) == ["own/e.md", "pages/d.md", "posts/a.md", "posts/deep/b.md"]


@pytest.mark.parametrize(
    ("globs", "expected"),
    [
        ("posts/*.md", ["posts/a.md"]),
        ("posts/**/*.md", ["posts/a.md", "posts/deep/b.md"]),
        ("[posts/*.txt, pages/*]", ["pages/d.md", "posts/c.txt"]),
        ("./posts/../pages/*.md", ["pages/d.md"]),
    ],
)
def test_globs_are_relative_to_the_map(archive: Path, globs: str, expected: list[str]) -> None:
    (archive / FILE_NAME).write_text(f"files: {globs}")
    assert read(archive) == expected


def test_a_folder_with_its_own_map_has_its_own_files(archive: Path) -> None:
    (archive / FILE_NAME).write_text("files: posts/*.md")
    (archive / "own" / FILE_NAME).write_text("files: '*.page'")
    assert read(archive) == ["own/f.page", "posts/a.md"]
    (archive / "own" / FILE_NAME).write_text("section: topic")
    assert read(archive) == ["own/e.md", "posts/a.md"]


def test_other_files_are_counted(archive: Path) -> None:
    (archive / FILE_NAME).write_text("files: posts/*.md")
    with collecting(is_listing=True) as walks:
        expand([str(archive)])
    names = [Path(file.path).name for file in walks.listed if file.reason == NOT_IN_FIELD_MAP]
    assert sorted(names) == ["b.md", "d.md", "e.md"]


def test_lines_of_json_may_be_named(archive: Path) -> None:
    (archive / "posts" / "lines.jsonl").write_text('{"title": "Sun"}\n{"title": "Ice"}\n')
    (archive / FILE_NAME).write_text("files: posts/*.jsonl")
    documents = read_documents([str(archive)], on_fault=lambda error: pytest.fail(str(error)))
    assert [document.record.title for document in documents] == ["Sun", "Ice"]


def test_tables_may_be_named(archive: Path) -> None:
    (archive / "posts" / "table.csv").write_text("title,topics\nSun,Sea\n")
    (archive / FILE_NAME).write_text("files: posts/*.csv")
    documents = read_documents([str(archive)], on_fault=lambda error: pytest.fail(str(error)))
    assert [document.record.title for document in documents] == ["Sun"]


def test_a_map_with_a_fault_is_reported(archive: Path) -> None:
    (archive / FILE_NAME).write_text("files: {}")
    with pytest.raises(FieldMapError, match="files: got a mapping"):
        read(archive)
