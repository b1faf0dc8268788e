"""One leader a story, by whichever way the records are scored together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from starlette.testclient import TestClient

import scoring
from scoring.artifact.saved_model import SavedModel, load_model, save_model
from scoring.features.story import listed_pairs
from scoring.inbox.inbox import Inbox
from scoring.inbox.preview import UploadedFile, preview
from scoring.model.components import Thresholds
from scoring.model.score import Score
from scoring.records.corpus import read_documents
from scoring.records.synthetic.generate import write_sample
from scoring.service.app import create_app
from scoring.service.options import ServiceOptions
from scoring.settings import Settings
from scoring.tracking.pyfunc.record_model import RecordModel
from scoring.workflows.score import score
from tests.known import known


def stop(error: Exception) -> None:
    raise error


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_sample(tmp_path / "inbox", n_records=60, seed=5, is_labelled=False)
    return tmp_path / "inbox"


@pytest.fixture
def eager(saved: SavedModel, tmp_path: Path) -> str:
    """A model by which every record leads, if it is scored by itself."""
    models = replace(saved.models, thresholds=Thresholds(lead=0.0))
    save_model(tmp_path / "eager", models, saved.manifest.training)
    return str(tmp_path / "eager")


@pytest.fixture
def expected(folder: Path, eager: str, settings: Settings) -> dict[str, Score]:
    """Scores by file name, as the command has them."""
    scores = list(score([str(folder)], model=eager, settings=settings, on_fault=stop))
    leads = [known(result.heat) >= 0 for result in scores]
    pairs = listed_pairs([document.record for document in read_documents([str(folder)], on_fault=stop)])
    assert pairs
    assert not any(leads[first] and leads[second] for first, second in pairs)
    assert sum(leads) < len(leads)
    return {Path(result.path).name: result for result in scores}


def without_paths(result: Score) -> dict[str, object]:
    """A score without what names files: its path, and the leader in its warning."""
    fields = msgspec.structs.asdict(result)
    del fields["path"]
    fields["warnings"] = [text for text in result.warnings if "does not lead" not in text]
    return fields


def test_python(folder: Path, eager: str, expected: dict[str, Score]) -> None:
    assert {Path(result.path).name: result for result in scoring.score(folder, model=eager)} == expected


def test_a_request_to_the_service(
    folder: Path, eager: str, settings: Settings, expected: dict[str, Score]
) -> None:
    documents = list(read_documents([str(folder)], on_fault=stop))
    lines = [msgspec.json.encode(document.record) for document in documents]

    def answered(lines: list[bytes], **params: str) -> list[dict[str, Any]]:
        headers = {"content-type": "application/x-ndjson"}
        answer = client.post("/v1/score", content=b"\n".join(lines), headers=headers, params=params)
        assert answer.status_code == 200
        return list(map(msgspec.json.decode, answer.text.splitlines()))

    with TestClient(create_app(ServiceOptions(settings=settings, model=eager))) as client:
        results = answered(lines)
        few = answered(lines[:16])
        explained = answered(lines[:16], explain="true")
    for fields, document in zip(results, documents, strict=True):
        result = msgspec.convert(fields, Score)
        assert without_paths(result) == without_paths(expected[Path(document.path).name])
    assert [explanation["score"] for explanation in explained] == few
    assert any("does not lead" in text for fields in few for text in fields["warnings"])


def test_mlflow(folder: Path, eager: str, expected: dict[str, Score]) -> None:
    import pandas as pd

    documents = list(read_documents([str(folder)], on_fault=stop))
    frame = pd.DataFrame([msgspec.to_builtins(document.record) for document in documents])
    model = RecordModel()
    model.scorer = load_model(Path(eager)).scorer
    heats = model.predict(cast("Any", None), frame)["heat"].tolist()
    assert heats == [expected[Path(document.path).name].heat for document in documents]


def test_the_page(folder: Path, eager: str, tmp_path: Path, expected: dict[str, Score]) -> None:
    loaded = load_model(Path(eager))
    inbox = Inbox(folder, tmp_path / "corrections.jsonl")
    inbox.refresh(loaded)
    rows = inbox.since(0).rows
    by_path = {row.path: row for row in rows}
    for row in rows:
        result = known(row.score)
        assert without_paths(result) == without_paths(expected[row.path])
        if known(result.heat) < 0 and (leader := row.leader) is not None and leader.path:
            assert known(known(by_path[leader.path].score).heat) >= 0
    for row in [row for row in rows if known(known(row.score).heat) < 0][:3]:
        assert inbox.details(row.path, loaded).explanation.score == row.score
    files = [UploadedFile(path.name, path.read_text("utf-8")) for path in sorted(folder.glob("*.md"))]
    for row in preview(files, loaded):
        assert without_paths(known(row.score)) == without_paths(expected[row.path])
