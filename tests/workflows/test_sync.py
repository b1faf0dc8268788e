"""Uploading kept runs, from an evaluation without a store to its run."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scoring.errors import RecordError, TrackingError
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings, load_settings
from scoring.tracking.store import Store, opened
from scoring.workflows.evaluate import evaluate
from scoring.workflows.sync import sync
from scoring.workflows.train import TrainOutcome

pytestmark = pytest.mark.usefixtures("undrawn_plots")

NOW = datetime(2019, 1, 1, tzinfo=UTC)


def stop(error: RecordError) -> None:
    raise error


def test_nothing_pending_is_nothing_done(settings: Settings) -> None:
    assert sync(settings) == []
    assert not settings.home.exists()


def test_an_evaluation_whose_store_was_down_is_uploaded_later(
    training: TrainOutcome,
    settings: Settings,
    template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    down = load_settings(home=settings.home, threads=1, tracking_uri="http://127.0.0.1:1")
    write_sample(tmp_path / "later", n_records=30, seed=1, begins_at=datetime(2019, 3, 1, tzinfo=UTC))
    with pytest.raises(TrackingError, match=r"Connection refused; the run is kept in .*`scoring runs sync`"):
        evaluate([str(tmp_path / "later")], model=training.model, settings=down, now=NOW, on_fault=stop)
    shutil.copy(template, settings.home)
    (refused,) = sync(settings)
    assert "expected http://127.0.0.1:1: name a store" in (refused.error or "")
    (synced,) = sync(settings, is_store_named=True)
    store = Store(settings.tracking_uri, settings.home)
    with opened(store, "read", writes=False) as client:
        run = client.get_run(synced.run_id or "")
    assert (run.info.status, run.data.tags["type"]) == ("FINISHED", "evaluate")
    assert run.data.metrics["records/evaluated"] == 30
    assert sync(settings) == []
