"""What the benchmarks of speed share: records, turns, medians, the machine, the page with the figures."""

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

from scoring.records.corpus import expand
from scoring.records.synthetic.generate import write_sample

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "RESULTS.md"
LIBRARIES = ("news-scoring", "lightgbm", "numpy", "pandas", "scikit-learn", "pyyaml", "rapidyaml", "msgspec")
# Modules compiled at each start, each line of output by itself: rarely found where a program is installed.
_ODD_STARTS = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")

#: Seconds of each run by what was run.
Seconds = dict[str, list[float]]


class Figure(NamedTuple):
    """What was measured against what had to be reached."""

    name: str
    value: float
    most: float

    def __str__(self) -> str:
        is_reached = "reached" if self.value <= self.most else "**not reached**"
        return f"{self.name}: {self.value:.3g} (at most {self.most:.3g}: {is_reached})"


def arguments(description: str | None, *, runs: int) -> argparse.ArgumentParser:
    """A parser with the arguments that every benchmark of speed takes."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("archives", nargs="*", metavar="ARCHIVE", help="folders of labelled records")
    parser.add_argument("--smoke", action="store_true", help="a dry run on made-up records; the page stays")
    parser.add_argument("--sample-records", type=int, default=60, help="made-up records of a dry run")
    parser.add_argument("--runs", type=int, default=runs, help="turns of each")
    n_cores = os.cpu_count() or 1
    parser.add_argument("--threads", type=int, default=min(2, n_cores), help="processes or threads")
    return parser


@contextmanager
def records(options: argparse.Namespace, parser: argparse.ArgumentParser) -> Iterator[list[str]]:
    """The folders to read: archives, or made-up records in a dry run; a home of their own beside them."""
    missing = [path for path in options.archives if not Path(path).exists()]
    if missing or not (options.archives or options.smoke):
        parser.error(f"archives: got {missing or 'none'}, expected folders of records (or --smoke)")
    with own_home(options) as folder:
        if not options.archives:
            write_sample(folder / "sample", n_records=options.sample_records, seed=1)
        yield options.archives or [str(folder / "sample")]


@contextmanager
def own_home(options: argparse.Namespace) -> Iterator[Path]:
    """A scratch folder, with the home of all programs that are started in it."""
    with tempfile.TemporaryDirectory(prefix="scoring-benchmark-") as folder:
        os.environ["SCORING_HOME"] = f"{folder}/home"
        os.environ["SCORING_THREADS"] = str(options.threads)
        yield Path(folder)


def take_turns(runs: Mapping[str, Callable[[], object]], n_runs: int) -> Seconds:
    """Seconds of each of some callables, which take turns, so that a busy moment strikes all of them."""
    seconds: Seconds = {name: [] for name in runs}
    for _ in range(n_runs):
        for name, run in runs.items():
            begins = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begins)
            print(f"{name}: {seconds[name][-1]:.3f} s", file=sys.stderr, flush=True)
    return seconds


def run_program(*command: str, **environment: str) -> None:
    """Run a program whole, its output thrown away, with Python as a shell of its own would start it."""
    inherited = {name: value for name, value in os.environ.items() if name not in _ODD_STARTS}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=inherited | environment)  # noqa: S603 -- our own


def scoring(*arguments: str) -> tuple[str, ...]:
    """The command line of this environment's `scoring`."""
    return (str(Path(sys.executable).with_name("scoring")), *arguments)


def table(seconds: Seconds, against: str, *, unit: str = "s", scale: float = 1.0) -> str:
    """A Markdown table: median and fastest run of each, and its median in those of one of them."""
    one = median(seconds[against])
    rows = [
        [
            name,
            f"{median(values) * scale:.3f}",
            f"{min(values) * scale:.3f}",
            f"{median(values) / one:.2f}",
            str(len(values)),
        ]
        for name, values in seconds.items()
    ]
    return markdown(["what", f"median, {unit}", f"fastest, {unit}", f"times '{against}'", "runs"], rows)


def ratio(seconds: Seconds, of: str, to: str) -> float:
    """Median of one in medians of another."""
    return median(seconds[of]) / median(seconds[to])


def machine(libraries: Iterable[str] = ()) -> str:
    """Processor, cores, memory and versions, as one line."""
    told = []
    for library in (*LIBRARIES, *libraries):
        try:
            told.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            told.append(f"{library} absent")
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {gigabytes:.0f} GB; "
        f"Python {platform.python_version()}, {', '.join(told)}"
    )


def size_of(folders: Sequence[str]) -> str:
    """How many records there are, and their bytes, in words."""
    files = expand(folders)
    return f"{len(files):,} files, {sum(map(os.path.getsize, files)) / 1e6:,.0f} MB"


def publish(title: str, parts: Sequence[Any], options: argparse.Namespace) -> None:
    """Print a section, and put it in the place of the last one of its title on the page."""
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
