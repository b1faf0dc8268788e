"""Scoring an archive end to end, from files to JSON lines, as whole processes, compared with a simple script.

    python experiments/benchmarks/score.py ARCHIVE
    python experiments/benchmarks/score.py --smoke

The simple script is obvious.py; it needs the extra ``benchmarks``.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import parsers
from timing import (
    HERE,
    Figure,
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

from scoring.records.files import expand


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=5)
    options = parser.parse_args()
    with records(options, parser) as folders:
        files = expand(folders)
        n = options.threads
        score = scoring("score", *folders, "--format", "jsonl", "--quiet")

        def cold() -> None:
            shutil.rmtree(os.environ["SCORING_HOME"], ignore_errors=True)
            run_program(*score)

        runs: dict[str, Callable[[], object]] = {
            "cold cache": cold,
            "warm cache": partial(run_program, *score),
            "no cache": partial(run_program, *score, "--no-cache"),
            "no cache, one process": partial(run_program, *score, "--no-cache", SCORING_THREADS="1"),
            f"PyYAML's C loader alone, {n} processes": partial(parsers.pyyaml, files, n),
        }
        if find_spec("frontmatter"):
            obvious = (sys.executable, str(HERE / "obvious.py"))
            model = f"{os.path.dirname(os.environ['SCORING_HOME'])}/obvious.pickle"
            run_program(*obvious, "fit", folders[0], model)
            runs["obvious script"] = partial(run_program, *obvious, "score", folders[0], model)
        runs["one file"] = partial(run_program, *scoring("score", files[0], "--format", "jsonl"))
        runs["--help"] = partial(run_program, *scoring("--help"))
        seconds = take_turns(runs, options.runs)
        figures = [
            Figure("cold cache against PyYAML alone", ratio(seconds, "cold cache", list(runs)[4]), 1 / 4),
            Figure("warm cache against cold", ratio(seconds, "warm cache", "cold cache"), 1 / 3),
            Figure("one file, s", sorted(seconds["one file"])[options.runs // 2], 1.2),
            Figure("--help, s", sorted(seconds["--help"])[options.runs // 2], 0.25),
        ]
        if "obvious script" in runs:
            cold_ratio = ratio(seconds, "cold cache", "obvious script")
            figures.append(Figure("cold cache against the obvious script", cold_ratio, 1 / 10))
        publish(
            "score",
            [
                f"{size_of(folders)}. {machine(('python-frontmatter',))}.",
                table(seconds, "cold cache"),
                "\n".join(f"- {figure}" for figure in figures),
            ],
            options,
        )


if __name__ == "__main__":
    main()
