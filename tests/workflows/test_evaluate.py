"""Evaluating a model on labelled records, untracked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.errors import ModelError, RecordError, ScoringError
from scoring.features.as_of import AsOf
from scoring.model.policy_change import PolicyChange
from scoring.records.corpus import read_documents
from scoring.records.synthetic.generate import write_sample
from scoring.settings import Settings
from scoring.training.read_dataset import read_dataset
from scoring.workflows.evaluate import EvaluateOutcome, evaluate
from scoring.workflows.train import TrainOutcome

NOW = datetime(2019, 1, 1, tzinfo=UTC)


def stop(error: RecordError) -> None:
    raise error


class Notes:
    """Reporter that records its notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def step(self, name: str, done: int, total: int | None) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.notes.append(f"warning: {text}")


@pytest.fixture
def later(tmp_path: Path) -> Path:
    folder = tmp_path / "later"
    write_sample(folder, n_records=80, seed=1, begins_at=datetime(2019, 3, 1, tzinfo=UTC))
    return folder


def run(
    training: TrainOutcome,
    settings: Settings,
    folder: Path,
    notes: Notes,
    output: Path | None = None,
    as_of: AsOf = None,
) -> EvaluateOutcome:
    return evaluate(
        [str(folder)],
        model=training.model,
        settings=settings,
        now=NOW,
        as_of=as_of,
        output=output,
        is_tracked=False,
        on_fault=stop,
        reporter=notes,
    )


def test_later_records_are_evaluated(
    training: TrainOutcome, settings: Settings, later: Path, tmp_path: Path
) -> None:
    notes = Notes()
    outcome = run(training, settings, later, notes, tmp_path / "found")
    assert (outcome.run_id, outcome.n_records, outcome.n_faults) == (None, 80, 0)
    assert outcome.model.startswith("small@")
    assert notes.notes == []
    figures = outcome.evaluation.figures
    assert figures["quality_mae"].value < outcome.evaluation.baselines["global median"]["quality_mae"]
    assert figures["quality_mae"].low is not None
    names = {file.name for file in (tmp_path / "found").rglob("*") if file.is_file()}
    assert {Path(name).suffix for name in names} >= {".json", ".png"}
    assert not settings.home.exists()


def test_report_stands_beside_the_figures(
    training: TrainOutcome, settings: Settings, later: Path, tmp_path: Path
) -> None:
    outcome = run(training, settings, later, Notes(), tmp_path / "found", timedelta(hours=6))
    page = (tmp_path / "found" / "report.html").read_text("utf-8")
    assert f"<h1>Evaluation of {outcome.model}</h1>" in page
    assert "as of 6 h after publication, compared with their labels.</p>" in page
    assert f"{outcome.evaluation.figures['quality_mae'].value:.3f}" in page
    columns = outcome.evaluation.predictions
    off = abs(columns["quality_predicted"] - columns["quality"])
    worst = str(columns["path"][off.argmax()])
    assert Path(worst).name in page.replace("<wbr>", "")
    text = unescape(page).replace("<wbr>", "")
    records = {document.name: document.record for document in read_documents([str(later)], on_fault=stop)}
    assert records[worst].title in text
    assert not any(record.excerpt and record.excerpt in text for record in records.values())


def test_report_warns_of_what_the_model_remembers(
    training: TrainOutcome, settings: Settings, archive: Path, tmp_path: Path
) -> None:
    moment = datetime(2018, 12, 1, 9, tzinfo=UTC)
    run(training, settings, archive, Notes(), tmp_path / "found", moment)
    page = (tmp_path / "found" / "report.html").read_text("utf-8")
    assert "as of 2018-12-01 09:00 UTC, compared with their labels. Note: the model was trained" in page


def test_same_records_have_the_same_figures(training: TrainOutcome, settings: Settings, later: Path) -> None:
    first, second = (run(training, settings, later, Notes()).evaluation for _ in range(2))
    assert first.figures == second.figures
    assert first.slices == second.slices


def test_training_records_are_recognised(training: TrainOutcome, settings: Settings, archive: Path) -> None:
    notes = Notes()
    run(training, settings, archive, notes)
    assert notes.notes == ["the model was trained on the same records: the metrics are in-sample"]


def test_older_records_are_recognised(training: TrainOutcome, settings: Settings, tmp_path: Path) -> None:
    write_sample(tmp_path / "same", n_records=30, seed=9)
    notes = Notes()
    run(training, settings, tmp_path / "same", notes)
    assert len(notes.notes) == 1
    assert notes.notes[0].startswith("some records are not newer than the model's training records (to 2018-")


def test_records_without_labels(training: TrainOutcome, settings: Settings, tmp_path: Path) -> None:
    write_sample(tmp_path / "new", n_records=5, is_labelled=False)
    with pytest.raises(ModelError, match="no records with a quality and a date to evaluate on"):
        run(training, settings, tmp_path / "new", Notes())


def test_output_that_cannot_be_written(
    training: TrainOutcome, settings: Settings, later: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ScoringError, match="cannot write the evaluation"):
        run(training, settings, later, Notes(), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "x"


def test_labels_from_before_a_known_change_are_counted(
    saved: SavedModel, settings: Settings, later: Path
) -> None:
    corpus = read_dataset([str(later)], stdin=None, on_fault=stop, reporter=Notes())
    since = np.sort(corpus.moments)[30].item().replace(tzinfo=UTC)
    change = PolicyChange(corpus.sections[0], "quality", since, 30, 50, ())
    knowing = replace(saved, models=replace(saved.models, changes=(change,)))
    notes = Notes()
    evaluate(
        [str(later)],
        model=knowing,
        settings=settings,
        now=NOW,
        is_tracked=False,
        on_fault=stop,
        reporter=notes,
    )
    assert notes.notes == [
        "30 labels are from before a change of policy that the model knows, and follow earlier rules: "
        f"--since {since:%Y-%m-%dT%H:%M:%SZ} leaves them out"
    ]
