"""Routes of the desk: assets, rows, previews of uploaded files, writing and undoing."""

from __future__ import annotations

import shutil
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from scoring.artifact.saved_model import SavedModel, save_model
from scoring.cli import app
from scoring.explanation.policy import policy_texts
from scoring.records.corpus import read_documents
from scoring.records.decode import decode_file
from scoring.records.ledger import read_ledger
from scoring.records.synthetic.generate import write_sample
from scoring.service.desk.live_inbox import LEDGER
from scoring.settings import Settings
from tests.service.conftest import Serve

OWN = {"x-scoring-desk": "1"}
POSTED = ("preview", "preview/details", "rule", "search", "here", "decide", "save", "undo")


def stop(error: Exception) -> None:
    raise error


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_sample(tmp_path / "inbox", n_records=5, seed=5, is_labelled=False)
    return tmp_path / "inbox"


@pytest.fixture
def desk(serve: Serve, folder: Path) -> TestClient:
    """A service whose inbox has been read."""
    client = serve(inbox=folder)
    wait_for(client, 5)
    return client


def wait_for(client: TestClient, n_rows: int) -> None:
    ends = time.monotonic() + 30
    while len(client.app.state.inbox.inbox) < n_rows:  # type: ignore[attr-defined]
        assert time.monotonic() < ends
        time.sleep(0.02)


def rows(client: TestClient) -> list[dict[str, Any]]:
    """Rows as sent to the page."""
    inbox_rows = client.app.state.inbox.inbox.since(0).rows  # type: ignore[attr-defined]
    return as_json(inbox_rows)  # type: ignore[no-any-return]


def as_json(value: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def decision(row: dict[str, Any], **labels: Any) -> dict[str, Any]:
    predicted = {name: row["score"][name] for name in ("quality", "heat", "published")}
    before = labels.pop("before", row["labels"])
    identity = {"path": row["path"], "record_sha256": row["record_sha256"]}
    return identity | {"labels": predicted | labels, "before": before}


def decide(client: TestClient, *decisions: dict[str, Any], **more: Any) -> Any:
    """Decide records, and return the results."""
    body = {"id": uuid4().hex, "decisions": decisions} | more
    return client.post("/desk/decide", json=body, headers=OWN).json()["results"]


def change(client: TestClient, kind: str, *paths: str, **more: Any) -> Any:
    """Save or undo the last step of records, whatever it is, and return the results."""
    states = client.app.state.inbox.decisions.of(paths)  # type: ignore[attr-defined]
    bases = {state.path: state.head.id for state in states if state.head is not None}
    targets = [{"path": path, "base": bases.get(path, "")} for path in paths]
    body = {"id": uuid4().hex, "targets": targets} | more
    return client.post(f"/desk/{kind}", json=body, headers=OWN).json()["results"]


def write(client: TestClient, row: dict[str, Any], **more: Any) -> Any:
    """Decide a record and save the decision; returns the result of the first that fails."""
    (state,) = client.app.state.inbox.decisions.of([row["path"]]) or [None]  # type: ignore[attr-defined]
    base = state.head.id if state is not None and state.head is not None else ""
    (decided,) = decide(client, row | {"base": base}, **more)
    return decided if "fault" in decided else change(client, "save", row["path"], **more)[0]


def test_the_page_and_its_parts_are_there_and_may_load_nothing_else(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'; style-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    parts = {
        part: client.get(part)
        for part in ("/page/app.js", "/page/list.js", "/page/style.css", "/page/icon.svg")
    }
    assert {part: answer.status_code for part, answer in parts.items()} == dict.fromkeys(parts, 200)
    assert parts["/page/app.js"].headers["content-type"] == "text/javascript; charset=utf-8"
    for lost in ("/page/none.js", "/page/index", "/page/..%2fdesk.py", "/page/style.css/more"):
        assert client.get(lost).status_code == 404


def test_dropped_files_are_scored_and_explained(client: TestClient, folder: Path, saved: SavedModel) -> None:
    documents = list(read_documents([str(folder)], on_fault=stop))
    files = [
        {"name": Path(document.path).name, "text": Path(document.path).read_text("utf-8")}
        for document in documents
    ]
    answer = client.post(
        "/desk/preview", json={"files": [*files, {"name": "b.md", "text": "x"}]}, headers=OWN
    )
    *previews, broken = answer.json()
    scores = [
        msgspec.structs.replace(score, path=Path(score.path).name) for score in saved.scorer.score(documents)
    ]
    assert [row["score"] for row in previews] == as_json(scores)
    assert broken["fault"] == (
        "b.md:1: got a first line that is not '---', expected front matter between two lines '---'"
    )
    details = client.post("/desk/preview/details", json=files[0], headers=OWN).json()
    assert details["explanation"]["score"] == previews[0]["score"]
    answer = client.post("/desk/preview/details", json={"name": "b.md", "text": "x"}, headers=OWN)
    assert (answer.status_code, answer.json()["faults"][0]["line"]) == (422, 1)


@pytest.mark.parametrize(
    "path", ["preview", "preview/details", "rule", "search", "here", "decide", "save", "undo"]
)
def test_only_the_page_itself_may_ask_for_changes(desk: TestClient, path: str, folder: Path) -> None:
    path = f"/desk/{path}"
    before = {file: file.read_bytes() for file in folder.iterdir()}
    good = {"id": "a" * 8, "decisions": [decision(rows(desk)[0])]}
    assert desk.post(path, json=good).status_code == 403
    foreign = OWN | {"origin": "https://elsewhere.example"}
    assert desk.post(path, json=good, headers=foreign).status_code == 403
    plain = OWN | {"content-type": "text/plain"}
    assert desk.post(path, content=b"{}", headers=plain).status_code == 415
    assert (
        desk.post(path, content=b"{", headers=OWN | {"content-type": "application/json"}).status_code == 422
    )
    assert desk.post(path, json={"what": 1}, headers=OWN).status_code == 422
    assert desk.get(path, headers=OWN).status_code in (404, 405)
    assert {file: file.read_bytes() for file in folder.iterdir()} == before


def test_decisions_are_saved_each_at_its_place_and_undone(
    desk: TestClient, folder: Path, settings: Settings
) -> None:
    first, second, third, *_ = rows(desk)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    decisions: list[dict[str, Any]] = [
        decision(first, quality=first["score"]["quality"] + 3),
        decision(second, before={"quality": 5}),
        decision(third),
        decision(third) | {"path": "../elsewhere.md"},
    ]
    answer = decide(desk, *decisions, by=" ann ")
    assert [row["path"] for row in answer] == [change["path"] for change in decisions]
    assert [row.get("fault", "").partition("got ")[2] for row in answer] == [
        "",
        "",
        "",
        "a file that is not in the inbox, expected one of its records",
    ]
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    paths = [first["path"], second["path"], third["path"]]
    answer = change(desk, "save", *paths, by=" ann ")
    assert [row.get("fault", "").partition("got ")[2] for row in answer] == [
        "",
        "a record that has changed since, expected the record as displayed",
        "",
    ]
    labels = decode_file((folder / first["path"]).read_bytes(), "a").labels
    assert labels.quality == first["score"]["quality"] + 3
    (line,) = read_ledger(settings.home / LEDGER).corrections
    assert (line.by, line.path) == ("ann", first["path"])
    assert abs((datetime.now(line.at.tzinfo) - line.at).total_seconds()) < 60
    (row,) = [row for row in rows(desk) if row["path"] == first["path"]]  # at once, without another scan
    assert row["labels"]["quality"] == labels.quality
    assert not any("fault" in row for row in change(desk, "undo", *paths))
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert read_ledger(settings.home / LEDGER).holding() == {}
    (state,) = desk.app.state.inbox.decisions.of([first["path"]])  # type: ignore[attr-defined]
    assert (state.decided.labels.quality, state.is_saved) == (labels.quality, False)  # decided again


def test_an_id_of_another_action_is_a_conflict(desk: TestClient) -> None:
    row = rows(desk)[0]
    for quality, status in ((5, 200), (5, 200), (6, 409)):
        body = {"id": "a" * 8, "decisions": [decision(row, quality=quality)]}
        answer = desk.post("/desk/decide", json=body, headers=OWN)
        assert answer.status_code == status
    assert answer.json()["detail"].startswith(
        f"id: got 'aaaaaaaa', the id of an earlier, different action on {row['path']}"
    )


def test_images_are_loaded_only_if_that_is_allowed(serve: Serve, client: TestClient) -> None:
    assert "img-src 'self' data:;" in client.get("/").headers["content-security-policy"]
    policy = serve(has_images=True).get("/").headers["content-security-policy"]
    assert "img-src 'self' https: http: data:;" in policy
    assert "script-src 'self'" in policy


def test_excerpts_and_bodies_are_searched(desk: TestClient, folder: Path) -> None:
    head = "---\ntitle: Rain\nexcerpt: A Wet day\n"
    (folder / "new.md").write_text(f"{head}---\nOn the Pier they waited.\n", "utf-8")
    wait_for(desk, 6)
    body = {"terms": ["wet DAY", "the pier they", "excerpt:", "nowhere"]}
    answer = desk.post("/desk/search", json=body, headers=OWN).json()
    assert answer == {"wet DAY": ["new.md"], "the pier they": ["new.md"], "excerpt:": [], "nowhere": []}
    assert desk.post("/desk/search", json={"terms": [""]}, headers=OWN).status_code == 422


def test_details_of_the_inbox(desk: TestClient, saved: SavedModel) -> None:
    row = rows(desk)[0]
    details = desk.get("/desk/details", params={"path": row["path"]}).json()
    assert details["explanation"]["score"] == row["score"]
    assert details["explanation"]["reasons"].keys() == {"quality", "lead", "heat", "published"}
    lost = desk.get("/desk/details", params={"path": "../secrets.md"})
    assert (lost.status_code, lost.json()["detail"]) == (
        422,
        "got a file that is not in the inbox, expected one of its records",
    )
    assert desk.get("/desk/details").status_code == 422


def test_rows_are_scored_again_where_the_model_moves(
    serve: Serve, folder: Path, saved: SavedModel, tmp_path: Path
) -> None:
    model_folder = tmp_path / "model"
    save_model(model_folder, saved.models, saved.manifest.training)
    client = serve(inbox=folder, model=str(model_folder))
    wait_for(client, 5)
    shutil.rmtree(model_folder)
    other = save_model(
        model_folder, saved.models, msgspec.structs.replace(saved.manifest.training, name="other")
    )
    assert client.app.state.manager.load()  # type: ignore[attr-defined]
    ends = time.monotonic() + 30
    while {row["score"]["model"] for row in rows(client)} != {other.name}:
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_limits_are_named(serve: Serve, client: TestClient, folder: Path) -> None:
    files = [{"name": f"{index}.md", "text": ""} for index in range(1001)]
    answer = client.post("/desk/preview", json={"files": files}, headers=OWN)
    assert (answer.status_code, answer.json()["limit"]) == (413, "records")
    client = serve(inbox=folder)
    for name, limit in (("by", 80), ("client", 64)):  # a longer one could not be read from the log again
        body = {"id": "a" * 8, "decisions": [], name: "a" * (limit + 1)}
        answer = client.post("/desk/decide", json=body, headers=OWN)
        expected = f"{name}: got more than {limit} characters, expected at most as many"
        assert (answer.status_code, answer.json()["detail"]) == (422, expected)


def test_an_inbox_has_to_be_a_folder() -> None:
    done = CliRunner().invoke(app, ["serve", "--inbox", "none"], prog_name="scoring")
    assert done.exit_code == 2
    assert "--inbox: got 'none', expected a folder" in done.output


def test_without_an_inbox_nothing_is_written(client: TestClient) -> None:
    for answer in (
        client.get("/desk/details", params={"path": "a.md"}),
        client.post("/desk/decide", json={"id": "a" * 8, "decisions": []}, headers=OWN),
        client.post("/desk/save", json={"id": "a" * 8, "targets": []}, headers=OWN),
    ):
        assert (answer.status_code, answer.json()["detail"]) == (
            404,
            "the service was started without --inbox DIR",
        )


def test_the_desk_needs_the_token_too(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("first-0123456789abcdef\n", "utf-8")
    (tmp_path / "tokens").chmod(0o600)
    client = serve(token_file=tmp_path / "tokens")
    for path in ("/", "/page/app.js", "/desk/events", "/desk/details?path=a"):
        assert client.get(path).status_code == 401
    assert client.get("/", auth=("me", "first-0123456789abcdef")).status_code == 200


def test_the_desk_is_no_part_of_the_public_document(client: TestClient) -> None:
    assert not [path for path in client.get("/openapi.json").json()["paths"] if "desk" in path or path == "/"]


def test_the_policy_of_the_model_is_there_without_an_inbox(client: TestClient, saved: SavedModel) -> None:
    answer = client.get("/desk/policy", headers=OWN).json()
    assert answer == {"model": saved.name, "policies": as_json(policy_texts(saved.models.rules))}
    assert [line["text"] for line in answer["policies"][0]["lines"]]
