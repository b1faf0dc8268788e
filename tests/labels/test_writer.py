"""Writing scores: missing labels are filled, scoring's own are renewed, those of people are left alone."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import RecordError
from scoring.labels import writer as label_writing
from scoring.labels.journal import Journal
from scoring.labels.writer import LabelWriter, WriteOptions, WrittenFile
from scoring.model.score import Score
from scoring.records.corpus import read_documents
from scoring.records.decode import decode_file
from scoring.records.label_positions import LABELS
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


class Place:
    """A folder with a journal, and a clock that goes on."""

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
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_labels_of_people_stay_to_the_byte(place: Place) -> None:
    given = place.add("a.md", {"quality": 50, "heat": 3, "published": False})
    partly = place.add("b.md", {"heat": 9})
    before = given.read_bytes()
    counts = place.write(FIRST).counts
    assert given.read_bytes() == before
    assert labels_of(partly) == FIRST | {"heat": 9}
    assert (counts.n_files, counts.n_written, dict(counts.labels)) == (2, 1, {"left alone": 4, "filled": 2})
    # A label of theirs that is what the model says is theirs all the same.
    place.write({"quality": 50, "heat": 3, "published": False}, given)
    place.write(SECOND, given)
    assert given.read_bytes() == before


def test_what_scoring_wrote_is_renewed_and_what_people_changed_since_is_not(place: Place) -> None:
    path = place.add("a.md")
    place.write(FIRST)
    counts = place.write(SECOND).counts
    assert labels_of(path) == SECOND
    assert counts.labels == {"renewed": 3}
    write_labels(str(path), {"quality": 50}, roots=[str(place.folder)])
    assert place.write(FIRST).counts.labels == {"renewed": 2, "left alone": 1}
    assert labels_of(path) == FIRST | {"quality": 50}
    # The score comes to be what somebody gave, and moves on: theirs.
    place.write(FIRST | {"quality": 50})
    place.write(SECOND)
    assert labels_of(path) == SECOND | {"quality": 50}


def test_to_overwrite_replaces_all(place: Place) -> None:
    path = place.add("a.md", {"quality": 50, "heat": 70})
    counts = place.write(FIRST, is_overwriting=True).counts
    assert labels_of(path) == FIRST
    assert counts.labels == {"replaced": 1, "left alone": 1, "filled": 1}
    # From now on it is scoring's own, but for the heat, which was theirs and no other.
    assert place.write(SECOND).counts.labels == {"renewed": 2, "left alone": 1}


def test_every_label_is_counted_once(place: Place) -> None:
    place.add("a.md", {"quality": 50})
    place.add("b.md")
    place.write(FIRST)
    place.add("c.md", {"published": False})
    counts = place.write(FIRST | {"heat": 71}).counts
    assert sum(counts.labels.values()) == 3 * counts.n_files == 9
    assert counts.labels == {"left alone": 2, "unchanged": 3, "renewed": 2, "filled": 2}


def test_without_a_journal_labels_that_stand_there_are_left_alone(place: Place) -> None:
    path = place.add("a.md")
    assert not place.write(FIRST).has_known
    writer = place.write(SECOND, journal=place.journal.parent / "fresh.jsonl")
    assert not writer.has_known
    assert writer.counts.labels == {"left alone": 3}
    assert labels_of(path) == FIRST
    assert place.write(SECOND).has_known
    assert labels_of(path) == SECOND


def test_a_moved_renamed_or_copied_file_is_the_same_record(place: Place) -> None:
    path = place.add("a.md")
    place.write(FIRST)
    (place.folder / "deep").mkdir()
    moved = path.rename(place.folder / "deep" / "b.md")
    copy = Path(shutil.copy(moved, place.folder / "c.md"))
    assert place.write(SECOND).counts.labels == {"renewed": 6}
    assert labels_of(moved) == labels_of(copy) == SECOND
    assert place.listener.notes == []


def test_an_edited_record_is_renewed(place: Place) -> None:
    path = place.add("a.md")
    place.write(FIRST)
    path.write_bytes(path.read_bytes().replace(b"Orchard opens", b"Orchard has opened"))
    assert place.write(SECOND).counts.labels == {"renewed": 3}


@pytest.mark.parametrize("names", [("a.md", "b.md"), ("b.md", "a.md")])
@pytest.mark.parametrize("batch_files", [1, 64])
def test_two_files_of_a_record_with_different_labels_are_reported_and_each_keeps_its_own(
    place: Place, names: tuple[str, str], batch_files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = place.add(names[0], {"quality": 50, "published": True}, RECORD % b"a")
    bare = place.add(names[1], None, RECORD % b"a")
    writer = place.writer()
    paths = sorted((given, bare))
    list(writer.write([score_of(path, FIRST) for path in paths], batch_files=batch_files))
    assert labels_of(given) == {"quality": 50, "heat": 70, "published": True}
    assert labels_of(bare) == FIRST
    here, there = (60, 50) if paths[1] == bare else (50, 60)
    assert place.listener.notes == [
        f"{paths[1]}: the same record as {paths[0]}, with different labels: "
        f"quality {here} here, {there} there"
    ]
    # Although scoring wrote the same `published` into the other file, this one is theirs.
    place.write(SECOND)
    assert labels_of(given) == {"quality": 50, "heat": 75, "published": True}
    assert labels_of(bare) == SECOND
    n_bytes = place.journal.stat().st_size
    place.write(SECOND)
    assert place.journal.stat().st_size == n_bytes  # nothing to write, and nothing more to tell


def test_records_of_which_nothing_is_known_are_refused_and_the_others_written(place: Place) -> None:
    bare = place.add("a.md", None, b"---\ntitle: Rain\n---\n")
    empty = place.add("b.md", None, b"---\ntitle: '&nbsp;'\ntopics: [Weather]\n---\n")
    enough = [
        place.add("c.md", None, b"---\ntitle: Rain\ntopics: [Weather]\n---\n"),
        place.add("d.md", None, b"---\ntitle: Rain\nprovider:\n  domain: rain.example\n---\n"),
        place.add("e.md", None, b"---\ntitle: Rain\npublishedDateTime: 2026-02-28T08:00:00Z\n---\n"),
    ]
    before = bare.read_bytes(), empty.read_bytes()
    counts = place.write(FIRST).counts
    assert (counts.n_written, counts.n_refused, counts.n_faults) == (3, 2, 0)
    assert (bare.read_bytes(), empty.read_bytes()) == before
    assert [labels_of(path) for path in enough] == [FIRST] * 3
    wanted = "expected a title, and a date, provider or topics (or --allow-unknown)"
    assert place.faults == [
        f"{bare}: got neither a date nor a provider nor topics, {wanted}",
        f"{empty}: got no title, {wanted}",
    ]
    assert place.write(FIRST, allows_unknown=True).counts.n_refused == 0
    assert labels_of(bare) == labels_of(empty) == FIRST


def test_a_dry_run_reports_the_same_and_writes_nothing(place: Place) -> None:
    place.add("a.md", {"quality": 50})
    place.add("b.md", {"quality": 51}, RECORD % b"a.md")
    place.add("c.md", None, b"---\ntitle: Rain\n---\n")
    before = {path: path.read_bytes() for path in place.folder.iterdir()}
    dry = place.write(FIRST, is_dry_run=True).counts
    told, faults = place.listener.notes.copy(), place.faults.copy()
    assert {path: path.read_bytes() for path in place.folder.iterdir()} == before
    assert not place.journal.exists()
    assert "+heat: 70" in place.written[0].diff
    assert place.write(FIRST).counts == dry
    assert (place.listener.notes, place.faults) == (told * 2, faults * 2)
    assert len(told) == 1


def test_a_file_that_cannot_be_written_is_reported_and_not_taken_for_written(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = place.add("a.md"), place.add("b.md")
    real = replace_file

    def replace(target: str, old: bytes, new: bytes, path: str) -> bool:
        if path == str(first):
            raise RecordError(*stop_fault(path))
        return real(target, old, new, path)

    monkeypatch.setattr(label_writing, "replace_file", replace)
    counts = place.write(FIRST).counts
    assert (counts.n_written, counts.n_faults) == (1, 1)
    monkeypatch.undo()
    # Somebody labels it by hand, with the very same values.
    write_labels(str(first), FIRST, roots=[str(place.folder)])
    place.write(SECOND)
    assert (labels_of(first), labels_of(second)) == (FIRST, SECOND)


def stop_fault(path: str) -> Any:
    from scoring.errors import Fault

    return (Fault(path, 0, "", "a read-only file", "a file that can be written"),)


@pytest.mark.parametrize("n_changes", [1, 2])
def test_a_file_that_is_changed_meanwhile_is_looked_at_once_more(
    place: Place, monkeypatch: pytest.MonkeyPatch, n_changes: int
) -> None:
    path = place.add("a.md")
    real, left = replace_file, [50, 51][:n_changes]

    def replace(target: str, old: bytes, new: bytes, name: str) -> bool:
        if left:
            write_labels(str(path), {"quality": left.pop(0)}, roots=[str(place.folder)])
        return real(target, old, new, name)

    monkeypatch.setattr(label_writing, "replace_file", replace)
    place.write(FIRST)
    if n_changes == 1:  # the label that somebody gave between the look and the write is theirs
        assert labels_of(path) == FIRST | {"quality": 50}
        assert place.faults == []
    else:
        assert labels_of(path) == {"quality": 51, "heat": None, "published": None}
        assert "got a file that another process keeps changing" in place.faults[0]


def test_without_a_journal_that_can_be_written_nothing_is_written(place: Place) -> None:
    path = place.add("a.md")
    before = path.read_bytes()
    place.journal.mkdir(parents=True)
    with pytest.raises(RecordError, match="a folder"):
        place.write(FIRST)
    assert path.read_bytes() == before


def test_a_full_disk_under_the_journal_stops_before_the_files(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place.add("a.md")
    before = path.read_bytes()

    def fail(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(RecordError, match=r"journal\.jsonl: got No space left on device"):
        place.write(FIRST)
    assert path.read_bytes() == before


CHILD = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from scoring.labels import writer as label_writing
from tests.labels.test_writer import FIRST, SECOND, score_of
folder, journal, at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
real = label_writing.replace_file
n_done = 0
def replace(*arguments):
    global n_done
    if n_done == at:
        os.kill(os.getpid(), signal.SIGKILL)
    n_done += 1
    return real(*arguments)
label_writing.replace_file = replace
options = label_writing.WriteOptions(journal, lambda: datetime.now(UTC))
writer = label_writing.LabelWriter(options, paths=[str(folder)], on_fault=print)
list(writer.write([score_of(path, SECOND) for path in sorted(folder.iterdir())]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("n_done", [0, 1, 3])
def test_killed_between_journal_and_files_nothing_is_taken_for_what_it_is_not(
    place: Place, n_done: int
) -> None:
    own = [place.add(f"{name}.md") for name in "abc"]
    place.write(FIRST)
    given = place.add("d.md", {"quality": 50})
    script = place.folder.parent / "child.py"
    script.write_text(CHILD)
    root = str(Path(__file__).parents[2])
    arguments = [sys.executable, str(script), str(place.folder), str(place.journal), str(n_done), root]
    done = subprocess.run(arguments, cwd=root, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [labels_of(path)["quality"] for path in own] == [65] * n_done + [60] * (3 - n_done)
    journal = Journal(place.journal)
    journal.refresh()
    for document in read_documents([str(place.folder)], on_fault=stop):
        expected = set() if document.path == str(given) else set(LABELS)
        assert journal.own_labels(document) == expected, document.path
    place.now = datetime.now(UTC)
    counts = place.write(FIRST | {"heat": 80}).counts
    assert counts.labels["left alone"] == 1
    assert [labels_of(path)["heat"] for path in own] == [80] * 3


@pytest.mark.slow
def test_two_writers_at_once_do_not_undo_each_other(place: Place) -> None:
    for at in range(40):
        place.add(f"{at:02}.md")
    script = place.folder.parent / "child.py"
    script.write_text(CHILD)
    root = str(Path(__file__).parents[2])
    arguments = [sys.executable, str(script), str(place.folder), str(place.journal), "-1", root]
    workers = [subprocess.Popen(arguments, cwd=root) for _ in range(2)]
    assert [worker.wait() for worker in workers] == [0, 0]
    place.now = datetime.now(UTC)
    assert place.write(FIRST).counts.labels == {"renewed": 120}


def test_a_batch_of_large_files_is_short(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcde":
        place.add(f"{name}.md")
    monkeypatch.setattr(label_writing, "_BATCH_BYTES", 2 * len(RECORD % b"a.md"))
    place.write(FIRST)
    assert place.journal.read_bytes().count(b'"kind":"done"') == 3


def test_names_that_are_no_text_are_written(place: Place) -> None:
    path = place.folder / os.fsdecode(b"caf\xe9.md")
    path.write_bytes(RECORD % b"a")
    writer = place.writer()
    (written,) = writer.write([score_of(place.folder / "caf\\xe9.md", FIRST)])
    assert (written.changed, written.path) == (True, f"{place.folder}/caf\\xe9.md")
    assert labels_of(path) == FIRST
    assert place.write(SECOND, place.folder / "caf\\xe9.md").counts.labels == {"renewed": 3}


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
        found = list(score(paths, model=training.model, settings=settings, on_fault=stop))
        faults: list[RecordError] = []
        chosen = WriteOptions(settings.journal, lambda: MOMENT, **options)
        roots = [path for path in paths if "*" not in path] or [str(inbox)]
        writer = LabelWriter(chosen, paths=roots, on_fault=faults.append)
        return found, list(writer.write(found)), faults

    return run


def test_three_values_are_written_and_nothing_else(inbox: Path, write: Callable[..., Any]) -> None:
    before = {file: file.read_text() for file in inbox.iterdir()}
    found, written, _ = write(str(inbox), is_overwriting=True)
    assert [each.path for each in written] == [one.path for one in found]
    assert any(each.changed for each in written)
    for file, text in before.items():
        assert plain(file.read_text()) == plain(text)
    for one in found:
        values = {name: getattr(one, name) for name in LABELS}
        assert labels_of(Path(one.path)) == values
    # What is written is no input: the scores are the same again, and nothing is left to change.
    again, written, _ = write(str(inbox))
    assert again == found
    assert not any(each.changed for each in written)


def test_json_lines_are_not_written(inbox: Path, tmp_path: Path, write: Callable[..., Any]) -> None:
    lines = b"".join(sample_json_lines(n_records=2, seed=3))
    (tmp_path / "a.jsonl").write_bytes(lines)
    _, written, faults = write(str(tmp_path / "a.jsonl"), str(inbox))
    assert (sum(each.fault is None for each in written), len(faults)) == (10, 2)
    assert "expected a Markdown file" in str(faults[0])
    assert (tmp_path / "a.jsonl").read_bytes() == lines


def test_link_that_leads_out_is_not_followed(inbox: Path, tmp_path: Path, write: Callable[..., Any]) -> None:
    write_sample(tmp_path / "outside", n_records=1, seed=5, is_labelled=False)
    (outside,) = (tmp_path / "outside").iterdir()
    before = outside.read_bytes()
    (inbox / "link.md").symlink_to(outside)
    # A walk passes it over; named by a glob it is scored, but not written.
    assert len(write(str(inbox))[0]) == 10
    found, _, faults = write(f"{inbox}/l*.md")
    assert (len(found), len(faults)) == (1, 1)
    assert "outside the given folders" in str(faults[0])
    assert outside.read_bytes() == before


def test_file_that_went_away_is_reported(place: Place) -> None:
    first, _ = place.add("a.md"), place.add("b.md")
    first.unlink()
    counts = place.write(FIRST, first, place.folder / "b.md").counts
    assert (counts.n_written, counts.n_faults) == (1, 1)
    assert place.faults[0].startswith(f"{first}: ")
