"""A soak: clients send good and bad bodies while the model is swapped again and again under them.

python experiments/soak.py [--seconds 120] [--swaps 10] [--clients 8]

Every request has to be answered, with the status that its body deserves or 503 with Retry-After; many
records have to be answered by one model; the memory has to stay where it was once the service was warm.
Everything runs on this machine and ends by itself. Exit code 1 where anything of it does not hold.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec

from scoring.model.bundle import SavedModel, load_model, save_model
from scoring.records.sample import sample_documents
from scoring.settings import default_model_folder

MAX_GROWTH = 48_000_000
"""Bytes by which the memory may grow from the warm service to the end: two models and what they score."""

JSON, LINES, MARKDOWN = "application/json", "application/x-ndjson", "text/markdown"


class Body(NamedTuple):
    """What is sent, and the status that it deserves."""

    kind: str
    content: bytes
    status: int
    query: str = ""


@dataclass
class Tally:
    """What came back, of all clients."""

    answered: Counter[int] = field(default_factory=Counter)
    n_sent: int = 0
    models: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def bodies() -> list[Body]:
    """Good and bad bodies, small and large."""
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


def client(port: int, until: float, seed: int, tally: Tally) -> None:
    """Send bodies in an order of its own until the time is up."""
    choose = random.Random(seed)  # noqa: S311 -- an order, no secret
    chosen = bodies()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while time.monotonic() < until:
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
            found = [json.loads(item) for item in items]
            records = found[0] if isinstance(found[0], list) else found
            models = {one["model"] for one in records if "model" in one}
            if len(models) > 1:
                broken = f"one answer of {len(models)} models"
        with tally.lock:
            tally.answered[answer.status] += 1
            tally.models |= models
            if broken:
                tally.broken.append(broken)
    connection.close()


@contextmanager
def service(model: Path, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The service on a model, and its port."""
    log = folder / "service.log"
    command = [sys.executable, "-m", "scoring", "serve", "--port", "0", "--model", str(model)]
    environment = {**os.environ, "SCORING_HOME": str(folder / "home")}
    with log.open("wb") as output, subprocess.Popen(command, stderr=output, env=environment) as process:  # noqa: S603 -- our own
        try:
            end = time.monotonic() + 60
            while b'"event":"listening"' not in log.read_bytes():
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(log.read_text("utf-8"))
                time.sleep(0.1)
            first = json.loads(log.read_text("utf-8").splitlines()[0])
            yield process, int(first["address"].rpartition(":")[2])
        finally:
            process.terminate()


def shifted(saved: SavedModel, points: float) -> SavedModel:
    """A model that says so many points more."""
    quality = saved.models.quality
    rubric = msgspec.structs.replace(quality.rubric, intercept_=quality.rubric.intercept_ + points)
    return replace(saved, models=replace(saved.models, quality=replace(quality, rubric=rubric)))


def memory(pid: int) -> int:
    """Bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def soak(seconds: float, n_swaps: int, n_clients: int, folder: Path) -> list[str]:
    """Run it, print what came, and give what does not hold."""
    saved = load_model(default_model_folder())
    model = folder / "model"
    names = [save_model(model, saved.models, saved.manifest.training).name]
    tally = Tally()
    with service(model, folder) as (process, port):
        until = time.monotonic() + seconds
        clients = [
            threading.Thread(target=client, args=(port, until, seed, tally)) for seed in range(n_clients)
        ]
        for thread in clients:
            thread.start()
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
    n_warm = max(len(held) // 3, 1)
    growth = held[-1] - median(held[n_warm - 1 : n_warm + 1])
    print(f"{tally.n_sent:,} requests: {dict(sorted(tally.answered.items()))}")
    told = f"{held[-1] / 1e6:.0f} MB, {growth / 1e6:+.1f} MB"
    print(f"{len(tally.models)} models answered, {n_swaps} swaps; {told}")
    failed = [f"{what} ({n} times)" for what, n in Counter(tally.broken).items()]
    if tally.answered.total() != tally.n_sent:
        failed.append(f"{tally.n_sent - tally.answered.total()} requests without an answer")
    if not tally.models <= set(names) or len(tally.models) < n_swaps:
        failed.append(f"{len(tally.models)} models answered, expected {n_swaps + 1}")
    if growth > MAX_GROWTH:
        failed.append(f"the memory grew by {growth / 1e6:.0f} MB")
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=120.0, help="how long; at most 3600")
    parser.add_argument("--swaps", type=int, default=10, help="how often the model is swapped")
    parser.add_argument("--clients", type=int, default=8, help="clients; at most 64")
    options = parser.parse_args(arguments)
    if not (0 < options.seconds <= 3600 and 0 < options.clients <= 64 and options.swaps > 0):
        parser.error("expected at most 3600 seconds and 64 clients, and at least one swap")
    with tempfile.TemporaryDirectory(prefix="scoring-soak-") as folder:
        failed = soak(options.seconds, options.swaps, options.clients, Path(folder))
    for what in failed:
        print(f"broken: {what}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
