"""Runs commands as if some packages were not installed: each in a fork of one interpreter.

As a program it reads cases from standard input (a list of lists: modules that are missing, and the arguments
of `scoring`, or of `python -c` where the first is `-c`), and prints a list of exit codes and outputs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import IO, NamedTuple

ROOT = Path(__file__).parents[1]

Case = tuple[Iterable[str], Sequence[str]]


class Done(NamedTuple):
    """Exit code and output of a program."""

    code: int
    stdout: str
    stderr: str


class Missing:
    """An import finder that blocks some modules."""

    def __init__(self, modules: Iterable[str]) -> None:
        self.modules = frozenset(modules)

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> None:
        """Raise the error of a module that is not installed."""
        if name.partition(".")[0] in self.modules:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def run_without(cases: Sequence[Case], folder: Path) -> list[Done]:
    """Run each case in the folder, in a fork of one interpreter that has imported only the core."""
    outside = {
        name: value for name, value in os.environ.items() if not name.startswith(("SCORING_", "MLFLOW_"))
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__))],
        input=json.dumps([[sorted(modules), list(arguments)] for modules, arguments in cases]),
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env=outside | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    return [Done(*result) for result in json.loads(done.stdout)]


def _run(arguments: list[str], streams: Sequence[IO[str]]) -> None:
    """Run the program in this process, then exit."""
    for stream, number in zip(streams, (1, 2), strict=True):
        os.dup2(stream.fileno(), number)
    code: int | str | None = 0
    try:
        if arguments[0] == "-c":
            exec(arguments[1], {"__name__": "__main__"})  # noqa: S102 -- a line of the tests
        else:
            from scoring.cli.app import main

            sys.argv = ["scoring", *arguments]
            main()
    except SystemExit as end:
        code = end.code
    except BaseException:  # what an interpreter prints
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else code is not None)


def _results(cases: list[tuple[list[str], list[str]]]) -> list[Done]:
    import scoring.cli.app  # noqa: F401 -- once for all

    results = []
    for missing, arguments in cases:
        with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
            process = os.fork()
            if not process:
                sys.meta_path.insert(0, Missing(missing))
                _run(arguments, (stdout, stderr))
            _, status = os.waitpid(process, 0)
            texts = []
            for stream in (stdout, stderr):
                stream.seek(0)
                texts.append(stream.read())
            results.append(Done(os.waitstatus_to_exitcode(status), *texts))
    return results


if __name__ == "__main__":
    json.dump(_results(json.load(sys.stdin)), sys.stdout)
