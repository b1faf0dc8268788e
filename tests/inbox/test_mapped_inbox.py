"""The inbox of an archive with a field map: rows by its keys, decisions in its units."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.inbox.decision_corrections import Decision
from scoring.inbox.decisions import Decisions
from scoring.inbox.inbox import Inbox
from scoring.inbox.preview import UploadedFile, preview
from scoring.records.field_maps.field_map import FILE_NAME
from scoring.records.field_maps.map_file import parse_field_map
from scoring.records.ledger import read_ledger
from scoring.records.record import Labels
from tests.known import known

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAP = """
fields: {title: headline, published_at: {key: day, zone: UTC}, topics: tags}
labels: {quality: {key: stars, scale: 20, min: 1, max: 5}, published: {key: draft, invert: true}}
"""
POST = "---\nheadline: Rain\nday: 2021-03-04\ntags: [Sea]\nstars: 2\n---\nIt rains.\n"


@pytest.fixture
def inbox(tmp_path: Path, saved: SavedModel) -> Inbox:
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / FILE_NAME).write_text(MAP)
    (folder / "rain.md").write_text(POST)
    inbox = Inbox(folder, tmp_path / "corrections.jsonl")
    inbox.refresh(saved)
    return inbox


def test_rows_are_read_by_the_map(inbox: Inbox) -> None:
    [row] = inbox.since(0).rows
    assert (row.title, row.topics, row.fault) == ("Rain", ("Sea",), "")


def test_decisions_are_written_in_its_units_and_taken_back(inbox: Inbox, tmp_path: Path) -> None:
    decisions = Decisions(inbox, tmp_path / "journal.jsonl")
    [row] = inbox.since(0).rows
    decision = Decision(path=row.path, record_sha256=known(row.record_sha256), labels=Labels(87, None, True))
    written = decisions.write(decision, by="editor", now=NOW)
    file = inbox.folder / "rain.md"
    assert file.read_text() == POST.replace("stars: 2\n", "stars: 4\ndraft: false\n")
    corrections = read_ledger(inbox.ledger).corrections
    assert {correction.field: correction.value for correction in corrections}["quality"] == 87
    decisions.take_back(row.path, written, by="editor", now=NOW)
    assert file.read_text() == POST


def test_a_dropped_file_is_read_by_the_given_map(saved: SavedModel) -> None:
    [row] = preview([UploadedFile("rain.md", POST)], saved, field_map=parse_field_map(MAP))
    assert (row.title, row.topics, row.fault) == ("Rain", ("Sea",), "")
