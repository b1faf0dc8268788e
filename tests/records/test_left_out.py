"""Files that the walk of a folder does not read are counted by reason, and named."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scoring.cli import app
from scoring.records.corpus import read_documents
from scoring.records.files import expand, files_within
from scoring.records.left_out import Walks, collecting
from scoring.records.synthetic.generate import write_sample

RECORD = b"---\ntitle: Rain\n---\n"
FILES = {
    "a.md": RECORD,
    "b/c.markdown": RECORD,
    "b/README.md": b"# An archive\n",
    "b/about.md": b"----\ntitle: Rain\n----\n",
    "empty.md": b"",
    "blank.md": b"\n \n",
    "mac.md": b"---\rtitle: Rain\r---\r",
    "wide.md": "\ufeff---\ntitle: Rain\n---\n".encode("utf-16-le"),
    "page.html": RECORD,
    "plain.html": b"<html>",
    "lines.jsonl": b'{"title": "Rain"}\n',
    "style.css": b"a {}",
    "photo.png": b"\x89PNG",
    ".hidden.md": RECORD,
    ".git/x.md": RECORD,
}
SUMMARY = (
    "2 records; 13 files left out: 2 without front matter (first: news/b/README.md), "
    "2 empty (first: news/blank.md), "
    "1 of JSON lines, which are read if they are named (first: news/lines.jsonl), "
    "1 with carriage returns as line ends (first: news/mac.md), "
    "1 with front matter, but not Markdown (first: news/page.html), "
    "1 in an unreadable encoding (first: news/wide.md), 5 hidden or of another kind"
)


@pytest.fixture
def news(tmp_path: Path) -> str:
    for name, data in FILES.items():
        file = tmp_path / "news" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return "news"


def summary(*paths: str) -> str:
    with collecting() as walks:
        expand(paths)
    return walks.summary()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, prog_name="scoring")


def test_every_file_is_counted_once(news: str) -> None:
    head, _, parts = SUMMARY.partition(": ")
    walked_head, _, walked_parts = summary(news).partition(": ")
    assert (walked_head, sorted(walked_parts.split(", "))) == (head, sorted(parts.split(", ")))
    assert summary(news, news) == summary(news)
    with collecting() as walks:
        n_files = len(expand([news]))
    assert n_files + walks.n_left_out + walks.n_other == len(FILES)  # a hidden folder, not walked, is one


def test_links_that_lead_out_are_named_and_others_are_not(news: str, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x.md").write_bytes(RECORD)
    os.symlink("../outside/x.md", "news/out.md")
    os.symlink("../outside", "news/folder")
    os.symlink("a.md", "news/again.md")
    os.symlink(".", "news/loop")
    assert "2 links that lead out of the folder (first: news/folder)" in summary(news)


def test_nothing_is_said_where_nothing_is_left_out(tmp_path: Path) -> None:
    write_sample(tmp_path / "archive", n_records=3, seed=1)
    assert summary("archive") == ""
    assert Walks().summary() == ""


def test_a_folder_without_records_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Nothing\n")
    done = run("validate", ".")
    assert done.exit_code == 2
    assert "got a folder without records (1 without front matter), expected Markdown files" in done.stderr


def test_who_does_not_collect_gets_a_log_message(news: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert len(list(read_documents([news], on_fault=lambda error: None))) == 2
    (message,) = caplog.messages
    assert message.startswith("news: 2 records; 13 files left out: ")


def test_inner_collections_count_for_the_outer(news: str) -> None:
    with collecting() as outer:
        with collecting(is_listing=True) as inner:
            expand([news])
        assert {file.path for file in inner.listed} >= {"news/empty.md", "news/mac.md"}
    assert outer.summary() == inner.summary()


def test_a_watched_folder_has_what_is_reported_by_itself(news: str) -> None:
    files = [os.path.basename(file) for file in files_within(news)]
    assert files == ["a.md", "blank.md", "empty.md", "mac.md", "wide.md", "c.markdown"]


@pytest.mark.parametrize(
    "command",
    [
        "validate",
        "score --model shipped --format jsonl",
        "score --model shipped --write",
        "features --output f.parquet",
    ],
)
def test_commands_say_it_once(news: str, command: str) -> None:
    done = run(*command.split(), news)
    assert done.exit_code == (1 if "--write" in command else 0)  # too little is known of these records
    assert done.stderr.count("files left out") == 1
    quiet = run(*command.split(), news, "--quiet")
    assert "left out" not in quiet.stderr
    strict = run(*command.split(), news, "--strict", "--quiet")
    assert strict.exit_code == 1
    assert strict.stderr.count("13 files left out: ") == 1


def test_strict_says_nothing_of_files_of_other_kinds(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(RECORD)
    (tmp_path / "a.png").write_bytes(b"")
    done = run("validate", ".", "--strict")
    assert done.exit_code == 0
    assert "1 record; 1 file left out: 1 hidden or of another kind" in done.stderr


def test_validate_lists_them(news: str) -> None:
    output = json.loads(run("validate", news, "--json").stdout)
    assert {"path": "news/b/about.md", "reason": "without front matter"} in output["left_out"]
    assert len(output["left_out"]) == 8
    assert output["n_other_files"] == 5
