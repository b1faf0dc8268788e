"""Shared by the speed benchmarks: records, timing in turns, tables, and the results page."""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from blocks import markdown

from scoring.records.files import expand
from scoring.records.synthetic.generate import write_sample

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "RESULTS.md"
LIBRARIES = ("news-scoring", "lightgbm", "numpy", "pandas", "scikit-learn", "pyyaml", "rapidyaml", "msgspec")
# These recompile modules at each start, or flush each line: unusual for an installed program.
_ODD_STARTS = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")

#: Seconds of the runs, by name.
Seconds = dict[str, list[float]]


class Figure(NamedTuple):
    """A measured value and its target."""

    name: str
    value: float
    most: float

    def __str__(self) -> str:
        is_reached = "reached" if self.value <= self.most else "**not reached**"
        return f"{self.name}: {self.value:.3g} (at most {self.most:.3g}: {is_reached})"


def arguments(description: str | None, *, runs: int) -> argparse.ArgumentParser:
    """Parser with the arguments shared by the speed benchmarks."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("archives", nargs="*", metavar="ARCHIVE", help="folders of labelled records")
    parser.add_argument("--smoke", action="store_true", help="a dry run on synthetic records; the page stays")
    parser.add_argument("--sample-records", type=int, default=60, help="synthetic records of a dry run")
    parser.add_argument("--runs", type=int, default=runs, help="turns of each")
    n_cores = os.cpu_count() or 1
    parser.add_argument("--threads", type=int, default=min(2, n_cores), help="processes or threads")
    return parser


@contextmanager
def records(options: argparse.Namespace, parser: argparse.ArgumentParser) -> Iterator[list[str]]:
    """Folders to read: archives, or synthetic records in a dry run; with a separate home."""
    missing = [path for path in options.archives if not Path(path).exists()]
    if missing or not (options.archives or options.smoke):
        parser.error(f"archives: got {missing or 'none'}, expected folders of records (or --smoke)")
    with own_home(options) as folder:
        if not options.archives:
            write_sample(folder / "sample", n_records=options.sample_records, seed=1)
        yield options.archives or [str(folder / "sample")]


@contextmanager
def own_home(options: argparse.Namespace) -> Iterator[Path]:
    """Temporary folder with the home of all started programs."""
    with tempfile.TemporaryDirectory(prefix="scoring-benchmark-") as folder:
        os.environ["SCORING_HOME"] = f"{folder}/home"
        os.environ["SCORING_THREADS"] = str(options.threads)
        yield Path(folder)


def take_turns(runs: Mapping[str, Callable[[], object]], n_runs: int) -> Seconds:
    """Time callables in turns, so that a busy moment affects all of them; seconds."""
    seconds: Seconds = {name: [] for name in runs}
    for _ in range(n_runs):
        for name, run in runs.items():
            begins = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begins)
            print(f"{name}: {seconds[name][-1]:.3f} s", file=sys.stderr, flush=True)
    return seconds


def run_program(*command: str, **environment: str) -> None:
    """Run a program to its end without output, in the environment of a normal shell."""
    inherited = {name: value for name, value in os.environ.items() if name not in _ODD_STARTS}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=inherited | environment)  # noqa: S603 -- our own


def scoring(*arguments: str) -> tuple[str, ...]:
    """Command line of this environment's `scoring`."""
    return (str(Path(sys.executable).with_name("scoring")), *arguments)


def table(seconds: Seconds, baseline: str, *, unit: str = "s", scale: float = 1.0) -> str:
    """Markdown table: median and fastest run of each, and the median as a multiple of a reference's."""
    reference = median(seconds[baseline])
    rows = [
        [
            name,
            f"{median(values) * scale:.3f}",
            f"{min(values) * scale:.3f}",
            f"{median(values) / reference:.2f}",
            str(len(values)),
        ]
        for name, values in seconds.items()
    ]
    return markdown(["what", f"median, {unit}", f"fastest, {unit}", f"times '{baseline}'", "runs"], rows)


def ratio(seconds: Seconds, of: str, to: str) -> float:
    """Ratio of two medians."""
    return median(seconds[of]) / median(seconds[to])


def machine(libraries: Iterable[str] = ()) -> str:
    """Processor, cores, memory and versions in one line."""
    versions = []
    for library in (*LIBRARIES, *libraries):
        try:
            versions.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            versions.append(f"{library} absent")
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {gigabytes:.0f} GB; "
        f"Python {platform.python_version()}, {', '.join(versions)}"
    )


def size_of(folders: Sequence[str]) -> str:
    """Number and total size of the record files, as text."""
    files = expand(folders)
    return f"{len(files):,} files, {sum(map(os.path.getsize, files)) / 1e6:,.0f} MB"


def publish(title: str, parts: Sequence[Any], options: argparse.Namespace) -> None:
    """Print a section, and replace the section with the same title on the results page."""
    heading = f"## Speed: {title}"
    command = f"python experiments/benchmarks/{Path(sys.argv[0]).name}" + " ARCHIVE..." * bool(
        options.archives
    )
    section = "\n\n".join([heading, f"```console\n$ {command}\n```", *map(str, parts)])
    print(section)
    if not options.smoke:
        page = PAGE.read_text("utf-8")
        old = re.search(rf"^{re.escape(heading)}\n.*?(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
        start, stop = old.span() if old else (len(page), len(page))
        before, after = page[:start].rstrip(), page[stop:].strip()
        PAGE.write_text("\n\n".join(part for part in (before, section, after) if part) + "\n", "utf-8")
