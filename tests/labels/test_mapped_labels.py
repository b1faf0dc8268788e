"""Labels of archives with a field map: whose they are, and that people's are never lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scoring.labels.journal import MAP_CHANGED, open_journal
from scoring.records.decode import decode_file
from scoring.records.field_maps.field_map import FILE_NAME
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.field_maps.map_file import parse_field_map
from scoring.workflows.restore import RestoreCounts, Restorer
from tests.labels.test_writer import Workspace, score_of

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


def restore(workspace: Workspace, write_id: str, *paths: Path, **options: Any) -> RestoreCounts:
    restorer = Restorer(
        workspace.journal,
        write_id,
        clock=workspace.clock,
        on_fault=lambda error: workspace.faults.append(str(error)),
        reporter=workspace.listener,
        **options,
    )
    list(restorer.restore([str(path) for path in paths] or [str(workspace.folder)]))
    return restorer.counts


def own_labels(workspace: Workspace, path: Path) -> frozenset[str]:
    journal, _ = open_journal(workspace.journal)
    field_map = FieldMaps([str(workspace.folder)]).of(str(path))
    return journal.own_labels(decode_file(path.read_bytes(), str(path), field_map=field_map))


EDITS = {
    "zone": MAP.replace("UTC", "Europe/Berlin"),
    "address": MAP.replace("original_url: link", "original_url: source"),
    "scale": MAP.replace("scale: 20", "scale: 10"),
    "zone and scale": MAP.replace("UTC", "Europe/Berlin").replace("scale: 20", "scale: 10"),
    "choices": MAP.replace("UTC", "Europe/Berlin").replace(
        "{key: rating, scale: 20, min: 1, max: 5}", "{key: rating, choices: {'4': 90, '3': 50}}"
    ),
    "other label": MAP.replace("UTC", "Europe/Berlin").replace("quality:", "heat:"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_scoring_wrote_stays_its_own_if_the_map_is_edited(workspace: Workspace, edit: str) -> None:
    path, given = add(workspace, "a.md"), add(workspace, "b.md", "rating: 3\n")
    before = path.read_bytes(), given.read_bytes()
    write_id = workspace.write(SCORES).write_id
    set_map(workspace, EDITS[edit])
    rated = "heat" if edit == "other label" else "quality"
    assert own_labels(workspace, path) == {rated, "published"}
    assert own_labels(workspace, given) == {"published"}
    # What somebody has changed since is theirs.
    written = path.read_bytes()
    path.write_bytes(written.replace(b"rating: 4", b"rating: 3"))
    assert own_labels(workspace, path) == {"published"}
    path.write_bytes(written)
    assert "left alone" not in workspace.write(LATER, path).counts.labels
    assert workspace.listener.notes == ([f"{path}: {MAP_CHANGED}"] if edit != "scale" else [])
    assert own_labels(workspace, path) == {rated, "published"}
    # The second write is known to be newer than the first, whichever map reads the file.
    later = path.read_bytes()
    set_map(workspace, MAP)
    assert own_labels(workspace, path) == {"quality", "published"}
    path.write_bytes(written)
    assert own_labels(workspace, path) == frozenset()
    path.write_bytes(later)
    restore(workspace, write_id, given)
    assert given.read_bytes() == before[1]


def test_an_edited_map_makes_no_label_of_people_scorings(workspace: Workspace) -> None:
    """The label is read from another key now, or from a key that scoring had not written."""
    path = add(workspace, "a.md", "stars: 4\n")
    workspace.write(SCORES)
    set_map(workspace, MAP.replace("UTC", "Europe/Berlin").replace("rating", "stars"))
    assert own_labels(workspace, path) == {"published"}
    # Another record at the path, read by the same map, is another record.
    set_map(workspace, MAP)
    path.write_text(path.read_text().replace("gulls.example/a", "gulls.example/b"))
    assert own_labels(workspace, path) == frozenset()


def test_a_map_that_is_added_or_removed(workspace: Workspace) -> None:
    (workspace.folder / FILE_NAME).unlink()
    data = b"---\ntitle: Rain\ntopics: [sea]\npublishedDateTime: 2026-02-28 08:00\n---\n"
    path = workspace.add("a.md", data=data)
    write_id = workspace.write(SCORES).write_id
    date = "published_at: {key: publishedDateTime, zone: Europe/Berlin}"
    set_map(workspace, f"fields: {{title: title, topics: topics, {date}}}\n")
    assert own_labels(workspace, path) == {"quality", "heat", "published"}
    assert workspace.write(LATER).counts.labels == {"renewed": 3}
    (workspace.folder / FILE_NAME).unlink()
    assert own_labels(workspace, path) == {"quality", "heat", "published"}
    restore(workspace, write_id)  # its labels are not those of the second write
    assert b"quality: 60" in path.read_bytes()


def test_a_label_that_follows_from_one_of_scoring_is_scorings(workspace: Workspace) -> None:
    for rule in ("{label: quality, at_least: 70}", "{key: rating, at_least: 4}"):
        set_map(workspace, MAP.replace("{key: draft, invert: true}", rule))
        path, given = add(workspace, "a.md"), add(workspace, "b.md", "rating: 4\n")
        workspace.write(SCORES)
        assert own_labels(workspace, path) == {"quality", "published"}
        assert own_labels(workspace, given) == frozenset()
        assert workspace.write(SCORES).counts.labels == {"unchanged": 1, "left alone": 1}


@pytest.mark.parametrize("is_edited", [False, True])
def test_a_write_is_restored_by_its_own_map(workspace: Workspace, is_edited: bool) -> None:
    """A model's map, or that of --fields, is not in the archive."""
    field_map = parse_field_map(MAP)
    set_map(workspace, EDITS["zone and scale"] if is_edited else "labels: {}")
    paths = [add(workspace, "a.md"), add(workspace, "b.md", "rating: 3\n"), add(workspace, "c.md")]
    before = [path.read_bytes() for path in paths]
    given = FieldMaps([str(workspace.folder)], given=field_map)
    writer = workspace.writer(is_overwriting=True)
    writer._field_maps = given
    list(writer.write([score_of(path, SCORES) for path in paths]))
    assert b"rating: 4\ndraft: false" in paths[0].read_bytes()
    moved = paths[2].rename(workspace.folder / "moved.md")
    counts = restore(workspace, writer.write_id)
    assert [path.read_bytes() for path in (*paths[:2], moved)] == before
    assert (counts.n_restored, counts.n_found, counts.n_missing) == (6, 3, 0)


def test_only_what_was_written_is_restored(workspace: Workspace) -> None:
    """A file with the same record, whose labels are a person's, equals what scoring once wrote elsewhere."""
    labels = "rating: 4\ndraft: false\n"
    first = add(workspace, "first/a.md")
    workspace.write(SCORES)
    first.unlink()
    written, same = add(workspace, "second/a.md"), add(workspace, "second/b.md", labels)
    same.write_text(same.read_text().replace("example/b", "example/a"))
    before = same.read_bytes()
    write_id = workspace.write(SCORES, written).write_id
    counts = restore(workspace, write_id, same)
    assert (counts.n_restored, counts.n_found, counts.n_missing) == (0, 0, 1)
    counts = restore(workspace, write_id)
    assert (counts.n_files, counts.n_restored, counts.n_found, counts.n_missing) == (1, 2, 1, 0)
    assert same.read_bytes() == before
    assert b"rating" not in written.read_bytes()


def test_a_record_whose_title_was_edited_since_is_found(workspace: Workspace) -> None:
    paths = [add(workspace, name) for name in ("a.md", "b.md")]
    write_id = workspace.write(SCORES).write_id
    paths[1].write_text(paths[1].read_text().replace("opens", "has opened"))
    counts = restore(workspace, write_id)
    assert (counts.n_files, counts.n_found, counts.n_missing) == (2, 2, 0)


def test_a_write_of_an_earlier_version_is_restored_by_the_map_of_the_archive(workspace: Workspace) -> None:
    path, copy = add(workspace, "a.md"), workspace.folder / "moved.md"
    before = path.read_bytes()
    write_id = workspace.write(SCORES).write_id
    lines = [json.loads(line) for line in workspace.journal.read_text().splitlines()]
    old = [line for line in lines if line["kind"] != "field map"]
    for line in old:
        line.pop("place", None)
        line.pop("field_map", None)
    workspace.journal.write_text("".join(json.dumps(line) + "\n" for line in old))
    assert own_labels(workspace, path) == {"quality", "published"}
    path.rename(copy)
    assert own_labels(workspace, copy) == {"quality", "published"}
    options = {"field_maps": FieldMaps([str(workspace.folder)])}
    counts = restore(workspace, write_id, **options)
    assert (counts.n_restored, counts.n_missing, copy.read_bytes()) == (2, 0, before)


def test_a_write_of_two_archives_is_restored_by_the_map_of_each(workspace: Workspace) -> None:
    paths = [add(workspace, "one/a.md"), add(workspace, "two/a.md")]
    (workspace.folder / "two" / FILE_NAME).write_text(
        MAP.replace("rating", "stars").replace("UTC", "Asia/Tokyo")
    )
    before = [path.read_bytes() for path in paths]
    write_id = workspace.write(SCORES).write_id
    assert [b"stars" in path.read_bytes() for path in paths] == [False, True]
    (workspace.folder / "two" / FILE_NAME).unlink()
    counts = restore(workspace, write_id)
    assert [path.read_bytes() for path in paths] == before
    assert (counts.n_restored, counts.n_found, workspace.faults) == (4, 2, [])
