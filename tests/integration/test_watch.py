"""`scoring watch` as a process: lines for new files, a clean stop, and recovery after a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from scoring.records.synthetic.generate import write_sample
from scoring.workflows.train import TrainOutcome

SECONDS = 60
Start = Callable[..., "Process"]


class Process:
    """A running watch, with the lines that it has printed."""

    def __init__(self, folder: Path, output: Path, *options: str) -> None:
        self._output = output
        self._file = output.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scoring", "watch", "inbox", *options],
            cwd=folder,
            env=os.environ | {"SCORING_HOME": str(folder / "home")},
            stdout=self._file,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def paths(self) -> list[str]:
        lines = self._output.read_text("utf-8").splitlines(keepends=True)
        return [Path(json.loads(line)["path"]).name for line in lines if line.endswith("\n")]

    def wait(self, n_lines: int) -> None:
        ends = time.monotonic() + SECONDS
        while len(self.paths) < n_lines:
            assert self.process.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.02)

    def end(self, number: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(number)
        _, stderr = self.process.communicate(timeout=SECONDS)
        self._file.close()
        return self.process.returncode, stderr


@pytest.fixture
def start(tmp_path: Path, training: TrainOutcome) -> Iterator[Start]:
    write_sample(tmp_path / "inbox", n_records=60, seed=5, is_labelled=False)
    started: list[Process] = []

    def begin(*options: str) -> Process:
        output = tmp_path / f"{len(started)}.jsonl"
        started.append(Process(tmp_path, output, "--model", training.model, *options))
        return started[-1]

    yield begin
    for process in started:
        if process.process.poll() is None:
            process.end(signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_and_goes_on_where_it_was(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    first = start("--write")
    first.wait(60)
    shutil.copy(min((tmp_path / "inbox").iterdir()), tmp_path / "inbox" / "copy.md")
    first.wait(61)
    code, first_stderr = first.end(number)
    assert code == 0
    assert " of 61 files written: " in first_stderr.splitlines()[0]
    assert '"scoring restore --write-id ' in first_stderr.splitlines()[1]
    (tmp_path / "inbox" / "bad.md").write_text("---\ntitle: [\n---\n", "utf-8")
    (tmp_path / "inbox" / "new.md").write_text(
        "---\ntitle: Orchard opens\ntopics:\n- Tessaril\n---\n", "utf-8"
    )
    again = start()
    again.wait(1)
    time.sleep(2.5)
    code, stderr = again.end(number)
    assert again.paths == ["new.md"]
    assert (code, stderr.count("inbox/bad.md:2: ")) == (1, 1)


def test_killed_at_any_moment_it_scores_each_once(training: TrainOutcome, tmp_path: Path) -> None:
    n_records, n_kills = 800, 3  # a pipe holds about 150 lines
    write_sample(tmp_path / "inbox", n_records=n_records, seed=5, is_labelled=False)
    command = [sys.executable, "-m", "scoring", "watch", "inbox", "--model", training.model]
    environment = os.environ | {"SCORING_HOME": str(tmp_path / "home")}
    paths: list[str] = []

    def take(lines: Iterable[bytes]) -> None:
        paths.extend(json.loads(line)["path"] for line in lines if line.endswith(b"\n"))

    for round_ in range(n_kills + 1):
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            is_last = round_ == n_kills
            # More than a pipe holds is to come, so that it is killed at its work.
            while is_last and len(set(paths)) < n_records:
                take([process.stdout.readline()])
            take([] if is_last else [process.stdout.readline() for _ in range(5)])
            process.send_signal(signal.SIGTERM if is_last else signal.SIGKILL)
            take(process.stdout)
        assert is_last or len(set(paths)) < n_records
    assert process.returncode == 0
    # Between a line and the note that it was printed a kill may fall: then that one line comes twice.
    assert len(paths) <= n_records + n_kills


BOTH = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", BOTH)
def test_while_its_folder_is_away_it_stops_cleanly(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    process = start()
    process.wait(60)
    (tmp_path / "inbox").rename(tmp_path / "aside")
    time.sleep(1)
    code, stderr = process.end(number)
    assert (code, stderr.count("expected the watched folder; it is polled until it exists")) == (1, 1)


@pytest.fixture
def stuck(training: TrainOutcome, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A watch whose output is not read, so that it blocks."""
    write_sample(tmp_path / "inbox", n_records=800, seed=5, is_labelled=False)
    command = [sys.executable, "-m", "scoring", "watch", "inbox", "--model", training.model]
    environment = os.environ | {"SCORING_HOME": str(tmp_path / "home")}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(1)  # until the pipe is full
        assert process.poll() is None
        yield process
        if process.poll() is None:
            process.kill()


@pytest.mark.parametrize("number", BOTH)
def test_what_cannot_go_on_is_ended_soon_after_the_first_signal(
    stuck: subprocess.Popen[bytes], number: signal.Signals
) -> None:
    stuck.send_signal(number)
    assert stuck.wait(SECONDS) in (-number, 128 + number)  # a shell gives the same code for both


@pytest.mark.parametrize(("first", "second"), [BOTH, BOTH[::-1]])
def test_a_second_signal_does_not_wait(
    stuck: subprocess.Popen[bytes], first: signal.Signals, second: signal.Signals
) -> None:
    stuck.send_signal(first)
    time.sleep(0.2)  # signals at once would be taken in any order
    stuck.send_signal(second)
    # What the first one leaves time for would have ended it by the first.
    assert stuck.wait(SECONDS) == -second
