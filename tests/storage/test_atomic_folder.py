"""Atomic replacement of a folder: readers and killed writers leave a complete one."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from scoring.artifact.model_folder import FILES, MANIFEST, ModelFiles, read_files, with_manifest, write_files
from scoring.errors import ModelError
from scoring.storage import atomic_folder
from scoring.workflows.train import TrainOutcome

N_KILLS = 30


@pytest.fixture(scope="module")
def files(training: TrainOutcome) -> ModelFiles:
    return read_files(Path(training.model))


@pytest.mark.slow
@pytest.mark.parametrize("can_exchange", [True, False])
def test_killed_at_any_moment(
    files: ModelFiles, tmp_path: Path, can_exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_exchange:
        monkeypatch.setattr(ctypes, "CDLL", lambda _: object())  # a system without renameat2
    folder = tmp_path / "models" / "site"
    write_files(folder, files.contents)
    (folder / "CARD.md").write_text("# About")
    rng = random.Random(7)  # noqa: S311 -- moments, not secrets
    n_left = 0
    reading, writing = os.pipe()
    for _ in range(N_KILLS):
        if (pid := os.fork()) == 0:
            try:
                os.write(writing, b"!")  # it has begun
                while True:
                    write_files(folder, files.contents)
            finally:
                os._exit(1)
        os.read(reading, 1)
        time.sleep(rng.uniform(0.001, 0.03))
        os.kill(pid, signal.SIGKILL)
        assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
        n_left += len(os.listdir(folder.parent)) > 1
        if can_exchange or folder.exists():
            assert read_files(folder).sha256 == files.sha256
    os.close(reading)
    os.close(writing)
    assert n_left > 0, "no kill fell between the steps"
    write_files(folder, files.contents)
    assert read_files(folder).sha256 == files.sha256
    assert sorted(os.listdir(folder)) == sorted([*FILES, "CARD.md"])
    assert os.listdir(folder.parent) == ["site"]


def test_two_writers_and_a_reader(files: ModelFiles, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_files(folder, files.contents)
    pids = []
    for _ in range(2):
        if (pid := os.fork()) == 0:
            code = 1
            try:
                for _ in range(20):
                    write_files(folder, files.contents)
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
    n_read = 0
    while not all(os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) for pid in pids):
        assert read_files(folder).sha256 == files.sha256
        n_read += 1
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0]
    assert n_read > 0
    assert os.listdir(tmp_path) == ["site"]


def test_who_looks_between_any_two_steps_finds_a_whole_one(files: ModelFiles, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    other = with_manifest(
        "other", b"{ " + files.manifest[1:], {name: files.contents[name] for name in FILES[1:]}
    )
    write_files(folder, files.contents)
    versions = []

    def look(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename != atomic_folder.__file__:
            return None
        versions.append(read_files(folder).sha256)
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        write_files(folder, other.contents)
    finally:
        sys.settrace(before)
    assert list(dict.fromkeys(versions)) == [files.sha256, other.sha256]
    assert versions == sorted(versions, key=[files.sha256, other.sha256].index)  # never back
    assert len(versions) > 30


@pytest.mark.parametrize("step", ["fsync", "mkdir", "open"])
def test_fault_leaves_the_old_one(
    files: ModelFiles, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    write_files(folder, files.contents)
    monkeypatch.setattr(os, step, lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(ModelError, match="site: cannot write the model: No space left"):
        write_files(folder, files.contents | {MANIFEST: b"other"})
    monkeypatch.undo()
    assert read_files(folder).sha256 == files.sha256
    assert os.listdir(tmp_path) == ["site"]


def test_old_one_that_was_moved_away_is_put_back(files: ModelFiles, tmp_path: Path) -> None:
    """Where folders cannot be exchanged atomically, a kill may happen between two moves."""
    folder = tmp_path / "site"
    write_files(folder, files.contents)
    (tmp_path / ".site.scoring").mkdir()
    folder.rename(tmp_path / ".site.scoring" / "old")
    with atomic_folder._scratch(folder):
        assert read_files(folder).sha256 == files.sha256
    assert os.listdir(tmp_path) == ["site"]
