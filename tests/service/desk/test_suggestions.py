"""Labels to give next, as the desk has them: found in the background, and again when the rows change."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from scoring.inbox.labels_to_give import LabelsToGive
from scoring.service.desk import live_suggestions
from scoring.settings import Settings
from tests.service.conftest import Serve
from tests.service.desk.test_routes import OWN, as_json, decision, desk, folder, rows, wait_for, write

__all__ = ["desk", "folder"]  # fixtures

SECONDS = 30


def ask(client: TestClient) -> dict[str, Any]:
    answer = client.get("/desk/suggestions", headers=OWN)
    assert answer.status_code == 200
    state: dict[str, Any] = answer.json()
    return state


def settled(client: TestClient, version: int) -> dict[str, Any]:
    """The state once suggestions of that version, or later, are there and none are being found."""
    ends = time.monotonic() + SECONDS
    while True:
        state = ask(client)
        if state["version"] >= version and not state["is_computing"]:
            return state
        assert time.monotonic() < ends
        time.sleep(0.02)


def faulty(client: TestClient) -> dict[str, Any]:
    """The state once they could not be found."""
    ends = time.monotonic() + SECONDS
    while not (state := ask(client))["fault"]:
        assert time.monotonic() < ends
        time.sleep(0.02)
    return state


def refreshed(client: TestClient, version: int) -> None:
    """Wait until the rows have changed."""
    ends = time.monotonic() + SECONDS
    while client.app.state.inbox.inbox.version <= version:  # type: ignore[attr-defined]
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_they_are_found_once_and_again_when_the_rows_change(desk: TestClient) -> None:
    first = settled(desk, 1)
    assert (first["version"], first["fault"], first["found"]["n_unlabelled"]) == (1, "", 5)
    labels = first["found"]["labels"]
    assert {label["path"] for label in labels} <= {row["path"] for row in rows(desk)}
    assert all(label["reasons"] for label in labels)
    assert ask(desk) == first  # nothing has changed, so nothing is found again

    version = desk.app.state.inbox.inbox.version  # type: ignore[attr-defined]
    (row,) = [row for row in rows(desk) if row["path"] == labels[0]["path"]]
    assert write(desk, decision(row)) == {"path": row["path"]}
    refreshed(desk, version)
    second = settled(desk, 2)
    assert second["found"]["n_unlabelled"] == 4
    assert row["path"] not in {label["path"] for label in second["found"]["labels"]}


def test_nobody_waits_while_they_are_being_found(
    desk: TestClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, started = threading.Event(), []
    found = LabelsToGive(labels=(), n_unlabelled=7, n_left_out=0, n_undated=0)

    def slow(*_: object) -> LabelsToGive:
        started.append(threading.current_thread().name)
        assert go.wait(SECONDS)
        return found

    monkeypatch.setattr(live_suggestions, "labels_to_give", slow)
    for _ in range(3):  # however often it is asked for, they are looked for once at a time
        assert ask(desk) == {"version": 0, "is_computing": True, "found": None, "fault": ""}
    path = rows(desk)[0]["path"]
    assert desk.get("/desk/details", params={"path": path}, headers=OWN).status_code == 200
    version = desk.app.state.inbox.inbox.version  # type: ignore[attr-defined]
    (folder / "new.md").write_text("---\ntitle: Rain\n---\n", "utf-8")
    refreshed(desk, version)
    assert ask(desk)["is_computing"]
    go.set()
    state = settled(desk, 2)  # the row that came in the meantime is considered
    assert state["found"] == as_json(found)
    assert len(started) == 2
    assert all(name.startswith("desk-suggest") for name in started)


def test_a_journal_that_cannot_be_used_is_reported_until_it_can(
    desk: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_suggestions, "MAX_REST_SECONDS", 0.05)
    settings.journal.parent.mkdir(exist_ok=True)
    settings.journal.mkdir()
    state = faulty(desk)
    assert state["found"] is None
    assert "journal.jsonl" in state["fault"]
    settings.journal.rmdir()
    assert settled(desk, state["version"] + 1)["found"]["n_unlabelled"] == 5


def test_a_defect_is_reported_without_its_message(
    desk: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> LabelsToGive:
        raise ZeroDivisionError("the text of a record")

    monkeypatch.setattr(live_suggestions, "labels_to_give", broken)
    assert faulty(desk)["fault"] == "an internal error: see the log of the service"
    assert "the text of a record" not in caplog.text


def test_without_an_inbox_there_are_none(client: TestClient) -> None:
    answer = client.get("/desk/suggestions", headers=OWN)
    assert answer.status_code == 404
    assert "without --inbox" in answer.json()["detail"]


def test_a_stop_does_not_wait_for_them(serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    def endless(*arguments: Any) -> LabelsToGive:
        check = arguments[-1]
        try:
            while True:
                check()
                time.sleep(0.01)
        finally:
            ended.set()

    monkeypatch.setattr(live_suggestions, "labels_to_give", endless)
    client = serve(inbox=folder)
    wait_for(client, 5)
    ends = time.monotonic() + SECONDS
    while not client.app.state.suggestions._task:  # type: ignore[attr-defined]
        ask(client)
        assert time.monotonic() < ends
    client.app.state.stopping.set()  # type: ignore[attr-defined]
    assert ended.wait(SECONDS)
