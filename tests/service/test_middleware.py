"""Access checks, and the headers of every response."""

from __future__ import annotations

import base64
import json
import logging
import os
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from scoring.errors import SettingsError
from scoring.service.access_log import JsonFormatter
from scoring.service.auth import Tokens
from scoring.service.process import reload
from tests.service.conftest import Serve

FIRST, SECOND = "first-0123456789abcdef", "second-0123456789abcdef"
JSON = {"content-type": "application/json"}
GOOD = b'{"title": "A quiet day at the harbour", "topics": ["Sea"]}'


def bearing(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "tokens"
    file.write_text(f"# of the site\n{FIRST}\n\n")
    file.chmod(0o600)
    return file


def test_everything_but_the_probes_needs_a_token(serve: Serve, token_file: Path) -> None:
    client = serve(token_file=token_file)
    for path in ("/healthz", "/readyz"):
        assert client.get(path).status_code == 200
    for path in ("/v1/model", "/metrics", "/docs", "/docs/style.css", "/openapi.json", "/nowhere"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["type"]) == (401, "/docs#token")
        assert answer.headers["www-authenticate"] == 'Basic realm="scoring", Bearer realm="scoring"'
    assert client.post("/v1/score", content=GOOD, headers=JSON).status_code == 401
    assert client.post("/v1/score", content=GOOD, headers=JSON | bearing(FIRST)).status_code == 200


@pytest.mark.parametrize(
    ("authorization", "is_let_in"),
    [
        (f"Bearer {FIRST}", True),
        (f"bearer  {FIRST} ", True),
        ("Basic " + base64.b64encode(f"anybody:{FIRST}".encode()).decode(), True),
        (f"Bearer {FIRST[:-1]}", False),
        (f"Bearer {FIRST}0", False),
        ("Bearer # of the site", False),
        ("Bearer ", False),
        ("Basic " + base64.b64encode(f"{FIRST}:".encode()).decode(), False),
        ("Basic ?", False),
        (f"Digest {FIRST}", False),
        (FIRST, False),
        ("", False),
    ],
)
def test_tokens(token_file: Path, authorization: str, is_let_in: bool) -> None:
    assert Tokens(token_file).admit(authorization.encode()) is is_let_in
    assert Tokens(None).admit(authorization.encode())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory, expected a file with one token per line"),
        ("# none\n\n", "contains no token, expected one per line"),
        ("# one\nshort\n", "tokens:2: got a token of 5 characters, expected 16 or more"),
    ],
)
def test_token_files_that_cannot_be_used(tmp_path: Path, content: str | None, words: str) -> None:
    file = tmp_path / "tokens"
    if content is not None:
        file.write_text(content)
        file.chmod(0o600)
    with pytest.raises(SettingsError, match=words):
        Tokens(file)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o777])
def test_a_token_file_that_others_can_read_is_refused(
    serve: Serve, token_file: Path, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    client = serve(token_file=token_file)
    token_file.write_text(f"{SECOND}\n")
    token_file.chmod(mode)
    words = f"tokens: got mode {mode:04o}, expected a file that nobody else can read: run chmod 600"
    with pytest.raises(SettingsError, match=words):
        Tokens(token_file)
    reload(client.app)  # type: ignore[arg-type]
    assert "tokens not read" in caplog.text
    assert client.get("/v1/model", headers=bearing(FIRST)).is_success  # those of before stay
    assert Tokens(token_file, is_shared=True).admit(f"Bearer {SECOND}".encode())
    assert serve(token_file=token_file, is_token_file_shared=True).get("/v1/model").status_code == 401


def test_a_token_file_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tokens", 0o600)
    with pytest.raises(SettingsError, match="tokens: not a regular file, expected a file"):
        Tokens(tmp_path / "tokens")


def test_a_token_is_rotated_without_a_pause(serve: Serve, token_file: Path) -> None:
    client = serve(token_file=token_file)

    def are_let_in() -> list[bool]:
        return [client.get("/v1/model", headers=bearing(token)).is_success for token in (FIRST, SECOND)]

    assert are_let_in() == [True, False]
    for content, expected in [
        (f"{FIRST}\n{SECOND}\n", [True, True]),
        (f"{SECOND}\n", [False, True]),
        ("short\n", [False, True]),  # what cannot be used changes nothing
    ]:
        token_file.write_text(content)
        reload(client.app)  # type: ignore[arg-type]
        assert are_let_in() == expected


def test_pages_of_other_origins_may_not_ask(serve: Serve) -> None:
    client = serve(origins=("https://desk.example.org",))
    for origin, status in [
        ("http://testserver", 200),
        ("https://desk.example.org", 200),
        ("https://elsewhere.example", 403),
        ("null", 403),
        ("http://[", 403),
    ]:
        answer = client.post("/v1/score", content=GOOD, headers=JSON | {"origin": origin})
        assert answer.status_code == status
        shared = answer.headers.get("access-control-allow-origin")
        assert shared == ("https://desk.example.org" if "desk" in origin else None)
    preflight = {"origin": "https://desk.example.org", "access-control-request-method": "POST"}
    assert (
        client.options("/v1/score", headers=preflight).headers["access-control-allow-methods"] == "GET, POST"
    )


def test_cors_is_off_unless_it_is_asked_for(client: TestClient) -> None:
    preflight = {"origin": "https://desk.example.org", "access-control-request-method": "POST"}
    answer = client.options("/v1/score", headers=preflight)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_service_without_a_token_has_one_name(serve: Serve) -> None:
    client = serve(hosts=("127.0.0.1", "localhost", "::1"))
    for host, status in [
        ("localhost:8080", 200),
        ("LOCALHOST", 200),
        ("[::1]:8080", 200),
        ("rebound.example:8080", 421),
        ("[::1", 421),
        ("", 421),
    ]:
        assert client.get("/healthz", headers={"host": host}).status_code == status


def test_every_answer_has_the_headers_of_security(client: TestClient) -> None:
    pages = {"/docs": "default-src 'none'; script-src 'self'; style-src 'self'"}
    for path in ("/healthz", "/docs", "/docs/style.css", "/openapi.json", "/metrics", "/nowhere"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith(pages.get(path, "default-src 'none'; frame-"))
        assert "server" not in headers


def test_a_request_keeps_its_id_and_gets_one_otherwise(client: TestClient) -> None:
    kept = client.get("/healthz", headers={"x-request-id": "proxy-42.a_b"}).headers["x-request-id"]
    assert kept == "proxy-42.a_b"
    made = {
        client.get("/healthz", headers={"x-request-id": given}).headers["x-request-id"]
        for given in ("", "a b", "x" * 65, "<script>")
    }
    assert len(made) == 4
    assert all(len(request_id) == 32 for request_id in made)


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("POST", "/v1/score/", 404, "not-found"),
        ("GET", "/v1/score", 405, "method"),
        ("DELETE", "/v1/model", 405, "method"),
    ],
)
def test_errors_of_the_framework_are_problems_too(
    client: TestClient, method: str, path: str, status: int, kind: str
) -> None:
    answer = client.request(method, path)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["type"]) == (status, f"/docs#{kind}")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_the_log_has_requests_but_no_record(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "scoring")
    client.post("/v1/score", content=GOOD, headers=JSON | {"x-request-id": "one"})
    client.post("/v1/score", content=b'{"title": ["Harbour"]}', headers=JSON | {"x-request-id": "two"})
    client.get("/harbour?harbour=harbour", headers={"x-request-id": "three"})
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert "arbour" not in "".join(lines)
    first, second, third = map(json.loads, lines)
    assert first.pop("ms") > 0
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "info",
        "event": "request",
        "request_id": "one",
        "method": "POST",
        "route": "/v1/score",
        "status": 200,
        "records": 1,
        "bytes": len(GOOD),
        "model": client.get("/v1/model").json()["name"],
    }
    assert (second["request_id"], second["status"], second["fault"]) == ("two", 422, "record")
    assert (third["request_id"], third["route"], third["fault"]) == ("three", "-", "not-found")


def test_a_trace_in_the_log_is_without_its_message() -> None:
    logger = logging.getLogger("scoring.test")
    try:
        raise ValueError("-".join(["some", "words"]))
    except ValueError as error:
        trace = (type(error), error, error.__traceback__)
        record = logger.makeRecord("scoring", logging.ERROR, "", 0, "failed", (), trace)
    line = JsonFormatter().format(record)
    assert json.loads(line)["error"] == "ValueError"
    assert "some-words" not in line


def test_an_origin_that_is_let_in_may_read_scores_and_problems(serve: Serve) -> None:
    origin = "https://desk.example.org"
    client = serve(origins=(origin,))
    for content, status in ((GOOD, 200), (b"{", 422)):
        answer = client.post("/v1/score", content=content, headers=JSON | {"origin": origin})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, origin)
        assert answer.headers["x-request-id"]
    asks_first = {"origin": origin, "access-control-request-method": "POST"}
    assert client.options("/v1/score", headers=asks_first).headers["access-control-allow-origin"] == origin
    assert client.get("/v1/score").status_code == 405
