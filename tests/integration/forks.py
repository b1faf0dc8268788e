"""Runs of `scoring` that are killed after a given processor time, independent of the load of the machine.

Each is forked from a process that has imported everything needed, and has neither threads nor open files.
This module is the client, and as a program the forking process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.warm_python import without

ROOT = Path(__file__).parents[2]
# One thread each, also where a library begins some as it is imported.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "SCORING_THREADS": "1",
}


class Ended(NamedTuple):
    """Exit code of a run (negative: signal) and its processor time, in seconds."""

    code: int
    seconds: float


class Forks:
    """The process that forks.

    Attributes
    ----------
    threads : list of str
        Names of that process's threads.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.threads: list[str] = self._read_answer()

    def run(self, *arguments: object, kill_at: float | None = None) -> Ended:
        """Run a command; it is killed once it has used that many seconds of processor time."""
        self.start(*arguments, kill_at=kill_at)
        return self.wait()

    def start(self, *arguments: object, kill_at: float | None = None) -> int:
        """Start a command; return the number of its process."""
        assert self._process.stdin is not None
        print(
            json.dumps([[str(argument) for argument in arguments], kill_at]),
            file=self._process.stdin,
            flush=True,
        )
        return int(self._read_answer())

    def wait(self) -> Ended:
        """Wait for the command that was started."""
        return Ended(*self._read_answer())

    def _read_answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextlib.contextmanager
def forking(home: Path, scratch: Path) -> Iterator[Forks]:
    """Start the forking process, with its own home and folder for temporary files."""
    env = os.environ | ONE_THREAD | {"SCORING_HOME": str(home), "TMPDIR": str(scratch)}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.forks"],
        cwd=ROOT,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Forks(process)
        assert process.stdin is not None
        process.stdin.close()


def _import_all() -> None:
    """Import everything that a training needs, except plots, which take half of the time."""
    from matplotlib.figure import Figure

    from scoring import plots, report
    from scoring.tracking.store import load_mlflow
    from scoring.workflows import train  # noqa: F401

    with without("polars"):  # MLflow imports it where it is, and it has threads
        load_mlflow()
        import git  # noqa: F401
        import lightgbm  # noqa: F401
        import mlflow.models.display_utils
        import mlflow.pyfunc.scoring_server
        import mlflow.store.model_registry.sqlalchemy_workspace_store
        import mlflow.store.tracking.sqlalchemy_workspace_store  # noqa: F401
        from mlflow.utils.requirements_utils import _init_modules_to_packages_map

    _init_modules_to_packages_map()  # MLflow looks through all that is installed, once in each process

    def draw(_: object, file: Path, **options: object) -> None:
        file.write_bytes(b"a plot")

    vars(plots).update(evaluation_figures=lambda _: {})
    vars(report).update(evaluation_report=lambda *_, **__: "<p>a report</p>")
    Figure.savefig = draw  # type: ignore[method-assign,assignment]


def _start(arguments: list[str]) -> int:
    if (pid := os.fork()) == 0:
        code: Any = 99
        try:
            from scoring.cli import main

            sys.argv = ["scoring", *arguments]
            main()
        except SystemExit as end:
            code = end.code or 0
        finally:
            os._exit(code)
    return pid


def _wait(pid: int, kill_at: float | None) -> Ended:
    clock = ~pid << 3 | 2  # as clock_getcpuclockid(3) makes it
    while not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | (os.WNOHANG if kill_at else 0)):
        assert kill_at is not None
        if time.clock_gettime(clock) >= kill_at:
            os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.001)
    _, status, used = os.wait4(pid, 0)
    return Ended(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime)


def _serve() -> None:
    _import_all()
    os.chdir(os.environ["TMPDIR"])  # MLflow makes a folder where it stands
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the commands print is no answer
    threads = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    print(json.dumps(threads), file=output, flush=True)
    for line in sys.stdin:
        arguments, kill_at = json.loads(line)
        pid = _start(arguments)
        print(pid, file=output, flush=True)
        print(json.dumps(_wait(pid, kill_at)), file=output, flush=True)


if __name__ == "__main__":
    _serve()
