"""Restore: labels of one write are put back to the byte, where nobody has changed them since."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import RecordError, ScoringError
from scoring.labels.journal import Journal
from scoring.labels.write_history import list_writes
from scoring.records.write_back import write_labels
from scoring.storage.atomic_file import replace_file
from scoring.workflows import restore as workflow
from scoring.workflows.restore import Restorer
from tests.labels.test_writer import FIRST, RECORD, SECOND, Place, labels_of, score_of


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def restore(place: Place, write_id: str, *paths: Path, **options: Any) -> tuple[Restorer, list[str]]:
    restorer = Restorer(
        place.journal,
        write_id,
        clock=place.clock,
        on_fault=lambda error: place.faults.append(str(error)),
        reporter=place.listener,
        **options,
    )
    changes = list(restorer.restore([str(path) for path in paths] or [str(place.folder)]))
    return restorer, [change.diff for change in changes]


def test_every_byte_of_before_comes_back(place: Place) -> None:
    forms = [
        b"",
        b"quality: 5  # so far\n",
        b"quality:\nheat: ~\npublished: False\n",
        b"heat:   3\n",
        b"quality: 60\nheat: 3\npublished: true\n",
    ]
    paths = [
        place.add(f"{at}.md", None, (RECORD % b"%d" % at).replace(b"topics", form + b"topics"))
        for at, form in enumerate(forms)
    ]
    paths.append(place.add("crlf.md", None, (RECORD % b"c").replace(b"\n", b"\r\n")))
    before = {path: path.read_bytes() for path in paths}
    write_id = place.write(FIRST, is_overwriting=True).write_id
    assert all(labels_of(path) == FIRST for path in paths)
    restorer, diffs = restore(place, write_id)
    assert {path: path.read_bytes() for path in paths} == before
    assert (restorer.counts.n_files, restorer.counts.n_left_alone) == (6, 0)
    assert len(diffs) == 6
    assert place.faults == []
    # Once more there is nothing to do.
    restorer, diffs = restore(place, write_id)
    assert (restorer.counts.n_restored, restorer.counts.n_left_alone, diffs) == (0, 0, [])


def test_a_dry_run_shows_the_diff_and_writes_nothing(place: Place) -> None:
    path = place.add("a.md", {"quality": 5})
    write_id = place.write(FIRST, is_overwriting=True).write_id
    data, journal = path.read_bytes(), place.journal.read_bytes()
    restorer, (diff,) = restore(place, write_id, is_dry_run=True)
    assert "-quality: 60\n" in diff
    assert "+quality: 5\n" in diff
    assert "-heat: 70\n" in diff
    assert restorer.counts.n_restored == 3
    assert (path.read_bytes(), place.journal.read_bytes()) == (data, journal)


def test_what_somebody_changed_or_wrote_since_is_left_alone_and_counted(place: Place) -> None:
    path = place.add("a.md")
    first = place.write(FIRST).write_id
    write_labels(str(path), {"quality": 50}, roots=[str(place.folder)])
    second = place.write(FIRST | {"heat": 80}).write_id
    restorer, _ = restore(place, first)
    assert (restorer.counts.n_restored, restorer.counts.n_left_alone) == (1, 2)
    assert labels_of(path) == {"quality": 50, "heat": 80, "published": None}
    restore(place, second)
    assert labels_of(path) == {"quality": 50, "heat": 70, "published": None}
    # The heat is that of the first write again, and so is scoring's own.
    restore(place, first)
    assert labels_of(path) == {"quality": 50, "heat": None, "published": None}


def test_a_restored_label_is_the_persons_again(place: Place) -> None:
    path = place.add("a.md", {"quality": 50})
    restore(place, place.write(FIRST, is_overwriting=True).write_id)
    place.write(SECOND)
    assert labels_of(path) == SECOND | {"quality": 50}
    # A label that was taken away, and is given by hand with the value that scoring had, is theirs as well.
    other = place.add("b.md")
    restore(place, place.write(FIRST, other).write_id)
    write_labels(str(other), {"quality": 60}, roots=[str(place.folder)])
    place.write(SECOND, other)
    assert labels_of(other) == SECOND | {"quality": 60}


def test_moved_and_copied_files_are_found_and_others_are_counted(place: Place) -> None:
    first, second, third = (place.add(name) for name in ("a.md", "b.md", "c.md"))
    write_id = place.write(FIRST).write_id
    (place.folder / "deep").mkdir()
    moved = first.rename(place.folder / "deep" / "moved.md")
    copy = Path(shutil.copy(second, place.folder / "deep" / "copy.md"))
    place.add("deep/other.md", FIRST)
    restorer, _ = restore(place, write_id, place.folder / "deep")
    assert labels_of(moved) == labels_of(copy) == dict.fromkeys(FIRST)
    assert labels_of(second) == labels_of(third) == labels_of(place.folder / "deep" / "other.md") == FIRST
    assert (restorer.counts.n_files, restorer.counts.n_missing) == (2, 1)


def test_a_watch_that_wrote_a_file_twice_is_taken_back_as_one_write(place: Place) -> None:
    path = place.add("a.md", {"heat": 5})
    writer = place.writer(command="watch")
    list(writer.write([score_of(path, FIRST)]))
    list(writer.write([score_of(path, SECOND)]))
    assert labels_of(path) == SECOND | {"heat": 5}
    restore(place, writer.write_id)
    assert labels_of(path) == {"quality": None, "heat": 5, "published": None}


def test_a_file_that_cannot_be_put_back_is_reported_and_stays_scorings_own(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, fine = place.add("a.md"), place.add("b.md")
    write_id = place.write(FIRST).write_id
    shared.write_bytes(shared.read_bytes().replace(b"heat: 70", b"heat: 70  # sure"))
    restorer, _ = restore(place, write_id)
    assert place.faults == [
        f"{shared}: heat: got a label that shares its line, expected the label on its own line"
    ]
    assert (restorer.counts.n_faults, labels_of(fine)) == (1, dict.fromkeys(FIRST))

    def fail(target: str, old: bytes, new: bytes, path: str) -> bool:
        return path != str(shared) and replace_file(target, old, new, path)

    shared.write_bytes(shared.read_bytes().replace(b"  # sure", b""))
    monkeypatch.setattr(workflow, "replace_file", fail)
    restore(place, write_id)
    assert "got a file that another process changed meanwhile" in place.faults[-1]
    monkeypatch.undo()
    place.write(SECOND)
    assert labels_of(shared) == SECOND


def test_a_write_that_is_not_known_is_refused(place: Place) -> None:
    with pytest.raises(ScoringError, match=r"no write 'w9' in .*journal\.jsonl: .scoring restore. lists"):
        restore(place, "w9")
    place.add("a.md")
    write_id = place.write(FIRST).write_id
    with pytest.raises(RecordError, match="no such file or folder"):
        restore(place, write_id, place.folder / "nowhere")


def test_writes_are_listed_with_their_counts(place: Place) -> None:
    place.add("a.md", {"quality": 50})
    place.add("b.md")
    first = place.write(FIRST).write_id
    second = place.write(FIRST | {"heat": 71}, is_overwriting=True).write_id
    restore(place, second)
    twice = place.journal.read_bytes() * 2  # as merging may leave it
    place.journal.write_bytes(twice)
    listed = list_writes(place.journal)
    assert [(each.write_id, each.file_count, each.filled_count, each.changed_count) for each in listed] == [
        (first, 2, 5, 0),
        (second, 2, 0, 3),
    ]
    assert [each.model for each in listed] == ["default@01234567"] * 2
    assert listed[0].began_at < listed[1].began_at < datetime(2026, 3, 2, tzinfo=UTC)
    assert list_writes(place.folder / "nowhere.jsonl") == []


def test_the_journal_of_a_merge_gives_the_same(place: Place) -> None:
    """Two homes write two halves of an archive, and their journals are put together."""
    first, second = place.add("a.md"), place.add("b.md")
    other = place.journal.with_name("other.jsonl")
    place.write(FIRST, first)
    place.write(FIRST, second, journal=other)
    lines = place.journal.read_bytes().splitlines(True) + other.read_bytes().splitlines(True)
    place.journal.write_bytes(b"".join(reversed(lines)))
    assert place.write(SECOND).counts.labels == {"renewed": 6}
    journal = Journal(place.journal)
    assert journal.refresh() == []
