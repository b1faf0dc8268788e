"""Closed-loop load on a local address: each client sends its next request after the last answer.

python experiments/benchmarks/load.py PORT PATH CONTENT_TYPE FILE CLIENTS SECONDS

Prints JSON: requests per second, median and 99th percentile of their latencies in seconds, and counts by
status. All clients are connections of one process that does nothing else, so that they cost little.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import cast

import uvloop

_HEAD = re.compile(
    rb"HTTP/1\.1 (\d{3}) .*?\r\ncontent-length: (\d+)\r\n.*?\r\n\r\n", re.DOTALL | re.IGNORECASE
)


class Client(asyncio.Protocol):
    """One connection that repeats the same request until its time is up."""

    def __init__(self, request: bytes, until: float) -> None:
        self.request, self.until = request, until
        self.seconds: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.done = asyncio.get_running_loop().create_future()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.send()

    def send(self) -> None:
        self.began = perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = _HEAD.match(self.buffer)
        if head is None or len(self.buffer) < head.end() + int(head[2]):
            return
        now = perf_counter()
        self.seconds.append(now - self.began)
        self.statuses[int(head[1])] += 1
        self.buffer = b""
        if now < self.until:
            self.send()
        else:
            self.transport.close()
            self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server has closed the connection"))


async def load(port: int, request: bytes, n_clients: int, seconds: float) -> dict[str, object]:
    """Send the request from all clients, and summarize latencies and statuses."""
    began = perf_counter()
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: Client(request, began + seconds), "127.0.0.1", port))[1]
        for _ in range(n_clients)
    ]
    await asyncio.gather(*(client.done for client in clients))
    statuses: Counter[int] = sum((client.statuses for client in clients), Counter())
    seconds_taken = perf_counter() - began
    latencies = sorted(latency for client in clients for latency in client.seconds)
    return {
        "per_second": len(latencies) / seconds_taken,
        "median_seconds": latencies[len(latencies) // 2],
        "p99_seconds": latencies[int(len(latencies) * 0.99)],
        "statuses": dict(statuses),
    }


def main() -> None:
    """Run the load."""
    port, path, content_type, file, n_clients, seconds = sys.argv[1:]
    body = Path(file).read_bytes()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: {content_type}\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    print(json.dumps(uvloop.run(load(int(port), request, int(n_clients), float(seconds)))))


if __name__ == "__main__":
    main()
