"""Registered versions, the champion, and the folder of a model address."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scoring.errors import TrackingError
from scoring.tracking import Store, TrainingRun, champion, log_training, resolve_model
from scoring.tracking.store import opened

Make = Callable[..., TrainingRun]


def test_each_address_of_a_model_leads_to_the_folder_that_was_logged(store: Store, make_run: Make) -> None:
    run = make_run(register="scoring", description="The first.")
    logged = log_training(store, run)
    assert (logged.model_uri, logged.version) == (f"runs:/{logged.run_id}/model", 1)
    with opened(store, "promote", writes=True) as client:
        client.set_registered_model_alias("scoring", "champion", "1")
        version = client.get_model_version("scoring", "1")
    assert (version.description, version.run_id) == ("The first.", logged.run_id)
    assert version.tags == {"model": "default 1", "data_sha256": run.data_sha256, "reason": "a test"}
    specs = [
        f"runs:/{logged.run_id}",
        f"runs:/{logged.run_id}/model",
        "models:/scoring/1",
        "models:/scoring@champion",
    ]
    folders = {resolve_model(store, spec) for spec in specs}
    (folder,) = folders
    assert (folder / "manifest.json").read_text() == '{"name": "default"}'
    assert folder.is_relative_to(store.home / "artifacts")


def test_a_second_training_is_a_second_version_and_moves_no_alias(store: Store, make_run: Make) -> None:
    versions = [log_training(store, make_run(register="scoring")).version for _ in range(2)]
    assert versions == [1, 2]
    assert champion(store, "scoring") is None
    with opened(store, "promote", writes=True) as client:
        client.set_registered_model_alias("scoring", "champion", "2")
    assert champion(store, "scoring") == "models:/scoring/2"
    assert champion(store, "another") is None


def test_looking_for_a_champion_creates_nothing_and_does_not_import_mlflow(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from scoring.tracking import Store, champion\n"
        "print(champion(Store('sqlite:///home/mlflow.db', Path('home')), 'scoring'), 'mlflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "None False\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("default", r"^model: got 'default', expected runs:/ID, models:/NAME/VERSION or models:/NAME@ALIAS$"),
        ("models:/scoring/latest", r"^model: got 'models:/scoring/latest', expected "),
        ("models:/scoring/9", r": cannot load models:/scoring/9: there is no registered model scoring: "),
        (
            "models:/scoring@champion",
            r': cannot load models:/scoring@champion: .*: "scoring promote RUN" makes a run its champion$',
        ),
        ("runs:/" + "0" * 32, r": cannot load runs:/0{32}: Run with id=0{32} not found$"),
    ],
)
def test_a_model_that_is_not_there_is_one_line(store: Store, spec: str, message: str) -> None:
    with pytest.raises(TrackingError, match=message) as caught:
        resolve_model(store, spec)
    assert "\n" not in str(caught.value)


def test_a_run_without_a_model_and_a_model_of_another_kind_are_reported(store: Store, make_run: Make) -> None:
    run_id = log_training(store, make_run()).run_id
    folder = resolve_model(store, f"runs:/{run_id}")
    description = folder.parents[1] / "MLmodel"
    description.write_text(description.read_text().replace("      model:\n", "      other:\n"))
    with pytest.raises(TrackingError, match=rf": runs:/{run_id} was not logged by scoring$"):
        resolve_model(store, f"runs:/{run_id}")
    with opened(store, "log", writes=True) as client:
        empty = client.create_run("0").info.run_id
    with pytest.raises(TrackingError, match=rf": runs:/{empty} has no model$"):
        resolve_model(store, f"runs:/{empty}")


def test_files_that_are_gone_are_reported(store: Store, make_run: Make) -> None:
    run_id = log_training(store, make_run()).run_id
    shutil.rmtree(store.home / "artifacts")
    with pytest.raises(TrackingError, match=rf": cannot load runs:/{run_id}: ") as caught:
        resolve_model(store, f"runs:/{run_id}")
    assert "MLmodel" in str(caught.value)
