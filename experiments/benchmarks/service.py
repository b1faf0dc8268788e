"""The service compared with other ways to serve the same model: one worker each, the same record, locally.

python experiments/benchmarks/service.py ARCHIVE...
python experiments/benchmarks/service.py --smoke

MLflow serves the logged model (with a column signature, the slow form), and the same scorer with the type
hint ``list[dict]``, its fastest form for records. An endpoint of the same framework that only decodes the
body measures the cost of HTTP itself. The ways take turns. Batches are compared with the library: the same
lines are read, scored and written in one process. ``--checkout FOLDER`` adds the service of another checkout,
which shows what a change costs or gains: its requests per second in ours, turn by turn.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import msgspec
from blocks import markdown
from timing import Figure, arguments, machine, own_home, publish, scoring, take_turns

from scoring.artifact.saved_model import SavedModel, load_model, load_scorer
from scoring.errors import RecordError
from scoring.records.corpus import read_documents
from scoring.records.decode import decode_json
from scoring.records.synthetic.generate import sample_documents
from scoring.settings import default_model_folder, load_settings
from scoring.tracking import Store, log_model_folder, resolve_model

HERE = Path(__file__).resolve().parent
N_CLIENTS = 8
BATCH = 1000
OURS, DECODES, COLUMNS, RECORDS = "scoring serve", "decodes only", "mlflow, columns", "mlflow, list[dict]"

DECODER = """\
from fastapi import FastAPI, Request, Response

from scoring.records.decode import decode_json

app = FastAPI()


@app.post("/v1/score")
async def decode(request: Request) -> Response:
    decode_json(await request.body(), "-", 1)
    return Response(b"{}", media_type="application/json")
"""

HINTED = """\
from pathlib import Path
from typing import Any

import mlflow
import msgspec

from scoring.artifact.saved_model import load_scorer
from scoring.records.decode import decode_json


class Hinted(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.scorer = load_scorer(Path(context.artifacts["model"]))

    def predict(self, context, model_input: list[dict[str, Any]], params=None):
        documents = [decode_json(msgspec.json.encode(each), "-", 1) for each in model_input]
        return [msgspec.to_builtins(score) for score in self.scorer.score(documents)]


mlflow.models.set_model(Hinted())
"""


class Served(NamedTuple):
    """A running server: port, path and request body."""

    port: int
    path: str
    body: Path


class Load(NamedTuple):
    """Throughput and latencies of a load."""

    per_second: float
    median_ms: float
    p99_ms: float


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(command: Sequence[str], port: int, probe: str, log: Path) -> Iterator[None]:
    """Run a server; yield when it answers."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=log.parent, env=environment, stdout=output, stderr=output) as process,  # noqa: S603 -- our own
    ):
        try:
            end = time.monotonic() + 180
            while not is_up(f"http://127.0.0.1:{port}{probe}"):
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"{command[0]} does not serve: {log.read_text('utf-8')[-2000:]}")
                time.sleep(0.2)
            yield
        finally:
            process.terminate()


def is_up(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2):  # noqa: S310 -- on loopback
            return True
    except OSError:
        return False


def log_both(saved: SavedModel, folder: Path) -> tuple[Path, Path]:
    """Log the model as a training does, and save it with a type hint; return both folders."""
    settings = load_settings()
    store = Store(settings.tracking_uri, settings.home)
    facts = saved.manifest.training
    run_id = log_model_folder(
        store,
        default_model_folder(),
        experiment="benchmark",
        model=saved.name,
        config=msgspec.to_builtins(facts.config),
        figures=facts.metrics,
        baselines=facts.baselines,
        data_sha256=facts.data_sha256,
        n_records=facts.n_records,
        started_at=datetime.now(UTC),
    )
    columns = resolve_model(store, f"runs:/{run_id}").parents[1]
    import mlflow

    (folder / "hinted.py").write_text(HINTED)
    hinted = folder / "hinted"
    mlflow.pyfunc.save_model(
        str(hinted),
        python_model=str(folder / "hinted.py"),
        artifacts={"model": str(default_model_folder())},
        pip_requirements=[],
    )
    return columns, hinted


@contextmanager
def all_served(
    record: bytes, saved: SavedModel, folder: Path, *, has_mlflow: bool, checkouts: Sequence[Path] = ()
) -> Iterator[dict[str, Served]]:
    """Start all servers."""
    (folder / "decoder.py").write_text(DECODER)
    body = folder / "record.json"
    body.write_bytes(record)
    wrapped = folder / "mlflow.json"
    wrapped.write_bytes(b'{"inputs":[' + record + b"]}")
    fast = ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    with ExitStack() as stack:

        def start(name: str, command: Sequence[str], probe: str) -> int:
            port = free_port()
            arguments = [argument.replace("PORT", str(port)) for argument in command]
            stack.enter_context(running(arguments, port, probe, folder / f"{name}.log"))
            return port

        served = {
            OURS: Served(start("ours", scoring("serve", "--port", "PORT"), "/readyz"), "/v1/score", body)
        }
        for checkout in checkouts:
            command = ["env", f"PYTHONPATH={checkout.resolve()}", sys.executable, "-m", "scoring", "serve"]
            port = start(checkout.name, [*command, "--port", "PORT"], "/readyz")
            served[f"checkout {checkout.name}"] = Served(port, "/v1/score", body)
        command = [sys.executable, "-m", "uvicorn", "decoder:app", "--port", "PORT", *fast]
        served[DECODES] = Served(start("decoder", command, "/docs"), "/v1/score", body)
        rivals = zip((COLUMNS, RECORDS), log_both(saved, folder), strict=True) if has_mlflow else ()
        for name, logged in rivals:
            command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(logged), "-p", "PORT"]
            port = start(logged.name, [*command, "-w", "1", "--env-manager", "local"], "/ping")
            served[name] = Served(port, "/invocations", wrapped)
        yield served


def load(served: Served, n_clients: int, seconds: float) -> Load:
    """Load a server from a separate process."""
    arguments = [
        str(served.port),
        served.path,
        "application/json",
        str(served.body),
        str(n_clients),
        str(seconds),
    ]
    command = [sys.executable, str(HERE / "load.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 -- our own
    result = json.loads(done.stdout)
    if set(result["statuses"]) != {"200"}:
        raise SystemExit(f"{served}: got {result['statuses']}, expected 200")
    return Load(result["per_second"], 1000 * result["median_seconds"], 1000 * result["p99_seconds"])


def batch_seconds(port: int, lines: Sequence[bytes], n_runs: int) -> tuple[float, float]:
    """Median seconds of a batch by the library and by the service, measured in turns."""
    scorer = load_scorer(default_model_folder())
    headers = {"Content-Type": "application/x-ndjson"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/score", b"\n".join(lines), headers)

    def by_library() -> bytes:
        documents = [decode_json(line, "-", number) for number, line in enumerate(lines, start=1)]
        return msgspec.json.Encoder().encode_lines(list(scorer.score(documents)))

    def by_service() -> bytes:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 -- on loopback
            return bytes(answer.read())

    if by_library() != by_service():
        raise SystemExit("the service gives other scores than the library")
    seconds = take_turns({"library": by_library, "service": by_service}, n_runs)
    return median(seconds["library"]), median(seconds["service"])


def _stop(error: RecordError) -> None:
    raise error


def records_of(options: argparse.Namespace) -> list[bytes]:
    """Records as JSON, shortest first."""
    if options.archives:
        documents = read_documents(options.archives, on_fault=_stop)
        records = [msgspec.json.encode(document.record) for document in documents]
    else:
        samples = sample_documents(n_records=options.sample_records, seed=1)
        records = [msgspec.json.encode(record) for record, _ in samples]
    return sorted(records, key=len)


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=5)
    parser.add_argument("--without-mlflow", action="store_true", help="leave out what takes long to start")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
    parser.add_argument(
        "--checkout", type=Path, action="append", default=[], help="another one to compare with"
    )
    options = parser.parse_args()
    if not (options.archives or options.smoke):
        parser.error("archives: got none, expected folders of records (or --smoke)")
    lines = records_of(options)
    record = lines[len(lines) // 2]
    batch = [lines[index % len(lines)] for index in range(0, 7 * BATCH, 7)]
    saved = load_model(default_model_folder())
    loads: dict[tuple[str, int], list[Load]] = {}
    with (
        own_home(options) as folder,
        all_served(
            record, saved, folder, has_mlflow=not options.without_mlflow, checkouts=options.checkout
        ) as served,
    ):
        for _ in range(options.runs):
            for name, server in served.items():
                for n_clients in (N_CLIENTS, 1):
                    loads.setdefault((name, n_clients), []).append(load(server, n_clients, options.seconds))
                    print(name, n_clients, loads[name, n_clients][-1], file=sys.stderr, flush=True)
        library, service = batch_seconds(served[OURS].port, batch, 3 * options.runs)
    medians = {key: Load(*map(median, zip(*runs, strict=True))) for key, runs in loads.items()}
    parts = _parts(medians, record, batch, library, service, options)
    publish("service", [*parts, *filter(None, [_paired(loads)])], options)


def _paired(loads: dict[tuple[str, int], list[Load]]) -> str:
    """Requests per second of other checkouts in ours: the median over the turns."""
    lines = []
    for (name, n_clients), runs in loads.items():
        if name.startswith("checkout "):
            pairs = zip(runs, loads[OURS, n_clients], strict=True)
            ratio = median(other.per_second / own.per_second for other, own in pairs)
            lines.append(f"- requests a second of {name} in ours, {n_clients} clients: {ratio:.3f}")
    return "\n".join(lines)


def _parts(
    medians: dict[tuple[str, int], Load],
    record: bytes,
    batch: Sequence[bytes],
    library: float,
    service: float,
    options: argparse.Namespace,
) -> list[Any]:
    rows = [
        [name, str(n_clients), f"{result.per_second:,.0f}", f"{result.median_ms:.2f}", f"{result.p99_ms:.2f}"]
        for (name, n_clients), result in medians.items()
    ]
    scoring_load, decodes = medians[OURS, N_CLIENTS], medians[DECODES, N_CLIENTS]
    figures = [
        Figure(
            "requests a second of decoding only, in ours", decodes.per_second / scoring_load.per_second, 2.0
        ),
        Figure("seconds of a batch, in the library's own", service / library, 1 / 0.8),
    ]
    if rivals := [medians[name, N_CLIENTS] for name in (COLUMNS, RECORDS) if (name, N_CLIENTS) in medians]:
        fastest = max(rival.per_second for rival in rivals)
        lowest_median = min(rival.median_ms for rival in rivals)
        figures += [
            Figure(
                "requests a second of the fastest mlflow, in ours", fastest / scoring_load.per_second, 1 / 5
            ),
            Figure("our median in that of the fastest mlflow", scoring_load.median_ms / lowest_median, 1 / 3),
        ]
    return [
        f"One record of {len(record):,} bytes (the median), {options.runs} turns of {options.seconds:g} "
        f"seconds each, clients in one process on the same machine; medians of the turns. {machine()}.",
        markdown(["what", "clients", "requests a second", "median, ms", "99 %, ms"], rows),
        f"A batch of {BATCH:,} lines, {sum(map(len, batch)) / 1e6:.1f} MB: {1000 * library:.0f} ms by the "
        f"library ({BATCH / library:,.0f} records a second), {1000 * service:.0f} ms by the service.",
        "\n".join(f"- {figure}" for figure in figures),
    ]


if __name__ == "__main__":
    main()
