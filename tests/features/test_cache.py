"""Feature cache: bounded, shared between processes, and optional."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from scoring.errors import HomeError
from scoring.features import cache as module
from scoring.features.cache import FeatureCache

KEYS = [bytes([index]) * 32 for index in range(100)]


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "new" / "features.db", 10**6, 100)


def test_values_come_back(cache: FeatureCache) -> None:
    assert cache.get(KEYS) == {}
    assert not cache.file.exists()
    cache.put({KEYS[0]: b"a", KEYS[1]: b"b"})
    cache.put({KEYS[1]: b"c"})
    assert cache.get(KEYS[1:3]) == {KEYS[1]: b"c"}
    assert cache.get([]) == {}
    assert cache.info().n_records == 2
    cache.put({key: bytes(5000) for key in KEYS})
    assert cache.clear() == 100
    assert cache.info().n_records == 0
    assert cache.info().n_bytes < 50_000
    assert cache.clear() == 0


def test_a_file_without_the_table_is_empty(cache: FeatureCache) -> None:
    cache.file.parent.mkdir()
    cache.file.touch()  # as another process leaves it for a moment, before the first write
    assert (cache.get(KEYS), cache.info().n_records, cache.clear()) == ({}, 0, 0)
    assert cache.complaints == []


def test_keys_tell_content_circumstances_and_code_apart(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {cache.key(b"a", "None"), cache.key(b"b", "None"), cache.key(b"a", "6h")}
    assert len(keys) == 3
    monkeypatch.setattr(module, "code_version", lambda: b"other")
    assert cache.key(b"a", "None") not in keys


def test_the_code_of_features_and_records_is_in_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("features", "records", "model"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("a = 1\n")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "features" / "cache.py"))
    versions = []
    for folder in ("none", "model", "features", "records"):
        if folder != "none":
            (tmp_path / folder / "a.py").write_text("a = 2\n")
        module.code_version.cache_clear()
        versions.append(module.code_version())
    module.code_version.cache_clear()
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3


def test_what_was_not_used_for_longest_goes(cache: FeatureCache) -> None:
    small = replace(cache, max_bytes=100_000)
    small.put({key: bytes(1000) for key in KEYS[:30]})
    later = replace(small, day=101)
    assert set(later.get(KEYS[:5])) == set(KEYS[:5])
    for index in range(30, 100, 10):
        later.put({key: bytes(1000) for key in KEYS[index : index + 10]})
        assert later.info().n_bytes <= 100_000
    left = set(later.get(KEYS))
    assert left >= {*KEYS[90:]}
    assert left.isdisjoint(KEYS[5:30])
    assert 40 <= len(left) < 75
    # A bound that was lowered holds from the next time.
    replace(later, max_bytes=50_000).put({KEYS[0]: b"a"})
    assert later.info().n_bytes <= 50_000


def test_a_value_that_was_changed_on_the_disk_is_none(cache: FeatureCache) -> None:
    cache.put({KEYS[0]: b"the first value", KEYS[1]: b"the second value"})
    data = cache.file.read_bytes()
    assert data.count(b"the first value") == 1
    cache.file.write_bytes(data.replace(b"the first value", b"the worst value"))
    assert cache.get(KEYS) == {KEYS[1]: b"the second value"}


def test_it_can_be_kept_open(cache: FeatureCache) -> None:
    held, not_yet_moved = replace(cache, is_held=True), cache.file.with_name(f"{cache.file.name}-wal")
    held.put({KEYS[0]: b"a"})
    cache.put({KEYS[1]: b"b"})
    assert held.get(KEYS) == cache.get(KEYS) == {KEYS[0]: b"a", KEYS[1]: b"b"}
    assert not_yet_moved.exists()
    let_go(held)
    assert not not_yet_moved.exists()
    assert cache.get(KEYS) == {KEYS[0]: b"a", KEYS[1]: b"b"}


def let_go(cache: FeatureCache) -> None:
    module._held_connection(cache.file).close()
    module._held_connection.cache_clear()


@pytest.mark.parametrize("is_held", [False, True])
def test_a_damaged_file_is_made_anew(
    cache: FeatureCache, caplog: pytest.LogCaptureFixture, is_held: bool
) -> None:
    cache = replace(cache, is_held=is_held)
    cache.file.parent.mkdir()
    cache.file.write_bytes(b"not a database, but long enough to look at" * 100)
    with caplog.at_level(logging.WARNING, "scoring.features.cache"):
        assert cache.get(KEYS) == {}
    assert "damaged (file is not a database), recreated" in caplog.text
    cache.put({KEYS[0]: b"a"})
    assert cache.get(KEYS) == {KEYS[0]: b"a"}
    if is_held:
        let_go(cache)


def test_one_that_is_locked_is_not_used(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_TIMEOUT_SECONDS", 0.05)
    cache.put({KEYS[0]: b"a"})
    with (
        closing(sqlite3.connect(cache.file)) as other,
        caplog.at_level(logging.INFO, "scoring.features.cache"),
    ):
        other.execute("BEGIN IMMEDIATE")
        cache.put({KEYS[1]: b"b"})
        other.rollback()
    assert "not used: database is locked" in caplog.text
    assert set(cache.get(KEYS)) == {KEYS[0]}


def test_one_that_cannot_be_made_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = FeatureCache(tmp_path / "file" / "features.db", 10**6, 100)
    cache.put({KEYS[0]: b"a"})
    assert cache.get(KEYS) == {}
    assert cache.info().n_records == 0


def test_one_of_before_is_marked_and_one_of_a_newer_format_is_refused(
    cache: FeatureCache, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "scoring")
    cache.put({KEYS[0]: b"a"})
    with closing(sqlite3.connect(cache.file)) as store:
        assert store.execute("PRAGMA user_version").fetchone() == (1,)
        assert store.execute("PRAGMA auto_vacuum").fetchone() == (1,)
        store.execute("PRAGMA user_version = 0")
    assert caplog.messages == []
    cache.put({KEYS[1]: b"b"})
    assert caplog.messages == [f"{cache.file}: migrated from format 0 to 1"]
    assert cache.get(KEYS[:2]) == {KEYS[0]: b"a", KEYS[1]: b"b"}
    with closing(sqlite3.connect(cache.file)) as store:
        store.execute("PRAGMA user_version = 2")
    before = cache.file.read_bytes()
    for use in (cache.check, lambda: cache.put({KEYS[2]: b"c"})):
        with pytest.raises(HomeError, match=rf"^{cache.file}: format 2 is newer than "):
            use()
    assert cache.file.read_bytes() == before
