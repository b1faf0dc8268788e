"""Run the mutants: each is one replacement in the code, and the tests of its module have to fail with it.

usage: python tests/mutants/run.py [PART OF A FILE NAME ...]

``mutants.toml`` has the replacements. Each is made in a copy of the project, where the tests of its module
run up to the first failure. The outcomes are written to ``outcome.md``, unless only some files are named. The
exit code is 1 if fewer than 85 % are killed, or if a replacement does not fit the code.
"""

from __future__ import annotations

import compileall
import importlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from multiprocessing.connection import wait
from pathlib import Path
from typing import NamedTuple

import pytest

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
COPIED = ("scoring", "tests", "models", "experiments", "docs")
MIN_KILLED_RATIO = 0.85
N_PROCESSES = 2
LIMIT_SECONDS = 300
"""A mutant whose tests take longer is killed: its code hangs."""
PRELOADED = ("hypothesis", "lightgbm", "mlflow", "pandas", "scipy.sparse.linalg", "matplotlib.figure")
"""Packages that tests import; each process inherits them."""

KILLED, SURVIVED = "killed", "survived"
OUTPUT = "output.txt"
FORK = multiprocessing.get_context("fork")


class Mutant(NamedTuple):
    """One replacement in a file below ``scoring/``."""

    file: str
    before: str
    after: str
    tests: tuple[str, ...]
    is_equivalent: bool


class Running(NamedTuple):
    """A process that tests a mutant in a copy of the project."""

    number: int
    process: multiprocessing.process.BaseProcess
    project: Path
    started_at: float


def read_mutants() -> list[Mutant]:
    """The replacements of ``mutants.toml``, in its order."""
    tables = tomllib.loads((FOLDER / "mutants.toml").read_text("utf-8"))["module"]
    return [
        Mutant(table["file"], before, after, tuple(table["tests"]), kind == "equivalent")
        for table in tables
        for kind in ("mutants", "equivalent")
        for before, after in table.get(kind, [])
    ]


def run_tests(project: Path, tests: tuple[str, ...]) -> None:
    """Run tests of a copy of the project, and exit with the exit code of pytest."""
    output = os.open(project / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(project)
    sys.path[0] = str(project)
    sys.dont_write_bytecode = True
    os.environ["PYTHONPATH"] = str(project)  # for programs that tests start
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # one is needed, for `worker_id`
    code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-p", "xdist.plugin", *tests])
    os._exit(int(code))


def copy_project(folder: Path) -> Path:
    """Copy what tests need, and compile it."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    compileall.compile_dir(folder / "scoring", quiet=1)
    return folder


def outcome_of(exit_code: int | None) -> str:
    """Outcome by the exit code of pytest; 2 means a module that fails at import, below 0 a crash."""
    if exit_code is not None and exit_code <= 2:
        return KILLED if exit_code else SURVIVED
    return f"tests ended with {exit_code}"


def run_mutants(mutants: list[Mutant]) -> Iterator[tuple[int, str]]:
    """Run mutants in parallel; yield the number and outcome of each as it ends."""
    with tempfile.TemporaryDirectory() as folder:
        free = [copy_project(Path(folder, str(number))) for number in range(N_PROCESSES)]
        running: list[Running] = []
        waiting = list(enumerate(mutants))[::-1]
        while waiting or running:
            while waiting and free:
                number, mutant = waiting.pop()
                file = free[-1] / "scoring" / mutant.file
                original = file.read_text("utf-8")
                if original.count(mutant.before) != 1:
                    yield number, f"does not fit: in {original.count(mutant.before)} places"
                    continue
                file.write_text(original.replace(mutant.before, mutant.after), "utf-8")
                project = free.pop()
                process = FORK.Process(target=run_tests, args=(project, mutant.tests))
                process.start()
                running.append(Running(number, process, project, time.monotonic()))
            wait([entry.process.sentinel for entry in running], timeout=1)
            for entry in list(running):
                is_over_limit = time.monotonic() - entry.started_at > LIMIT_SECONDS
                if entry.process.is_alive() and not is_over_limit:
                    continue
                entry.process.kill()
                entry.process.join()
                running.remove(entry)
                mutated = mutants[entry.number].file
                shutil.copy2(ROOT / "scoring" / mutated, entry.project / "scoring" / mutated)
                free.append(entry.project)
                yield entry.number, KILLED if is_over_limit else outcome_of(entry.process.exitcode)


def is_passing(mutants: list[Mutant]) -> bool:
    """Whether the tests pass without mutants: otherwise their failures mean nothing."""
    tests = tuple(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
    with tempfile.TemporaryDirectory() as folder:
        process = FORK.Process(target=run_tests, args=(copy_project(Path(folder)), tests))
        process.start()
        process.join()
        if process.exitcode:
            print(Path(folder, OUTPUT).read_text("utf-8", errors="replace")[-3000:])
    return process.exitcode == 0


def main(named: list[str]) -> int:
    """Run all mutants, or those of files that match a part of their name."""
    mutants = [mutant for mutant in read_mutants() if not named or any(part in mutant.file for part in named)]
    for name in PRELOADED:
        importlib.import_module(name)
    if not is_passing(mutants):
        print("the tests fail without a mutant: run them with pytest, and mend them first")
        return 1
    outcomes = [""] * len(mutants)
    for count, (number, outcome) in enumerate(run_mutants(mutants), 1):
        outcomes[number] = outcome
        mutant = mutants[number]
        print(f"{count}/{len(mutants)} {outcome}: {mutant.file}: {mutant.before!r}", flush=True)
    rows = list(zip(mutants, outcomes, strict=True))
    counted = [outcome for mutant, outcome in rows if not mutant.is_equivalent]
    n_killed, n_equivalent = counted.count(KILLED), len(rows) - len(counted)
    summary = f"{n_killed} of {len(counted)} killed; {n_equivalent} more are nearly equivalent"
    print(summary)
    if not named:
        (FOLDER / "outcome.md").write_text(to_page(rows, summary), "utf-8")
    is_fitting = all(outcome in (KILLED, SURVIVED) for outcome in outcomes)
    return 0 if is_fitting and n_killed >= MIN_KILLED_RATIO * len(counted) else 1


def to_page(rows: list[tuple[Mutant, str]], summary: str) -> str:
    """The outcomes as Markdown."""
    lines = ["# Mutants", "", f"Written by `make mutants`: {summary}.", ""]
    lines += ["| file | before | after | outcome |", "|---|---|---|---|"]
    for mutant, outcome in rows:
        before, after = (
            f"`` {' '.join(text.split())} ``".replace("|", "\\|") if text else "nothing"
            for text in (mutant.before, mutant.after)
        )
        note = " (nearly equivalent)" if mutant.is_equivalent else ""
        lines.append(f"| {mutant.file} | {before} | {after} | {outcome}{note} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
