"""A real SQLite store of each test's own, and a run to put into it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scoring.evaluation.results import Evaluation, Figure, Slice
from scoring.plots import importance_figure
from scoring.storage.home import prepare_home
from scoring.tracking import Importance, Store, TrainingRun
from scoring.tracking.pyfunc import log

# A model file that answers without a trained model behind it: what is tested here is the store.
STAND_IN = """
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class StandIn(PythonModel):
    def predict(self, context, model_input: pd.DataFrame, params=None):
        return pd.DataFrame({"quality": [7] * len(model_input)})


set_model(StandIn())
"""

SHA256 = "0123456789abcdef" * 4


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Store:
    home = tmp_path / "a home"  # with a space, as folders have
    prepare_home(home)
    shutil.copy(template, home)
    return Store(f"sqlite:///{home}/mlflow.db", home)


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TrainingRun]:
    served = tmp_path / "served.py"
    served.write_text(STAND_IN)
    monkeypatch.setattr(log, "SERVED_MODEL", served)
    package = tmp_path / "package"
    package.mkdir()
    monkeypatch.setattr(log, "PACKAGE", package)
    folder = tmp_path / "default"
    folder.mkdir()
    (folder / "manifest.json").write_text('{"name": "default"}')
    data = tmp_path / "news"
    data.mkdir()
    importances = (Importance("title_chars", "quality", 12.5, 3),)
    evaluation = Evaluation(
        n_records=2,
        begins_at=datetime(2021, 3, 1, tzinfo=UTC),
        ends_at=datetime(2021, 3, 2, tzinfo=UTC),
        figures={"quality_mae": Figure(1.5, 1.25, 1.75), "lead_accuracy": Figure(0.9)},
        baselines={"plain LightGBM": {"quality_mae": 2.5}},
        slices=(Slice("provider", "example.org", 2, {"quality_mae": 1.5}),),
        predictions={"path": np.array(["a.md", "b.md"], dtype=object), "quality": np.array([52, 67])},
    )

    def make(**changes: Any) -> TrainingRun:
        values: dict[str, Any] = {
            "experiment": "news",
            "run_name": "first",
            "model": "default 1",
            "config": {"quality": {"num_leaves": 31, "seeds": [1, 2]}, "note": "x" * 7000},
            "data_path": str(data),
            "data_sha256": SHA256,
            "counts": {"train": 8, "test": 2},
            "evaluation": evaluation,
            "plots": {"importance": importance_figure(importances)},
            "started_at": datetime(2021, 4, 1, 12, tzinfo=UTC),
            "model_folder": folder,
            "importances": importances,
            "tags": {"reason": "a test"},
        }
        return TrainingRun(**(values | changes))

    return make
