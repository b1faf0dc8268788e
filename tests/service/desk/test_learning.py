"""The panel "Learning" of the desk: its training, by short programs instead of real ones, and its routes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from filelock import FileLock
from starlette.testclient import TestClient

from scoring.deployment.gate import Verdict
from scoring.deployment.loaded_model import ModelSource, ResolvedModel
from scoring.inbox.rows import Row
from scoring.service.app import create_app
from scoring.service.desk import live_training
from scoring.service.desk.live_training import changed_decisions
from scoring.service.desk.training_commands import environment, next_step, retrain_command, score_command
from scoring.service.desk.training_state import LOCK, PAGE, STATE, TrainingState, read_state, write_state
from scoring.service.options import ServiceOptions
from scoring.settings import Settings, load_settings
from scoring.workflows.train import TrainOutcome
from tests.service.conftest import Serve
from tests.service.desk.test_routes import OWN, decision, folder, rows, wait_for, write

__all__ = ["folder"]  # fixture

SECONDS = 60
VERDICT = Verdict(
    is_passed=True, reasons=("quality_mae: better",), rule="It must improve.", n_records=60, n_days=31
)
OUTCOME = {
    "outcome": "promoted",
    "model": "small@1234",
    "run_id": "0123456789abcdef",
    "champion": "models:/scoring/1",
    "n_corrections": 2,
    "is_promoted": True,
}
STEP = {"name": "reading", "done": 3, "total": 4}

Run = Callable[..., None]


def printed(outcome: dict[str, Any]) -> str:
    verdict = msgspec.to_builtins(VERDICT)
    return f"print({json.dumps(json.dumps(outcome | {'verdict': verdict}))})"


def progress(step: dict[str, Any]) -> str:
    return f"import sys; print({json.dumps(json.dumps(step))}, file=sys.stderr, flush=True)"


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Sets what runs in place of `scoring retrain` and `scoring score`."""

    def run(retrain: str, score: str = "") -> None:
        commands = {"retrain_command": retrain, "score_command": score}
        for name, code in commands.items():
            command = [sys.executable, "-I", "-c", code]
            monkeypatch.setattr(live_training, name, lambda *_, command=command: command)

    return run


@pytest.fixture
def desk(serve: Serve, folder: Path) -> TestClient:
    client = serve(inbox=folder, archive=("archive",))
    wait_for(client, 5)
    return client


def ask(client: TestClient) -> dict[str, Any]:
    answer = client.get("/desk/learning", headers=OWN)
    assert answer.status_code == 200
    state: dict[str, Any] = answer.json()
    return state


def post(client: TestClient, name: str, body: dict[str, Any]) -> Any:
    return client.post(f"/desk/learning/{name}", json=body, headers=OWN)


def start(client: TestClient, by: str = "Ada") -> dict[str, Any]:
    answer = post(client, "start", {"by": by, "client": by.lower()})
    assert answer.status_code == 200, answer.json()
    job: dict[str, Any] = answer.json()["job"]
    return job


def until(client: TestClient, is_there: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    ends = time.monotonic() + SECONDS
    job: dict[str, Any] = ask(client)["job"]
    while not is_there(job):
        assert time.monotonic() < ends, job
        time.sleep(0.02)
        job = ask(client)["job"]
    return job


def ended(client: TestClient) -> dict[str, Any]:
    return until(client, lambda job: job["status"] != "running")


def test_a_training_is_followed_to_its_verdict_and_the_changed_decisions(
    desk: TestClient, folder: Path, settings: Settings, programs: Run
) -> None:
    first, *others = rows(desk)
    flipped = first["score"] | {"published": not first["score"]["published"]}
    scores = [flipped, *(row["score"] for row in others)]
    lines = "".join(json.dumps(score | {"path": f"{folder}/{score['path']}"}) + "\n" for score in scores)
    programs(f"{progress(STEP)}; {printed(OUTCOME)}", f"print({lines!r}, end='')")
    assert ask(desk) == {
        "model": first["score"]["model"],
        "archive": ["archive"],
        "job": None,
        "fault": "",
    }
    job = start(desk)
    assert (job["status"], job["by"], job["stage"]) == ("running", "Ada", "starting")
    job = ended(desk)
    assert (job["status"], job["fault"]) == ("done", "")
    result = job["result"]
    assert (result["outcome"], result["n_corrections"], result["n_records"]) == ("passed", 2, 60)
    change = {"path": first["path"], "before": first["score"]["published"], "after": flipped["published"]}
    assert (result["n_compared"], result["changes"]) == (5, [change])
    assert result["next_step"] == "scoring serve --model runs:/0123456789abcdef"
    assert read_state(settings.home) == msgspec.convert(job, TrainingState)


def test_there_is_one_at_a_time_and_the_later_person_sees_whose(desk: TestClient, programs: Run) -> None:
    programs(f"{progress(STEP)}; import time; time.sleep(600)")
    first = start(desk)
    assert start(desk, "Bob")["id"] == first["id"]
    job = until(desk, lambda job: job["stage"] == "reading")
    assert (job["by"], job["done"], job["total"]) == ("Ada", 3, 4)
    assert post(desk, "cancel", {"id": "another-one"}).json()["job"]["status"] == "running"
    assert post(desk, "cancel", {"id": first["id"]}).status_code == 200
    job = ended(desk)
    assert (job["status"], job["fault"], job["result"]) == ("cancelled", "", None)
    programs(printed(OUTCOME | {"outcome": "unchanged", "run_id": None, "model": ""}))
    assert start(desk, "Bob")["id"] != first["id"]
    assert ended(desk)["result"]["outcome"] == "unchanged"


def test_a_failure_says_why(desk: TestClient, programs: Run) -> None:
    message = "import sys; print('error: archive: no such file', file=sys.stderr); sys.exit(2)"
    programs(message)
    start(desk)
    job = ended(desk)
    assert (job["status"], job["fault"]) == ("failed", "archive: no such file")
    programs("print('no JSON')")
    start(desk)
    job = ended(desk)
    assert (job["status"], job["fault"]) == ("failed", "an internal error: see the log of the service")


def test_files_that_cannot_be_used_leave_the_result(desk: TestClient, programs: Run) -> None:
    fault = "import sys; print('a.md:2: title: got a bracket', file=sys.stderr)"
    score = json.dumps(rows(desk)[0]["score"])
    programs(f"{fault}; {printed(OUTCOME)}; sys.exit(1)", f"{fault}; print({score!r}); sys.exit(1)")
    start(desk)
    job = ended(desk)
    assert (job["status"], job["fault"]) == ("done", "")
    assert job["result"]["outcome"] == "passed"
    programs(f"{fault}; sys.exit(1)")
    start(desk)
    job = ended(desk)
    assert (job["status"], job["fault"]) == ("failed", "a.md:2: title: got a bracket")


def test_a_stop_of_the_service_ends_it_and_the_next_service_says_so(
    training: TrainOutcome, folder: Path, settings: Settings, programs: Run, tmp_path: Path
) -> None:
    mark = tmp_path / "ended"
    on_term = f"signal.signal(signal.SIGTERM, lambda *_: (open({str(mark)!r}, 'w').close(), sys.exit(143)))"
    programs(f"import signal, sys, time; {on_term}; {progress(STEP)}; time.sleep(600)")
    options = ServiceOptions(settings, training.model, inbox=folder, archive=("archive",))
    with TestClient(create_app(options)) as client:
        start(client)
        until(client, lambda job: job["stage"] == "reading")
    assert mark.exists()
    state = read_state(settings.home)
    assert state is not None
    assert (state.status, state.by) == ("interrupted", "Ada")


def test_a_state_that_cannot_be_written_leaves_the_training_and_its_end(
    desk: TestClient, settings: Settings, programs: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(home: Path, state: TrainingState) -> None:
        raise OSError(28, "No space left on device")

    programs(f"{progress(STEP)}; {printed(OUTCOME)}")
    with monkeypatch.context() as context:
        context.setattr(live_training, "write_state", full)
        answer = post(desk, "start", {"by": "Ada", "client": "ada"})
        assert (answer.status_code, answer.json()["detail"]) == (
            503,
            f"{settings.home}: No space left on device: nothing was started",
        )
    assert ask(desk)["job"] is None
    with FileLock(settings.home / LOCK, timeout=0):
        pass  # another service may start one
    with monkeypatch.context() as context:
        start(desk)
        context.setattr(live_training, "write_state", full)
        job = ended(desk)
        assert (job["status"], job["result"]["outcome"]) == ("done", "passed")
    assert ask(desk)["job"] == job
    assert read_state(settings.home) == msgspec.convert(job, TrainingState)


def test_a_training_that_cannot_be_followed_leaves_no_process(
    desk: TestClient, programs: Run, tmp_path: Path
) -> None:
    mark = tmp_path / "ended"
    on_term = f"signal.signal(signal.SIGTERM, lambda *_: (open({str(mark)!r}, 'w').close(), sys.exit(143)))"
    too_long = f"print('x' * {2 * live_training._LINE_BYTES}, file=sys.stderr, flush=True)"
    programs(f"import signal, sys, time; {on_term}; {too_long}; time.sleep(600)")
    start(desk)
    assert ended(desk)["status"] == "failed"
    assert mark.exists()


def test_one_that_is_cancelled_while_its_process_starts_ends(
    desk: TestClient, programs: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs("import time; time.sleep(600)")
    make = asyncio.create_subprocess_exec

    async def cancel_first(*command: Any, **options: Any) -> Any:
        process = await make(*command, **options)
        app: Any = desk.app
        app.state.training.cancel(app.state.training.current().id)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", cancel_first)
    start(desk)
    assert ended(desk)["status"] == "cancelled"


def test_one_of_a_killed_service_is_interrupted_and_one_of_another_process_is_not(
    desk: TestClient, settings: Settings
) -> None:
    state = TrainingState(id="0123456789", status="running", started_at=datetime.now(UTC), by="Ada")
    write_state(settings.home, state)
    with FileLock(settings.home / LOCK):  # as the other process has it
        assert ask(desk)["job"]["status"] == "running"
        assert start(desk, "Bob")["by"] == "Ada"
        assert post(desk, "cancel", {"id": state.id}).status_code == 503
    job = ask(desk)["job"]
    assert (job["status"], job["fault"]) == (
        "interrupted",
        "the service ended during the training: start it again",
    )


def test_a_damaged_state_is_named(desk: TestClient, settings: Settings) -> None:
    (settings.home / STATE).write_text("{", "utf-8")
    state = desk.get("/desk/learning", headers=OWN).json()
    assert state["job"] is None
    assert STATE in state["fault"]


def test_without_an_archive_or_the_header_of_the_page_nothing_starts(serve: Serve, folder: Path) -> None:
    client = serve(inbox=folder)
    answer = post(client, "start", {})
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "no archive to train on: start the service with --archive PATH",
    )
    for name, body in (("start", {}), ("cancel", {"id": "0123456789"})):
        assert client.post(f"/desk/learning/{name}", json=body).status_code == 403


def test_credentials_of_an_archive_are_not_shown(serve: Serve, folder: Path) -> None:
    client = serve(inbox=folder, archive=("https://me:hidden@news.example/a.csv",))
    assert ask(client)["archive"] == ["https://***@news.example/a.csv"]


def test_the_report_may_load_nothing(desk: TestClient, settings: Settings) -> None:
    assert desk.get("/desk/learning/report").status_code == 404
    settings.home.mkdir(exist_ok=True)
    (settings.home / PAGE).write_text("<p>compared</p>", "utf-8")
    answer = desk.get("/desk/learning/report")
    assert answer.text == "<p>compared</p>"
    assert answer.headers["content-security-policy"].startswith(
        "default-src 'none'; style-src 'unsafe-inline'"
    )


def test_what_the_model_has_missed_this_week(desk: TestClient) -> None:
    first, second, *_ = rows(desk)
    score = first["score"]
    decided = decision(first, quality=score["quality"] + 9) | {"reason": "an interview", "note": "by phone"}
    assert write(desk, decided, by="Ada") == {"path": first["path"]}
    far = decision(
        second, quality=second["score"]["quality"] + 12, published=not second["score"]["published"]
    )
    assert write(desk, far, by="Bob") == {"path": second["path"]}
    found = desk.get("/desk/learning/missed", headers=OWN).json()
    assert found["n_corrections"] == 3
    assert [label["field"] for label in found["labels"]] == ["published", "quality", "quality"]
    assert [label["by"] for label in found["labels"]] == ["Bob", "Bob", "Ada"]
    last = found["labels"][-1]
    assert (last["path"], last["title"]) == (first["path"], first["title"])
    assert (last["predicted"], last["value"]) == (score["quality"], score["quality"] + 9)
    assert (last["reason"], last["note"]) == ("an interview", "by phone")


def resolved(source: ModelSource, address: str | None) -> ResolvedModel:
    facts = {"folder": "/models/small", "name": "small@1", "sha256": "0" * 64, "address": address}
    return msgspec.convert({"source": source} | facts, ResolvedModel)


def test_the_commands_promote_nothing_and_have_the_settings_of_the_service(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = resolved(ModelSource.CHAMPION, "models:/scoring/1")
    named = resolved(ModelSource.EXPLICIT, None)
    command = retrain_command(["archive"], champion, settings)
    assert "--no-promote" in command
    assert "--corrections" not in command
    assert "--against" not in command
    assert command[-2:] == ["--", "archive"]
    command = retrain_command(["archive"], named, settings)
    assert command[command.index("--against") + 1] == "/models/small"
    assert score_command(Path("/inbox"), "12ab", settings)[-2:] == ["--", "/inbox"]
    assert next_step("0123456789abcdef", champion, settings) == "scoring promote 0123456789ab"
    assert next_step("12ab", named, settings) == "scoring serve --model runs:/12ab"
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    variables = environment(settings)
    assert variables["SCORING_THREADS"] == "1"
    for name in ("HOME", "TRACKING_URI", "JOURNAL"):
        monkeypatch.setenv(f"SCORING_{name}", variables[f"SCORING_{name}"])
    assert load_settings().home == settings.home


def test_only_records_that_both_models_have_decided_are_compared() -> None:
    rows = [Row(path="a.md"), Row(path="b.md", fault="no title")]
    assert changed_decisions(b"", rows, "inbox/") == (0, ())
