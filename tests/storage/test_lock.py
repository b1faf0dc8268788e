"""Locks between processes: the holder is named, and its end releases the lock."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scoring.errors import ScoringError
from scoring.storage.lock import only_one

NOW = datetime(2019, 6, 1, 12, tzinfo=UTC)
HOLD = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from scoring.storage.lock import only_one
with only_one(Path(sys.argv[1]), "train", now=datetime(2019, 5, 1, tzinfo=UTC)):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(folder: Path, *, seconds: float) -> list[str]:
    """Command that holds the lock for some seconds."""
    return [sys.executable, "-c", HOLD, str(folder), str(seconds)]


def test_another_process_is_told_who_holds_it_until_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(hold(tmp_path, seconds=60), stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        holder = rf"process {other.pid} since 2019-05-01T00:00:00\+00:00"
        message = f"train.lock: held by {holder}: only one process may train"
        with pytest.raises(ScoringError, match=message), only_one(tmp_path, "train", now=NOW):
            pytest.fail("two hold the lock")
        other.send_signal(signal.SIGKILL)
    with only_one(tmp_path, "train", now=NOW):
        assert json.loads((tmp_path / "train.holder").read_text())["since"] == "2019-06-01T12:00:00+00:00"
    assert not (tmp_path / "train.holder").exists()


def test_whoever_waits_comes_next(tmp_path: Path) -> None:
    waited: list[str] = []
    with subprocess.Popen(hold(tmp_path, seconds=60), stdout=subprocess.PIPE, text=True) as other:

        def on_wait(holder: str) -> None:
            waited.append(holder)
            other.send_signal(signal.SIGKILL)

        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with only_one(tmp_path, "train", now=NOW, wait_minutes=1, on_wait=on_wait):
            assert json.loads((tmp_path / "train.holder").read_text())["pid"] == os.getpid()
    assert waited == [f"process {other.pid} since 2019-05-01T00:00:00+00:00"]
    with only_one(tmp_path, "train", now=NOW, wait_minutes=1, on_wait=waited.append):
        assert len(waited) == 1


def test_it_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="wrong"), only_one(tmp_path / "new", "train", now=NOW):
        raise ValueError("wrong")
    with only_one(tmp_path / "new", "train", now=NOW), only_one(tmp_path / "new", "other", now=NOW):
        pass
