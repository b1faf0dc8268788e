"""SIGINT and SIGTERM end every command with its exit code, without a traceback or orphaned processes."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scoring.cli.signals import GRACE_SECONDS
from scoring.records.synthetic.generate import sample_json_lines

LONG_SECONDS = 120  # of what is broken off: so long it would take, or wait
RECORD = json.dumps({"title": "Rain", "publishedDateTime": "2021-03-04T05:06:07Z"}).encode() + b"\n"
# The program in a process of its own, after code that prepares the moment of the signal.
PROGRAM = "import sys\nexec(sys.argv.pop(1))\nfrom scoring.cli import main\nmain()\n"
TELL_TRAINING = """
import os
import lightgbm.engine
train = lightgbm.engine.train
def tell(*arguments, num_boost_round, **options):
    os.write(1, b"training\\n")  # in one piece: two threads do so
    return train(*arguments, num_boost_round=10**6, **options)
lightgbm.engine.train = tell
"""
# In a library that does not come back, and not to Python either: it waits for a lock that it holds.
HANG = """
import ctypes, signal
from scoring.cli import signals
from scoring.workflows import validate
signals.GRACE_SECONDS = %s
def hang(*_, **__):
    for number in (signal.SIGINT, signal.SIGTERM):  # also where one comes before the lock is waited for
        signal.signal(number, lambda *_: None)
    print("hanging", flush=True)
    library, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(128)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)
validate.validate = hang
"""
numbers = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)


class Command:
    """A running command in its own process group."""

    def __init__(self, *arguments: str, code: str = "", **options: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, code, *arguments],
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"SCORING_HOME": "home", "SCORING_MODEL": "shipped"} | options,
            start_new_session=True,
        )

    def line(self) -> bytes:
        """The next line of its output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def ends(self, number: signal.Signals) -> None:
        """Send a signal; the command ends early, without a traceback, and leaves no process."""
        self.process.send_signal(number)
        _, stderr = self.process.communicate(timeout=LONG_SECONDS / 4)
        assert (self.process.returncode, stderr.decode()) == (128 + number, "")
        wait_until(lambda: not group_of(self.process.pid))


@pytest.fixture
def start() -> Iterator[Callable[..., Command]]:
    """Start commands; those still running are ended with the test."""
    commands: list[Command] = []

    def start(*arguments: str, **options: Any) -> Command:
        commands.append(Command(*arguments, **options))
        return commands[-1]

    yield start
    for command in commands:
        if command.process.poll() is None:
            os.killpg(command.process.pid, signal.SIGKILL)
            command.process.communicate()


def group_of(pid: int) -> list[int]:
    """Running processes of a process group."""
    members = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(group) == pid and state != "Z":
            members.append(int(folder.name))
    return members


Start = Callable[..., Command]


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_main_thread_has_less_than_two_seconds() -> None:
    assert GRACE_SECONDS < 2


@numbers
def test_waiting_for_standard_input(start: Start, number: signal.Signals) -> None:
    reader, writer = os.pipe()
    command = start("score", "-", "--format", "jsonl", stdin=reader)
    os.close(reader)
    os.write(writer, RECORD)
    wait_until(lambda: fcntl.ioctl(writer, termios.FIONREAD, bytes(4)) == bytes(4))  # it is read
    command.ends(number)
    os.close(writer)


@numbers
def test_waiting_for_a_fifo(start: Start, number: signal.Signals) -> None:
    os.mkfifo("records")
    command = start("validate", "records")
    writers: list[int] = []

    def is_opened() -> bool:
        try:
            writers.append(os.open("records", os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    wait_until(is_opened)
    command.ends(number)
    os.close(writers[0])


@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGINT, marks=pytest.mark.exhaustive), signal.SIGTERM],
    ids=lambda number: number.name,
)
def test_other_processes_while_nobody_takes_the_results(start: Start, number: signal.Signals) -> None:
    lines = list(sample_json_lines(n_records=300, seed=1))
    with open("many.jsonl", "wb") as file:
        while file.tell() < 40_000_000:
            file.writelines(lines)
    command = start("score", "many.jsonl", "--no-cache", SCORING_THREADS="2")
    wait_until(lambda: len(group_of(command.process.pid)) == 3)
    assert command.process.stdout is not None
    command.process.stdout.peek(1)  # type: ignore[attr-defined]  # a buffered reader: some results are there
    command.ends(number)


@numbers
@pytest.mark.parametrize("threads", [pytest.param("1", marks=pytest.mark.exhaustive), "2"])
def test_training(archive: Path, start: Start, number: signal.Signals, threads: str) -> None:
    options = ("--output", "model", "--no-track", "--quiet")
    command = start("train", str(archive), *options, code=TELL_TRAINING, SCORING_THREADS=threads)
    assert command.line() == b"training\n"
    command.ends(number)
    assert not Path("model").exists()


@numbers
def test_a_library_that_does_not_come_back(start: Start, number: signal.Signals) -> None:
    command = start("validate", "x", code=HANG % GRACE_SECONDS)
    assert command.line() == b"hanging\n"
    command.ends(number)


@numbers
def test_a_second_signal_ends_it_at_once(start: Start, number: signal.Signals) -> None:
    command = start("validate", "x", code=HANG % 10_000)
    assert command.line() == b"hanging\n"
    command.process.send_signal(number)
    time.sleep(2 * GRACE_SECONDS)
    assert command.process.poll() is None
    command.ends(number)


def test_a_signal_that_is_ignored_stays_ignored(start: Start) -> None:
    command = start("validate", "-", stdin=subprocess.PIPE, code=IGNORE)
    assert command.line() == b"ready\n"
    command.process.send_signal(signal.SIGINT)
    stdout, stderr = command.process.communicate(RECORD, timeout=60)
    assert (command.process.returncode, stdout) == (0, b"1 records can be used, 0 cannot\n"), stderr


IGNORE = """
import signal
from scoring.cli import app as module
signal.signal(signal.SIGINT, signal.SIG_IGN)
from scoring.workflows import validate
validate_all = validate.validate
def tell(*arguments, **options):
    print("ready", flush=True)
    return validate_all(*arguments, **options)
validate.validate = tell
"""
