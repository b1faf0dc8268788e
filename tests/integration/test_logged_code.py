"""A logged model contains the code that it needs to score, and warns if other code runs in its place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.records.decode import decode_json
from scoring.tracking import Store, resolve_model
from tests.conftest import Registry

RECORD = {"title": "A quiet day", "publishedDateTime": "2021-03-01T00:00:00Z", "topics": ["Sea"]}
MAX_BYTES = 1_500_000  # of the upload, beside the saved model

PROGRAM = """
import json, sys, warnings
import mlflow, pandas as pd

same, again, other, record = *sys.argv[1:4], json.loads(sys.argv[4])
warnings.simplefilter("always")
said = []
for folder in (same, again, other):
    with warnings.catch_warnings(record=True) as caught:
        model = mlflow.pyfunc.load_model(folder)
    said.append([str(warning.message) for warning in caught if "logged with" in str(warning.message)])
    rows = model.predict(pd.DataFrame([record]))
import scoring
try:
    scoring.train
    refusal = ""
except ImportError as error:
    refusal = str(error)
files = {module.__file__ for name, module in sys.modules.items() if name.split(".")[0] == "scoring"}
quality = int(rows.quality[0])
print(json.dumps({"warnings": said, "quality": quality, "files": sorted(files), "refusal": refusal}))
"""


@pytest.fixture(scope="module")
def logged(registry_template: Registry) -> Path:
    """Folder of the MLflow model of the small model."""
    settings = registry_template.settings
    store = Store(settings.tracking_uri, settings.home)
    return resolve_model(store, f"runs:/{registry_template.small}").parents[1]


def test_the_upload_has_only_the_code_that_scores(logged: Path) -> None:
    files = [path for path in logged.rglob("*") if path.is_file()]
    own = [path for path in files if logged / "artifacts" not in path.parents]
    assert sum(path.stat().st_size for path in own) < MAX_BYTES
    code = [path.relative_to(logged / "code" / "scoring") for path in own if logged / "code" in path.parents]
    assert {path.suffix for path in code} == {".py"}
    assert not {path.parts[0] for path in code} & {
        "cli",
        "service",
        "workflows",
        "plots",
        "report",
        "_models",
    }
    assert "scoring_version: " in (logged / "MLmodel").read_text()


def test_it_scores_from_its_own_code_and_other_code_is_reported(
    logged: Path, saved: SavedModel, tmp_path: Path
) -> None:
    """Two models with the same code say nothing; a third one, logged with other code, says so."""
    same, again, other = (Path(copytree(logged, tmp_path / name)) for name in ("same", "again", "other"))
    changed = other / "code" / "scoring" / "model" / "scorer.py"
    changed.write_text(changed.read_text() + "# later\n")
    command = [sys.executable, "-c", PROGRAM, *map(str, (same, again, other)), json.dumps(RECORD)]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    first, second, (third,) = outcome["warnings"]
    assert first == second == []
    assert third.startswith(f"{other}: logged with the code of scoring ")
    assert f"this process has imported other code from {same}/code/scoring (1 of " in third
    assert "model/scorer.py" in third
    assert {file for file in outcome["files"] if not file.startswith(f"{same}/code/scoring/")} == set()
    (score,) = saved.scorer.score([decode_json(json.dumps(RECORD).encode(), "-", 1)])
    assert outcome["quality"] == score.quality
    assert outcome["refusal"] == (
        f"scoring.train: {same}/code/scoring is the code of an MLflow model, which can only score: "
        "import scoring before the model is loaded"
    )
