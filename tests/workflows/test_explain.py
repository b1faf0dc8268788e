"""Explaining one record from its file."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.errors import ModelError, RecordError
from scoring.records.synthetic.generate import sample_json_lines, write_sample
from scoring.settings import Settings
from scoring.workflows.explain import explain
from scoring.workflows.score import score
from scoring.workflows.train import TrainOutcome


def stop(error: RecordError) -> None:
    raise error


def test_explanation_has_the_score_of_the_file(
    training: TrainOutcome, saved: SavedModel, settings: Settings, archive: Path
) -> None:
    file = str(sorted(archive.iterdir())[3])
    as_of = datetime(2018, 2, 1, tzinfo=UTC)
    explanation = explain(file, model=training.model, settings=settings, as_of=as_of)
    (expected,) = score([file], model=training.model, settings=settings, as_of=as_of, on_fault=stop)
    assert explanation.score == expected
    assert explanation.score.model == saved.name
    assert set(explanation.reasons) == {"quality", "lead", "heat", "published"}


def test_record_of_standard_input(training: TrainOutcome, settings: Settings) -> None:
    (line,) = sample_json_lines(n_records=1, seed=3)
    explanation = explain("-", model=training.model, settings=settings, stdin=io.BytesIO(line))
    assert explanation.score.path == "-:1"


def test_one_record_only(training: TrainOutcome, settings: Settings, tmp_path: Path) -> None:
    write_sample(tmp_path / "two", n_records=2)
    with pytest.raises(RecordError, match="got 2 records, expected one record"):
        explain(str(tmp_path / "two"), model=training.model, settings=settings)


def test_bad_record_is_reported(training: TrainOutcome, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "bad.md").write_text("---\ntitle: [a]\n---\n")
    with pytest.raises(RecordError, match=r"bad\.md:2: title: got "):
        explain(str(tmp_path / "bad.md"), model=training.model, settings=settings)


def test_model_that_is_not_there(settings: Settings, archive: Path) -> None:
    file = str(sorted(archive.iterdir())[0])
    with pytest.raises(ModelError, match="model: got 'nowhere'"):
        explain(file, model="nowhere", settings=settings)
