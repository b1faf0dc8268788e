"""An MLflow model logged by an earlier version loads, and gives the same scores."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from scoring.tracking.store import load_mlflow

LOGGED = Path(__file__).parent / "logged_0_1"
SAVED = Path(__file__).parents[1] / "model" / "format_1"


@pytest.mark.filterwarnings("ignore")
def test_it_gives_the_scores_of_its_saved_model(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(LOGGED, folder)
    shutil.copytree(SAVED / "model", folder / "artifacts" / "model")
    (folder / "code").mkdir()
    records = [json.loads(line) for line in (SAVED / "records.jsonl").read_text("utf-8").splitlines()]
    expected = [json.loads(line) for line in (SAVED / "scores.jsonl").read_text("utf-8").splitlines()]
    model = load_mlflow().pyfunc.load_model(str(folder))
    scores = model.unwrap_python_model().predict(None, pd.DataFrame(records))
    assert scores["quality"].tolist() == [score["quality"] for score in expected]
    assert scores["heat_expected"].tolist() == [score["heat_expected"] for score in expected]
    assert scores["published"].tolist() == [score["published"] for score in expected]
