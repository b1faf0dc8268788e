"""The desk's pages, writes and previews do not block each other, and the request limits hold for all."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from scoring.inbox.inbox import Inbox
from scoring.records.decode import decode_file
from scoring.records.ledger import read_ledger
from scoring.service.desk import routes as desk_module
from scoring.service.desk.live_inbox import LEDGER
from scoring.service.options import RequestLimits
from scoring.settings import Settings
from tests.service.conftest import Serve
from tests.service.desk.test_routes import OWN, change, decision, desk, folder, rows, wait_for, write

__all__ = ["desk", "folder"]  # fixtures

SECONDS = 30
N_PAGES = 40


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Semaphore]:
    """Details and previews that block until the test ends; each adds one when it begins."""
    begun, end = threading.Semaphore(0), threading.Event()

    def block(*_: object) -> None:
        begun.release()
        end.wait()
        raise RuntimeError("never wanted")

    monkeypatch.setattr(Inbox, "details", block)
    monkeypatch.setattr(desk_module, "preview", block)
    monkeypatch.setattr(desk_module, "explain_preview", block)
    yield begun
    end.set()


def test_pages_that_do_not_end_hold_up_no_write_no_score_and_no_look(
    desk: TestClient, folder: Path, lines: list[bytes], blocked: threading.Semaphore, request: Any
) -> None:
    row = rows(desk)[0]
    dropped = {"name": "a.md", "text": "x"}
    asks: list[Callable[[], object]] = [
        lambda: desk.get("/desk/details", params={"path": row["path"]}),
        lambda: desk.post("/desk/preview", json={"files": [dropped]}, headers=OWN),
        lambda: desk.post("/desk/preview/details", json=dropped, headers=OWN),
    ]
    pages = ThreadPoolExecutor(N_PAGES)
    # Its threads wait until the fixture has let the pages end.
    request.addfinalizer(lambda: pages.shutdown(wait=False))
    for index in range(N_PAGES):
        pages.submit(asks[index % len(asks)])
    assert blocked.acquire(timeout=SECONDS)
    ends = time.monotonic() + SECONDS
    while desk.app.state.desk_work.pages.admission_control.n_requests < N_PAGES:  # type: ignore[attr-defined]
        assert time.monotonic() < ends
        time.sleep(0.02)
    answer = write(desk, decision(row))
    assert "fault" not in answer
    assert decode_file((folder / row["path"]).read_bytes(), "a").labels.quality == row["score"]["quality"]
    (answer,) = change(desk, "undo", row["path"])
    assert "fault" not in answer
    for path in ("/v1/score", "/v1/score?explain=true"):
        scored = desk.post(path, content=lines[0], headers={"content-type": "application/json"})
        assert scored.status_code == 200
    shutil.copy(folder / row["path"], folder / "new.md")
    wait_for(desk, 6)
    assert desk.get("/readyz").status_code == 200


def test_no_more_pages_are_taken_on_than_requests_to_score_and_writes_go_on(
    serve: Serve, folder: Path, blocked: threading.Semaphore, request: Any
) -> None:
    client = serve(inbox=folder, limits=RequestLimits(requests=3))
    wait_for(client, 5)
    row = rows(client)[0]
    pages = ThreadPoolExecutor(3)
    request.addfinalizer(lambda: pages.shutdown(wait=False))
    for _ in range(3):
        pages.submit(client.get, "/desk/details", params={"path": row["path"]})
    ends = time.monotonic() + SECONDS
    while client.app.state.desk_work.pages.admission_control.n_requests < 3:  # type: ignore[attr-defined]
        assert time.monotonic() < ends
        time.sleep(0.02)
    answer = client.get("/desk/details", params={"path": row["path"]})
    assert (answer.status_code, answer.json()["limit"]) == (503, "requests")
    written = write(client, decision(row))
    assert "fault" not in written


HEAD = "---\ntitle: Rain\npublishedDateTime: 2026-02-28T08:00:00Z\nprovider:\n  name: Daily\n"
LARGE = {
    "topics": (HEAD + "topics:\n" + "- a\n" * 101 + "---\n", "topics: got 101 entries, expected at most 100"),
    "coverage": (
        HEAD + "related:\n" + "- title: a\n" * 501 + "---\n",
        "related: got 501 entries, expected at most 500",
    ),
    "record_bytes": (HEAD + "---\n" + "a" * 1_000_000, "bytes, expected at most 1,000,000 bytes"),
}


@pytest.mark.parametrize("limit", LARGE)
def test_the_bounds_of_scoring_hold_for_every_route(
    client: TestClient, desk: TestClient, folder: Path, limit: str
) -> None:
    text, message = LARGE[limit]
    (folder / "large.md").write_text(text, "utf-8")
    wait_for(desk, 6)
    (row,) = (row for row in rows(desk) if row["path"] == "large.md")
    assert message in row["fault"]
    assert "score" not in row
    answers = [
        desk.post("/v1/score", content=text, headers={"content-type": "text/markdown"}),
        desk.get("/desk/details", params={"path": "large.md"}),
        desk.post("/desk/preview/details", json={"name": "large.md", "text": text}, headers=OWN),
    ]
    assert [(answer.status_code, answer.json()["limit"]) for answer in answers] == [(422, limit)] * 3
    assert all(message in answer.json()["detail"] for answer in answers)
    (seen,) = desk.post("/desk/preview", json={"files": [{"name": "a.md", "text": text}]}, headers=OWN).json()
    assert message in seen["fault"]
    changed = {"path": "large.md", "record_sha256": "0" * 64, "labels": {"quality": 5}}
    written = write(desk, changed)
    assert "a file that cannot be used" in written["fault"]


def test_as_many_decisions_as_records_are_taken_at_once(desk: TestClient) -> None:
    row = rows(desk)[0]
    many = [decision(row)] * 1001
    targets = {"targets": [{"path": row["path"]}] * 1001}
    for path, body in (("decide", {"decisions": many}), ("save", targets), ("undo", targets)):
        answer = desk.post(f"/desk/{path}", json={"id": "a" * 8} | body, headers=OWN)
        assert (answer.status_code, answer.json()["limit"]) == (413, "records")


# The inbox, whatever becomes of it

ODD_NAMES = [
    os.fsdecode(b"caf\xe9.md"),
    "caf\\xe9.md",
    "line\nbreak.md",
    "bell\x07.md",
    "right\u202eto left.md",
]


def until(is_there: Callable[[], bool]) -> None:
    ends = time.monotonic() + SECONDS
    while not is_there():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_names_of_any_bytes_are_listed_explained_written_and_taken_back(
    desk: TestClient, folder: Path, settings: Settings
) -> None:
    content = min(folder.glob("2*.md")).read_bytes()
    for name in ODD_NAMES:
        (folder / name).write_bytes(content)
    wait_for(desk, 10)
    by_path = {row["path"]: row for row in rows(desk)}
    odd = [r"caf\xe9.md", r"caf\\xe9.md", r"line\u000abreak.md", r"bell\u0007.md", r"right\u202eto left.md"]
    assert set(odd) <= by_path.keys()
    assert all(path.isprintable() for path in by_path)
    stream = desk.app.state.inbox.events()  # type: ignore[attr-defined]
    assert stream is not None
    for path, name in zip(odd, ODD_NAMES, strict=True):
        details = desk.get("/desk/details", params={"path": path})
        assert details.json()["explanation"]["score"] == by_path[path]["score"]
        changed = decision(by_path[path], quality=by_path[path]["score"]["quality"] + 3)
        written = write(desk, changed)
        assert written == {"path": path}
        labels = decode_file((folder / name).read_bytes(), "a").labels
        assert labels.quality == changed["labels"]["quality"]
    assert [line.path for line in read_ledger(settings.home / LEDGER).corrections] == odd[:1]
    assert change(desk, "undo", *odd) == [{"path": path} for path in odd]
    assert all((folder / name).read_bytes() == content for name in ODD_NAMES)


def test_a_record_with_half_of_a_character_is_a_fault_of_its_own(client: TestClient) -> None:
    fields = ('"provider": "\\ud800"', '"topics": "\\ud800"', '"excerpt": "\\ud800"', '"topics": ["a"]')
    files = [
        {"name": "a.jsonl", "line": index, "text": f'{{"title": "Rain", {field}}}'}
        for index, field in enumerate(fields, start=1)
    ]
    *broken, whole = client.post("/desk/preview", json={"files": files}, headers=OWN).json()
    assert [row["fault"] for row in broken] == [
        f"a.jsonl:{index}: {field}: got half of a character, expected text in Unicode"
        for index, field in enumerate(("provider", "topics", "excerpt"), start=1)
    ]
    assert "fault" not in whole


def fault_of(client: TestClient) -> str:
    return client.app.state.inbox._status()["fault"]  # type: ignore[attr-defined,no-any-return]


def test_an_inbox_that_goes_is_reported_once_and_read_again_when_it_is_back(
    desk: TestClient, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    row = rows(desk)[0]
    for _ in range(2):
        folder.rename(folder.with_name("aside"))
        until(lambda: "No such file or directory" in fault_of(desk))
        assert "the folder of the inbox; it is polled until it exists" in fault_of(desk)
        answer = write(desk, decision(row))
        assert "No such file or directory" in answer["fault"]
        folder.with_name("aside").rename(folder)
        until(lambda: fault_of(desk) == "")
    assert [record.message for record in caplog.records if record.message == "inbox not read"] == [
        "inbox not read"
    ] * 2
    shutil.copy(folder / row["path"], folder / "new.md")
    wait_for(desk, 6)
    answer = write(desk, decision(row))
    assert "fault" not in answer


def test_another_folder_in_its_place_and_another_behind_a_link_are_read(
    serve: Serve, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(folder)
    client = serve(inbox=tmp_path / "link")
    wait_for(client, 5)
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(min(folder.glob("2*.md")), other / "other.md")
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to(other)
    until(lambda: [row["path"] for row in rows(client)] == ["other.md"])
    shutil.rmtree(other)
    other.mkdir()
    shutil.copy(min(folder.glob("2*.md")), other / "again.md")
    until(lambda: [row["path"] for row in rows(client)] == ["again.md"])


def test_a_fault_goes_with_its_cause(desk: TestClient, folder: Path, settings: Settings) -> None:
    content = min(folder.glob("2*.md")).read_bytes()
    (folder / "linked.md").symlink_to("later")  # to nothing, so far
    (folder / "bad.md").write_text("---\ntitle: [\n---\n", "utf-8")
    (folder / "gone.md").write_text("---\ntitle: [\n---\n", "utf-8")
    until(lambda: len([row for row in rows(desk) if "fault" in row]) == 3)
    (folder / "later").write_bytes(content)
    (folder / "bad.md").write_bytes(content)
    (folder / "gone.md").unlink()
    until(lambda: not [row for row in rows(desk) if "fault" in row] and len(rows(desk)) == 7)


def test_a_torn_line_of_the_ledger_is_reported_and_the_desk_goes_on(
    desk: TestClient, folder: Path, settings: Settings
) -> None:
    ledger = settings.home / LEDGER
    ledger.parent.mkdir(exist_ok=True)
    ledger.write_bytes(b'{"at": "2026-03-0')
    row = rows(desk)[0]
    changed = decision(row, quality=row["score"]["quality"] + 3)
    answer = write(desk, changed)
    assert "fault" not in answer
    until(lambda: "corrections.jsonl:1: got a line that is not JSON (cut off?)" in fault_of(desk))
    until(
        lambda: (
            rows(desk)[0].get("corrected") == ["quality"] or rows(desk)[-1].get("corrected") == ["quality"]
        )
    )
    assert [correction.value for correction in read_ledger(ledger).corrections] == [
        changed["labels"]["quality"]
    ]
    ledger.write_bytes(ledger.read_bytes().partition(b"\n")[2])
    until(lambda: fault_of(desk) == "")
