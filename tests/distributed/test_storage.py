"""Local files and an object store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scoring.distributed.partitions import plan, read_lines
from scoring.distributed.storage import (
    Found,
    absolute,
    find,
    read_file,
    read_files,
    replace_file,
    sizes,
)
from scoring.errors import RecordError, ScoringError
from scoring.storage.remote import opened

RECORD = "---\ntitle: Rain\n---\n"


@pytest.fixture
def news(tmp_path: Path) -> Path:
    for name in ("b.md", "a.md", ".hidden.md", "deep/c.md", ".git/d.md", "e.txt"):
        (tmp_path / "news" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "news" / name).write_text(RECORD)
    (tmp_path / "news" / "README.md").write_text("# News\n")
    return tmp_path / "news"


def names(files: list[Found]) -> list[str]:
    return [source.path.rpartition("news/")[2] for source in files]


def test_local_files_are_found_as_ever(news: Path) -> None:
    os.chdir(news.parent)
    assert [source.path for source in find(["news"])] == ["news/a.md", "news/b.md", "news/deep/c.md"]
    assert names(find([f"file://{news}", str(news / "a.md")])) == ["a.md", "b.md", "deep/c.md"]
    file = find(["news/*.txt"])[0]
    assert (file.path, file.url, file.n_bytes) == ("news/e.txt", str(news.resolve() / "e.txt"), len(RECORD))


def test_paths_without_records_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(RecordError) as raised:
        find(["nowhere.md", "-", str(tmp_path)])
    assert [fault.got for fault in raised.value.faults] == [
        "no such file or folder",
        "standard input",
        "a folder without records",
    ]


@pytest.mark.parametrize("url", ["nothing://news/a.md", "s3+nothing://news"])
def test_an_unknown_store_is_reported(url: str) -> None:
    with pytest.raises(ScoringError, match="no file system for it: Protocol not known"):
        find([url])


def test_a_store_that_needs_a_package_says_which() -> None:
    with pytest.raises(
        ScoringError, match=r"gs://news: its file system is not installed .*news-scoring\[remote\].*gcsfs"
    ):
        find(["gs://news"])


def test_a_password_in_an_address_is_refused() -> None:
    with pytest.raises(ScoringError, match=r"^ftp://\*\*\*: got credentials in a URL") as raised:
        absolute("ftp://me:hidden@news.example/a.md")
    assert "hidden" not in str(raised.value)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    url = str(tmp_path / "new" / "a.json")
    assert read_file(url) is None
    assert sizes(str(tmp_path / "new")) == {}
    replace_file(url, b"one")
    replace_file(url, b"two and more")
    assert read_file(url) == b"two and more"
    assert sizes(str(tmp_path / "new")) == {"a.json": 12}
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["a.json"]


def test_a_file_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ScoringError, match=r"a\.json: cannot be used: .*No space left"):
        replace_file(str(tmp_path / "a.json"), b"one")
    assert list(tmp_path.iterdir()) == []


def test_an_object_store(news: Path, bucket: str) -> None:
    fs, _ = opened(bucket)
    fs.put(f"{news}/", f"{bucket}/news/", recursive=True)
    files = find([f"{bucket}/news"])
    assert names(files) == ["README.md", "a.md", "b.md", "deep/c.md"]
    assert {source.is_walked for source in files} == {True}
    assert names(find([f"{bucket}/news/*.md", f"{bucket}/news/a.md"])) == [
        "README.md",
        "a.md",
        "b.md",
    ]
    assert list(read_files(files[1:])) == [RECORD.encode()] * 3
    gone = files[0]._replace(url=f"{bucket}/news/gone.md", path="gone.md")
    missing, there = read_files([gone, files[1]])
    assert there == RECORD.encode()
    assert str(missing).startswith("gone.md: got")
    with pytest.raises(RecordError, match="no such file or folder"):
        find([f"{bucket}/news/gone.md"])


def test_lines_and_results_in_an_object_store(bucket: str) -> None:
    data = b"".join(b'{"title": "%d"}\n' % number for number in range(40))
    replace_file(f"{bucket}/rows/a.jsonl", data)
    assert read_file(f"{bucket}/rows/b.jsonl") is None
    assert sizes(f"{bucket}/rows") == {"a.jsonl": len(data)}
    cut = plan(find([f"{bucket}/rows/a.jsonl"]), 100)
    assert len(cut) == 7
    assert b"".join(read_lines(piece) for partition in cut for piece in partition.pieces) == data
    replace_file(f"{bucket}/rows/a.jsonl", data.replace(b"1", b"2"))
    assert plan(find([f"{bucket}/rows/a.jsonl"]), 100)[0].sha256 != cut[0].sha256


def test_what_a_store_refuses_is_reported(bucket: str) -> None:
    with pytest.raises(ScoringError, match=r"^s3://other/a.json: cannot be used: "):
        replace_file("s3://other/a.json", b"one")
