"""The home folder: permissions, and supported formats."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from scoring.errors import HomeError
from scoring.storage.home import (
    FORMAT,
    FORMAT_FILE,
    check_database,
    check_home,
    create_file,
    home_format,
    known_content,
    narrow,
    prepare_folder,
    prepare_home,
    writing,
)


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def any_umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Common umasks."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_home_is_its_owners_whatever_the_umask(tmp_path: Path, any_umask: int) -> None:
    home = tmp_path / "site" / "home"
    folder = prepare_folder(home, "cache", "new")
    create_file(folder / "features.db")
    (folder / "made.by.others").write_text("")
    narrow(folder)
    assert {mode(path) for path in (home, folder.parent, folder)} == {0o700}
    assert {mode(path) for path in home.rglob("*") if path.is_file()} == {0o600}
    assert mode(home.parent) == 0o777 & ~any_umask


def test_a_wider_home_stays_as_it_is_and_gives_no_more_than_it_has(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        home = tmp_path / "home"
        home.mkdir(mode=0o750)
        old = home / "old"
        old.write_text("")
        folder = prepare_folder(home, "cache")
        create_file(folder / "features.db")
        with writing(home, home / "models" / "a"):
            (home / "models" / "a").mkdir()
            (home / "models" / "a" / "manifest.json").write_text("{}")
    finally:
        os.umask(before)
    assert (mode(home), mode(old), mode(folder)) == (0o750, 0o666, 0o750)
    assert mode(folder / "features.db") == mode(home / "models" / "a" / "manifest.json") == 0o640


def test_what_lies_outside_of_the_home_is_nobodys_business(tmp_path: Path) -> None:
    with writing(tmp_path / "home", tmp_path / "out" / "model"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_links_lead_nowhere(tmp_path: Path) -> None:
    home = tmp_path / "home"
    folder = prepare_folder(home, "cache")
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o755)
    (folder / "link").symlink_to(outside)
    narrow(folder)
    assert mode(outside) == 0o755


def test_a_new_home_says_nothing_and_an_old_one_is_migrated_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "scoring")
    new, other, old = tmp_path / "new", tmp_path / "other", tmp_path / "old"
    other.mkdir()
    (other / "notes.txt").write_text("of somebody")
    old.mkdir()
    (old / "corrections.jsonl").write_text("")
    for home in (new, other, old, old):
        prepare_home(home)
        assert home_format(home) == FORMAT
        assert json.loads((home / FORMAT_FILE).read_text()) == {"format": FORMAT}
    assert caplog.messages == [f"{old}: home migrated from format 0 to 1"]
    assert sorted(path.name for path in new.iterdir()) == [FORMAT_FILE]


def test_a_newer_home_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / FORMAT_FILE).write_text('{"format": 2, "more": []}')
    for use in (check_home, prepare_home, lambda home: prepare_folder(home, "cache")):
        with pytest.raises(HomeError) as caught:
            use(tmp_path)
        message = f"{tmp_path}: format 2 is newer than this version of scoring supports (1): upgrade scoring"
        assert str(caught.value) == message
    assert [path.name for path in tmp_path.iterdir()] == [FORMAT_FILE]


@pytest.mark.parametrize(
    "content", ["", "{", "[1]", "{}", '{"format": "1"}', '{"format": -1}', '{"format": true}']
)
def test_a_damaged_format_file_is_reported(tmp_path: Path, content: str) -> None:
    (tmp_path / FORMAT_FILE).write_text(content)
    with pytest.raises(HomeError, match=rf"^{tmp_path}/{FORMAT_FILE}: .*restore it from a backup$"):
        check_home(tmp_path)


def test_a_home_that_is_not_there_or_is_a_file_has_no_format(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for home in (tmp_path / "none", tmp_path / "file"):
        check_home(home)
        assert home_format(home) is None
    assert not (tmp_path / "none").exists()
    with pytest.raises(FileExistsError):
        prepare_home(tmp_path / "file")


def test_a_database_is_marked_and_a_newer_one_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "scoring")
    file = tmp_path / "some.db"
    with closing(sqlite3.connect(file)) as db:
        check_database(db, file, 1)
        db.execute("CREATE TABLE seen (path TEXT)")
        db.execute("PRAGMA user_version = 0")  # as older versions have made it
        check_database(db, file, 1)
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        check_database(db, file, 1)
        db.execute("PRAGMA user_version = 2")
        with pytest.raises(HomeError, match=rf"^{file}: format 2 is newer than .* \(1\): upgrade scoring$"):
            check_database(db, file, 1)
    assert caplog.messages == [f"{file}: migrated from format 0 to 1"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mlflow.db.registry.lock", "MLflow store"),
        ("journal.jsonl", "labels written by scoring"),
        ("a.txt", ""),
    ],
)
def test_contents_are_known_by_name(name: str, content: str) -> None:
    assert known_content(name) == content
