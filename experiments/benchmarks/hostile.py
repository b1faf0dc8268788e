"""Service under hostile connections: latency of a probe, and growth of memory.

python experiments/benchmarks/hostile.py
python experiments/benchmarks/hostile.py --smoke

Ten connections without a token send one kind of malformed or excessive input as fast as they can, and
reconnect when they are closed. Meanwhile `/healthz` is polled on separate connections.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from blocks import markdown
from service import free_port, running
from timing import Figure, arguments, machine, own_home, publish, scoring

N_CONNECTIONS = 10
MAX_P99_MS, MAX_GROWTH_MB = 100.0, 50.0
TOKEN = "0123456789abcdef"  # noqa: S105 -- of this benchmark
SMALL = 65_536
CHUNKED = b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
KINDS: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"", b""),
    "one header value": (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ", b"a" * SMALL),
    "small headers": (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"a: b\r\n" * (SMALL // 6)),
    "one target": (b"GET /", b"a" * SMALL),
    "one trailer": (CHUNKED + b"0\r\nX-A: ", b"a" * SMALL),
    "small trailers": (CHUNKED + b"0\r\n", b"a: b\r\n" * (SMALL // 6)),
    "small chunks": (CHUNKED, b"1\r\na\r\n" * (SMALL // 6)),
    "many requests": (b"", GET * (SMALL // len(GET))),
    "empty lines": (b"", b"\r\n" * (SMALL // 2)),
}
"""By kind: bytes sent once per connection, and bytes sent repeatedly."""


class Outcome(NamedTuple):
    """Results of the probe for one kind."""

    kind: str
    n_connections: int
    sent_mb: float
    n_probes: int
    median_ms: float
    p99_ms: float
    slowest_ms: float
    growth_mb: float


async def attack(port: int, kind: str, seconds: float) -> tuple[int, int]:
    """Run ten hostile connections; return the numbers of connections and of sent bytes."""
    begin, more = KINDS[kind]
    end = asyncio.get_running_loop().time() + seconds
    n_connections = n_bytes = 0

    async def send() -> None:
        nonlocal n_connections, n_bytes
        while asyncio.get_running_loop().time() < end:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                n_connections += 1
                reading = asyncio.create_task(read(reader))
                with suppress(OSError, TimeoutError):
                    writer.write(begin)
                    async with asyncio.timeout_at(end):
                        while not writer.is_closing() and not reading.done():
                            writer.write(more)
                            await writer.drain()
                            n_bytes += len(more)
                            await asyncio.sleep(0)
                reading.cancel()
                writer.transport.abort()

    async def read(reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while await reader.read(SMALL):
                pass

    print(flush=True)  # signals the start
    if more:
        await asyncio.gather(*(send() for _ in range(N_CONNECTIONS)))
    return n_connections, n_bytes


def probe(port: int, seconds: float) -> list[float]:
    """Latency of each `/healthz` request in seconds; one every 10 ms, every tenth on a new connection."""
    latencies: list[float] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        if len(latencies) % 10 == 0:
            connection.close()
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        if (answer.read(), answer.status) != (b"ok\n", 200):
            raise SystemExit(f"/healthz: got {answer.status}")
        latencies.append(time.perf_counter() - began)
        time.sleep(0.01)
    connection.close()
    return latencies


def memory(pid: int, name: str) -> int:
    """A memory field of a process's status; bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"/proc/{pid}/status: no {name}")


def measure(kind: str, seconds: float, folder: Path) -> Outcome:
    """Start a service, attack it, and probe it during the attack."""
    with serving(folder) as (port, pid):
        probe(port, min(1.0, seconds))
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets the peak
        before = memory(pid, "VmRSS")
        longer = seconds + min(1.0, seconds)  # the attack outlasts the probe
        command = [sys.executable, __file__, "--attack", str(port), kind, "--seconds", str(longer)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as attacker:  # noqa: S603 -- our own
            assert attacker.stdout is not None  # noqa: S101 -- for the type alone
            attacker.stdout.readline()
            latencies = sorted(probe(port, seconds))
            n_connections, n_bytes = map(int, attacker.stdout.read().split())
        growth = memory(pid, "VmHWM") - before
    p99 = latencies[int(len(latencies) * 0.99)]
    outcome = Outcome(
        kind,
        n_connections,
        n_bytes / 1e6,
        len(latencies),
        1e3 * median(latencies),
        1e3 * p99,
        1e3 * latencies[-1],
        growth / 1e6,
    )
    print(outcome, file=sys.stderr, flush=True)
    return outcome


@contextmanager
def serving(folder: Path) -> Iterator[tuple[int, int]]:
    """Run a service that requires a token; yield its port and process id."""
    tokens, port = folder / "tokens", free_port()
    tokens.write_text(TOKEN)
    tokens.chmod(0o600)
    command = scoring("serve", "--port", str(port), "--token-file", str(tokens))
    with running(command, port, "/readyz", folder / "service.log"):
        yield port, listener_of(command)


def listener_of(command: tuple[str, ...]) -> int:
    """Process id of a command."""
    wanted = [part.encode() for part in command]
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if file.read_bytes().split(b"\0")[-len(wanted) - 1 : -1] == wanted:
                return int(file.parent.name)
    raise SystemExit("the service is not there")


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__, runs=1)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each kind")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS), help="which")
    parser.add_argument("--attack", nargs=2, metavar=("PORT", "KIND"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attack:
        print(*asyncio.run(attack(int(options.attack[0]), options.attack[1], options.seconds)))
        return
    with own_home(options) as folder:
        outcomes = [measure(kind, options.seconds, folder) for kind in options.kinds]
    publish("hostile", _parts(outcomes, options), options)


def _parts(outcomes: list[Outcome], options: argparse.Namespace) -> list[Any]:
    rows = [
        [
            outcome.kind,
            f"{outcome.n_connections:,}",
            f"{outcome.sent_mb:,.0f}",
            f"{outcome.n_probes:,}",
            f"{outcome.median_ms:.1f}",
            f"{outcome.p99_ms:.1f}",
            f"{outcome.slowest_ms:.1f}",
            f"{outcome.growth_mb:.1f}",
        ]
        for outcome in outcomes
    ]
    header = ["what they send", "connections", "sent, MB", "probes", "median, ms", "99 %, ms", "slowest, ms"]
    header.append("growth, MB")
    figures = [
        Figure(
            "99 % of `/healthz`, ms, at the worst kind",
            max(outcome.p99_ms for outcome in outcomes),
            MAX_P99_MS,
        ),
        Figure(
            "memory grows by, MB, at the worst kind",
            max(outcome.growth_mb for outcome in outcomes),
            MAX_GROWTH_MB,
        ),
    ]
    return [
        f"{N_CONNECTIONS} connections without a token, {options.seconds:g} seconds of each kind, on the same "
        f"machine; a service of its own for each. {machine()}.",
        markdown(header, rows),
        "\n".join(f"- {figure}" for figure in figures),
    ]


if __name__ == "__main__":
    main()
