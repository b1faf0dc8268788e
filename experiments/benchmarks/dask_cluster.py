"""Scoring on a Dask cluster of two workers, compared with one process of two threads.

    python experiments/benchmarks/dask_cluster.py ARCHIVE...
    python experiments/benchmarks/dask_cluster.py --smoke

The scheduler and the workers (one thread each) are started before timing; the time of the client process is
included. Needs the extra ``dask``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from blocks import markdown
from growth import N_LINES
from timing import (
    Figure,
    Seconds,
    arguments,
    machine,
    publish,
    ratio,
    records,
    run_program,
    scoring,
    size_of,
    table,
    take_turns,
)

from scoring.distributed.cluster import opened
from scoring.distributed.partitions import plan
from scoring.distributed.storage import Found
from scoring.records.synthetic.generate import sample_json_lines

ALONE, CLUSTER = "one process, two threads", "Dask, two workers"
START_SECONDS = 60


class Running:
    """A scheduler and its workers."""

    def __init__(self, folder: Path) -> None:
        self._file, self._folder = folder / "scheduler.json", folder
        self.processes = [self._start("scheduler", "--host", "127.0.0.1", "--port", "0")]
        self.workers = [
            self._start("worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny") for _ in range(2)
        ]
        self.processes += self.workers
        ends = time.monotonic() + START_SECONDS
        while not self._file.exists() or not self._file.read_text().endswith("}"):
            if time.monotonic() > ends:
                raise SystemExit(f"got no scheduler within {START_SECONDS} seconds")
            time.sleep(0.1)
        self.address = json.loads(self._file.read_text())["address"]

    def _start(self, role: str, *options: str) -> subprocess.Popen[bytes]:
        dask = str(Path(sys.executable).with_name("dask"))
        command = (dask, role, "--scheduler-file", str(self._file), "--no-dashboard", *options)
        with (self._folder / f"{role}.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)  # noqa: S603 -- our own

    def peak_mb(self) -> float:
        """Largest peak memory of a worker; MB."""
        return max(_peak_mb(worker.pid) for worker in self.workers)

    def end(self) -> None:
        """Terminate all processes."""
        for process in reversed(self.processes):
            process.terminate()
            process.wait()


def _peak_mb(process: int) -> float:
    fields = Path(f"/proc/{process}/status").read_text().split()
    return int(fields[fields.index("VmHWM:") + 1]) / 1024


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """Start a cluster; yield it when its workers are ready."""
    folder.mkdir()
    cluster = Running(folder)
    try:
        with opened(cluster.address, n_processes=1) as connection:
            connection.client.wait_for_workers(2, timeout=START_SECONDS)
        yield cluster
    finally:
        cluster.end()


def run_from_scratch(output: Path, *command: str) -> None:
    """Remove the output of an earlier run, then run a program."""
    shutil.rmtree(output, ignore_errors=True)
    run_program(*command)


def compare(paths: Sequence[str], cluster: Running, output: Path, options: argparse.Namespace) -> Seconds:
    """Measure both ways to score the same records; seconds."""
    common = ("score", *paths, "--quiet", "--output")
    parted = ("--dask", cluster.address, "--partition-mb", str(options.partition_mb))
    runs = {
        ALONE: partial(run_program, *scoring(*common, f"{output}.jsonl", "--no-cache")),
        CLUSTER: partial(run_from_scratch, output, *scoring(*common, str(output), *parted)),
    }
    return take_turns(runs, options.runs)


def write_lines(file: Path, n_records: int) -> None:
    """Write synthetic JSON lines, all different."""
    samples = list(sample_json_lines(n_records=min(N_LINES, n_records), seed=1, is_labelled=False))
    with file.open("wb") as lines:
        for number, line in enumerate(islice(cycle(samples), n_records)):
            lines.write(b'{"number":"%d",' % number + line[1:])


def figures_of(output: Path, seconds: float, n_bytes: int, cluster: Running) -> list[str]:
    """Metrics of a run, per record, worker and partition, as a table row."""
    manifest = json.loads((output / "_manifest.json").read_bytes())
    n_records, parts = manifest["n_records"], manifest["partitions"]
    beside = sum(file.stat().st_size for file in output.rglob("*.json"))
    return [
        f"{n_records:,}",
        f"{n_bytes / n_records / 1000:.1f}",
        f"{len(parts)}",
        f"{n_records / seconds / 2:,.0f}",
        f"{n_bytes / seconds / 2 / 1e6:.1f}",
        f"{seconds * 2 / n_records * 1e6 / 3600:.2f}",
        f"{cluster.peak_mb():.0f}",
        f"{sum(part['n_bytes'] for part in parts) / n_records:.0f}",
        f"{beside / len(parts):.0f}",
    ]


HEADER = (
    *("records", "kB a record", "partitions", "records a second and worker", "MB a second and worker"),
    *("worker hours a million", "worker's peak, MB", "bytes out a record", "bytes of manifest a partition"),
)


def nothing(number: int) -> int:
    """A task that does nothing."""
    return number


def client_costs(cluster: Running, n_tasks: int) -> list[str]:
    """Cost of an empty task for scheduler and client, and memory of the plan per partition."""
    with opened(cluster.address, n_processes=1) as connection:
        begins = time.perf_counter()
        n_done = sum(1 for _ in connection.each(nothing, range(n_tasks), name="nothing"))
        seconds = time.perf_counter() - begins
    address = "s3://bucket/news/2024-01-01.jsonl"
    tracemalloc.start()
    partitions = plan([Found(address, address, n_tasks * 10**6, "")], 10**6)
    n_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return [
        f"- a task that does nothing: {seconds / n_done * 1000:.2f} ms ({n_done:,} of them)",
        f"- a partition in the plan: {n_bytes / len(partitions):,.0f} bytes ({len(partitions):,} of them)",
    ]


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=3)
    parser.add_argument("--lines", type=int, default=100_000, metavar="N", help="synthetic JSON lines")
    parser.add_argument("--partition-mb", type=int, default=16, metavar="MB", help="size of a partition")
    parser.add_argument("--tasks", type=int, default=5_000, metavar="N", help="tasks that do nothing")
    options = parser.parse_args()
    if options.smoke:
        options.lines, options.tasks, options.runs = 300, 50, 1
    parts: list[str] = []
    rows, figures = [], []
    with records(options, parser) as folders:
        scratch = Path(os.environ["SCORING_HOME"]).parent
        lines = scratch / "lines.jsonl"
        write_lines(lines, options.lines)
        with running(scratch / "cluster") as cluster:
            for name, paths, size in (
                ("archives", folders, size_of(folders)),
                ("JSON lines", [str(lines)], f"{options.lines:,} synthetic JSON lines"),
            ):
                output = scratch / name.replace(" ", "-")
                seconds = compare(paths, cluster, output, options)
                rows.append(figures_of(output, median(seconds[CLUSTER]), _bytes_of(output), cluster))
                figures.append(
                    Figure(f"{name}: Dask against one process", ratio(seconds, CLUSTER, ALONE), 1.3)
                )
                parts.append(f"{name}: {size}\n\n{table(seconds, ALONE)}")
            costs = client_costs(cluster, options.tasks)
    publish(
        "Dask",
        [
            f"Partitions of {options.partition_mb} MB, no cache of features. "
            f"{machine(('dask', 'distributed'))}.",
            *parts,
            markdown(HEADER, rows),
            "\n".join(costs),
            "\n".join(f"- {figure}" for figure in figures),
        ],
        options,
    )


def _bytes_of(output: Path) -> int:
    """Total size of the inputs of a data set; bytes."""
    manifest = json.loads((output / "_manifest.json").read_bytes())
    return sum(source["n_bytes"] for source in manifest["inputs"])


if __name__ == "__main__":
    main()
