"""Which model a command gets."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from scoring.errors import ModelError, TrackingError
from scoring.model.bundle import SavedModel, load_model
from scoring.settings import Settings, load_settings
from scoring.workflows import models
from scoring.workflows.models import Located, importances_of, locate_model, open_model
from scoring.workflows.train import TrainOutcome


def test_folder_that_is_named(training: TrainOutcome, settings: Settings) -> None:
    assert open_model(training.model, settings).name.startswith("small@")
    assert not settings.home.exists()


def test_folder_of_the_settings(training: TrainOutcome, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", model=training.model)
    assert open_model(None, settings).name.startswith("small@")
    with pytest.raises(ModelError, match="model: got 'elsewhere'"):
        open_model("elsewhere", settings)  # what is named goes before the settings


def test_model_that_ships_is_the_last_resort(
    training: TrainOutcome, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "default_model_folder", lambda: Path(training.model))
    assert open_model(None, settings).name.startswith("small@")
    assert not settings.home.exists()  # looking for a champion makes no store


@pytest.mark.parametrize("spec", ["nowhere", "manifest.json", "models/x", "run:/x"])
def test_model_that_is_not_there(settings: Settings, spec: str) -> None:
    with pytest.raises(
        ModelError, match="expected a folder, runs:/ID, models:/NAME/VERSION or models:/NAME@ALIAS"
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
    found = importances_of(saved.models)
    assert {"quality", "spread", "lead", "heat", "published"} <= {one.booster for one in found}
    assert not any(one.booster.startswith("baseline") for one in found)
    quality = [one for one in found if one.booster == "quality"]
    assert tuple(one.feature for one in quality) == saved.models.quality.names
    booster = saved.models.quality.booster
    gains, splits = booster.importances()
    assert [one.gain for one in quality] == gains.tolist()
    assert [one.split for one in quality] == splits.tolist()
    assert sum(splits) > 100


def test_champion_is_asked_for_again_only_when_the_store_has_changed(
    settings: Settings, saved: SavedModel, training: TrainOutcome
) -> None:
    """MLflow takes seconds to import, and most scores come from the champion of before."""
    asked = []

    def ask(_: str | None, __: Settings) -> Located | None:
        asked.append(1)
        return Located(answer) if answer else None

    def name(settings: Settings) -> str:
        return load_model(Path(locate_model(None, settings, ask).folder)).name

    answer: str | None = training.model
    assert name(settings).startswith("default@"), "there is no store yet"
    assert not asked
    settings.home.mkdir(parents=True)
    database = settings.home / "mlflow.db"
    database.write_bytes(b"one")
    for _ in range(2):
        assert name(settings) == saved.name
    assert len(asked) == 1
    answer = None
    database.write_bytes(b"another")
    for _ in range(2):
        assert name(settings).startswith("default@")
    assert len(asked) == 2
    other = msgspec.structs.replace(settings, registered_model="other")
    answer = training.model
    assert name(other) == saved.name
    assert len(asked) == 3
    pointer = settings.home / "cache" / "champion.json"
    pointer.write_bytes(pointer.read_bytes().replace(answer.encode(), b"/nowhere"))
    assert name(other) == saved.name, "its folder is gone"
    pointer.write_bytes(b"{")
    assert name(other) == saved.name
    assert len(asked) == 5
