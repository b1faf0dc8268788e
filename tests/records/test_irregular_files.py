"""Paths named like records that are no regular files: reported as faults, counted, and never blocking."""

from __future__ import annotations

import os
import shlex
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scoring.artifact.model_folder import read_file
from scoring.cli import app
from scoring.errors import ModelError, RecordError, SettingsError
from scoring.records.corpus import read_bytes, read_documents
from scoring.records.files import expand
from scoring.records.ledger import read_ledger
from scoring.records.write_back import write_labels
from scoring.storage.regular_files import read_regular
from scoring.workflows.train import load_config

RECORD = b"---\ntitle: Rain\n---\n"


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))  # the whole path may be too long for an address


def make_device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        path.symlink_to("/dev/null")  # who is not root gets a device by a link, as far as that is followed


MAKERS: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a socket": make_socket,
    "a device": make_device,
    "a folder": Path.mkdir,
}


@pytest.fixture(params=MAKERS)
def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The folder inbox with two records, and an irregular file between them; the file's kind."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "a.md").write_bytes(RECORD)
    (folder / "c.md").write_bytes(RECORD)
    MAKERS[request.param](folder / "b.md")
    if (folder / "b.md").is_symlink():
        pytest.skip("only root may make a device")
    return str(request.param)


@pytest.mark.parametrize("form", ["{}", "{}/*.md", "{}/b.md {}/a.md {}/c.md"])
def test_it_is_a_fault_and_the_others_are_read(inbox: str, form: str) -> None:
    kind = inbox
    paths = form.format("inbox", "inbox", "inbox").split()
    if kind == "a folder" and "b.md" in form:
        paths.remove("inbox/b.md")  # named itself, it is a folder to be walked
        paths.append("inbox")
    faults: list[RecordError] = []
    documents = list(read_documents(paths, on_fault=faults.append))
    assert sorted(document.path for document in documents) == ["inbox/a.md", "inbox/c.md"]
    assert [str(fault) for fault in faults] == [f"inbox/b.md: got {kind}, expected a regular file"]


@pytest.mark.parametrize(
    "command", ["validate", "score", "score --write --allow-unknown", "features --output f.parquet"]
)
def test_commands_count_it_and_go_on(inbox: str, command: str) -> None:
    kind = inbox
    name, *rest = command.split()
    done = CliRunner().invoke(app, [name, "inbox", *rest], env={"SCORING_HOME": "home"})
    assert done.exit_code == 1
    assert f"inbox/b.md: got {kind}, expected a regular file\n" in done.stderr
    if command == "validate":
        assert done.stdout == "2 records can be used, 1 cannot\n"
    elif "--write" in command:
        assert done.stdout == "inbox/a.md\ninbox/c.md\n"
    elif command == "score":
        assert len(done.stdout.splitlines()) == 2
    else:
        assert "f.parquet: 2 records" in done.stderr


def test_files_that_are_named_by_an_option_are_regular(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(RecordError, match=r"fifo: got a FIFO, expected a file that can be read$"):
        read_ledger(fifo)
    with pytest.raises(SettingsError, match=r"fifo: cannot read the configuration: a FIFO$"):
        load_config(fifo)
    with pytest.raises(ModelError, match=r"fifo: cannot read the model: a FIFO$"):
        read_file(fifo)
    with pytest.raises(RecordError, match=r"fifo: got a FIFO, expected a regular file$"):
        read_bytes(fifo)
    with pytest.raises(RecordError, match=r"fifo: got a FIFO, expected a regular file$"):
        write_labels(str(fifo), {"quality": 1}, roots=["."])
    with pytest.raises(OSError, match="a FIFO"):
        read_regular(fifo)


def test_a_link_to_a_fifo_is_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "a.md").symlink_to("fifo")
    faults: list[RecordError] = []
    assert list(read_documents(["."], on_fault=faults.append)) == []
    assert [str(fault) for fault in faults] == ["./a.md: got a FIFO, expected a regular file"]


def test_what_a_glob_matches_beside_records_is_counted_and_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"title": "Rain"}\n')
    os.mkfifo(tmp_path / "b.jsonl")
    faults: list[RecordError] = []
    (document,) = read_documents(["*.jsonl"], on_fault=faults.append)
    assert (document.path, [str(fault) for fault in faults]) == (
        "a.jsonl",
        ["b.jsonl: got a FIFO, expected a regular file"],
    )


@pytest.mark.parametrize("content", [b'{"title": "Rain"}\n{"title": "Snow"}\n', RECORD])
def test_a_fifo_that_is_named_itself_is_read_like_standard_input(tmp_path: Path, content: bytes) -> None:
    fifo = tmp_path / "records"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(content,))
    writer.start()
    faults: list[RecordError] = []
    documents = list(read_documents([str(fifo)], on_fault=faults.append))
    writer.join()
    assert faults == []
    assert [document.record.title for document in documents] == ["Rain", "Snow"][: len(documents)]
    assert {document.path for document in documents} == {str(fifo)}


def test_process_substitution(tmp_path: Path) -> None:
    line = f"{shlex.quote(sys.executable)} -m scoring validate <(printf '%s\\n' '{{\"title\": \"Rain\"}}')"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, timeout=60)  # noqa: S607 -- the system's
    assert done.stdout == "1 records can be used, 0 cannot\n", done.stderr


def test_a_folder_with_the_name_of_a_record_is_not_walked(tmp_path: Path) -> None:
    (tmp_path / "old.md").mkdir()
    (tmp_path / "old.md" / "a.md").write_bytes(RECORD)
    (tmp_path / "b.md").write_bytes(RECORD)
    assert expand(["."]) == ["./b.md", "./old.md"]
