"""A Dask cluster of processes of its own on loopback, and records to be worked on there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scoring.records.synthetic.generate import sample_json_lines

DASK = str(Path(sys.executable).with_name("dask"))
START_SECONDS = 60
# What costs processor time while nothing is asked of a cluster: sampled stacks, and polls of the machine.
QUIET = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "60s",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
}


def wait_until(is_true: Callable[[], Any], what: str, seconds: float = START_SECONDS) -> None:
    """Wait for something that other processes do."""
    ends = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > ends:
            raise TimeoutError(f"{what}: not within {seconds:.0f} seconds")
        time.sleep(0.02)


class Processes:
    """A scheduler and workers, one thread each."""

    def __init__(self, folder: Path, python: str = sys.executable) -> None:
        self._folder, self._python = folder, python
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("SCORING_", "DASK_"))
        } | QUIET
        self._nannies: list[subprocess.Popen[bytes]] = []
        self._all = [
            self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
        ]
        try:
            wait_until(self._read_address, "the scheduler")
        except TimeoutError:
            self.end()
            raise
        self.address = self._read_address()

    def _read_address(self) -> str:
        try:
            return str(json.loads((self._folder / "scheduler.json").read_text())["address"])
        except (FileNotFoundError, ValueError):  # not written yet, or not to its end
            return ""

    def start_worker(self, *, nanny: str = "--no-nanny") -> subprocess.Popen[bytes]:
        """Start a worker, which joins when it is ready; a nanny starts it anew when it is killed."""
        options = ("--nthreads", "1", nanny, "--no-dashboard", "--host", "127.0.0.1")
        worker = self._start("worker", *options, "--local-directory", str(self._folder))
        (self._nannies if nanny == "--nanny" else self._all).append(worker)
        return worker

    def _start(self, role: str, *options: str) -> subprocess.Popen[bytes]:
        command = [
            self._python,
            DASK,
            role,
            "--scheduler-file",
            str(self._folder / "scheduler.json"),
            *options,
        ]
        with (self._folder / f"{role}.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=self._environment)

    def wait_for(self, n_workers: int) -> None:
        """Wait until so many workers are there, no more and no fewer."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            wait_until(lambda: len(client.nthreads()) == n_workers, f"{n_workers} workers")

    def end(self) -> None:
        """End all of them."""
        for process in self._nannies:
            process.terminate()  # a nanny takes its worker with it
        for process in self._nannies:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for process in reversed(self._all):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def processes(warm: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """A scheduler with two workers; a test that kills one starts another."""
    made = Processes(tmp_path_factory.mktemp("dask"), warm)
    try:
        for _ in range(2):
            made.start_worker()
        made.wait_for(2)
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def nannied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """The same, each worker under a nanny."""
    made = Processes(tmp_path_factory.mktemp("nannied"))
    try:
        for _ in range(2):
            made.start_worker(nanny="--nanny")
        made.wait_for(2)
        yield made
    finally:
        made.end()


@pytest.fixture(scope="session")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4,500 records without labels as JSON lines, some 17 MB; tests read it only."""
    file = tmp_path_factory.mktemp("lines") / "news.jsonl"
    some = list(sample_json_lines(n_records=1500, seed=3, is_labelled=False))
    file.write_bytes(b"".join(b'{"number":"%d",' % number + line[1:] for number, line in enumerate(some * 3)))
    return file
