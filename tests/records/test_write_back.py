"""Labels are written byte for byte, completely or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import RecordError
from scoring.records import write_back
from scoring.records.decode import decode_file
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.forms.languages import form_of
from scoring.records.forms.yaml_nodes import parse_nodes
from scoring.records.record import Labels
from scoring.records.text_edits import Edit
from scoring.records.write_back import Change, put_back, replace_labels, write_labels

NEW = Labels(84, 104, True)


def edit(block: str, **labels: int | bool) -> str:
    data = f"---\n{block}---\nquality: 1\n".encode()
    new = replace_labels(data, labels or {"quality": 84}).decode()
    assert new.startswith("---\n")
    assert new.endswith("---\nquality: 1\n")
    return new[4 : -len("---\nquality: 1\n")]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("title: Rain\nquality: 5\n", "title: Rain\nquality: 84\n"),
        ("quality: 5   # so far\n", "quality: 84   # so far\n"),
        ("quality:    5\n", "quality:    84\n"),
        ("quality   : 5\n", "quality   : 84\n"),
        ("quality: '5'\n", "quality: 84\n"),
        ('quality: "5" # so far\n', "quality: 84 # so far\n"),
        ("quality:\n", "quality: 84\n"),
        ("quality: # none yet\n", "quality: 84 # none yet\n"),
        ("quality: ~\n", "quality: 84\n"),
        ("quality: |\n  5\n\n# note\ntype: video\n", "quality: 84\n\n# note\ntype: video\n"),
        ("quality: >-\n  5\ntype: video\n", "quality: 84\ntype: video\n"),
        ("quality:\n  5\n", "quality:\n  84\n"),
        ("'quality': 5\n", "'quality': 84\n"),
        ("quality: high\n", "quality: 84\n"),
        ("related:\n  - quality: 5\nquality: 5\n", "related:\n  - quality: 5\nquality: 84\n"),
        ("excerpt: |\n  quality: 5\nquality: 5\n", "excerpt: |\n  quality: 5\nquality: 84\n"),
        ('excerpt: "a\n  quality: 5"\nquality: 5\n', 'excerpt: "a\n  quality: 5"\nquality: 84\n'),
        ("{title: Rain, quality: 5, type: video}\n", "{title: Rain, quality: 84, type: video}\n"),
        ('{"title":"Rain","quality":5}\n', '{"title":"Rain","quality":84}\n'),
        ("title: &a 雨 🌧\nquality: 5\nx: *a\n", "title: &a 雨 🌧\nquality: 84\nx: *a\n"),
        ("title: Rain\ntype: video\nx: 1\n", "title: Rain\ntype: video\nquality: 84\nx: 1\n"),
        ("title: Rain\nx: 1\n", "title: Rain\nx: 1\nquality: 84\n"),
        ("type: video # moving\nx: [1]\n", "type: video # moving\nquality: 84\nx: [1]\n"),
        ("type: |-\n  video\n\nx: 1\n", "type: |-\n  video\n\nquality: 84\nx: 1\n"),
        ("  title: Rain\n  type: video\n", "  title: Rain\n  type: video\n  quality: 84\n"),
        ("x: &a video\ntype: *a\n", "x: &a video\ntype: *a\nquality: 84\n"),
        ("base: &b {quality: 5}\n<<: *b\n", "base: &b {quality: 5}\n<<: *b\nquality: 84\n"),
        ("removed: 1\nremoved: 2\nquality: 5\n", "removed: 1\nremoved: 2\nquality: 84\n"),
    ],
)
def test_only_the_value_changes(block: str, expected: str) -> None:
    assert edit(block) == expected
    assert edit(expected) == expected
    crlf = replace_labels(f"---\n{block}---\n".replace("\n", "\r\n").encode(), {"quality": 84})
    assert crlf == f"---\n{expected}---\n".replace("\n", "\r\n").encode()


def test_missing_labels_come_after_the_type_in_their_order() -> None:
    block = "title: Rain\ntype: video\nheat: 5\n"
    expected = "title: Rain\ntype: video\nquality: 84\npublished: true\nheat: 104\n"
    assert edit(block, published=True, heat=104, quality=84) == expected
    assert edit("# note\n" + block, published=True, heat=104, quality=84) == "# note\n" + expected


def test_a_label_that_is_none_is_left() -> None:
    data = b"---\ntitle: Rain\nquality: 5\n---\n"
    assert replace_labels(data, Labels(heat=-1)) == b"---\ntitle: Rain\nquality: 5\nheat: -1\n---\n"
    assert replace_labels(data, Labels()) == data


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ("quality: &a 5\n", "a.md:2: quality: got an anchor or a tag"),
        ("quality: !!int 5\n", "a.md:2: quality: got an anchor or a tag"),
        ("x: &a 5\nquality: *a\n", "a.md:3: quality: got a value that cannot be edited in place"),
        ("quality: [5]\n", "a.md:2: quality: got a value that cannot be edited in place"),
        ("? quality\n: 5\n", "a.md:2: quality: got a value that cannot be edited in place"),
        ("quality: | # so far\n  5\n", "a.md:2: quality: got a block scalar with a comment"),
        ("quality: 5\nquality: 6\n", "a.md:3: quality: got a repeated field, expected one value"),
        ("{title: Rain}\n", "a.md:2: quality: got front matter in braces without this field"),
        ("- quality: 5\n", "a.md:2: got no fields"),
        ("", "a.md:2: got no fields"),
        ("\n", "a.md:2: got no fields"),
        ("\ufefftitle: Rain\n", "a.md:2: got a byte order mark after the '---'"),
        ("quality: [\n", "a.md:2: quality: got a bracket that does not close"),
        ("quality: @five\n", "a.md:2: quality: got a value that begins with '@'"),
    ],
)
def test_what_cannot_be_edited_safely_is_refused(block: str, text: str) -> None:
    with pytest.raises(RecordError) as caught:
        replace_labels(f"---\n{block}---\n".encode(), {"quality": 84}, path="a.md")
    assert text in str(caught.value)


def test_names_and_values_that_are_no_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="not a label"):
        replace_labels(b"---\ntitle: Rain\n---\n", {"title": 5})
    with pytest.raises(ValueError, match="heat"):
        replace_labels(b"---\ntitle: Rain\n---\n", {"heat": -2})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "inbox" / "a.md"
    path.parent.mkdir()
    path.write_bytes(b"\xef\xbb\xbf---\r\ntitle: Rain\r\nquality: 5\r\n---\r\nBody")
    path.chmod(0o640)
    return path


def test_a_file_is_replaced_with_its_mode_and_a_second_run_leaves_it(file: Path) -> None:
    change = write_labels("inbox/a.md", {"quality": 84}, roots=["inbox"])
    assert change == Change(
        "inbox/a.md", True, "--- inbox/a.md\n+++ inbox/a.md\n@@ -3 +3 @@\n-quality: 5\n+quality: 84\n"
    )
    assert file.read_bytes() == b"\xef\xbb\xbf---\r\ntitle: Rain\r\nquality: 84\r\n---\r\nBody"
    assert file.stat().st_mode & 0o7777 == 0o640
    before = file.stat()
    assert write_labels("inbox/a.md", {"quality": 84}, roots=["inbox"]) == Change("inbox/a.md", False, "")
    after = file.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert os.listdir("inbox") == ["a.md"]


def test_a_dry_run_writes_nothing(file: Path) -> None:
    before = file.read_bytes()
    change = write_labels("inbox/a.md", NEW, roots=["."], dry_run=True)
    assert change.changed
    assert "+quality: 84\n+heat: 104\n+published: true\n" in change.diff
    assert file.read_bytes() == before


def test_the_opaque_field_is_not_in_a_diff(file: Path) -> None:
    file.write_bytes(b'---\n{title: Rain, secured: hush, quality: 5, \'secured\': "hu\\"sh"}\n---\n')
    change = write_labels("inbox/a.md", {"quality": 84}, roots=["inbox"])
    assert "quality: 84" in change.diff
    assert "hu" not in change.diff


def test_nothing_outside_of_the_given_folders_is_written(file: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/link.md").symlink_to("../inbox/a.md")
    before = file.read_bytes()
    for path in ("other/link.md", "other/../inbox/a.md"):
        with pytest.raises(RecordError, match="outside the given folders"):
            write_labels(path, NEW, roots=["other"])
    assert file.read_bytes() == before
    assert write_labels("other/link.md", NEW, roots=["other", "inbox"]).changed
    assert (tmp_path / "other/link.md").is_symlink()
    assert decode_file(file.read_bytes(), "a.md").labels == NEW


@pytest.mark.parametrize("n_intruders", [1, 2])
def test_a_file_changed_meanwhile_is_read_once_more(
    file: Path, n_intruders: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit_bytes = write_back.edit_labels
    intruders = iter(range(n_intruders))

    def intrude(data: bytes, labels: Labels, path: str, field_map: FieldMap | None) -> Any:
        new = edit_bytes(data, labels, path, field_map)
        for number in intruders:
            file.write_bytes(data + b" and %d" % number)
            break
        return new

    monkeypatch.setattr(write_back, "edit_labels", intrude)
    if n_intruders == 1:
        assert write_labels("inbox/a.md", NEW, roots=["inbox"]).changed
        assert file.read_bytes().endswith(b"quality: 84\r\nheat: 104\r\npublished: true\r\n---\r\nBody and 0")
    else:
        with pytest.raises(RecordError, match="another process keeps changing"):
            write_labels("inbox/a.md", NEW, roots=["inbox"])
        assert file.read_bytes().endswith(b"quality: 5\r\n---\r\nBody and 0 and 1")
    assert os.listdir("inbox") == ["a.md"]


def test_a_failure_leaves_the_file_and_no_other(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(RecordError, match="No space left on device"):
        write_labels("inbox/a.md", NEW, roots=["inbox"])
    assert file.read_bytes() == before
    assert os.listdir("inbox") == ["a.md"]


def test_a_folder_is_no_folder_that_begins_with_its_name(file: Path) -> None:
    before = file.read_bytes()
    os.rename("inbox", "inbox-2")
    os.mkdir("inbox")
    with pytest.raises(RecordError, match="outside the given folders"):
        write_labels("inbox-2/a.md", NEW, roots=["inbox"])
    assert Path("inbox-2/a.md").read_bytes() == before


def test_a_file_itself_may_be_given(file: Path) -> None:
    assert write_labels("inbox/a.md", NEW, roots=["inbox/a.md"]).changed


def test_0_and_false_are_written() -> None:
    data = b"---\ntitle: Rain\nquality: 5\n---\n"
    expected = b"---\ntitle: Rain\nquality: 0\nheat: 0\npublished: false\n---\n"
    assert replace_labels(data, Labels(0, 0, False)) == expected


@pytest.mark.parametrize(
    ("block", "hunks"),
    [
        # Lines side by side are one hunk.
        (
            "title: Rain\nquality: 5\nheat: 3\n",
            "@@ -3,2 +3,2 @@\n-quality: 5\n-heat: 3\n+quality: 84\n+heat: 104\n",
        ),
        # A line less at first moves the ones below.
        (
            "quality: |\n  5\ntitle: Rain\nheat: 3\n",
            "@@ -2,2 +2 @@\n-quality: |\n-  5\n+quality: 84\n@@ -5 +4 @@\n-heat: 3\n+heat: 104\n",
        ),
        # New lines are after the line that is named.
        (
            "title: Rain\ntype: video\nx: 1\n",
            "@@ -3,0 +4,2 @@\n+quality: 84\n+heat: 104\n",
        ),
        (
            "type: video\nx: 1\nquality: 5\n",
            "@@ -2,0 +3 @@\n+heat: 104\n@@ -4 +5 @@\n-quality: 5\n+quality: 84\n",
        ),
    ],
)
def test_diff_has_the_lines_as_diff_u0_has_them(file: Path, block: str, hunks: str) -> None:
    file.write_text(f"---\n{block}---\n")
    change = write_labels("inbox/a.md", {"quality": 84, "heat": 104}, roots=["inbox"], dry_run=True)
    assert change.diff == f"--- inbox/a.md\n+++ inbox/a.md\n{hunks}"


@pytest.mark.parametrize(
    ("edited", "is_same"),
    [
        ("a: 1\nb: [1, {c: 2}]\nquality: 84\n", True),
        ("a: 1\nb: [1, {c: 2}]\nquality: '84'\n", False),  # a text
        ("a: 1\nb: [1, {c: 2}]\nquality: 85\n", False),
        ("a: 1\nb: [1, {c: 2}]\n", False),
        ("b: [1, {c: 2}]\na: 1\nquality: 84\n", False),  # another order
        ("a: 2\nb: [1, {c: 2}]\nquality: 84\n", False),
        ("a: '1'\nb: [1, {c: 2}]\nquality: 84\n", False),
        ("a: 1\nb: [1, {c: 2}, 3]\nquality: 84\n", False),
        ("a: 1\nb: [1]\nquality: 84\n", False),
        ("a: 1\nb: [1, {c: 2, d: 3}]\nquality: 84\n", False),
        ("a: 1\nb: [1, {c: 3}]\nquality: 84\n", False),
        ("a: 1\nb: 1\nquality: 84\n", False),
        ("- a\n", False),
        ("[", False),
    ],
)
def test_a_document_is_the_same_but_for_its_labels(edited: str, is_same: bool) -> None:
    before = parse_nodes("a: 1\nb: [1, {c: 2}]\nquality: 5\n", "")
    assert write_back._is_same_but(before, edited, {"quality": "84"}, form_of("yaml")) is is_same


def test_fields_keep_their_order_even_if_their_values_are_alike() -> None:
    before = parse_nodes("a: 1\nb: 1\nquality: 5\n", "")
    assert write_back._is_same_but(before, "a: 1\nb: 1\nquality: 84\n", {"quality": "84"}, form_of("yaml"))
    assert not write_back._is_same_but(
        before, "b: 1\na: 1\nquality: 84\n", {"quality": "84"}, form_of("yaml")
    )


@pytest.mark.parametrize("block", ["title: Rain\nquality: 5\n", "title: &a Rain\nquality: 5\n"])
def test_an_edit_that_would_change_another_field_is_refused(
    block: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        write_back, "_edits", lambda *_: [Edit(7, 7, "No "), Edit(len(block) - 2, len(block) - 1, "84")]
    )
    with pytest.raises(RecordError, match="YAML that this edit would break"):
        replace_labels(f"---\n{block}---\n".encode(), {"quality": 84})


def test_bytes_are_put_back_unless_the_file_was_changed(file: Path) -> None:
    before = file.read_bytes()
    write_labels("inbox/a.md", NEW, roots=["inbox"])
    after = file.read_bytes()
    put_back("inbox/a.md", before=before, after=after, roots=["inbox"])
    assert file.read_bytes() == before
    file.write_bytes(after + b" and more")
    with pytest.raises(RecordError, match="changed since"):
        put_back("inbox/a.md", before=before, after=after, roots=["inbox"])
    assert file.read_bytes() == after + b" and more"


def test_real_files_come_back_to_the_byte(real_files: list[Path], tmp_path: Path) -> None:
    for source in real_files[::4]:
        data = source.read_bytes()
        copy = tmp_path / source.name
        copy.write_bytes(data)
        old = decode_file(data, source.name).labels
        assert not write_labels(str(copy), old, roots=[str(tmp_path)]).changed
        change = write_labels(str(copy), Labels(999, 1234, not old.published), roots=[str(tmp_path)])
        assert len(change.diff.splitlines()) <= 2 + 3 * 3
        assert decode_file(copy.read_bytes(), copy.name).labels == Labels(999, 1234, not old.published)
        assert write_labels(str(copy), old, roots=[str(tmp_path)]).changed
        assert hashlib.sha256(copy.read_bytes()).digest() == hashlib.sha256(data).digest(), source.name
