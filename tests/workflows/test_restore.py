"""Restore: the labels of one write are restored to the byte, unless changed since."""

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
from tests.labels.test_writer import FIRST, RECORD, SECOND, Workspace, labels_of, score_of


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def restore(workspace: Workspace, write_id: str, *paths: Path, **options: Any) -> tuple[Restorer, list[str]]:
    restorer = Restorer(
        workspace.journal,
        write_id,
        clock=workspace.clock,
        on_fault=lambda error: workspace.faults.append(str(error)),
        reporter=workspace.listener,
        **options,
    )
    changes = list(restorer.restore([str(path) for path in paths] or [str(workspace.folder)]))
    return restorer, [change.diff for change in changes]


def test_every_byte_of_before_comes_back(workspace: Workspace) -> None:
    forms = [
        b"",
        b"quality: 5  # so far\n",
        b"quality:\nheat: ~\npublished: False\n",
        b"heat:   3\n",
        b"quality: 60\nheat: 3\npublished: true\n",
    ]
    paths = [
        workspace.add(f"{index}.md", None, (RECORD % b"%d" % index).replace(b"topics", form + b"topics"))
        for index, form in enumerate(forms)
    ]
    paths.append(workspace.add("crlf.md", None, (RECORD % b"c").replace(b"\n", b"\r\n")))
    before = {path: path.read_bytes() for path in paths}
    write_id = workspace.write(FIRST, is_overwriting=True).write_id
    assert all(labels_of(path) == FIRST for path in paths)
    restorer, diffs = restore(workspace, write_id)
    assert {path: path.read_bytes() for path in paths} == before
    assert (restorer.counts.n_files, restorer.counts.n_left_alone) == (6, 0)
    assert len(diffs) == 6
    assert workspace.faults == []
    # Once more there is nothing to do.
    restorer, diffs = restore(workspace, write_id)
    assert (restorer.counts.n_restored, restorer.counts.n_left_alone, diffs) == (0, 0, [])


def test_a_dry_run_shows_the_diff_and_writes_nothing(workspace: Workspace) -> None:
    path = workspace.add("a.md", {"quality": 5})
    write_id = workspace.write(FIRST, is_overwriting=True).write_id
    data, journal = path.read_bytes(), workspace.journal.read_bytes()
    restorer, (diff,) = restore(workspace, write_id, is_dry_run=True)
    assert "-quality: 60\n" in diff
    assert "+quality: 5\n" in diff
    assert "-heat: 70\n" in diff
    assert restorer.counts.n_restored == 3
    assert (path.read_bytes(), workspace.journal.read_bytes()) == (data, journal)


def test_what_somebody_changed_or_wrote_since_is_left_alone_and_counted(workspace: Workspace) -> None:
    path = workspace.add("a.md")
    first = workspace.write(FIRST).write_id
    write_labels(str(path), {"quality": 50}, roots=[str(workspace.folder)])
    second = workspace.write(FIRST | {"heat": 80}).write_id
    restorer, _ = restore(workspace, first)
    assert (restorer.counts.n_restored, restorer.counts.n_left_alone) == (1, 2)
    assert labels_of(path) == {"quality": 50, "heat": 80, "published": None}
    restore(workspace, second)
    assert labels_of(path) == {"quality": 50, "heat": 70, "published": None}
    # The heat is that of the first write again, and so is scoring's own.
    restore(workspace, first)
    assert labels_of(path) == {"quality": 50, "heat": None, "published": None}


def test_a_restored_label_is_the_persons_again(workspace: Workspace) -> None:
    path = workspace.add("a.md", {"quality": 50})
    restore(workspace, workspace.write(FIRST, is_overwriting=True).write_id)
    workspace.write(SECOND)
    assert labels_of(path) == SECOND | {"quality": 50}
    # A label that was taken away, and is given by hand with the value that scoring had, is theirs as well.
    other = workspace.add("b.md")
    restore(workspace, workspace.write(FIRST, other).write_id)
    write_labels(str(other), {"quality": 60}, roots=[str(workspace.folder)])
    workspace.write(SECOND, other)
    assert labels_of(other) == SECOND | {"quality": 60}


def test_moved_and_copied_files_are_found_and_others_are_counted(workspace: Workspace) -> None:
    first, second, third = (workspace.add(name) for name in ("a.md", "b.md", "c.md"))
    write_id = workspace.write(FIRST).write_id
    (workspace.folder / "deep").mkdir()
    moved = first.rename(workspace.folder / "deep" / "moved.md")
    copy = Path(shutil.copy(second, workspace.folder / "deep" / "copy.md"))
    workspace.add("deep/other.md", FIRST)
    restorer, _ = restore(workspace, write_id, workspace.folder / "deep")
    assert labels_of(moved) == labels_of(copy) == dict.fromkeys(FIRST)
    assert labels_of(second) == labels_of(third) == labels_of(workspace.folder / "deep" / "other.md") == FIRST
    assert (restorer.counts.n_files, restorer.counts.n_missing) == (2, 1)


def test_a_watch_that_wrote_a_file_twice_is_taken_back_as_one_write(workspace: Workspace) -> None:
    path = workspace.add("a.md", {"heat": 5})
    writer = workspace.writer(command="watch")
    list(writer.write([score_of(path, FIRST)]))
    list(writer.write([score_of(path, SECOND)]))
    assert labels_of(path) == SECOND | {"heat": 5}
    restore(workspace, writer.write_id)
    assert labels_of(path) == {"quality": None, "heat": 5, "published": None}


def test_a_file_that_cannot_be_put_back_is_reported_and_stays_scorings_own(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, fine = workspace.add("a.md"), workspace.add("b.md")
    write_id = workspace.write(FIRST).write_id
    shared.write_bytes(shared.read_bytes().replace(b"heat: 70", b"heat: 70  # sure"))
    restorer, _ = restore(workspace, write_id)
    assert workspace.faults == [
        f"{shared}: heat: got a label that shares its line, expected the label on its own line"
    ]
    assert (restorer.counts.n_faults, labels_of(fine)) == (1, dict.fromkeys(FIRST))

    def fail(target: str, old: bytes, new: bytes, path: str) -> bool:
        return path != str(shared) and replace_file(target, old, new, path)

    shared.write_bytes(shared.read_bytes().replace(b"  # sure", b""))
    monkeypatch.setattr(workflow, "replace_file", fail)
    restore(workspace, write_id)
    assert "got a file that another process changed meanwhile" in workspace.faults[-1]
    monkeypatch.undo()
    workspace.write(SECOND)
    assert labels_of(shared) == SECOND


def test_a_write_that_is_not_known_is_refused(workspace: Workspace) -> None:
    with pytest.raises(ScoringError, match=r"no write 'w9' in .*journal\.jsonl: .scoring restore. lists"):
        restore(workspace, "w9")
    workspace.add("a.md")
    write_id = workspace.write(FIRST).write_id
    with pytest.raises(RecordError, match="no such file or folder"):
        restore(workspace, write_id, workspace.folder / "nowhere")


def test_writes_are_listed_with_their_counts(workspace: Workspace) -> None:
    workspace.add("a.md", {"quality": 50})
    workspace.add("b.md")
    first = workspace.write(FIRST).write_id
    second = workspace.write(FIRST | {"heat": 71}, is_overwriting=True).write_id
    restore(workspace, second)
    twice = workspace.journal.read_bytes() * 2  # as merging may leave it
    workspace.journal.write_bytes(twice)
    listed = list_writes(workspace.journal)
    assert [
        (write.write_id, write.file_count, write.filled_count, write.changed_count) for write in listed
    ] == [
        (first, 2, 5, 0),
        (second, 2, 0, 3),
    ]
    assert [write.model for write in listed] == ["default@01234567"] * 2
    assert listed[0].began_at < listed[1].began_at < datetime(2026, 3, 2, tzinfo=UTC)
    assert list_writes(workspace.folder / "nowhere.jsonl") == []


def test_the_journal_of_a_merge_gives_the_same(workspace: Workspace) -> None:
    """Two homes write two halves of an archive, and their journals are merged."""
    first, second = workspace.add("a.md"), workspace.add("b.md")
    other = workspace.journal.with_name("other.jsonl")
    workspace.write(FIRST, first)
    workspace.write(FIRST, second, journal=other)
    lines = workspace.journal.read_bytes().splitlines(True) + other.read_bytes().splitlines(True)
    workspace.journal.write_bytes(b"".join(reversed(lines)))
    assert workspace.write(SECOND).counts.labels == {"renewed": 6}
    journal = Journal(workspace.journal)
    assert journal.refresh() == []
