"""Processor time and memory of `scoring runs`, by number of runs in the store.

    python experiments/benchmarks/runs.py
    python experiments/benchmarks/runs.py --smoke

The runs are copies of one, with the metrics, parameters and tags of a training, in a SQLite store. Compared
are importing MLflow with its store, and MLflow's search of all runs, as a notebook would do it.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path
from uuid import UUID

from blocks import markdown
from processor import program_costs
from timing import Figure, arguments, machine, own_home, publish, scoring

SIZES = (200, 2_000)
EXPERIMENT = "scoring"
IMPORT = "import mlflow.store.tracking.sqlalchemy_store"
SEARCH = "import mlflow; mlflow.set_tracking_uri({!r}); mlflow.search_runs(search_all_experiments=True)"
COPIED = {  # columns of a run that are copied to each
    "metrics": "key, value, timestamp, step, is_nan",
    "latest_metrics": "key, value, timestamp, step, is_nan",
    "params": "key, value",
    "tags": "key, value",
}


def make_store(database: Path, n_runs: int) -> None:
    """Write a store of runs that differ in their id and time."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient(f"sqlite:///{database}")
    tags = {f"tag_{number}": "x" * 40 for number in range(10)} | {"type": "train", "model": "default 1"}
    experiment = client.create_experiment(EXPERIMENT)
    run_id = client.create_run(experiment, start_time=0, tags=tags).info.run_id
    metrics = [Metric(f"quality/part_{number}", number, 0, 0) for number in range(60)]
    metrics += [Metric(name, 0.5, 0, 0) for name in ("quality_mae", "published_f1")]
    client.log_batch(run_id, metrics, [Param(f"name_{number}", "value") for number in range(70)])
    client.set_terminated(run_id)
    connection = sqlite3.connect(database)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(runs)")]
    own = {"run_uuid": ":id", "name": ":id", "start_time": ":number"}
    values = ", ".join(own.get(name, name) for name in columns)
    for number in range(1, n_runs):
        given = {"id": UUID(int=number).hex, "number": number, "copied": run_id}
        connection.execute(f"INSERT INTO runs SELECT {values} FROM runs WHERE run_uuid = :copied", given)  # noqa: S608
        for name, names in COPIED.items():
            rows = f"SELECT {names}, :id FROM {name} WHERE run_uuid = :copied"  # noqa: S608
            connection.execute(f"INSERT INTO {name} ({names}, run_uuid) {rows}", given)
    connection.commit()
    connection.close()


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=1)
    parser.add_argument("--make", nargs=2, metavar=("DATABASE", "N"), help="make a store only")
    options = parser.parse_args()
    if options.make:
        make_store(Path(options.make[0]), int(options.make[1]))
        return
    rows, figures = [], []
    for n_runs in (4,) if options.smoke else SIZES:
        with own_home(options) as folder:
            # In a process of its own: a program's peak is at least the memory of the process that starts it.
            program_costs(sys.executable, __file__, "--make", str(folder / "mlflow.db"), str(n_runs))
            uri = f"sqlite:///{folder}/mlflow.db"
            os.environ["SCORING_TRACKING_URI"] = uri
            commands = {
                "import MLflow": (sys.executable, "-c", IMPORT),
                "scoring runs": scoring("runs"),
                "scoring runs --sort quality_mae": scoring("runs", "--sort", "quality_mae"),
                "mlflow.search_runs of all": (sys.executable, "-c", SEARCH.format(uri)),
            }
            runs = {name: program_costs(*command) for name, command in commands.items()}
        bare = runs["import MLflow"]["seconds"]
        for name, run in runs.items():
            rows.append([name, f"{n_runs:,}", f"{run['seconds']:.2f}", f"{run['mb']:.0f}"])
            if name.startswith("scoring"):
                figures.append(Figure(f"{name} of {n_runs:,}: seconds more", run["seconds"] - bare, 1))
                figures.append(Figure(f"{name} of {n_runs:,}: MB", run["mb"], 300))
    publish(
        "runs",
        [
            f"Processor seconds of whole processes. {machine(['mlflow'])}.",
            markdown(["what", "runs in the store", "seconds", "peak, MB"], rows),
            "\n".join(f"- {figure}" for figure in figures),
        ],
        options,
    )


if __name__ == "__main__":
    main()
