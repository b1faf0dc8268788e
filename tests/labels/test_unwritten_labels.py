"""A label that the field map reads and cannot write is named once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from scoring.artifact.saved_model import SavedModel
from scoring.labels.writer import LabelWriter, WriteOptions
from scoring.progress import Reporter
from scoring.records.corpus import read_documents
from scoring.records.field_maps.field_map import FILE_NAME

MAP = "fields: {title: name, topics: tags}\nlabels: {quality: extra.rating, heat: {key: warm, scale: 20}}"


class Listener(Reporter):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def step(self, name: str, done: int, total: int | None) -> None:
        """No progress is shown."""
        return

    def note(self, text: str) -> None:
        """Keep a note."""
        self.notes.append(text)

    def warn(self, text: str) -> None:
        """A warning is a fault here."""
        raise AssertionError(text)


def test_it_is_named_once(tmp_path: Path, saved: SavedModel) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / FILE_NAME).write_text(MAP)
    for number in range(3):
        (folder / f"{number}.md").write_text(f"---\nname: Rain {number}\ntags: [Sea]\n---\n")
    documents = list(read_documents([str(folder)], on_fault=lambda error: None))
    scores = [msgspec.structs.replace(score, heat=-1) for score in saved.scorer.score(documents)]
    listener = Listener()
    writer = LabelWriter(
        WriteOptions(tmp_path / "journal.jsonl", lambda: datetime(2026, 3, 1, tzinfo=UTC)),
        paths=[str(folder)],
        on_fault=lambda error: None,
        reporter=listener,
    )
    assert [written.changed for written in writer.write(scores)] == [False] * 3
    assert [note.partition(": ")[2].partition(":")[0] for note in listener.notes] == [
        "quality is not written",
        "heat is not written",
    ]
