"""Decisions at the desk are labels of people, also if they accept the model's scores."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.errors import RecordError
from scoring.inbox import decisions as workflow
from scoring.inbox.decision_corrections import Decision
from scoring.inbox.decisions import Decisions, Written
from scoring.inbox.inbox import Inbox
from scoring.labels.journal import Journal
from scoring.labels.writer import LabelWriter, WriteOptions
from scoring.records import ledger
from scoring.records.corpus import read_documents
from scoring.records.forms.label_positions import LABELS
from scoring.records.record import Document, Labels
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings
from scoring.workflows.restore import Restorer
from tests.known import known

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALL = frozenset(LABELS)


def stop(error: RecordError) -> None:
    raise error


class Desk:
    """An inbox of one record, with its decisions and its journal."""

    def __init__(self, folder: Path, settings: Settings, saved: SavedModel) -> None:
        self.folder, self.settings, self.saved = folder, settings, saved
        self.inbox = Inbox(folder, settings.home / "corrections.jsonl")
        self.inbox.refresh(saved)
        self.decisions = Decisions(self.inbox, settings.journal)
        (row,) = self.inbox.since(0).rows
        assert row.score is not None
        self.row, self.score = row, row.score
        self.file = folder / row.path

    def write_scores(self, **changed: Any) -> LabelWriter:
        """Write as `score --write` does, with some scores replaced."""
        import msgspec

        options = WriteOptions(self.settings.journal, lambda: NOW)
        writer = LabelWriter(options, paths=[str(self.folder)], on_fault=stop)
        score = msgspec.structs.replace(self.score, path=str(self.file), **changed)
        list(writer.write([score]))
        return writer

    def accept(self, *names: str, now: datetime = NOW, **labels: Any) -> Written:
        predicted = {name: getattr(self.score, name) for name in names}
        return self.decisions.write(
            Decision(self.row.path, self.row.record_sha256, Labels(**predicted | labels)), by="ann", now=now
        )

    def document(self) -> Document:
        (document,) = read_documents([str(self.folder)], on_fault=stop)
        return document

    def own(self) -> frozenset[str]:
        journal = Journal(self.settings.journal)
        journal.refresh()
        return journal.own_labels(self.document())


@pytest.fixture
def desk(tmp_path: Path, settings: Settings, saved: SavedModel) -> Desk:
    write_sample(tmp_path / "inbox", n_records=1, seed=3, is_labelled=False)
    return Desk(tmp_path / "inbox", settings, saved)


def test_an_accepted_score_is_a_persons(desk: Desk) -> None:
    desk.accept(*LABELS)
    assert desk.own() == frozenset()
    assert desk.write_scores(quality=known(desk.score.quality) + 1).counts.labels == {"left alone": 3}


def test_to_accept_what_scoring_wrote_makes_it_a_persons(desk: Desk) -> None:
    write_id = desk.write_scores().write_id
    assert desk.own() == ALL
    before = desk.file.read_bytes()
    desk.accept("quality", "heat")
    assert desk.file.read_bytes() == before
    assert desk.own() == {"published"}
    counts = desk.write_scores(quality=999, heat=998, published=not desk.score.published).counts
    assert counts.labels == {"left alone": 2, "renewed": 1}
    # Nor is it taken away with the write that it came by.
    restorer = Restorer(desk.settings.journal, write_id, clock=lambda: NOW, on_fault=stop)
    assert list(restorer.restore([str(desk.folder)])) == []
    assert restorer.counts.n_left_alone == 3


def test_a_decision_comes_last_however_late_it_arrives(desk: Desk) -> None:
    """A request that waited for a write may have an earlier timestamp than that write."""
    desk.write_scores()
    desk.accept("quality", now=NOW - timedelta(hours=1))
    assert desk.own() == {"heat", "published"}


def test_what_is_taken_back_is_whose_it_was(desk: Desk) -> None:
    desk.write_scores()
    written = desk.accept("quality", heat=77)
    assert desk.own() == {"published"}
    desk.decisions.take_back(desk.row.path, written, by="", now=NOW)
    assert desk.own() == ALL
    desk.file.write_bytes(desk.file.read_bytes().replace(b"quality: ", b"quality: 1"))
    written = desk.accept("quality", "heat")
    desk.decisions.take_back(desk.row.path, written, by="", now=NOW)
    assert desk.own() == {"heat", "published"}


def test_a_label_that_is_taken_back_to_nothing_may_be_given_by_hand(desk: Desk) -> None:
    bare = desk.file.read_bytes()
    written = desk.write_scores()
    desk.file.write_bytes(bare)
    accepted = desk.accept("quality")
    desk.decisions.take_back(desk.row.path, accepted, by="", now=NOW)
    assert desk.file.read_bytes() == bare
    desk.accept("quality")
    assert written.counts.n_written == 1
    assert desk.own() == frozenset()


@pytest.mark.parametrize("step", ["write_labels", "append_corrections"])
def test_a_decision_that_failed_is_none(desk: Desk, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write_scores()
    before = desk.file.read_bytes()

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    def refuse(*_: Any, **__: Any) -> None:
        desk.inbox.row("nowhere")

    fails: Callable[..., None] = fail if step == "append_corrections" else refuse
    monkeypatch.setattr(workflow, step, fails)
    with pytest.raises(RecordError):
        desk.accept("heat", quality=999)
    assert desk.file.read_bytes() == before
    assert desk.own() == ALL


def test_without_a_journal_that_can_be_written_nothing_is_decided(desk: Desk) -> None:
    desk.settings.journal.mkdir(parents=True)
    before = desk.file.read_bytes()
    with pytest.raises(RecordError, match=r"journal\.jsonl: got a folder, expected a journal that can"):
        desk.accept("quality")
    assert desk.file.read_bytes() == before
    assert ledger.read_ledger(desk.inbox.ledger).corrections == ()
