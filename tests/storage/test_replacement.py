from __future__ import annotations

import os
from pathlib import Path

import pytest

from scoring.storage.replacement import open_replacement


def test_the_old_content_is_there_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    with open_replacement(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_a_failed_block_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")

    def fail() -> None:
        with open_replacement(path) as file:
            file.write(b"new")
            raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        fail()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_missing_folders_are_created(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "out.csv"
    with open_replacement(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_an_existing_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "out.csv"
    path.touch()
    path.chmod(mode)
    with open_replacement(path):
        pass
    assert path.stat().st_mode & 0o777 == mode


def test_a_new_file_has_the_permissions_asked_for_or_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "ordinary").touch()
    with open_replacement(tmp_path / "private", mode=0o600), open_replacement(tmp_path / "new"):
        pass
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_a_name_of_the_greatest_length_can_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    with open_replacement(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


def test_a_fifo_is_written_to_directly(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with open_replacement(path) as file:
            file.write(b"new")
        assert os.read(reader, 10) == b"new"
    finally:
        os.close(reader)


def test_an_error_has_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 256)
    with pytest.raises(OSError, match="File name too long") as raised, open_replacement(path):
        pass
    assert str(raised.value.filename) == str(path)
