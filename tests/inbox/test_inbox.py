"""The inbox: rows of a folder, read again only where they differ; decisions written and taken back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.errors import RecordError
from scoring.explanation.attribution import explain
from scoring.inbox import decisions as decisions_module
from scoring.inbox import inbox as inbox_module
from scoring.inbox.decision_corrections import Decision
from scoring.inbox.decisions import Decisions, Written
from scoring.inbox.inbox import Inbox
from scoring.inbox.preview import UploadedFile, explain_preview, preview
from scoring.inbox.rows import Row
from scoring.records.corpus import read_documents
from scoring.records.decode import decode_file
from scoring.records.ledger import read_ledger
from scoring.records.record import Labels
from scoring.records.synthetic.generate import write_sample
from tests.known import known

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def stop(error: Exception) -> None:
    raise error


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_sample(tmp_path / "inbox", n_records=40, seed=5, is_labelled=False)
    (tmp_path / "inbox" / "README.md").write_text("# No record\n", "utf-8")
    return tmp_path / "inbox"


@pytest.fixture
def inbox(folder: Path, saved: SavedModel, tmp_path: Path) -> Inbox:
    made = Inbox(folder, tmp_path / "home" / "corrections.jsonl")
    made.refresh(saved)
    return made


@pytest.fixture
def read_paths(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that an inbox reads."""
    names: list[str] = []

    def read(file: str | Path) -> bytes:
        names.append(Path(file).name)
        return Path(file).read_bytes()

    monkeypatch.setattr(inbox_module, "read_bytes", read)
    return names


def change(file: Path) -> None:
    """Give a record another title."""
    content = file.read_text("utf-8")
    assert '\ntitle: "' in content
    file.write_text(content.replace('\ntitle: "', '\ntitle: "New ', 1), "utf-8")


def rows_of(inbox: Inbox) -> dict[str, Row]:
    return {row.path: row for row in inbox.since(0).rows}


def test_rows_have_the_scores_of_the_library(inbox: Inbox, folder: Path, saved: SavedModel) -> None:
    documents = list(read_documents([str(folder)], on_fault=stop))
    rows = rows_of(inbox)
    assert len(rows) == len(inbox) == 40
    for document, score in zip(documents, saved.scorer.score(documents), strict=True):
        row = rows[Path(document.path).name]
        assert row.score == msgspec.structs.replace(score, path=row.path)
        assert (row.title, row.topics) == (document.record.title, document.record.topics)
        assert row.coverage_count == len(document.record.related)
        assert row.doubt is not None


def test_only_what_has_changed_is_read_and_reported(
    inbox: Inbox, folder: Path, saved: SavedModel, read_paths: list[str]
) -> None:
    version = inbox.since(0).version
    inbox.refresh(saved)
    assert read_paths == []
    assert inbox.since(version) == (version, [], [])
    first, second, *_ = sorted(folder.glob("2*.md"))
    change(first)
    second.unlink()
    inbox.refresh(saved)
    assert read_paths == [first.name]
    changes = inbox.since(version)
    assert changes.gone == [second.name]
    assert first.name in {row.path for row in changes.rows}
    assert len(changes.rows) < 10  # the others of their stories, at most
    assert rows_of(inbox)[first.name].title.startswith("New ")
    assert inbox.since(changes.version) == (changes.version, [], [])


def test_a_file_that_comes_back_is_gone_no_more(inbox: Inbox, folder: Path, saved: SavedModel) -> None:
    file = min(folder.glob("2*.md"))
    content, version = file.read_bytes(), inbox.since(0).version
    file.unlink()
    inbox.refresh(saved)
    file.write_bytes(content)
    inbox.refresh(saved)
    changes = inbox.since(version)
    assert changes.gone == []
    assert file.name in {row.path for row in changes.rows}


def test_another_model_scores_everything_again(
    inbox: Inbox, saved: SavedModel, read_paths: list[str]
) -> None:
    other = replace(saved, sha256="f" * 64)
    steps: list[tuple[int, int]] = []
    inbox.refresh(other, lambda done, total: steps.append((done, total)))
    assert len(read_paths) == 40
    assert steps == [(40, 40)]
    assert {row.score.model for row in rows_of(inbox).values() if row.score} == {other.name}


def test_a_file_that_cannot_be_used_is_a_row_with_its_fault(
    inbox: Inbox, folder: Path, saved: SavedModel
) -> None:
    (folder / "broken.md").write_text("---\ntitle: Rain\nimages: high\n---\n", "utf-8")
    inbox.refresh(saved)
    row = rows_of(inbox)["broken.md"]
    assert row.fault == "broken.md:3: images: got 'high', expected a list"
    assert row.score is None
    (folder / "broken.md").write_text("---\ntitle: Rain\nquality: 5\n---\n", "utf-8")
    inbox.refresh(saved)
    assert rows_of(inbox)["broken.md"].labels == Labels(quality=5)


def test_an_empty_folder_is_no_fault_and_none_is_one(saved: SavedModel, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    inbox = Inbox(tmp_path / "empty", tmp_path / "l.jsonl")
    inbox.refresh(saved)
    assert inbox.since(0).rows == []
    with pytest.raises(RecordError, match="got No such file or directory"):
        Inbox(tmp_path / "none", tmp_path / "l.jsonl").refresh(saved)


def test_rows_come_in_as_they_are_read(
    folder: Path, saved: SavedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "_BATCH", 16)
    inbox = Inbox(folder, tmp_path / "l.jsonl")
    seen: list[tuple[int, int, int]] = []
    inbox.refresh(saved, lambda done, total: seen.append((done, total, len(inbox))))
    assert seen == [(16, 40, 16), (32, 40, 32), (40, 40, 40)]


def record(title: str, url: str, *, provider: str = "wendlow.example", related: str = "") -> str:
    return (
        f"---\ntitle: {title}\ntype: article\npublishedDateTime: 2026-02-28T08:00:00Z\n"
        f"originalUrl: {url}\nprovider:\n  name: {provider}\n  domain: {provider}\ntopics:\n- Tessaril\n"
        f"{related}---\n"
    )


def covered(*entries: tuple[str, str, int]) -> str:
    lines = (
        f"- title: {title}\n  publishedDateTime: 2026-02-27T08:00:00Z\n  originalUrl: {url}\n"
        "  type: article\n  provider:\n    name: Garamere\n    domain: garamere.example\n"
        f"  quality: {quality}\n"
        for title, url, quality in entries
    )
    return "related:\n" + "".join(lines)


def test_a_story_names_its_lead_within_the_inbox_or_out_of_it(saved: SavedModel, tmp_path: Path) -> None:
    folder = tmp_path / "stories"
    folder.mkdir()
    best, follower, outside = "https://a.example/1", "https://b.example/2", "https://c.example/3"
    (folder / "best.md").write_text(record("Orchard opens its gates", best), "utf-8")
    (folder / "led.md").write_text(
        record("Gates of an orchard stand open", follower, related=covered(("Orchard opens", best, 400))),
        "utf-8",
    )
    (folder / "other.md").write_text(
        record("A bridge is mended", outside, related=covered(("Bridge mended", "https://d.example/4", 400))),
        "utf-8",
    )
    inbox = Inbox(folder, tmp_path / "l.jsonl")
    inbox.refresh(saved)
    rows = rows_of(inbox)
    assert (rows["best.md"].story, rows["led.md"].story, rows["other.md"].story) == (
        "best.md",
        "best.md",
        "other.md",
    )
    assert (rows["best.md"].story_count, rows["other.md"].story_count) == (2, 1)
    assert rows["best.md"].leader is None
    leader, foreign = rows["led.md"].leader, rows["other.md"].leader
    assert leader is not None
    assert (leader.title, leader.provider, leader.quality, leader.path) == (
        "Orchard opens",
        "Garamere",
        400,
        "best.md",
    )
    assert foreign is not None
    assert (foreign.title, foreign.path) == ("Bridge mended", "")


def test_details_are_the_explanation_of_the_library(inbox: Inbox, folder: Path, saved: SavedModel) -> None:
    row = max(inbox.since(0).rows, key=lambda row: row.coverage_count)
    details = inbox.details(row.path, saved)
    document = decode_file((folder / row.path).read_bytes(), row.path)
    assert details.explanation == explain(saved.scorer, document)
    assert details.excerpt == document.record.excerpt
    assert details.coverage
    with pytest.raises(RecordError, match="a file that is not in the inbox"):
        inbox.details("../home/secrets.md", saved)


# Decisions

Decide = Callable[..., Decision]


@pytest.fixture
def decisions(inbox: Inbox) -> Decisions:
    return Decisions(inbox, inbox.ledger.parent / "journal.jsonl")


def decided(row: Row, **labels: Any) -> Decision:
    assert row.score is not None
    predicted = {"quality": row.score.quality, "heat": row.score.heat, "published": row.score.published}
    return Decision(row.path, row.record_sha256, Labels(**predicted | labels))


def test_accepted_labels_are_written_and_are_no_correction(
    inbox: Inbox, decisions: Decisions, folder: Path
) -> None:
    row = inbox.since(0).rows[0]
    before = (folder / row.path).read_bytes()
    decisions.write(decided(row), by="", now=NOW)
    after = (folder / row.path).read_bytes()
    assert row.score is not None
    shown = str(row.score.published).lower()
    labels = f"quality: {row.score.quality}\nheat: {row.score.heat}\npublished: {shown}\n"
    assert labels.encode() in after
    assert after.replace(labels.encode(), b"") == before
    assert not inbox.ledger.exists()


def test_a_correction_is_written_kept_and_shown(
    inbox: Inbox, decisions: Decisions, folder: Path, saved: SavedModel
) -> None:
    row = inbox.since(0).rows[0]
    assert row.score is not None
    decisions.write(decided(row, quality=known(row.score.quality) + 7), by="ann", now=NOW)
    (line,) = read_ledger(inbox.ledger).corrections
    assert (line.field, line.predicted, line.value) == (
        "quality",
        known(row.score.quality),
        known(row.score.quality) + 7,
    )
    assert (line.at, line.by, line.path, line.model) == (NOW, "ann", row.path, saved.name)
    assert decode_file((folder / row.path).read_bytes(), "a").labels.quality == known(row.score.quality) + 7
    inbox.refresh(saved)
    now = inbox.row(row.path)
    assert (now.corrected, now.record_sha256) == (("quality",), row.record_sha256)
    assert now.labels.quality == known(row.score.quality) + 7
    assert inbox.details(row.path, saved).corrections == (line,)


def test_what_was_corrected_is_not_corrected_again_and_may_go_back_to_the_model(
    inbox: Inbox, decisions: Decisions, saved: SavedModel
) -> None:
    row = inbox.since(0).rows[0]
    assert row.score is not None
    for value in (known(row.score.quality) + 7, known(row.score.quality) + 7, known(row.score.quality)):
        decisions.write(decided(row, quality=value), by="", now=NOW)
        inbox.refresh(saved)
    values = [correction.value for correction in read_ledger(inbox.ledger).corrections]
    assert values == [known(row.score.quality) + 7, known(row.score.quality)]


def test_what_was_written_is_taken_back_byte_by_byte(
    inbox: Inbox, decisions: Decisions, folder: Path, saved: SavedModel
) -> None:
    row = inbox.since(0).rows[0]
    assert row.score is not None
    file, held = folder / row.path, known(row.score.quality) + 7
    decisions.write(decided(row, quality=held), by="ann", now=NOW)
    between = file.read_bytes()
    change = decided(row, quality=held + 1, published=not row.score.published)
    written = decisions.write(change, by="ann", now=NOW)
    decisions.take_back(row.path, written, by="bob", now=NOW + timedelta(hours=1))
    assert file.read_bytes() == between
    (holding,) = read_ledger(inbox.ledger).holding().values()
    assert (holding.own_sha256, holding.field, holding.value) == (row.own_sha256, "quality", held)
    assert (holding.by, holding.at) == ("bob", NOW + timedelta(hours=1))
    with pytest.raises(RecordError, match=f"labels: got quality {held}, published .*, expected quality"):
        decisions.take_back(row.path, written, by="", now=NOW)


def test_a_record_that_has_changed_since_is_not_written(
    inbox: Inbox, decisions: Decisions, folder: Path
) -> None:
    row = inbox.since(0).rows[0]
    change(folder / row.path)
    before = (folder / row.path).read_bytes()
    with pytest.raises(RecordError, match="a record that has changed since"):
        decisions.write(decided(row), by="", now=NOW)
    assert (folder / row.path).read_bytes() == before


def test_labels_are_taken_back_from_a_file_whose_other_parts_have_changed(
    inbox: Inbox, decisions: Decisions, folder: Path
) -> None:
    row = inbox.since(0).rows[0]
    file = folder / row.path
    written = decisions.write(decided(row, quality=1), by="", now=NOW)
    change(file)
    edited = file.read_bytes()
    undone: list[Written] = []
    decisions.take_back(row.path, written, by="", now=NOW, on_begin=undone.append)
    lines, labels = edited.splitlines(keepends=True), (b"quality: ", b"heat: ", b"published: ")
    assert file.read_bytes() == b"".join(line for line in lines if not line.startswith(labels))
    assert read_ledger(inbox.ledger).holding() == {}
    assert decisions.complete_undo(row.path, undone[0], by="", now=NOW)  # as after a crash


def test_a_label_that_somebody_has_changed_since_is_named_and_not_taken_back(
    inbox: Inbox, decisions: Decisions, folder: Path
) -> None:
    row = inbox.since(0).rows[0]
    file = folder / row.path
    written = decisions.write(decided(row, quality=1), by="", now=NOW)
    edited = file.read_bytes().replace(b"\nquality: 1\n", b"\nquality: 9\n")
    file.write_bytes(edited)
    expected = "labels: got quality 9, expected quality 1 as it was saved; decide the record again"
    with pytest.raises(RecordError, match=expected):
        decisions.take_back(row.path, written, by="", now=NOW)
    assert file.read_bytes() == edited


def test_nothing_outside_of_the_inbox_is_written(
    inbox: Inbox, decisions: Decisions, folder: Path, tmp_path: Path
) -> None:
    row = inbox.since(0).rows[0]
    foreign = tmp_path / "foreign.md"
    shutil.copy(folder / row.path, foreign)
    before = foreign.read_bytes()
    with pytest.raises(RecordError, match="a file that is not in the inbox"):
        decisions.write(msgspec.structs.replace(decided(row), path="../foreign.md"), by="", now=NOW)
    (folder / row.path).unlink()
    os.symlink(foreign, folder / row.path)
    with pytest.raises(RecordError, match="a file outside the given folders"):
        decisions.write(decided(row), by="", now=NOW)
    assert foreign.read_bytes() == before


def test_what_cannot_be_kept_is_not_written(
    inbox: Inbox, decisions: Decisions, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = inbox.since(0).rows[0]
    before = (folder / row.path).read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(decisions_module, "append_corrections", fail)
    with pytest.raises(RecordError, match=r"corrections\.jsonl: got No space left on device"):
        decisions.write(decided(row, quality=1), by="", now=NOW)
    assert (folder / row.path).read_bytes() == before


def test_what_cannot_be_kept_is_not_taken_back(
    inbox: Inbox, decisions: Decisions, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = inbox.since(0).rows[0]
    written = decisions.write(decided(row, quality=1), by="", now=NOW)
    after = (folder / row.path).read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(decisions_module, "append_corrections", fail)
    with pytest.raises(RecordError, match=r"corrections\.jsonl: got No space left on device"):
        decisions.take_back(row.path, written, by="", now=NOW)
    assert (folder / row.path).read_bytes() == after


def test_a_changed_record_keeps_its_decision_as_long_as_its_labels_stay(
    inbox: Inbox, decisions: Decisions, folder: Path, saved: SavedModel
) -> None:
    first, second, *_ = inbox.since(0).rows
    for row in (first, second):
        change(folder / row.path)
    (folder / second.path).write_bytes(
        (folder / second.path).read_bytes().replace(b"---\n", b"---\nquality: 5\n", 1)
    )
    kept, asked = (msgspec.structs.replace(decided(row), before=Labels()) for row in (first, second))
    with pytest.raises(RecordError, match="a record that has changed since"):  # and is not read again yet
        decisions.write(kept, by="", now=NOW)
    inbox.refresh(saved)
    decisions.write(kept, by="", now=NOW)
    assert decode_file((folder / first.path).read_bytes(), "a").labels == kept.labels
    with pytest.raises(RecordError, match="a record that has changed since"):
        decisions.write(asked, by="", now=NOW)


def test_only_the_labels_of_written_files_are_read_again(
    inbox: Inbox, decisions: Decisions, folder: Path, saved: SavedModel
) -> None:
    first, second, *_ = inbox.since(0).rows
    decisions.write(decided(first, quality=1), by="", now=NOW)
    change(folder / second.path)
    version = inbox.version
    inbox.reread_labels([first.path, second.path, "none.md"])
    (row,) = inbox.since(version).rows
    assert (row.path, row.labels.quality, row.corrected) == (first.path, 1, ("quality",))
    again = inbox.version
    inbox.refresh(saved)
    assert {row.path for row in inbox.since(again).rows} >= {second.path}
    assert inbox.row(first.path) == row


# Dropped files


def test_dropped_files_are_scored_at_their_places(saved: SavedModel, folder: Path) -> None:
    file = min(folder.glob("2*.md"))
    text = file.read_text("utf-8")
    files = [
        UploadedFile("a.md", text),
        UploadedFile("broken.md", "---\ntitle: [\n---\n"),
        UploadedFile("b.jsonl", '{"title": "Orchard opens", "topics": ["Tessaril"]}', 3),
        UploadedFile("half.md", "---\ntitle: \ud800\n---\n"),
    ]
    first, broken, line, half = preview(files, saved)
    (document,) = read_documents([str(file)], on_fault=stop)
    assert first.score == msgspec.structs.replace(next(saved.scorer.score([document])), path="a.md")
    assert broken.fault.startswith("broken.md:2: title: got a bracket that does not close")
    assert (line.path, line.title, line.fault) == ("b.jsonl:3", "Orchard opens", "")
    assert half.fault == "half.md: got half of a character, expected text in Unicode"
    assert explain_preview(files[0], saved).explanation.score == first.score
    assert preview([], saved) == []
    with pytest.raises(RecordError):
        explain_preview(files[1], saved)
