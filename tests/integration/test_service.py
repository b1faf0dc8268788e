"""The service as a process: its command, signals, worker processes, and arbitrary requests."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from typer.testing import CliRunner

from scoring.cli import app
from scoring.records.synthetic.generate import sample_documents
from scoring.workflows.train import TrainOutcome

JSON = "application/json"
GOOD = b'{"title": "A quiet day at the harbour", "topics": ["Sea"]}'
TOKEN = "0123456789abcdef"  # noqa: S105 -- of these tests
OTHER = "fedcba9876543210"


CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]


class Service(NamedTuple):
    """A running service: address, process and log."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def events(self) -> list[dict[str, Any]]:
        """Lines of the log, each JSON."""
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]

    def ask(
        self, path: str, content: bytes | None = None, *, kind: str = JSON, token: str = ""
    ) -> tuple[int, bytes]:
        headers = {"Content-Type": kind} if content is not None else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.url + path, content, headers)  # noqa: S310 -- on loopback
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 -- on loopback
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


@contextmanager
def serving(folder: Path, *options: str, **environment: str) -> Iterator[Service]:
    log = folder / "service.log"
    command = [sys.executable, "-m", "scoring", "serve", "--port", "0", *options]
    home = {"SCORING_HOME": str(folder / "home")}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=folder, env=os.environ | home | environment, stderr=output) as process,
    ):
        try:
            service = Service(f"http://{address(process, log)}", process, log)
            wait_until(lambda: is_up(service), process, log)
            yield service
        finally:
            process.terminate()


def address(process: subprocess.Popen[bytes], log: Path) -> str:
    addresses: list[str] = []

    def look() -> bool:
        addresses[:] = re.findall(r'"event":"listening","address":"([^"]+)"', log.read_text("utf-8"))
        return bool(addresses)

    wait_until(look, process, log)
    return addresses[0]


def is_up(service: Service) -> bool:
    try:
        return service.ask("/readyz")[0] == 200
    except OSError:
        return False


def wait_until(
    check: Any, process: subprocess.Popen[bytes] | None = None, log: Path | None = None, seconds: float = 60
) -> None:
    end = time.monotonic() + seconds
    while not check():
        text = log.read_text("utf-8") if log else ""
        assert process is None or process.poll() is None, text
        assert time.monotonic() < end, text
        time.sleep(0.05)


@pytest.fixture(scope="module")
def service(training: TrainOutcome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service shared by the tests that do not change it."""
    with serving(tmp_path_factory.mktemp("service"), "--model", training.model) as running:
        yield running


@schemathesis.serializer("application/x-ndjson", "text/markdown")
def as_text(context: schemathesis.SerializationContext, value: object) -> bytes:
    """Let schemathesis treat bodies as text."""
    return str(value).encode("utf-8", "replace")


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_whatever_is_sent_is_answered_as_the_document_says(
    service: Service, mode: schemathesis.GenerationMode
) -> None:
    """Valid and invalid requests get no 5xx and only documented answers."""
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    statuses: list[int] = []
    for operation_result in schema.get_all_operations():
        operation = operation_result.ok()  # type: ignore[union-attr]

        @hypothesis_settings(
            max_examples=60 if operation.method == "post" else 5,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(mode))
        def check(case: schemathesis.Case[Any]) -> None:
            statuses.append(case.call_and_validate(checks=CHECKS).status_code)

        with suppress(Unsatisfiable):  # a request without a parameter cannot be made wrong
            check()
    assert len(statuses) >= 40
    assert 422 in statuses
    if mode is schemathesis.GenerationMode.POSITIVE:
        assert 200 in statuses


def test_what_is_not_to_be_scored_is_refused_and_the_next_is_served(service: Service) -> None:
    for content in (b"\x00" * 1000, b"[" * 200_000, b'{"title": 1e99999}', b"\xff\xfe", b"{}" * 1000):
        for kind in (JSON, "application/x-ndjson", "text/markdown"):
            status, answer = service.ask("/v1/score", content, kind=kind)
            assert status in (200, 422), answer
    assert service.ask("/v1/score", GOOD)[0] == 200


def test_small_requests_are_served_beside_large_ones(service: Service) -> None:
    line = msgspec.json.encode(next(iter(sample_documents(n_records=1, seed=1)))[0])
    batch = b"\n".join([line] * 1000)
    answers: list[tuple[int, bytes]] = []
    large = [
        threading.Thread(
            target=lambda: answers.append(service.ask("/v1/score", batch, kind="application/x-ndjson"))
        )
        for _ in range(3)
    ]
    for thread in large:
        thread.start()
    n_small = 0
    while any(thread.is_alive() for thread in large):
        assert service.ask("/v1/score", GOOD)[0] == 200
        n_small += 1
    assert n_small >= 3
    assert [(status, answer.count(b"\n")) for status, answer in answers] == [(200, 1000)] * 3


def test_a_stop_finishes_what_was_accepted(training: TrainOutcome, tmp_path: Path) -> None:
    line = msgspec.json.encode(next(iter(sample_documents(n_records=1, seed=1)))[0])
    with serving(tmp_path, "--model", training.model) as service:
        host, port = service.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            body = b"\n".join([line] * 1000)
            head = f"POST /v1/score HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-ndjson\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:-1000])
            time.sleep(0.2)
            service.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            connection.sendall(body[-1000:])
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.partition(b"\r\n\r\n")[2].count(b"\n") == 1000
        assert service.process.wait(timeout=30) == 0
        assert service.events()[-1]["event"] == "stopped"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=1)


def test_a_hangup_has_the_tokens_read_and_the_model_looked_for(
    training: TrainOutcome, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(TOKEN)
    tokens.chmod(0o600)
    with serving(tmp_path, "--model", training.model, "--token-file", str(tokens)) as service:
        assert service.ask("/v1/score", GOOD)[0] == 401
        assert service.ask("/v1/score", GOOD, token=TOKEN)[0] == 200
        tokens.write_text(f"{TOKEN}\n{OTHER}\n")
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: service.ask("/v1/score", GOOD, token=OTHER)[0] == 200)
        assert service.ask("/v1/score", GOOD, token=TOKEN)[0] == 200
    text = service.log.read_text("utf-8")
    assert TOKEN not in text
    assert OTHER not in text
    assert "harbour" not in text


def test_several_processes_tell_of_all_of_them(training: TrainOutcome, tmp_path: Path) -> None:
    with serving(tmp_path, "--model", training.model, "--workers", "2", TMPDIR=str(tmp_path)) as service:
        wait_until(lambda: b'"small@' in service.ask("/v1/model")[1])
        for _ in range(20):
            assert service.ask("/v1/score", GOOD)[0] == 200

        def workers() -> float:
            lines = re.findall(
                r"^scoring_model\{.*\} (\S+)$", service.ask("/metrics")[1].decode(), re.MULTILINE
            )
            return sum(map(float, lines))

        wait_until(lambda: workers() == 2)
        (count,) = re.findall(
            r'^scoring_records_total\{outcome="scored"\} (\S+)$', service.ask("/metrics")[1].decode(), re.M
        )
        assert float(count) == 20
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: [event["event"] for event in service.events()].count("tokens read") == 2)
        assert service.ask("/v1/score", GOOD)[0] == 200
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=60) == 0
    assert not list(tmp_path.glob("scoring-metrics-*"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0 requires --token-file FILE, or --insecure"),  # noqa: S104 -- is refused
        (["--host", "desk.example"], "--host desk.example requires --token-file FILE"),
        (["--token-file", "nowhere"], "nowhere: No such file or directory"),
        (["--token-file", "SHARED"], "got mode 0644, expected a file that nobody else can read"),
        (["--model", "nowhere"], "model: got 'nowhere', expected a folder"),
        (["--model", "models:/news@champion"], "there is no store"),
        (["--port", "TAKEN"], "Address already in use: choose another --port, or --port 0 for a free one"),
        (["--host", "192.0.2.9", "--insecure"], "--host takes an address of this machine"),
        (["--inbox", "nowhere"], "--inbox: got 'nowhere', expected a folder: make it, or name the one"),
    ],
)
def test_what_cannot_be_served_is_reported_at_once(options: list[str], words: str) -> None:
    Path("SHARED").write_text(TOKEN)
    Path("SHARED").chmod(0o644)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        given = [option.replace("TAKEN", str(taken.getsockname()[1])) for option in options]
        done = CliRunner().invoke(app, ["serve", *given], prog_name="scoring")
    assert done.exit_code == 2
    assert done.output.startswith("error: ")
    assert words in done.output
