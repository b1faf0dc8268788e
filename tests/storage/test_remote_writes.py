"""Writes to stores: whole files, and errors of one line."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from scoring.artifact.model_folder import holds_something_else
from scoring.errors import ScoringError
from scoring.extras import MissingExtraError
from scoring.storage import remote_writes
from scoring.storage.remote import list_files, opened
from scoring.storage.remote_writes import TEMPORARY, put_remote, replace_if_same, write_remote


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of a folder of a store that is written to as an SFTP server is: with a rename."""
    monkeypatch.setattr(remote_writes, "_SFTP", ("memory://",))
    return f"memory://{uuid4().hex}"


def test_over_sftp_a_complete_file_gets_its_name(served: str, tmp_path: Path) -> None:
    url = f"{served}/a/b/c.md"
    fs, path = opened(url)
    write_remote(url, b"one")
    assert fs.cat_file(path) == b"one"
    assert replace_if_same(url, b"one", b"two")
    assert not replace_if_same(url, b"one", b"three")
    assert fs.cat_file(path) == b"two"
    (tmp_path / "local").write_bytes(b"four")
    put_remote(tmp_path / "local", url)
    assert fs.cat_file(path) == b"four"
    assert [file.url for file in list_files(served).files] == [url]


def test_over_sftp_an_interrupted_write_leaves_the_old_file(
    served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{served}/a.md"
    write_remote(url, b"whole")
    fs, path = opened(url)
    write = fs.pipe_file

    def broken(place: str, data: bytes) -> None:
        write(place, data[:1])
        raise OSError("connection lost")

    with monkeypatch.context() as patch:
        patch.setattr(fs, "pipe_file", broken)
        with pytest.raises(ScoringError, match=r"a\.md: cannot be used: connection lost$"):
            write_remote(url, b"another")
    assert fs.cat_file(path) == b"whole"
    assert [file.url for file in list_files(served).files] == [url]


def test_what_a_killed_write_left_is_not_something_else(served: str) -> None:
    write_remote(f"{served}/model/.quality.txt.0{TEMPORARY}", b"x")
    assert not holds_something_else(Path(f"{served}/model"))
    write_remote(f"{served}/model/notes.txt", b"x")
    assert holds_something_else(Path(f"{served}/model"))


@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("gs://news/a.md", "gcsfs"),
        ("az://news/a.md", "adlfs"),
        ("abfss://news/a.md", "adlfs"),
        ("sftp://news.example/a.md", "paramiko"),
        ("smb://news.example/a.md", "smbprotocol"),
    ],
)
def test_the_package_of_a_store_is_named(url: str, package: str) -> None:
    with pytest.raises(MissingExtraError) as raised:
        opened(url)
    assert str(raised.value).endswith(f": pip install 'news-scoring[remote]' {package}")


def test_a_server_that_is_not_there_is_an_error_of_one_line() -> None:
    """Its file system connects at once."""
    with pytest.raises(ScoringError, match=r"^ftp://127\.0\.0\.1:9/a\.md: cannot be used: .*refused$"):
        opened("ftp://127.0.0.1:9/a.md")
