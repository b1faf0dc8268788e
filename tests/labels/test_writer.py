"""Writing labels: missing ones are filled, scoring's own are renewed, those of people stay."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scoring.errors import RecordError
from scoring.labels import writer as label_writing
from scoring.labels.journal import Journal
from scoring.labels.write_results import WrittenFile
from scoring.labels.writer import LabelWriter, WriteOptions
from scoring.model.score import Score
from scoring.records.corpus import read_documents
from scoring.records.decode import decode_file
from scoring.records.forms.label_positions import LABELS
from scoring.records.synthetic.generate import sample_json_lines, write_sample
from scoring.records.write_back import replace_labels, write_labels
from scoring.settings import Settings
from scoring.storage.atomic_file import replace_file
from scoring.workflows.score import score
from scoring.workflows.train import TrainOutcome
from tests.workflows.test_train import Listener

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECORD = b"""---
title: Orchard opens
type: article
publishedDateTime: 2026-02-28T08:00:00Z
originalUrl: https://wendlow.example/%s
topics:
- Tessaril
---
Body
"""
FIRST = {"quality": 60, "heat": 70, "published": True}
SECOND = {"quality": 65, "heat": 75, "published": False}


def stop(error: RecordError) -> None:
    raise error


class Workspace:
    """A folder with a journal, and a clock that advances."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "news"
        self.folder.mkdir()
        self.journal = folder / "home" / "journal.jsonl"
        self.listener = Listener()
        self.faults: list[str] = []
        self.now = MOMENT

    def clock(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def add(self, name: str, labels: dict[str, Any] | None = None, data: bytes | None = None) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(replace_labels(data or RECORD % name.encode(), labels or {}))
        return path

    def writer(self, **options: Any) -> LabelWriter:
        journal = options.pop("journal", self.journal)
        return LabelWriter(
            WriteOptions(journal, self.clock, **options),
            paths=[str(self.folder)],
            on_fault=lambda error: self.faults.append(str(error)),
            reporter=self.listener,
        )

    def write(self, labels: dict[str, Any], *paths: Path, **options: Any) -> LabelWriter:
        writer = self.writer(**options)
        files = paths or tuple(sorted(self.folder.rglob("*.md")))
        self.written: list[WrittenFile] = list(writer.write([score_of(path, labels) for path in files]))
        return writer


def score_of(path: Path, labels: dict[str, Any]) -> Score:
    return Score(
        path=str(path),
        quality_low=0.0,
        quality_high=100.0,
        heat_expected=0.0,
        heat_settled=0.0,
        lead_probability=0.5,
        published_probability=0.5,
        lead_settled_probability=0.5,
        published_settled_probability=0.5,
        model="default@01234567",
        **labels,
    )


def labels_of(path: Path) -> dict[str, Any]:
    labels = decode_file(path.read_bytes(), str(path)).labels
    return {name: getattr(labels, name) for name in LABELS}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_labels_of_people_stay_to_the_byte(workspace: Workspace) -> None:
    given = workspace.add("a.md", {"quality": 50, "heat": 3, "published": False})
    partly = workspace.add("b.md", {"heat": 9})
    before = given.read_bytes()
    counts = workspace.write(FIRST).counts
    assert given.read_bytes() == before
    assert labels_of(partly) == FIRST | {"heat": 9}
    assert (counts.n_files, counts.n_written, dict(counts.labels)) == (2, 1, {"left alone": 4, "filled": 2})
    # A label of theirs that is what the model says is theirs all the same.
    workspace.write({"quality": 50, "heat": 3, "published": False}, given)
    workspace.write(SECOND, given)
    assert given.read_bytes() == before


def test_what_scoring_wrote_is_renewed_and_what_people_changed_since_is_not(workspace: Workspace) -> None:
    path = workspace.add("a.md")
    workspace.write(FIRST)
    counts = workspace.write(SECOND).counts
    assert labels_of(path) == SECOND
    assert counts.labels == {"renewed": 3}
    write_labels(str(path), {"quality": 50}, roots=[str(workspace.folder)])
    assert workspace.write(FIRST).counts.labels == {"renewed": 2, "left alone": 1}
    assert labels_of(path) == FIRST | {"quality": 50}
    # The score comes to be what somebody gave, and moves on: theirs.
    workspace.write(FIRST | {"quality": 50})
    workspace.write(SECOND)
    assert labels_of(path) == SECOND | {"quality": 50}


def test_to_overwrite_replaces_all(workspace: Workspace) -> None:
    path = workspace.add("a.md", {"quality": 50, "heat": 70})
    counts = workspace.write(FIRST, is_overwriting=True).counts
    assert labels_of(path) == FIRST
    assert counts.labels == {"replaced": 1, "left alone": 1, "filled": 1}
    # From now on it is scoring's own, but for the heat, which was theirs and no other.
    assert workspace.write(SECOND).counts.labels == {"renewed": 2, "left alone": 1}


def test_every_label_is_counted_once(workspace: Workspace) -> None:
    workspace.add("a.md", {"quality": 50})
    workspace.add("b.md")
    workspace.write(FIRST)
    workspace.add("c.md", {"published": False})
    counts = workspace.write(FIRST | {"heat": 71}).counts
    assert sum(counts.labels.values()) == 3 * counts.n_files == 9
    assert counts.labels == {"left alone": 2, "unchanged": 3, "renewed": 2, "filled": 2}


def test_without_a_journal_labels_that_stand_there_are_left_alone(workspace: Workspace) -> None:
    path = workspace.add("a.md")
    assert not workspace.write(FIRST).has_known
    writer = workspace.write(SECOND, journal=workspace.journal.parent / "fresh.jsonl")
    assert not writer.has_known
    assert writer.counts.labels == {"left alone": 3}
    assert labels_of(path) == FIRST
    assert workspace.write(SECOND).has_known
    assert labels_of(path) == SECOND


def test_a_moved_renamed_or_copied_file_is_the_same_record(workspace: Workspace) -> None:
    path = workspace.add("a.md")
    workspace.write(FIRST)
    (workspace.folder / "deep").mkdir()
    moved = path.rename(workspace.folder / "deep" / "b.md")
    copy = Path(shutil.copy(moved, workspace.folder / "c.md"))
    assert workspace.write(SECOND).counts.labels == {"renewed": 6}
    assert labels_of(moved) == labels_of(copy) == SECOND
    assert workspace.listener.notes == []


def test_an_edited_record_is_renewed(workspace: Workspace) -> None:
    path = workspace.add("a.md")
    workspace.write(FIRST)
    path.write_bytes(path.read_bytes().replace(b"Orchard opens", b"Orchard has opened"))
    assert workspace.write(SECOND).counts.labels == {"renewed": 3}


@pytest.mark.parametrize("names", [("a.md", "b.md"), ("b.md", "a.md")])
@pytest.mark.parametrize("batch_files", [1, 64])
def test_two_files_of_a_record_with_different_labels_are_reported_and_each_keeps_its_own(
    workspace: Workspace, names: tuple[str, str], batch_files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = workspace.add(names[0], {"quality": 50, "published": True}, RECORD % b"a")
    bare = workspace.add(names[1], None, RECORD % b"a")
    writer = workspace.writer()
    paths = sorted((given, bare))
    list(writer.write([score_of(path, FIRST) for path in paths], batch_files=batch_files))
    assert labels_of(given) == {"quality": 50, "heat": 70, "published": True}
    assert labels_of(bare) == FIRST
    here, there = (60, 50) if paths[1] == bare else (50, 60)
    assert workspace.listener.notes == [
        f"{paths[1]}: the same record as {paths[0]}, with different labels: "
        f"quality {here} here, {there} there"
    ]
    # Although scoring wrote the same `published` into the other file, this one is theirs.
    workspace.write(SECOND)
    assert labels_of(given) == {"quality": 50, "heat": 75, "published": True}
    assert labels_of(bare) == SECOND
    n_bytes = workspace.journal.stat().st_size
    workspace.write(SECOND)
    assert workspace.journal.stat().st_size == n_bytes  # nothing to write, and nothing more to tell


def test_records_of_which_nothing_is_known_are_refused_and_the_others_written(workspace: Workspace) -> None:
    bare = workspace.add("a.md", None, b"---\ntitle: Rain\n---\n")
    empty = workspace.add("b.md", None, b"---\ntitle: '&nbsp;'\ntopics: [Weather]\n---\n")
    enough = [
        workspace.add("c.md", None, b"---\ntitle: Rain\ntopics: [Weather]\n---\n"),
        workspace.add("d.md", None, b"---\ntitle: Rain\nprovider:\n  domain: rain.example\n---\n"),
        workspace.add("e.md", None, b"---\ntitle: Rain\npublishedDateTime: 2026-02-28T08:00:00Z\n---\n"),
    ]
    before = bare.read_bytes(), empty.read_bytes()
    counts = workspace.write(FIRST).counts
    assert (counts.n_written, counts.n_refused, counts.n_faults) == (3, 2, 0)
    assert (bare.read_bytes(), empty.read_bytes()) == before
    assert [labels_of(path) for path in enough] == [FIRST] * 3
    wanted = "expected a title, and a date, provider or topics (or --allow-unknown)"
    assert workspace.faults == [
        f"{bare}: got neither a date nor a provider nor topics, {wanted}",
        f"{empty}: got no title, {wanted}",
    ]
    assert workspace.write(FIRST, allows_unknown=True).counts.n_refused == 0
    assert labels_of(bare) == labels_of(empty) == FIRST


def test_a_dry_run_reports_the_same_and_writes_nothing(workspace: Workspace) -> None:
    workspace.add("a.md", {"quality": 50})
    workspace.add("b.md", {"quality": 51}, RECORD % b"a.md")
    workspace.add("c.md", None, b"---\ntitle: Rain\n---\n")
    before = {path: path.read_bytes() for path in workspace.folder.iterdir()}
    dry = workspace.write(FIRST, is_dry_run=True).counts
    notes, faults = workspace.listener.notes.copy(), workspace.faults.copy()
    assert {path: path.read_bytes() for path in workspace.folder.iterdir()} == before
    assert not workspace.journal.exists()
    assert "+heat: 70" in workspace.written[0].diff
    counts = workspace.write(FIRST).counts
    assert (dry.n_entered, counts.n_entered) == (0, 4)
    assert replace(counts, n_entered=0) == dry
    assert (workspace.listener.notes, workspace.faults) == (notes * 2, faults * 2)
    assert len(notes) == 1


def test_a_file_that_cannot_be_written_is_reported_and_not_taken_for_written(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = workspace.add("a.md"), workspace.add("b.md")
    real = replace_file

    def replace(target: str, old: bytes, new: bytes, path: str) -> bool:
        if path == str(first):
            raise RecordError(*stop_fault(path))
        return real(target, old, new, path)

    monkeypatch.setattr(label_writing, "replace_file", replace)
    counts = workspace.write(FIRST).counts
    assert (counts.n_written, counts.n_faults) == (1, 1)
    monkeypatch.undo()
    # Somebody labels it by hand, with the very same values.
    write_labels(str(first), FIRST, roots=[str(workspace.folder)])
    workspace.write(SECOND)
    assert (labels_of(first), labels_of(second)) == (FIRST, SECOND)


def stop_fault(path: str) -> Any:
    from scoring.errors import Fault

    return (Fault(path, 0, "", "a read-only file", "a file that can be written"),)


@pytest.mark.parametrize("n_changes", [1, 2])
def test_a_file_that_is_changed_meanwhile_is_looked_at_once_more(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, n_changes: int
) -> None:
    path = workspace.add("a.md")
    real, left = replace_file, [50, 51][:n_changes]

    def replace(target: str, old: bytes, new: bytes, name: str) -> bool:
        if left:
            write_labels(str(path), {"quality": left.pop(0)}, roots=[str(workspace.folder)])
        return real(target, old, new, name)

    monkeypatch.setattr(label_writing, "replace_file", replace)
    workspace.write(FIRST)
    if n_changes == 1:  # the label that somebody gave between the look and the write is theirs
        assert labels_of(path) == FIRST | {"quality": 50}
        assert workspace.faults == []
    else:
        assert labels_of(path) == {"quality": 51, "heat": None, "published": None}
        assert "got a file that another process keeps changing" in workspace.faults[0]


def test_without_a_journal_that_can_be_written_nothing_is_written(workspace: Workspace) -> None:
    path = workspace.add("a.md")
    before = path.read_bytes()
    workspace.journal.mkdir(parents=True)
    with pytest.raises(RecordError, match="a folder"):
        workspace.write(FIRST)
    assert path.read_bytes() == before


def test_a_full_disk_under_the_journal_stops_before_the_files(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workspace.add("a.md")
    before = path.read_bytes()

    def fail(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(RecordError, match=r"journal\.jsonl: got No space left on device"):
        workspace.write(FIRST)
    assert path.read_bytes() == before


def write_in_process(
    workspace: Workspace, killed_after: int | None = None, wait: Callable[[], object] = lambda: None
) -> int:
    """Write other labels into all files in a process of its own, which may be killed between two of them;
    return its number."""
    if (pid := os.fork()) == 0:
        code = 1
        try:
            wait()
            n_replaced = 0

            def replace(*arguments: Any) -> Any:
                nonlocal n_replaced
                if n_replaced == killed_after:
                    os.kill(os.getpid(), signal.SIGKILL)
                n_replaced += 1
                return replace_file(*arguments)

            vars(label_writing).update(replace_file=replace)
            options = WriteOptions(workspace.journal, lambda: datetime.now(UTC))
            writer = LabelWriter(options, paths=[str(workspace.folder)], on_fault=stop)
            list(writer.write([score_of(path, SECOND) for path in sorted(workspace.folder.iterdir())]))
            code = 0
        finally:
            os._exit(code)
    return pid


@pytest.mark.slow
@pytest.mark.parametrize("n_done", [0, 1, 3])
def test_killed_between_journal_and_files_nothing_is_taken_for_what_it_is_not(
    workspace: Workspace, n_done: int
) -> None:
    own = [workspace.add(f"{name}.md") for name in "abc"]
    workspace.write(FIRST)
    given = workspace.add("d.md", {"quality": 50})
    pid = write_in_process(workspace, killed_after=n_done)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    assert [labels_of(path)["quality"] for path in own] == [65] * n_done + [60] * (3 - n_done)
    journal = Journal(workspace.journal)
    journal.refresh()
    for document in read_documents([str(workspace.folder)], on_fault=stop):
        expected = set() if document.path == str(given) else set(LABELS)
        assert journal.own_labels(document) == expected, document.path
    workspace.now = datetime.now(UTC)
    counts = workspace.write(FIRST | {"heat": 80}).counts
    assert counts.labels["left alone"] == 1
    assert [labels_of(path)["heat"] for path in own] == [80] * 3


@pytest.mark.slow
def test_two_writers_at_once_do_not_undo_each_other(workspace: Workspace) -> None:
    for index in range(40):
        workspace.add(f"{index:02}.md")
    start = get_context("fork").Event()
    pids = [write_in_process(workspace, wait=start.wait) for _ in range(2)]
    start.set()
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0]
    workspace.now = datetime.now(UTC)
    assert workspace.write(FIRST).counts.labels == {"renewed": 120}


def test_a_batch_of_large_files_is_short(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcde":
        workspace.add(f"{name}.md")
    monkeypatch.setattr(label_writing, "_BATCH_BYTES", 2 * len(RECORD % b"a.md"))
    workspace.write(FIRST)
    assert workspace.journal.read_bytes().count(b'"kind":"done"') == 3


def test_names_that_are_no_text_are_written(workspace: Workspace) -> None:
    path = workspace.folder / os.fsdecode(b"caf\xe9.md")
    path.write_bytes(RECORD % b"a")
    writer = workspace.writer()
    (written,) = writer.write([score_of(workspace.folder / "caf\\xe9.md", FIRST)])
    assert (written.changed, written.path) == (True, f"{workspace.folder}/caf\\xe9.md")
    assert labels_of(path) == FIRST
    assert workspace.write(SECOND, workspace.folder / "caf\\xe9.md").counts.labels == {"renewed": 3}


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    write_sample(tmp_path / "inbox", n_records=10, seed=2)
    return tmp_path / "inbox"


def plain(text: str) -> str:
    return re.sub(r"(?m)^(quality|heat|published): .*$", r"\1: *", text)


@pytest.fixture
def write(
    training: TrainOutcome, settings: Settings, inbox: Path
) -> Callable[..., tuple[list[Score], list[WrittenFile], list[RecordError]]]:
    def run(*paths: str, **options: Any) -> tuple[list[Score], list[WrittenFile], list[RecordError]]:
        scores = list(
            score(paths, model=training.model, settings=settings, on_fault=stop, has_own_names=False)
        )
        faults: list[RecordError] = []
        chosen = WriteOptions(settings.journal, lambda: MOMENT, **options)
        roots = [path for path in paths if "*" not in path] or [str(inbox)]
        writer = LabelWriter(chosen, paths=roots, on_fault=faults.append)
        return scores, list(writer.write(scores)), faults

    return run


def test_three_values_are_written_and_nothing_else(inbox: Path, write: Callable[..., Any]) -> None:
    before = {file: file.read_text() for file in inbox.iterdir()}
    scores, written, _ = write(str(inbox), is_overwriting=True)
    assert [file.path for file in written] == [scored.path for scored in scores]
    assert any(file.changed for file in written)
    for file, text in before.items():
        assert plain(file.read_text()) == plain(text)
    for scored in scores:
        values = {name: getattr(scored, name) for name in LABELS}
        assert labels_of(Path(scored.path)) == values
    # What is written is no input: the scores are the same again, and nothing is left to change.
    again, written, _ = write(str(inbox))
    assert again == scores
    assert not any(file.changed for file in written)


def test_json_lines_are_not_written(inbox: Path, tmp_path: Path, write: Callable[..., Any]) -> None:
    """Not even into the file that a line names."""
    records = [msgspec.json.decode(line) for line in sample_json_lines(n_records=2, seed=3)]
    other = str(next(inbox.iterdir()))
    lines = b"".join(msgspec.json.encode(record | {"path": other}) + b"\n" for record in records)
    (tmp_path / "a.jsonl").write_bytes(lines)
    _, written, faults = write(str(tmp_path / "a.jsonl"), str(inbox))
    assert (sum(file.fault is None for file in written), len(faults)) == (10, 2)
    assert "expected a Markdown file" in str(faults[0])
    assert (tmp_path / "a.jsonl").read_bytes() == lines


def test_link_that_leads_out_is_not_followed(inbox: Path, tmp_path: Path, write: Callable[..., Any]) -> None:
    write_sample(tmp_path / "outside", n_records=1, seed=5, is_labelled=False)
    (outside,) = (tmp_path / "outside").iterdir()
    before = outside.read_bytes()
    (inbox / "link.md").symlink_to(outside)
    # A walk passes it over; named by a glob it is scored, but not written.
    assert len(write(str(inbox))[0]) == 10
    scores, _, faults = write(f"{inbox}/l*.md")
    assert (len(scores), len(faults)) == (1, 1)
    assert "outside the given folders" in str(faults[0])
    assert outside.read_bytes() == before


def test_file_that_went_away_is_reported(workspace: Workspace) -> None:
    first, _ = workspace.add("a.md"), workspace.add("b.md")
    first.unlink()
    counts = workspace.write(FIRST, first, workspace.folder / "b.md").counts
    assert (counts.n_written, counts.n_faults) == (1, 1)
    assert workspace.faults[0].startswith(f"{first}: ")


def test_a_record_whose_keys_no_field_uses_is_refused(workspace: Workspace) -> None:
    path = workspace.add("a.md", data=b"---\ntitle: Rain\ndate: 2021-03-04\nlink: a\n---\n")
    assert workspace.write(FIRST).counts.n_refused == 1
    assert workspace.faults == [
        f"{path}: got a record of which only the title was read: no field uses 'date', 'link', "
        "expected a field map that says what they are (or --allow-unknown)"
    ]
    assert workspace.write(FIRST, allows_unknown=True).counts.n_written == 1


@pytest.mark.parametrize("value", ["high", "'67'", "2016-01-02", "five  # mine"])
def test_a_label_that_cannot_be_used_is_a_persons(workspace: Workspace, value: str) -> None:
    data = (RECORD % b"a").replace(b"\n---", f"\nquality: {value}\n---".encode(), 1)
    path, other = workspace.add("a.md", data=data), workspace.add("b.md", data=data.replace(b"/a", b"/b"))
    counts = workspace.write({"quality": 60, "heat": None, "published": None}).counts
    assert path.read_bytes() == data
    assert (counts.labels, counts.n_unusable) == ({"left alone": 2}, 2)
    (note,) = [text for text in workspace.listener.notes if "quality: got" in text]
    assert note.startswith(f"{path}: quality: got ")
    assert note.endswith("an integer: left alone (--overwrite replaces such values)")
    # The other labels are written.
    workspace.write(FIRST, other)
    assert labels_of(other) == FIRST | {"quality": None}
    assert f"quality: {value}" in other.read_text()


@pytest.mark.parametrize(("value", "outcome"), [('""', "filled"), ("high", "replaced"), ("'67'", "replaced")])
def test_a_label_that_is_replaced_has_its_text_kept(workspace: Workspace, value: str, outcome: str) -> None:
    path = workspace.add(
        "a.md", data=(RECORD % b"a").replace(b"\n---", f"\nquality: {value}\n---".encode(), 1)
    )
    workspace.write(FIRST, is_overwriting=outcome == "replaced")
    assert workspace.written[0].outcomes["quality"] == outcome
    assert labels_of(path)["quality"] == FIRST["quality"]
    (entry,) = [json.loads(line) for line in workspace.journal.read_text().splitlines() if '"labels"' in line]
    assert entry["before"]["quality"] == f" {value}"


def test_a_label_that_could_not_be_put_back_is_not_replaced(workspace: Workspace) -> None:
    data = (RECORD % b"a").replace(b"\n---", b"\nquality: %s\n---" % (b"see " * 60).strip(), 1)
    path = workspace.add("a.md", data=data)
    workspace.write(FIRST, is_overwriting=True)
    assert path.read_bytes() == data
    assert "quality: got a value that could not be put back" in workspace.faults[0]
