"""The logged model through MLflow's own ways: its command, its evaluation, and Spark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.records.decode import decode_json
from scoring.records.record import Document
from scoring.tracking.store import load_mlflow
from tests.integration.test_logged_code import logged  # noqa: F401 -- a fixture

GOOD = [
    {"title": "A quiet day", "publishedDateTime": "2021-03-01T00:00:00Z", "topics": ["Sea"]},
    {"title": "Gulls, counted", "publishedDateTime": "2021-03-04T05:06:07Z", "topics": ["Sea", "Birds"]},
]
BAD = {"title": "Some day", "publishedDateTime": "soon", "topics": ["Sea"]}
FAULT = "publishedDateTime: got the text 'soon'"


def documents() -> list[Document]:
    return [decode_json(json.dumps(record).encode(), "-", line) for line, record in enumerate(GOOD, 1)]


@pytest.fixture
def frame() -> pd.DataFrame:
    """A good row, a bad one, and a good one; nested fields are JSON text, as in CSV."""
    rows = [record | {"topics": json.dumps(record["topics"])} for record in (GOOD[0], BAD, GOOD[1])]
    return pd.DataFrame(rows)


@pytest.fixture
def qualities(saved: SavedModel) -> list[int | None]:
    return [score.quality for score in saved.scorer.score(documents())]


def test_mlflow_models_predict_reads_csv(
    logged: Path,  # noqa: F811
    frame: pd.DataFrame,
    qualities: list[int | None],
    tmp_path: Path,
) -> None:
    frame.assign(excerpt=None).to_csv(tmp_path / "in.csv", index=False)
    command = [sys.executable, "-m", "mlflow", "models", "predict", "--model-uri", str(logged)]
    command += ["--input-path", "in.csv", "--content-type", "csv", "--output-path", "out.json"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path}
    done = subprocess.run(
        [*command, "--env-manager", "local"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, bad, second = json.loads((tmp_path / "out.json").read_text())["predictions"]
    assert [first["quality"], second["quality"]] == qualities
    assert FAULT in bad["error"]
    assert bad["quality"] is None
    assert first["error"] is None


@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_mlflow_evaluates_the_quality(
    logged: Path,  # noqa: F811
    frame: pd.DataFrame,
    qualities: list[int | None],
    template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = tmp_path / "mlflow.db"
    store.write_bytes(template.read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}")
    mlflow, path = load_mlflow(), list(sys.path)
    labelled = frame.iloc[[0, 2]].assign(label=[3, 4])
    result = mlflow.models.evaluate(
        str(logged),
        labelled,
        targets="label",
        predictions="quality",
        model_type="regressor",
        evaluators="regressor",
    )
    sys.path[:] = path  # MLflow leaves the model's copy of the package there
    expected = np.mean(np.abs(np.array(qualities, dtype=float) - [3, 4]))
    assert result.metrics["mean_absolute_error"] == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore")  # Spark's own
def test_spark_scores_a_column(
    logged: Path,  # noqa: F811
    frame: pd.DataFrame,
    qualities: list[int | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where pyspark is installed; it is 500 MB, so the development tools are without it."""
    spark_sql: Any = pytest.importorskip("pyspark.sql")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    builder = spark_sql.SparkSession.builder.master("local[1]")
    with builder.config("spark.ui.enabled", "false").getOrCreate() as spark:
        score = load_mlflow().pyfunc.spark_udf(spark, str(logged), env_manager="local")
        table = spark.createDataFrame(frame)
        scored = table.select("title", score(spark_sql.functions.struct(*table.columns)).alias("score"))
        rows = scored.select("title", "score.quality", "score.error").toPandas()
    assert rows["title"].tolist() == frame["title"].tolist()
    assert rows["quality"][[0, 2]].tolist() == qualities
    assert np.isnan(rows["quality"][1])
    assert FAULT in rows["error"][1]
