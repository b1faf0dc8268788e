"""Soak test of the service: valid and invalid requests during model swaps and outages of the store.

python experiments/soak.py [--seconds 120] [--swaps 10] [--moves 10] [--clients 8]

Every request must get the status expected for its body, or 503 with Retry-After; a batch must be scored by
one model; memory must not grow after the warm-up. Then the store of the champion is moved away and back
repeatedly: all answers of the service, and of `scoring score`, must be by that champion.
All processes run on this machine and end by themselves. The exit code is 1 if a check fails.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import msgspec

from scoring.artifact.saved_model import SavedModel, load_model, save_model
from scoring.records.synthetic.generate import sample_documents
from scoring.settings import Settings, default_model_folder, load_settings
from scoring.workflows.promote import promote

MAX_GROWTH = 48_000_000
"""Maximum growth of memory after the warm-up, in bytes: two models and their working memory."""

JSON, LINES, MARKDOWN = "application/json", "application/x-ndjson", "text/markdown"


class Body(NamedTuple):
    """A request body and its expected status."""

    kind: str
    content: bytes
    status: int
    query: str = ""


@dataclass
class Tally:
    """Responses to all clients."""

    answered: Counter[int] = field(default_factory=Counter)
    n_sent: int = 0
    models: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def bodies() -> list[Body]:
    """Valid and invalid bodies, small and large."""
    lines = [msgspec.json.encode(record) for record, _ in sample_documents(n_records=200, seed=3)]
    bomb = b"".join(
        b"%c: &%c [%s]\n" % (98 + k, 98 + k, b", ".join([b"*%c" % (97 + k)] * 9)) for k in range(8)
    )
    good = [Body(JSON, line, 200) for line in lines[:40]]
    good += [
        Body(JSON, b"[" + b",".join(lines) + b"]", 200),
        Body(LINES, b"\n".join([*lines[:50], b"{}", b"no json"]), 200),
        Body(MARKDOWN, b"---\ntitle: Rain over the harbour\ntopics: [Sea]\n---\n", 200),
        Body(JSON, b"[" + b",".join(lines[:3]) + b"]", 200, "?explain=true"),
    ]
    bad = [
        Body(JSON, b"{}", 422),
        Body(JSON, b"[" * 50_000, 422),
        Body(JSON, b'{"title": "\xff"}', 422),
        Body(MARKDOWN, b"---\na: &a [x, x]\n" + bomb + b"title: *i\n---\n", 422),
        Body(MARKDOWN, b"no front matter", 422),
        Body(JSON, lines[0], 422, "?as_of=noon"),
        Body("text/html", b"<p>", 415),
        Body(JSON, b"[" + b",".join([b"{}"] * 1001) + b"]", 413),
    ]
    return good + bad * 2


def client(
    port: int, is_over: Callable[[], bool], seed: int, tally: Tally, pause_seconds: float = 0.0
) -> None:
    """Send bodies in random order until the end, with a pause between two."""
    choose = random.Random(seed)  # noqa: S311 -- an order, no secret
    chosen = bodies()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while not is_over():
        time.sleep(pause_seconds)
        body = choose.choice(chosen)
        with tally.lock:
            tally.n_sent += 1
        try:
            connection.request("POST", f"/v1/score{body.query}", body.content, {"Content-Type": body.kind})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            with tally.lock:
                tally.broken.append(f"lost: {type(error).__name__}")
            connection.close()
            continue
        broken = "" if answer.status in (body.status, 503) else f"{answer.status} instead of {body.status}"
        models: set[str] = set()
        if answer.status == 200 and not body.query:
            items = content.splitlines() if body.kind == LINES else [content]
            decoded = [json.loads(item) for item in items]
            scores = decoded[0] if isinstance(decoded[0], list) else decoded
            models = {score["model"] for score in scores if "model" in score}
            if len(models) > 1:
                broken = f"one answer of {len(models)} models"
        with tally.lock:
            tally.answered[answer.status] += 1
            tally.models |= models
            if broken:
                tally.broken.append(broken)
    connection.close()


def started_clients(
    n_clients: int, port: int, is_over: Callable[[], bool], tally: Tally, pause_seconds: float = 0.0
) -> list[threading.Thread]:
    """Start clients that send until the end."""
    clients = [
        threading.Thread(target=client, args=(port, is_over, seed, tally, pause_seconds))
        for seed in range(n_clients)
    ]
    for thread in clients:
        thread.start()
    return clients


@contextmanager
def service(model: Path | None, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run the service with a model or the champion; yield its process and port."""
    log = folder / "service.log"
    command = [sys.executable, "-m", "scoring", "serve", "--port", "0"]
    command += ["--model", str(model)] if model else []
    environment = {**os.environ, "SCORING_HOME": str(folder / "home")}
    with log.open("wb") as output, subprocess.Popen(command, stderr=output, env=environment) as process:  # noqa: S603 -- our own
        try:
            end = time.monotonic() + 180
            while b'"event":"listening"' not in log.read_bytes():
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(log.read_text("utf-8"))
                time.sleep(0.1)
            first = json.loads(log.read_text("utf-8").splitlines()[0])
            yield process, int(first["address"].rpartition(":")[2])
        finally:
            process.terminate()


def shifted(saved: SavedModel, points: float) -> SavedModel:
    """Copy of a model whose quality is shifted by some points."""
    quality = saved.models.quality
    rubric = msgspec.structs.replace(quality.rubric, intercept_=quality.rubric.intercept_ + points)
    return replace(saved, models=replace(saved.models, quality=replace(quality, rubric=rubric)))


def memory(pid: int) -> int:
    """Resident memory of a process; bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def soak(seconds: float, n_swaps: int, n_clients: int, folder: Path) -> list[str]:
    """Send requests while the model is swapped; print a summary, return the failures."""
    saved = load_model(default_model_folder())
    model = folder / "model"
    names = [save_model(model, saved.models, saved.manifest.training).name]
    tally = Tally()
    with service(model, folder) as (process, port):
        until = time.monotonic() + seconds
        clients = started_clients(n_clients, port, lambda: time.monotonic() >= until, tally)
        held: list[int] = []
        for swap in range(n_swaps):
            time.sleep(seconds / (n_swaps + 1))
            other = shifted(saved, swap + 1.0)
            names.append(save_model(model, other.models, other.manifest.training).name)
            process.send_signal(signal.SIGHUP)
            held.append(memory(process.pid))
        for thread in clients:
            thread.join()
        held.append(memory(process.pid))
    return _swap_failures(tally, held, names, n_swaps)


def _swap_failures(tally: Tally, held: list[int], names: list[str], n_swaps: int) -> list[str]:
    """Print a summary of the swaps, and return the failures."""
    n_warm = max(len(held) // 3, 1)
    growth = held[-1] - median(held[n_warm - 1 : n_warm + 1])
    print(f"{tally.n_sent:,} requests: {dict(sorted(tally.answered.items()))}")
    memory_text = f"{held[-1] / 1e6:.0f} MB, {growth / 1e6:+.1f} MB"
    print(f"{len(tally.models)} models answered, {n_swaps} swaps; {memory_text}")
    failed = broken(tally)
    if not tally.models <= set(names) or len(tally.models) < n_swaps:
        failed.append(f"{len(tally.models)} models answered, expected {n_swaps + 1}")
    if growth > MAX_GROWTH:
        failed.append(f"the memory grew by {growth / 1e6:.0f} MB")
    return failed


def broken(tally: Tally) -> list[str]:
    """Failures of single answers, and the number of missing answers."""
    failed = [f"{failure} ({n} times)" for failure, n in Counter(tally.broken).items()]
    if tally.answered.total() != tally.n_sent:
        failed.append(f"{tally.n_sent - tally.answered.total()} requests without an answer")
    return failed


def move_store(seconds: float, n_moves: int, n_clients: int, folder: Path) -> list[str]:
    """Move the champion's store away and back while the service runs; return the failures."""
    saved = load_model(default_model_folder())
    champion = shifted(
        saved, 7.0
    )  # differs from the shipped model, so that a fallback to that one is noticed
    name = save_model(folder / "champion", champion.models, champion.manifest.training).name
    settings = load_settings(home=folder / "home")
    places = [(settings.home / part, folder / part) for part in ("mlflow.db", "artifacts")]
    promote(str(folder / "champion"), reason="soak", settings=settings, now=datetime.now(UTC), on_fault=print)
    failed: list[str] = []
    tally = Tally()
    line = msgspec.json.encode(next(iter(sample_documents(n_records=1, seed=4)))[0])
    is_over = threading.Event()
    with service(None, folder) as (process, port):
        # The outages are what is tested here, not the load: the commands get their share of the processor.
        clients = started_clients(n_clients, port, is_over.is_set, tally, pause_seconds=0.02)
        pause = seconds / (2 * n_moves + 1)
        for move in range(n_moves):
            for original, away in places:
                original.rename(away)
            time.sleep(pause)
            if move % 2:
                process.send_signal(signal.SIGHUP)
            failed += _check_answers(line, name, settings, is_away=True, port=port)
            for original, away in places:
                away.rename(original)
            time.sleep(pause)
            failed += _check_answers(line, name, settings, is_away=False, port=port)
        is_over.set()
        for thread in clients:
            thread.join()
    print(f"{tally.n_sent:,} requests: {dict(sorted(tally.answered.items()))}")
    print(f"{len(tally.models)} models answered, the store was moved away and back {n_moves} times")
    failed += broken(tally)
    if tally.models != {name}:
        failed.append(f"{sorted(tally.models)} answered, expected {name}")
    return failed


def _check_answers(line: bytes, name: str, settings: Settings, *, is_away: bool, port: int) -> list[str]:
    """Check which model the command and the service use; return the failures."""
    where = "away" if is_away else "back"
    environment = {**os.environ, "SCORING_HOME": str(settings.home)}
    command = [sys.executable, "-m", "scoring", "score", "-"]
    done = subprocess.run(command, input=line, capture_output=True, env=environment, check=False)  # noqa: S603 -- our own
    failed = []
    if done.returncode or json.loads(done.stdout)["model"] != name:
        failed.append(f"score, the store {where}: {done.returncode} {done.stderr.decode()}")
    if (done.stderr.count(b"\n"), b"last known champion" in done.stderr) != (int(is_away), is_away):
        failed.append(f"score, the store {where}: {done.stderr.decode()!r}")
    end = time.monotonic() + 180
    while (page := _model_page(port))["is_followed"] is is_away and time.monotonic() < end:
        time.sleep(0.1)
    if (page["is_followed"], page["name"]) != (not is_away, name):
        failed.append(f"/v1/model, the store {where}: {page}")
    return failed


def _model_page(port: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"/readyz: {answer.status}")
        connection.request("GET", "/v1/model")
        page: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return page


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=120.0, help="how long; at most 3600")
    parser.add_argument("--swaps", type=int, default=10, help="how often the model is swapped")
    parser.add_argument("--moves", type=int, default=10, help="how often the store is moved away and back")
    parser.add_argument("--clients", type=int, default=8, help="clients; at most 64")
    options = parser.parse_args(arguments)
    counts = (options.swaps, options.moves)
    if not (0 < options.seconds <= 3600 and 0 < options.clients <= 64 and min(counts) > 0):
        parser.error("expected at most 3600 seconds and 64 clients, and at least one swap and move")
    with tempfile.TemporaryDirectory(prefix="scoring-soak-") as folder:
        failed = soak(options.seconds, options.swaps, options.clients, Path(folder))
    with tempfile.TemporaryDirectory(prefix="scoring-soak-") as folder:
        failed += move_store(options.seconds, options.moves, options.clients, Path(folder))
    for failure in failed:
        print(f"broken: {failure}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
