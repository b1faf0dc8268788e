"""Many records: expansion of paths, reading, and faults."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from scoring.errors import RecordError
from scoring.records import corpus
from scoring.records.corpus import data_sha256, read_bytes, read_documents
from scoring.records.files import expand, files_within
from scoring.records.forms.front_matter import MAX_BYTES
from scoring.records.record import Document


def write(path: Path, title: str = "Rain") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(front_matter(title))
    return path


def front_matter(title: str) -> bytes:
    return f"---\ntitle: {title}\n---\n".encode()


def read(*paths: str, stdin: bytes = b"") -> tuple[list[Document], list[str]]:
    errors: list[RecordError] = []
    documents = list(read_documents(paths, stdin=io.BytesIO(stdin), on_fault=errors.append))
    return documents, [str(error) for error in errors]


def test_a_folder_is_walked_in_order_without_what_is_no_record(tmp_path: Path) -> None:
    for name in ("b/z.md", "b/a.md", "a.md", ".hidden/x.md", "b/.x.md"):
        write(tmp_path / name)
    (tmp_path / "README.md").write_text("# An archive\n")
    (tmp_path / "a.txt").write_text("---\n")
    assert expand(["."]) == ["./a.md", "./b/a.md", "./b/z.md"]
    (tmp_path / "empty.md").touch()
    (tmp_path / "late.md").write_text("\n---\ntitle: Rain\n---\n")
    documents, faults = read(".")
    assert [document.path for document in documents] == ["./a.md", "./b/a.md", "./b/z.md"]
    assert [fault.split(":")[0] for fault in faults] == ["./late.md"]
    (fault,) = read("README.md")[1]
    assert fault.startswith("README.md:1: got a first line that is not '---'")


def test_each_file_comes_once_however_often_it_is_named(tmp_path: Path) -> None:
    write(tmp_path / "inbox/a.md")
    write(tmp_path / "inbox/b.md")
    (tmp_path / "inbox/c.md").symlink_to("a.md")
    (tmp_path / "link").symlink_to("inbox")
    named = [
        "inbox/b.md",
        "inbox",
        str(tmp_path / "inbox/a.md"),
        "inbox/*.md",
        "./inbox/../inbox/b.md",
        "link",
    ]
    assert expand(named) == ["inbox/b.md", "inbox/a.md"]


def test_links_out_of_a_walked_folder_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "outside/x.md")
    write(tmp_path / "inbox/a.md")
    (tmp_path / "inbox/link.md").symlink_to("../outside/x.md")
    (tmp_path / "inbox/folder").symlink_to("../outside")
    (tmp_path / "inbox/loop").symlink_to(".")
    assert expand(["inbox"]) == ["inbox/a.md"]


def test_globs_match_files_and_names_with_brackets_are_names(tmp_path: Path) -> None:
    write(tmp_path / "in/2021-a.md")
    write(tmp_path / "in/deep/2021-b.md")
    write(tmp_path / "in/2022.md")
    write(tmp_path / "in/[x].md")
    assert expand(["in/2021*"]) == ["in/2021-a.md"]
    assert expand(["in/**/2021*.md"]) == ["in/2021-a.md", "in/deep/2021-b.md"]
    assert expand(["in/[x].md"]) == ["in/[x].md"]


def test_every_path_that_names_nothing_is_reported_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "void").mkdir()
    with pytest.raises(RecordError) as caught:
        read("lost.md", "void", "*.nothing")
    assert [str(fault) for fault in caught.value.faults] == [
        "lost.md: got no such file or folder, expected a file, a folder, a glob or -",
        "void: got a folder without records, expected Markdown files with front matter",
        "*.nothing: got a glob that matches no file, expected at least one file",
    ]


def test_a_bad_record_does_not_stop_the_others(tmp_path: Path) -> None:
    write(tmp_path / "a.md")
    write(tmp_path / "b.md", "[Rain]")
    write(tmp_path / "c.md", "Sun")
    progress: list[tuple[int, int]] = []
    errors: list[RecordError] = []
    documents = list(
        read_documents(["."], on_fault=errors.append, on_progress=lambda done, n: progress.append((done, n)))
    )
    assert [document.record.title for document in documents] == ["Rain", "Sun"]
    assert [str(error) for error in errors] == ["./b.md:2: title: got a list, expected text"]
    assert progress == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_record_in_utf_16_is_a_fault_where_it_is_named_or_watched(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "a.md"
    file.write_bytes("\ufeff---\ntitle: Rain\n---\n".encode(encoding))
    assert read(str(file))[1] == [f"{file}:1: got text in UTF-16, expected text in UTF-8"]
    assert list(files_within(str(tmp_path))) == [str(file)]
    with pytest.raises(RecordError, match=r"a folder without records \(1 in an unreadable encoding\)"):
        expand([str(tmp_path)])


def test_a_file_that_cannot_be_opened_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a.md").symlink_to("gone.md")
    write(tmp_path / "b.md")
    documents, faults = read(".")
    assert len(documents) == 1
    assert faults == ["./a.md: got No such file or directory, expected a file that can be read"]


def test_a_folder_that_cannot_be_listed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "in/a.md")
    write(tmp_path / "in/deep/b.md")
    list_folder = os.scandir

    def refuse(folder: str) -> object:  # not by mode: root may list every folder
        if folder.endswith("deep"):
            raise PermissionError(13, "Permission denied", folder)
        return list_folder(folder)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(RecordError, match=r"in/deep: got Permission denied"):
        expand(["in"])


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a.md").open("wb") as file:
        file.write(b"---\n")
        file.truncate(60_000_000)
    assert read("a.md")[1] == ["a.md: got 60,000,000 bytes, expected at most 50,000,000 bytes"]


@pytest.mark.skipif(not os.path.isfile("/proc/self/maps"), reason="Linux has files without a size")
def test_a_file_whose_size_is_not_known_is_read_to_its_end() -> None:
    file = Path("/proc/self/limits")
    assert file.stat().st_size == 0
    assert read_bytes(file) == file.read_bytes()
    assert len(read_bytes("/proc/self/maps")) > 4096


def test_a_file_that_grows_while_it_is_read_is_read_in_time_and_no_further_than_a_file_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.md"

    def open_while_empty(path: str | Path) -> tuple[int, int]:
        return os.open(path, os.O_RDONLY), 0

    monkeypatch.setattr(corpus, "open_regular", open_while_empty)
    file.write_bytes(b"---\ntitle: x\n---\n" + b"x" * 200_000)
    assert read_bytes(file) == file.read_bytes()
    os.truncate(file, MAX_BYTES * 100)
    with pytest.raises(RecordError, match="expected at most 50,000,000 bytes"):
        read_bytes(file)


def test_json_lines_are_a_record_a_line(tmp_path: Path) -> None:
    lines = b'\xef\xbb\xbf{"title": "Rain"}\r\n\n{"title": 5, "images": "x"}\n{"title": "Sun"}'
    (tmp_path / "a.jsonl").write_bytes(lines)
    documents, faults = read("a.jsonl")
    assert [(document.path, document.line, document.record.title) for document in documents] == [
        ("a.jsonl", 1, "Rain"),
        ("a.jsonl", 4, "Sun"),
    ]
    assert faults == ["a.jsonl:3: images: got the text 'x', expected a list"]
    (tmp_path / "void.jsonl").write_bytes(b"\n\n")
    assert read("void.jsonl")[1] == [
        "void.jsonl: got no record, expected one record per line, or front matter"
    ]


def test_the_same_line_has_the_same_digest_whatever_ends_it(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"title": "Rain"}\r\n{"title": "Rain"}')
    first, second = read("a.jsonl")[0]
    assert first.sha256 == second.sha256


def test_standard_input_is_json_lines_or_one_front_matter() -> None:
    documents, faults = read("-", stdin=b'\n{"title": "Rain"}\n{"title": "Sun"}\n')
    assert [(document.path, document.line, document.record.title) for document in documents] == [
        ("-", 2, "Rain"),
        ("-", 3, "Sun"),
    ]
    assert faults == []
    documents, faults = read("-", stdin=b"\xef\xbb\xbf" + front_matter("Rain") + b"Body.\n")
    assert [(document.path, document.line, document.record.title) for document in documents] == [
        ("-", 0, "Rain")
    ]
    assert faults == []
    assert read("-")[1] == ["-: got no record, expected one record per line, or front matter"]
    assert read("-", "-", stdin=b'{"title": "Rain"}')[1] == []


def test_a_line_without_end_is_refused_and_the_next_is_read() -> None:
    stdin = b'{"title": "' + b"x" * 120_000_000 + b'"}\n{"title": "Sun"}\n'
    documents, faults = read("-", stdin=stdin)
    assert [document.record.title for document in documents] == ["Sun"]
    assert faults == ["-:1: got 50,000,001 bytes, expected at most 50,000,000 bytes"]


def test_front_matter_and_json_give_the_same_record(tmp_path: Path) -> None:
    fields = {"title": "R&amp;D", "topics": ["Rain"], "provider": {"name": "Daily"}, "quality": 5}
    (tmp_path / "a.md").write_text("---\n" + json.dumps(fields) + "\n---\n")
    (tmp_path / "a.jsonl").write_text(json.dumps(fields))
    first, second = read("a.md", "a.jsonl")[0]
    assert (first.record, first.labels) == (second.record, second.labels)


def test_the_digest_of_the_data_is_that_of_the_records_alone(tmp_path: Path) -> None:
    write(tmp_path / "x/a.md", "Rain")
    write(tmp_path / "x/b.md", "Sun")
    write(tmp_path / "y/b.md", "Rain")
    write(tmp_path / "y/a.md", "Sun")
    first, second = (data_sha256(document.sha256 for document in read(folder)[0]) for folder in "xy")
    assert first == second
    write(tmp_path / "y/c.md", "Sun")  # a record that is there twice is other data
    assert data_sha256(document.sha256 for document in read("y")[0]) != first


def test_real_records_are_read_without_a_fault(real_files: list[Path]) -> None:
    documents, faults = read(*map(str, real_files))
    assert faults == []
    assert len(documents) == len(real_files)
    assert all(document.labels.quality is not None for document in documents)
    assert not any(document.warnings for document in documents)


@pytest.mark.parametrize("name", ["a.markdown", "a.mdx", "a.qmd", "a.MD"])
def test_every_extension_of_markdown_is_read_in_a_folder(tmp_path: Path, name: str) -> None:
    write(tmp_path / "in" / name)
    write(tmp_path / "in" / "a.txt")
    assert expand(["in"]) == [f"in/{name}"]
    (document,) = read("in")[0]
    assert document.record.title == "Rain"
