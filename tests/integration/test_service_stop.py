"""How the service ends: signals, what it drains, workers that die, faults."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from scoring.workflows.train import TrainOutcome
from tests.integration.test_service import GOOD, JSON, Service, address, is_up, serving, wait_until

PATIENT = ("--limit", "stop_seconds=600", "--limit", "body_seconds=600", "--limit", "head_seconds=600")
"""What only ends in time where nothing waits for it."""

SEVERAL = pytest.param("2", marks=pytest.mark.exhaustive)  # two processes and their supervisor


@contextmanager
def connected(service: Service, data: bytes = b"") -> Iterator[socket.socket]:
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(data)
        yield connection


def post(body: bytes, *, is_half: bool = False) -> bytes:
    head = f"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + (body[:5] if is_half else body)


def read_all(connection: socket.socket) -> bytes:
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


@pytest.mark.parametrize("workers", ["1", SEVERAL])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_an_idle_service_ends_whoever_is_connected(
    training: TrainOutcome, tmp_path: Path, workers: str, number: signal.Signals, code: int
) -> None:
    options = ("--model", training.model, "--workers", workers, *PATIENT)
    with serving(tmp_path, *options, TMPDIR=str(tmp_path)) as service, ExitStack() as stack:
        get = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
        stream = stack.enter_context(connected(service, get % b"desk/events"))
        assert b"event: " in stream.recv(65536)
        kept = stack.enter_context(connected(service, get % b"healthz"))
        assert b" 200 " in kept.recv(65536)
        silent = stack.enter_context(connected(service))
        half = stack.enter_context(connected(service, b"GET /healthz HTT"))
        refused = stack.enter_context(connected(service, b"\x16"))
        service.process.send_signal(number)
        assert service.process.wait(timeout=60) == code
        assert read_all(stream).endswith(b"0\r\n\r\n")
        assert [read_all(connection) for connection in (kept, silent, half)] == [b""] * 3
        assert b" 400 " in read_all(refused)
        assert service.events()[-1]["event"] == "stopped"
        assert "cut off" not in service.log.read_text("utf-8")
    assert not list(tmp_path.glob("scoring-metrics-*"))


@pytest.mark.parametrize("workers", ["1", SEVERAL])
def test_a_second_signal_ends_it_at_once(training: TrainOutcome, tmp_path: Path, workers: str) -> None:
    options = ("--model", training.model, "--workers", workers, *PATIENT)
    with (
        serving(tmp_path, *options, TMPDIR=str(tmp_path)) as service,
        connected(service, post(GOOD, is_half=True)) as connection,
        connected(service, post(GOOD, is_half=True)) as finished,
    ):
        service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: is_refused(service))  # nothing new is accepted
        finished.sendall(GOOD[5:])
        assert b" 200 " in read_all(finished)  # what was accepted is answered
        assert service.process.poll() is None
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=60) == -signal.SIGTERM
        with suppress(ConnectionResetError):
            assert read_all(connection) == b""
        assert events_of(service, "ended at once")
    assert not list(tmp_path.glob("scoring-metrics-*"))


def is_refused(service: Service) -> bool:
    try:
        with connected(service):
            return False
    except ConnectionRefusedError:
        return True


@pytest.mark.parametrize("workers", ["1", SEVERAL])
def test_the_drain_has_an_end(training: TrainOutcome, tmp_path: Path, workers: str) -> None:
    options = ("--model", training.model, "--workers", workers, *PATIENT, "--limit", "stop_seconds=0.5")
    with serving(tmp_path, *options) as service, connected(service, post(GOOD, is_half=True)):
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=60) == 0
        assert "Cancel 1 running task(s), timeout graceful shutdown exceeded" in service.log.read_text(
            "utf-8"
        )


STUCK = """\
import sys, time
from pathlib import Path
from typing import Any
from scoring.service.model_manager import ModelManager
from scoring.service.options import ServiceOptions, read_limits
from scoring.service.server import run
from scoring.settings import load_settings

ModelManager._try = lambda self: time.sleep(600)
limits = read_limits(["stop_seconds=600"])
options = ServiceOptions(load_settings(home=Path("home")), sys.argv[1], limits=limits)
run(options, host="127.0.0.1", port=0)
"""


def test_work_that_nobody_waits_for_does_not_keep_it(training: TrainOutcome, tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", STUCK, training.model]
    with log.open("wb") as output, subprocess.Popen(command, cwd=tmp_path, stderr=output) as process:
        try:
            service = Service(f"http://{address(process, log)}", process, log)
            wait_until(lambda: is_up(service), process, log)
            process.send_signal(signal.SIGHUP)
            wait_until(lambda: "tokens read" in log.read_text("utf-8"), process, log)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
    assert service.events()[-1]["event"] == "stopped with work undone"


def test_a_hangup_before_the_service_is_up_ends_nothing(training: TrainOutcome, tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    command = [sys.executable, "-m", "scoring", "serve", "--port", "0", "--model", training.model]
    with log.open("wb") as output, subprocess.Popen(command, cwd=tmp_path, stderr=output) as process:
        try:
            service = Service(f"http://{address(process, log)}", process, log)
            process.send_signal(signal.SIGHUP)
            wait_until(lambda: "tokens read" in log.read_text("utf-8"), process, log)
            wait_until(lambda: is_up(service), process, log)
        finally:
            process.terminate()


TOKENS = ("kept-0123456789abcdef", "revoked-0123456789abcdef")


@pytest.mark.parametrize("workers", ["1", SEVERAL])
def test_a_hangup_ends_the_streams_of_a_revoked_token(
    training: TrainOutcome, tmp_path: Path, workers: str
) -> None:
    file = tmp_path / "tokens"
    file.write_text("\n".join(TOKENS))
    file.chmod(0o600)
    options = ("--model", training.model, "--token-file", str(file), "--workers", workers)
    head = "GET /desk/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n"
    with serving(tmp_path, *options) as service, ExitStack() as stack:
        if workers == "2":
            wait_until(lambda: service.log.read_text("utf-8").count('"worker serves"') == 2)
        # So many that each process has some.
        kept, revoked = (
            [stack.enter_context(connected(service, head.format(token).encode())) for _ in range(20)]
            for token in TOKENS
        )
        for stream in (*kept, *revoked):
            assert b"event: " in stream.recv(65536)
        for content, n_ended in ((f"{TOKENS[0]}\nshort\n", 0), (TOKENS[0], 20)):
            file.write_text(content)
            service.process.send_signal(signal.SIGHUP)
            event = "tokens read" if n_ended else "tokens not read"
            wait_until(lambda event=event: len(events_of(service, event)) == int(workers))
            assert sum(line.get("streams_ended", 0) for line in events_of(service, event)) == n_ended
        for stream in revoked:
            assert read_all(stream).endswith(b"0\r\n\r\n")
        for stream in kept:
            stream.setblocking(False)
            with suppress(BlockingIOError):
                assert stream.recv(65536) != b""


def events_of(service: Service, name: str) -> list[dict[str, Any]]:
    """Events of this name in the log."""
    return [event for event in service.events() if event["event"] == name]


def workers_of(service: Service) -> list[int]:
    """The workers that were started and have not ended."""
    started = [event["worker"] for event in events_of(service, "worker started")]
    ended = [event["worker"] for event in events_of(service, "worker ended")]
    return [worker for worker in started if worker not in ended]


def test_a_worker_that_dies_is_started_again_and_all_end_with_their_supervisor(
    training: TrainOutcome, tmp_path: Path
) -> None:
    with serving(tmp_path, "--model", training.model, "--workers", "2") as service:
        wait_until(lambda: models(service) == 2)
        first, second = workers_of(service)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: first not in workers_of(service))
        while len(workers_of(service)) < 2:
            assert service.ask("/v1/score", GOOD)[0] == 200  # by the other
        assert second in workers_of(service)
        (ended,) = events_of(service, "worker ended")
        assert (ended["cause"], ended["again_in_seconds"]) == ("signal SIGKILL", 0.5)
        wait_until(lambda: models(service) == 2)  # the dead one is counted no more
        new = next(worker for worker in workers_of(service) if worker != second)
        os.kill(new, signal.SIGKILL)
        wait_until(lambda: new not in workers_of(service))
        *_, ended = events_of(service, "worker ended")
        assert ended["again_in_seconds"] == 1.0
        # And both end with their supervisor.
        wait_until(lambda: models(service) == 2)
        service.process.kill()
        service.process.wait()
        wait_until(lambda: is_refused(service))
        assert len(events_of(service, "supervisor gone")) == 2


def models(service: Service) -> float:
    counts = re.findall(r"^scoring_model\{.*\} (\S+)$", service.ask("/metrics")[1].decode(), re.MULTILINE)
    return sum(map(float, counts))


SUPERVISED = """\
import functools
import sys
from pathlib import Path
from typing import Any
from scoring.errors import ScoringError
from scoring.service import server
from scoring.service.options import ServiceOptions
from scoring.service.supervisor import RestartPolicy, Supervisor
from scoring.settings import load_settings

if __name__ == "__main__":
    policy = RestartPolicy(first_seconds=0.01, n_failures=2, silent_seconds=3)
    server.Supervisor = functools.partial(Supervisor, policy=policy)
    server._check = lambda options: None
    options = ServiceOptions(load_settings(home=Path("home")), sys.argv[1])
    try:
        server.run(options, host="127.0.0.1", port=0, workers=2)
    except ScoringError as error:
        sys.exit(str(error))
"""


@pytest.mark.exhaustive
def test_workers_that_all_fail_again_and_again_end_the_service(tmp_path: Path) -> None:
    (tmp_path / "supervised.py").write_text(SUPERVISED)
    command = [sys.executable, "supervised.py", "nowhere"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    *lines, last = done.stderr.splitlines()
    assert last == "each worker ended 2 times in a row: see the log"
    events = [json.loads(line) for line in lines]
    ended = [event for event in events if event["event"] == "worker ended"]
    assert len(ended) >= 4
    assert {event["cause"] for event in ended} == {"exit code 2"}
    assert "nowhere" in next(event["cause"] for event in events if event["event"] == "worker failed")


@pytest.mark.exhaustive
def test_a_worker_that_hangs_is_killed_and_started_again(training: TrainOutcome, tmp_path: Path) -> None:
    (tmp_path / "supervised.py").write_text(SUPERVISED)
    log = tmp_path / "log"
    command = [sys.executable, "supervised.py", training.model]
    with log.open("wb") as output, subprocess.Popen(command, cwd=tmp_path, stderr=output) as process:
        try:
            service = Service(f"http://{address(process, log)}", process, log)
            wait_until(lambda: is_up(service), process, log)
            wait_until(lambda: service.log.read_text("utf-8").count('"worker serves"') == 2)
            hung = workers_of(service)[0]
            os.kill(hung, signal.SIGSTOP)
            wait_until(lambda: hung not in workers_of(service))
            wait_until(lambda: len(workers_of(service)) == 2)
        finally:
            process.terminate()
        assert process.wait(timeout=60) == 0
    assert [event["worker"] for event in events_of(service, "worker hangs")] == [hung]


def test_a_service_that_ends_unasked_ends_with_a_code(training: TrainOutcome, tmp_path: Path) -> None:
    """Its event loop breaks down: what no handler of errors catches is raised in it."""
    code = (
        "import asyncio, sys\n"
        "from scoring.cli import main\n"
        "from scoring.service import app\n"
        "async def fail(*_): sys.exit(0)\n"
        "app._record_drift = fail\n"
        "main()\n"
    )
    command = [sys.executable, "-c", code, "serve", "--port", "0", "--model", training.model]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "error: the service ended: see the log"
