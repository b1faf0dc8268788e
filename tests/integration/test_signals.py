"""Commands end on a signal, and leave no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.test_service import wait_until
from tests.tracking.test_ui import has_ended, started_by


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
@pytest.mark.parametrize(
    "command", [["score", "-"], ["score", "FOLDER"], ["train", "FOLDER", "--no-track"]], ids=" ".join
)
def test_a_command_ends_on_a_signal(
    tmp_path: Path, archive: Path, command: list[str], number: signal.Signals, code: int
) -> None:
    (tmp_path / "many").mkdir()
    for copy in range(25):  # as much as keeps it at work until the signal
        (tmp_path / "many" / str(copy)).symlink_to(archive, target_is_directory=True)
    folder = str(tmp_path / "many") if command[0] == "score" else str(archive)
    arguments = [folder if part == "FOLDER" else part for part in command]
    with subprocess.Popen(
        [sys.executable, "-m", "scoring", *arguments],
        cwd=tmp_path,
        env=os.environ | {"SCORING_HOME": str(tmp_path / "home")},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            wait_until(lambda: "numpy" in Path(f"/proc/{process.pid}/maps").read_text("utf-8"), process)
            time.sleep(0.5)
            started = started_by(process.pid)
            process.send_signal(number)
            assert process.wait(timeout=60) == code
            assert all(map(has_ended, started))
            assert process.stderr is not None
            assert b"Traceback" not in process.stderr.read()
        finally:
            process.kill()
