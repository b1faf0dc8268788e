"""Journal of the labels that scoring wrote: any order of its lines, and any crash."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scoring.errors import RecordError
from scoring.labels import journal_lines
from scoring.labels.journal import Journal, new_write_id, open_journal
from scoring.labels.journal_format import BatchDone, JournalEntry, JournalLabels, Line
from scoring.labels.journal_lines import encode_lines
from scoring.labels.write_history import list_writes
from scoring.records.decode import decode_file
from scoring.records.record import Document, Labels, RecordWithBody
from scoring.records.write_back import replace_labels

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILE = b"""---
title: Orchard opens
type: article
publishedDateTime: 2026-02-28T08:00:00Z
originalUrl: https://wendlow.example/orchard
provider:
  name: Wendlow
  domain: wendlow.example
topics:
- Tessaril
---
Body
"""
RELATED = b"related:\n- title: Pears too\n  publishedDateTime: 2026-02-28T09:00:00Z\n---\nBody"
WRITTEN = {"quality": 60, "heat": -1, "published": False}
ALL = frozenset(WRITTEN)


def document(labels: dict[str, Any] | None = None, path: str = "news/a.md", data: bytes = FILE) -> Document:
    return decode_file(replace_labels(data, labels or {}), path)


def entry(journal: Journal, source: Document, labels: dict[str, Any], **values: Any) -> JournalEntry:
    keys = journal.keys_of(source)
    common: dict[str, Any] = {
        "at": MOMENT,
        "write_id": "w1",
        "command": "score",
        "owner": "scoring",
        "record": keys.record,
        "file": keys.file,
        "labels": JournalLabels(**labels),
        "model": "default@01234567",
    }
    return JournalEntry(**common | values)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.jsonl")


def add(journal: Journal, *lines: Line) -> None:
    with journal.locked() as writer:
        writer.append(lines)
    assert journal.refresh() == []


def write(journal: Journal, labels: dict[str, Any], path: str = "news/a.md", **values: Any) -> None:
    line = entry(journal, document(path=path), labels, **values)
    add(journal, line, BatchDone(write_id=line.write_id, batch=line.batch))


def test_what_was_written_and_is_unchanged_is_own(journal: Journal) -> None:
    assert journal.own_labels(document(WRITTEN)) == frozenset()
    write(journal, WRITTEN)
    assert journal.own_labels(document(WRITTEN)) == ALL
    assert journal.own_labels(document(WRITTEN | {"quality": 61})) == {"heat", "published"}
    assert journal.own_labels(document({"published": False})) == {"published"}
    assert journal.own_labels(document()) == frozenset()


def test_a_label_that_was_not_written_is_not_own(journal: Journal) -> None:
    write(journal, {"quality": 60})
    assert journal.own_labels(document(WRITTEN)) == {"quality"}


def test_a_copied_moved_or_renamed_file_is_the_same_record(journal: Journal) -> None:
    write(journal, WRITTEN)
    assert journal.own_labels(document(WRITTEN, path="elsewhere/deep/b.md")) == ALL
    assert journal.own_labels(document(WRITTEN | {"heat": 7}, path="b.md")) == {"quality", "published"}


def test_the_text_below_changes_nothing(journal: Journal) -> None:
    write(journal, WRITTEN)
    data = replace_labels(FILE, WRITTEN)
    for file in (data, data + b"\nMore text, which is edited and read by models that learned from texts.\n"):
        read = decode_file(file, "moved.md", reads_body=True)
        assert isinstance(read.record, RecordWithBody)
        assert journal.own_labels(read) == ALL


def test_coverage_that_comes_or_goes_changes_nothing(journal: Journal) -> None:
    write(journal, WRITTEN)
    grown = FILE.replace(b"---\nBody", RELATED)
    assert document(data=grown).record.related
    assert journal.own_labels(document(WRITTEN, data=grown)) == ALL
    assert journal.own_labels(document(WRITTEN, path="b.md", data=grown)) == ALL


def test_an_edited_file_keeps_its_labels_and_another_record_in_its_place_does_not(journal: Journal) -> None:
    write(journal, WRITTEN)
    edited = FILE.replace(b"Orchard opens", b"Orchard has opened")
    assert journal.own_labels(document(WRITTEN, data=edited)) == ALL
    other = edited.replace(b"/orchard", b"/pears")
    assert journal.own_labels(document(WRITTEN, data=other)) == frozenset()
    # Nor does a record without address and date, of which a file's name alone would tell.
    bare = b"---\ntitle: Rain\n---\n"
    write_bare = entry(journal, document(data=bare), WRITTEN, write_id="w2")
    add(journal, write_bare, BatchDone(write_id="w2"))
    assert journal.own_labels(document(WRITTEN, data=bare)) == ALL
    assert journal.own_labels(document(WRITTEN, data=bare.replace(b"Rain", b"Sun"))) == frozenset()


def test_the_last_value_counts(journal: Journal) -> None:
    write(journal, WRITTEN)
    write(journal, {"published": True}, write_id="w2", at=MOMENT + timedelta(seconds=1))
    assert journal.own_labels(document(WRITTEN | {"published": True})) == ALL
    # Somebody has changed it back by hand.
    assert journal.own_labels(document(WRITTEN)) == {"quality", "heat"}


def test_what_people_decided_is_theirs_though_scoring_had_written_the_same(journal: Journal) -> None:
    write(journal, WRITTEN)
    later: dict[str, Any] = {"write_id": "w2", "at": MOMENT + timedelta(seconds=1)}
    write(journal, {"quality": 60}, owner="people", command="desk", **later)
    assert journal.own_labels(document(WRITTEN)) == {"heat", "published"}
    assert journal.own_labels(document(WRITTEN, path="moved.md")) == {"heat", "published"}


def test_of_two_files_of_a_record_each_has_its_own(journal: Journal) -> None:
    own, decided = {"quality": 60, "published": True}, {"quality": 50, "published": True}
    write(journal, own, path="a.md")
    write(journal, decided, path="b.md", owner="people", write_id="w2")
    assert journal.own_labels(document(own, path="a.md")) == {"quality", "published"}
    assert journal.own_labels(document(decided, path="b.md")) == frozenset()
    # Of a third one it is not known of which it is a copy: where people gave the same value, it is theirs.
    assert journal.own_labels(document(own, path="c.md")) == {"quality"}
    assert journal.own_labels(document(decided, path="c.md")) == frozenset()


def test_a_batch_that_was_cut_off_counts_where_all_of_it_stands_in_the_file(journal: Journal) -> None:
    write(journal, {"quality": 50})
    new = {"quality": 60, "published": True}
    add(journal, entry(journal, document(), new, write_id="w2", at=MOMENT + timedelta(seconds=1)))
    assert journal.own_labels(document(new)) == {"quality", "published"}
    assert journal.own_labels(document({"quality": 50})) == {"quality"}  # not written: as it was before
    # A person has given one of the values: that the other is scoring's cannot be said.
    assert journal.own_labels(document({"quality": 70, "published": True})) == frozenset()


def test_what_was_not_written_after_all_does_not_count(journal: Journal) -> None:
    write(journal, {"quality": 50})
    later: dict[str, Any] = {"write_id": "w2", "at": MOMENT + timedelta(seconds=1)}
    first = entry(journal, document(), {"quality": 60}, **later)
    second = entry(journal, document(path="b.md"), {"quality": 60}, item=1, **later)
    add(journal, first, second, BatchDone(write_id="w2", not_written=(0,)))
    assert journal.own_labels(document({"quality": 60})) == frozenset()
    assert journal.own_labels(document({"quality": 50})) == {"quality"}
    assert journal.own_labels(document({"quality": 60}, path="b.md")) == {"quality"}


def test_a_write_can_be_left_out(journal: Journal) -> None:
    write(journal, WRITTEN)
    assert journal.own_labels(document(WRITTEN), ignoring="w1") == frozenset()


def history(journal: Journal) -> list[Line]:
    """A write, an interrupted write, a decision, and a second file."""
    lines: list[Line] = [
        entry(journal, document(), WRITTEN),
        entry(journal, document(path="b.md"), {"quality": 60, "heat": 4}, item=1),
        entry(journal, document(path="c.md"), {"published": True}, item=2),
        BatchDone(write_id="w1", not_written=(2,)),
        entry(journal, document(), {"quality": 65}, write_id="w2", at=MOMENT + timedelta(hours=1)),
        entry(
            journal, document(), {"heat": 4}, owner="people", write_id="w3", at=MOMENT + timedelta(hours=2)
        ),
        BatchDone(write_id="w3"),
    ]
    return lines


def test_the_order_of_lines_and_doubled_ones_change_nothing(journal: Journal) -> None:
    lines = history(journal)
    documents = [
        document(dict(zip(WRITTEN, values, strict=True)), path=path)
        for values in itertools.product((60, 65), (-1, 4), (False, True))
        for path in ("news/a.md", "b.md", "c.md")
    ]
    journal.path.write_bytes(encode_lines(lines))
    journal.refresh()
    expected = [journal.own_labels(document) for document in documents]
    assert len(set(expected)) > 3
    draw = random.Random(1)  # noqa: S311 -- the same order in every run
    for _ in range(30):
        mixed = draw.sample(lines, len(lines)) + draw.sample(lines, 3)
        journal.path.unlink()
        journal.path.write_bytes(encode_lines(mixed))
        fresh, _ = open_journal(journal.path)
        assert [fresh.own_labels(document) for document in documents] == expected


def test_a_journal_that_has_grown_is_read_on_and_one_that_was_replaced_is_read_anew(journal: Journal) -> None:
    write(journal, WRITTEN)
    other = Journal(journal.path)
    write(other, {"quality": 70}, write_id="w2", at=MOMENT + timedelta(seconds=1))
    assert journal.refresh() == []
    assert journal.own_labels(document({"quality": 70})) == {"quality"}
    journal.path.write_bytes(encode_lines([entry(journal, document(), {"heat": 5})]))  # a shorter one
    journal.refresh()
    assert journal.own_labels(document(WRITTEN | {"heat": 5})) == {"heat"}
    # Longer, and in place: what stood there before is no longer its beginning.
    lines = [entry(journal, document(), {"quality": index}, write_id=f"x{index}") for index in range(9)]
    journal.path.write_bytes(encode_lines([BatchDone(write_id="x"), *lines]))
    journal.refresh()
    assert journal.own_labels(document({"heat": 5})) == frozenset()
    assert journal.own_labels(document({"quality": 8})) == {"quality"}
    journal.path.unlink()
    journal.refresh()
    assert journal.is_empty


def test_a_moved_archive_keeps_what_is_known_when_its_journal_moves_along(tmp_path: Path) -> None:
    old = tmp_path / "old"
    (old / "news").mkdir(parents=True)
    journal = Journal(old / "journal.jsonl")
    write(journal, WRITTEN, path=str(old / "news" / "a.md"))
    shutil.move(old, tmp_path / "new")
    moved, _ = open_journal(tmp_path / "new" / "journal.jsonl")
    edited = FILE.replace(b"Orchard opens", b"Orchard has opened")
    assert moved.own_labels(document(WRITTEN, str(tmp_path / "new" / "news" / "a.md"), edited)) == ALL


def test_no_text_and_no_path_stands_there(journal: Journal) -> None:
    write(journal, WRITTEN, path="secret-folder/secret-name.md")
    content = journal.path.read_text("utf-8").lower()
    for word in ("orchard", "wendlow", "tessaril", "secret", "body"):
        assert word not in content


def test_a_torn_line_is_reported_once_and_skipped(journal: Journal) -> None:
    write(journal, WRITTEN)
    whole = journal.path.read_bytes()
    torn = encode_lines([entry(journal, document(path="b.md"), WRITTEN, write_id="w2")])[:90]
    journal.path.write_bytes(whole + torn)
    messages = [f"{journal.path}:3: skipped: got a line that is not JSON (cut off by a crash?)"]
    fresh, warnings = open_journal(journal.path)
    assert warnings == messages
    assert fresh.refresh() == []
    assert fresh.own_labels(document(WRITTEN)) == ALL
    # What is added later stands on a line of its own.
    with fresh.locked() as writer:
        line = entry(fresh, document(path="c.md"), {"quality": 1}, write_id="w3")
        writer.append([line, BatchDone(write_id="w3")])
    again, warnings = open_journal(journal.path)
    assert warnings == messages
    assert again.own_labels(document({"quality": 1}, path="c.md")) == {"quality"}


def test_a_last_line_without_its_end_is_read(journal: Journal) -> None:
    write(journal, WRITTEN)
    journal.path.write_bytes(journal.path.read_bytes().rstrip(b"\n"))
    fresh, warnings = open_journal(journal.path)
    assert warnings == []
    assert fresh.own_labels(document(WRITTEN | {"quality": 1})) == {"heat", "published"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            {"format": 2, "kind": "seal"},
            ":3: format: got 2, written by a newer version of scoring, expected 1 (update scoring",
        ),
        ([1], ":3: got a line that is not a JSON object, expected a journal entry"),
        ({"format": 1, "kind": "done"}, ":3: got an invalid entry"),
        ({"format": 1, "kind": "done", "write_id": "", "batch": 0}, ":3: write_id: got ''"),
        ({"format": 1, "kind": "seal"}, ":3: kind: got 'seal'"),
        ({"at": "2026-03-01T12:00:00"}, ":3: at: got '2026-03-01T12:00:00', expected"),
        ({"record": "abc"}, ":3: record: got 'abc', expected"),
        ({"owner": "nobody"}, ":3: owner: got 'nobody'"),
        ({"labels": {"heat": -2}}, ":3: labels.heat: got"),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused(journal: Journal, line: Any, message: str) -> None:
    write(journal, WRITTEN)
    if isinstance(line, dict) and "kind" not in line:
        line = msgspec.to_builtins(entry(journal, document(), WRITTEN)) | line
    with journal.path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    with pytest.raises(RecordError) as caught:
        open_journal(journal.path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("folder", "a folder"), ("fifo", "a FIFO"), ("/dev/null", "a device"), ("/dev/zero", "a device")],
)
def test_what_is_no_regular_file_is_no_journal(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    path = tmp_path / name
    with pytest.raises(RecordError, match=f"got {kind}, expected a journal that can be read"):
        open_journal(path)
    with pytest.raises(RecordError, match=f"got {kind}, expected a journal that can be read"):
        list_writes(path)
    with (
        pytest.raises(RecordError, match=f"got {kind}, expected a journal that can be written"),
        Journal(path).locked(),
    ):
        pass


def test_a_full_disk_leaves_the_journal_as_it_was(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    write(journal, WRITTEN)
    before = journal.path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with (
        journal.locked() as writer,
        pytest.raises(RecordError, match=r"journal\.jsonl: got No space left on device, expected a journal"),
    ):
        writer.append([BatchDone(write_id="w2")])
    assert journal.path.read_bytes() == before


def test_who_finds_it_locked_waits_and_then_says_so(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_lines, "WAIT_SECONDS", 0.05)
    with (
        journal.locked(),
        pytest.raises(
            RecordError, match="another process is using to write labels, expected no other writer"
        ),
        Journal(journal.path).locked(),
    ):
        pass


def test_a_journal_in_a_place_that_cannot_be_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RecordError, match=r"file/journal\.jsonl: .*--journal FILE names another"),
        Journal(tmp_path / "file" / "journal.jsonl").locked(),
    ):
        pass


def add_many(path: Path, name: str) -> None:
    journal = Journal(path)
    for index in range(25):
        with journal.locked() as writer:
            line = entry(
                journal, document(path=f"{name}{index}.md"), {"quality": index}, write_id=name, batch=index
            )
            writer.append([line, BatchDone(write_id=name, batch=index)])


def test_processes_do_not_get_in_each_others_way(journal: Journal) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=add_many, args=(journal.path, name)) for name in ("ann", "bob")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert journal.refresh() == []
    for at, name in itertools.product(range(25), ("ann", "bob")):
        assert journal.own_labels(document({"quality": at}, path=f"{name}{at}.md")) == {"quality"}


def test_write_ids_tell_when_and_differ() -> None:
    names = {new_write_id(MOMENT) for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("20260301T120000Z-") for name in names)


def test_labels_hold_what_a_record_may_have() -> None:
    assert JournalLabels.__struct_fields__ == Labels.__struct_fields__
