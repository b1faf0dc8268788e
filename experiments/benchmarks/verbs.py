"""Processor time and peak memory of commands that read a whole labelled archive, by number of records.

    python experiments/benchmarks/verbs.py
    python experiments/benchmarks/verbs.py --smoke

Whole processes on synthetic records: a training with its evaluation, then `evaluate`, `drift`, `compare` and
`audit` of the same records, without MLflow. The exponent is that of the smallest and the largest size.
"""

from __future__ import annotations

import os
from pathlib import Path

from blocks import markdown
from processor import Run, exponent, program_costs
from timing import Figure, arguments, machine, own_home, publish, scoring

from scoring.records.synthetic.generate import write_sample

SIZES = (5_000, 20_000)
VERBS = ("train", "evaluate", "drift", "compare", "audit")


def measure(folder: Path, n_records: int, verbs: list[str]) -> dict[str, Run]:
    """Run each command on as many records; `train` comes first."""
    archive, model = str(folder / f"news-{n_records}"), str(folder / f"model-{n_records}")
    write_sample(Path(archive), n_records=n_records, seed=1)
    commands = {
        "train": ("train", archive, "--no-track", "--output", model),
        "evaluate": ("evaluate", archive, "--model", model, "--no-track"),
        "drift": ("drift", archive, "--model", model, "--no-track"),
        "compare": ("compare", model, "shipped", archive, "--no-track"),
        "audit": ("audit", archive),
    }
    return {verb: program_costs(*scoring(*commands[verb])) for verb in ("train", *verbs)}


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=1)
    parser.add_argument("--sizes", type=int, nargs="+", metavar="N", help="records of runs")
    parser.add_argument(
        "--verbs", nargs="+", default=VERBS, choices=VERBS, help="commands after the training"
    )
    options = parser.parse_args()
    sizes = sorted(options.sizes or ((280, 320) if options.smoke else SIZES))
    verbs = [verb for verb in options.verbs if verb != "train"]
    with own_home(options) as folder:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
        runs = {size: measure(folder, size, verbs) for size in sizes}
    rows, figures = [], []
    for verb in ("train", *verbs):
        costs = [runs[size][verb] for size in sizes]
        powers = {name: exponent(sizes, [cost[name] for cost in costs]) for name in ("seconds", "mb")}
        for size, cost in zip(sizes, costs, strict=True):
            each = (cost["mb"] - costs[0]["mb"]) / max(size - sizes[0], 1) * 1000
            numbers = (f"{cost['seconds']:.1f}", f"{cost['mb']:.0f}", f"{each:.0f}" if each else "")
            last = (f"{powers['seconds']:.2f}", f"{powers['mb']:.2f}") if size == sizes[-1] else ("", "")
            rows.append([verb, f"{size:,}", *numbers, *last])
        figures.append(Figure(f"{verb}: exponent of the time", powers["seconds"], 1.1))
    if "audit" in verbs:
        last_run = runs[sizes[-1]]
        ratio = last_run["audit"]["seconds"] / last_run["train"]["seconds"]
        figures.append(Figure(f"audit of {sizes[-1]:,}, times its training", ratio, 3))
    publish(
        "commands on whole archives",
        [
            f"Processor seconds and peak memory of whole processes, {options.threads} threads. {machine()}.",
            markdown(
                [
                    "what",
                    "records",
                    "seconds",
                    "MB",
                    "kB a further record",
                    "exponent, time",
                    "exponent, memory",
                ],
                rows,
            ),
            "\n".join(f"- {figure}" for figure in figures),
        ],
        options,
    )


if __name__ == "__main__":
    main()
