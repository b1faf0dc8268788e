"""Drift of new records from the training records, from files to the verdict."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.saved_model import SavedModel, save_model
from scoring.errors import ModelError, RecordError, ScoringError
from scoring.records.synthetic.generate import sample_json_lines, write_sample
from scoring.settings import Settings
from scoring.workflows.drift import DriftOutcome, drift
from scoring.workflows.train import TrainOutcome

NOW = datetime(2019, 1, 1, tzinfo=UTC)


def stop(error: RecordError) -> None:
    raise error


def run(model: str, settings: Settings, *paths: Path, **options: Any) -> DriftOutcome:
    options = dict[str, Any](is_tracked=False, on_fault=stop) | options
    return drift([str(path) for path in paths], model=model, settings=settings, now=NOW, **options)


def test_own_records_are_accepted(training: TrainOutcome, settings: Settings, archive: Path) -> None:
    outcome = run(training.model, settings, archive)
    drift_result = outcome.drift
    assert (outcome.run_id, drift_result.reasons, drift_result.n_records, drift_result.n_labelled) == (
        None,
        (),
        400,
        400,
    )
    assert drift_result.model.startswith("small@")
    assert [family.family for family in drift_result.families] == [
        "provider",
        "topic",
        "recency",
        "coverage",
        "content",
    ]
    assert (
        max(family.distance for family in drift_result.families) == 0
    )  # to the digit, as they were profiled
    assert not settings.home.exists()


def test_records_of_another_site_are_refused(
    training: TrainOutcome, settings: Settings, tmp_path: Path
) -> None:
    write_sample(tmp_path / "other", n_records=100, seed=3, section="Elsewhere", is_labelled=False)
    drift_result = run(training.model, settings, tmp_path / "other").drift
    assert (drift_result.n_records, drift_result.n_labelled, drift_result.label_error) == (100, 0, None)
    assert [reason.partition(":")[0] for reason in drift_result.reasons][:2] == [
        "unseen provider",
        "unseen topic",
    ]
    assert drift_result.unseen[1].names["Elsewhere"] == 100


def test_json_lines_are_like_files(training: TrainOutcome, settings: Settings, tmp_path: Path) -> None:
    write_sample(tmp_path / "files", n_records=30, seed=5)
    lines = io.BytesIO(b"".join(sample_json_lines(n_records=30, seed=5)))
    from_files = run(training.model, settings, tmp_path / "files").drift
    drift_result = run(training.model, settings, Path("-"), stdin=lines).drift
    assert (drift_result.families, drift_result.unseen) == (from_files.families, from_files.unseen)
    assert drift_result.label_error == pytest.approx(from_files.label_error)


def test_a_run_and_its_files(
    training: TrainOutcome, settings: Settings, archive: Path, tmp_path: Path
) -> None:
    outcome = run(training.model, settings, archive, output=tmp_path / "out", is_tracked=True)
    assert outcome.run_id is not None
    names = {str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*.*")}
    assert names == {"drift.json", "plots/drift.png"}
    assert (settings.home / "mlflow.db").exists()


def test_a_model_without_a_profile(
    saved: SavedModel, settings: Settings, archive: Path, tmp_path: Path
) -> None:
    save_model(tmp_path / "bare", saved.models, saved.manifest.training)
    with pytest.raises(ModelError, match="again with 80 or more before the test block and 40 or more in it"):
        run(str(tmp_path / "bare"), settings, archive)


def test_too_few_records_tell_nothing(training: TrainOutcome, settings: Settings, tmp_path: Path) -> None:
    write_sample(tmp_path / "few", n_records=9, seed=5)
    with pytest.raises(ModelError, match="new records: got 9 usable records, expected 10 or more"):
        run(training.model, settings, tmp_path / "few")


def test_output_that_cannot_be_written(
    training: TrainOutcome, settings: Settings, archive: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ScoringError, match="cannot write the drift"):
        run(training.model, settings, archive, output=tmp_path / "file")
