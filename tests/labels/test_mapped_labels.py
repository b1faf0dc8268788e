"""Labels of archives with a field map: whose they are, and that people's are never lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoring.records.field_maps.field_map import FILE_NAME
from tests.labels.test_writer import Workspace

MAP = """fields:
  title: title
  published_at: {key: date, zone: UTC}
  original_url: link
  topics: tags
labels:
  quality: {key: rating, scale: 20, min: 1, max: 5}
  published: {key: draft, invert: true}
"""
GRADES = MAP.partition("labels:")[0] + "labels:\n  quality: {key: grade, choices: {A: 90, B: 60}}\n"
RECORD = (
    "---\ntitle: Orchard opens\ndate: 2026-02-28 08:00\nlink: https://gulls.example/%s\ntags: [sea]\n---\n"
)
SCORES = {"quality": 80, "published": True, "heat": 50}
LATER = {"quality": 60, "published": False, "heat": 40}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path)
    set_map(workspace, MAP)
    return workspace


def set_map(workspace: Workspace, text: str) -> None:
    (workspace.folder / FILE_NAME).write_text(text)


def add(workspace: Workspace, name: str, labels: str = "") -> Path:
    path = workspace.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text((RECORD % path.stem).replace("\n---\n", f"\n{labels}---\n", 1))
    return path


def test_a_grade_that_is_no_choice_is_a_persons(workspace: Workspace) -> None:
    set_map(workspace, GRADES)
    path = add(workspace, "a.md", "grade: C  # mine\n")
    before = path.read_bytes()
    counts = workspace.write(SCORES).counts
    assert (path.read_bytes(), counts.labels, counts.n_unusable) == (before, {"left alone": 1}, 1)
    note = "grade: got 'C', expected one of A, B: left alone (--overwrite replaces such values)"
    assert workspace.listener.notes == [f"{path}: {note}"]
    assert workspace.write(SCORES, is_overwriting=True).counts.labels == {"replaced": 1}
    assert path.read_bytes() == before.replace(b"C  #", b'"A"  #')
