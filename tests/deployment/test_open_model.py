"""Model resolution of a command, and the importances of a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.deployment.open_model import importances_of, open_model
from scoring.errors import ModelError, TrackingError
from scoring.settings import Settings, load_settings
from scoring.workflows.train import TrainOutcome


def test_folder_that_is_named(training: TrainOutcome, settings: Settings) -> None:
    assert open_model(training.model, settings).name.startswith("small@")
    assert not settings.home.exists()


def test_folder_of_the_settings(training: TrainOutcome, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", model=training.model)
    assert open_model(None, settings).name.startswith("small@")
    with pytest.raises(ModelError, match="model: got 'elsewhere'"):
        open_model("elsewhere", settings)  # what is named goes before the settings


@pytest.mark.parametrize("spec", ["nowhere", "manifest.json", "models/x", "run:/x"])
def test_model_that_is_not_there(settings: Settings, spec: str) -> None:
    with pytest.raises(
        ModelError,
        match=r"expected a folder or zip, runs:/ID, models:/NAME/VERSION \(or latest\), models:/NAME@",
    ):
        open_model(spec, settings)


def test_folder_without_a_model(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"got no manifest\.json"):
        open_model(str(tmp_path), settings)


@pytest.mark.parametrize("spec", ["models:/site/1", "models:/site@champion", "runs:/0123456789abcdef"])
def test_tracked_model_without_a_store(settings: Settings, spec: str) -> None:
    with pytest.raises(TrackingError):
        open_model(spec, settings)


def test_importances_name_each_column_of_each_booster_that_scores(saved: SavedModel) -> None:
    importances = importances_of(saved.models)
    assert {"quality", "spread", "lead", "heat", "published"} <= {
        importance.booster for importance in importances
    }
    assert not any(importance.booster.startswith("baseline") for importance in importances)
    quality = [importance for importance in importances if importance.booster == "quality"]
    assert tuple(importance.feature for importance in quality) == saved.models.quality.names
    booster = saved.models.quality.booster
    gains, splits = booster.importances()
    assert [importance.gain for importance in quality] == gains.tolist()
    assert [importance.split for importance in quality] == splits.tolist()
    assert sum(splits) > 100
