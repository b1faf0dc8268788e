"""Drift in the store: a run with metrics, plot and verdict."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from scoring.drift.detect import Drift, FamilyDrift, Shift, UnseenDrift
from scoring.plots import drift_figure
from scoring.tracking import DriftRun, Store, log_drift, write_drift
from scoring.tracking.store import opened

FOUND = Drift(
    model="small@1",
    n_records=12,
    families=(FamilyDrift("content", 3.0, 2.0, {"has_image": 4.0}),),
    unseen=(UnseenDrift("provider", 0.25, 0.125, 0.5, {"a.example": 3}),),
    shifts=(Shift("quality", 50.0, 35.0, 2.0, 10.0),),
    error_ratio=1.5,
    n_labelled=0,
    label_error=None,
    reasons=("content moved", "quality: 35"),
    rule="a rule",
)


def a_run(tmp_path: Path, drift: Drift = FOUND) -> DriftRun:
    (tmp_path / "news").mkdir(exist_ok=True)
    return DriftRun(
        experiment="news",
        run_name="drift from small@1",
        drift=drift,
        config={"seed": 0, "model": {"n_folds": 3}},
        data_path=str(tmp_path / "news"),
        data_sha256="0123456789abcdef" * 4,
        plots={"drift": drift_figure(drift)},
        started_at=datetime(2021, 4, 1, 12, tzinfo=UTC),
    )


def test_drift_is_one_run(store: Store, tmp_path: Path) -> None:
    run_id = log_drift(store, a_run(tmp_path))
    with opened(store, "read", writes=False) as client:
        run = client.get_run(run_id)
        assert (run.info.run_name, run.info.status) == ("drift from small@1", "FINISHED")
        tags = run.data.tags
        assert (tags["type"], tags["model"], tags["verdict"]) == ("drift", "small@1", "refused")
        assert tags["mlflow.note.content"] == "content moved; quality: 35"
        assert run.data.params == {"seed": "0", "model.n_folds": "3"}
        assert run.data.metrics == {
            "records/new": 12.0,
            "records/labelled": 0.0,
            "distance/content": 3.0,
            "distance/content_limit": 2.0,
            "unseen/provider_ratio": 0.25,
            "unseen/provider_ratio_limit": 0.5,
            "mean/quality": 35.0,
            "mean/quality_before": 50.0,
            "mean/quality_limit": 10.0,
            "error_ratio": 1.5,
        }
        assert run.inputs is not None
        (data,) = run.inputs.dataset_inputs
        assert {tag.key: tag.value for tag in data.tags}["sha256"] == "0123456789abcdef" * 4
        artifacts = {artifact.path for artifact in client.list_artifacts(run_id)}
        assert artifacts == {"drift.json", "plots"}


def test_drift_that_is_accepted(store: Store, tmp_path: Path) -> None:
    run_id = log_drift(store, a_run(tmp_path, msgspec.structs.replace(FOUND, reasons=(), label_error=2.0)))
    with opened(store, "read", writes=False) as client:
        run = client.get_run(run_id)
        assert run.data.tags["verdict"] == "accepted"
        assert run.data.metrics["label_error"] == 2.0


def test_files_of_drift(tmp_path: Path) -> None:
    write_drift(FOUND, {"drift": drift_figure(FOUND)}, tmp_path / "out")
    assert (tmp_path / "out" / "plots" / "drift.png").read_bytes().startswith(b"\x89PNG")
    written = json.loads((tmp_path / "out" / "drift.json").read_text())
    assert written["families"] == [
        {"family": "content", "distance": 3.0, "limit": 2.0, "columns": {"has_image": 4.0}}
    ]
    assert written["reasons"] == ["content moved", "quality: 35"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="file"):
        write_drift(FOUND, {}, tmp_path / "file")
