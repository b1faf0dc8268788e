"""What every test stands on: a place of its own, settings of its own, and one small model for all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from scoring.features.table import build_table
from scoring.model.bundle import SavedModel, load_model
from scoring.model.cascade import CascadeLabels
from scoring.model.config import TrainConfig
from scoring.model.fit import TrainingSet, as_floats
from scoring.model.splits import to_moment
from scoring.records.record import Labels, Record
from scoring.records.sample import write_sample
from scoring.settings import Settings, load_settings
from scoring.workflows.train import TrainOutcome, train

Labelled = Sequence[tuple[Record, Labels]]


@pytest.fixture(autouse=True)
def clean_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of the person who runs the tests, and the folder they stand in, out of each test."""
    for name in os.environ:
        if name.startswith(("SCORING_", "MLFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose home is the test's own."""
    return load_settings(home=tmp_path / "home", threads=1)


@pytest.fixture(scope="session")
def make_training() -> Callable[[Labelled], TrainingSet]:
    """Turns records with their labels into what models are fitted on."""

    def make(labelled: Labelled) -> TrainingSet:
        return TrainingSet(
            build_table([record for record, _ in labelled]),
            CascadeLabels(
                as_floats([labels.quality for _, labels in labelled]),
                as_floats([labels.heat for _, labels in labelled]),
                as_floats([labels.published for _, labels in labelled]),
            ),
            np.array([to_moment(record.published_at) for record, _ in labelled], dtype="datetime64[us]"),
            [record.topics[0] if record.topics else "" for record, _ in labelled],
        )

    return make


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 400 labelled records as files; tests read it only."""
    folder = tmp_path_factory.mktemp("archive") / "news"
    write_sample(folder, n_records=400, seed=1)
    return folder


@pytest.fixture(scope="session")
def training(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainOutcome:
    """The one training of a small model that most tests share; it is not tracked."""
    home = tmp_path_factory.mktemp("home")

    def stop(error: Exception) -> None:
        raise error

    return train(
        [str(archive)],
        config=TrainConfig(name="small", n_bootstrap=50),
        settings=load_settings(home=home, threads=1),
        now=datetime(2019, 1, 1, tzinfo=UTC),
        is_tracked=False,
        on_fault=stop,
    )


@pytest.fixture(scope="session")
def saved(training: TrainOutcome) -> SavedModel:
    """The small model, loaded."""
    return load_model(Path(training.model))
