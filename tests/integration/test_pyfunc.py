"""The logged model gives the library's scores: loaded by MLflow, and served over HTTP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from starlette.testclient import TestClient
from typer.testing import CliRunner

from scoring.artifact.manifest import TrainingFacts
from scoring.artifact.saved_model import load_scorer, save_model
from scoring.cli import app
from scoring.evaluation.results import Evaluation
from scoring.features.table import build_table
from scoring.model.score import Score
from scoring.records.decode import decode_json
from scoring.records.record import Labels
from scoring.records.synthetic.generate import sample_documents
from scoring.service.app import create_app
from scoring.service.options import ServiceOptions
from scoring.settings import load_settings
from scoring.tracking import Store, TrainingRun, log_training, resolve_model
from scoring.training.cascade import CascadeLabels
from scoring.training.config import TrainConfig
from scoring.training.fit import fit_models
from scoring.training.training_set import TrainingSet, as_floats

AS_OF = "2021-03-05T00:00:00Z"
RECORDS: list[dict[str, Any]] = [
    {
        "title": "Harbour cameras now count the gulls",
        "excerpt": "A year of wings, in numbers.",
        "publishedDateTime": "2021-03-04T05:06:07-08:00",
        "originalUrl": "https://example.org/gulls",
        "type": "article",
        "category": "news",
        "provider": {"name": "Example", "domain": "example.org"},
        "topics": ["Sea", "Birds"],
        "images": [{"url": "https://example.org/gull.png", "width": 640, "height": 480, "isCached": True}],
        "related": [
            {
                "title": "Gulls, counted",
                "publishedDateTime": "2021-03-04T06:00:00Z",
                "quality": 12,
                "provider": {"name": "Other", "domain": "example.com"},
            }
        ],
    },
    {
        "title": "A quiet day",
        "excerpt": "",
        "publishedDateTime": "2021-03-01T00:00:00Z",
        "provider": {"name": "Nobody knows", "domain": "unknown.example"},
        "topics": ["Sea"],
    },
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real model of few records: only the equality of scores matters."""
    records, labels = zip(*sample_documents(n_records=150, seed=1), strict=True)
    moments = [record.published_at for record in records]
    training = TrainingSet(
        build_table(records),
        CascadeLabels(
            *(as_floats([getattr(label, name) for label in labels]) for name in Labels.__struct_fields__)
        ),
        np.array([moment.replace(tzinfo=None) for moment in moments], dtype="datetime64[us]"),
        [record.topics[0] for record in records],
        np.arange(len(records)),
    )
    config = TrainConfig()
    facts = TrainingFacts(
        name="small",
        data_sha256="0" * 64,
        n_records=len(records),
        begins_at=moments[0],
        ends_at=moments[-1],
        sections={},
        section_ends_at={},
        config=config,
        versions={},
        metrics={},
        baselines={},
    )
    folder = tmp_path_factory.mktemp("models") / "small"
    save_model(folder, fit_models(training, config), facts)
    return folder


def library_scores(folder: Path) -> list[dict[str, Any]]:
    documents = [
        decode_json(json.dumps(record).encode(), "-", k) for k, record in enumerate(RECORDS, start=1)
    ]
    scores = load_scorer(folder).score(documents, datetime(2021, 3, 5, tzinfo=UTC))
    return [
        {name: getattr(score, name) for name in Score.__struct_fields__} | {"warnings": list(score.warnings)}
        for score in scores
    ]


def unnamed(scores: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [score | {"path": ""} for score in scores]


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory, saved: Path) -> tuple[Store, str]:
    home = tmp_path_factory.mktemp("home")
    store = Store(f"sqlite:///{home}/mlflow.db", home)
    nothing = {"path": np.array([], dtype=object)}
    run = TrainingRun(
        experiment="news",
        run_name="first",
        model="default",
        config={},
        data_path=str(home),
        data_sha256="0" * 64,
        counts={},
        evaluation=Evaluation(0, None, None, {}, {}, (), nothing),
        plots={},
        started_at=datetime(2021, 4, 1, tzinfo=UTC),
        model_folder=saved,
    )
    uri = log_training(store, run).model_uri
    assert uri is not None
    return store, uri


def test_loaded_by_mlflow_it_gives_the_librarys_scores(logged: tuple[Store, str], saved: Path) -> None:
    import mlflow

    store, _ = logged
    folder = resolve_model(store, logged[1])
    path = list(sys.path)
    model = mlflow.pyfunc.load_model(str(folder.parents[1]))
    sys.path[:] = path  # MLflow leaves the model's copy of the package there
    expected = [row | {"error": None} for row in library_scores(saved)]
    as_text = [
        {
            name: json.dumps(value) if isinstance(value, dict | list) else value
            for name, value in record.items()
        }
        for record in RECORDS
    ]
    labelled = [record | {"quality": 1, "heat": -1, "published": False, "secured": "x"} for record in RECORDS]
    for rows in (RECORDS, pd.DataFrame(RECORDS), as_text, labelled):
        assert model.predict(rows, params={"as_of": AS_OF}).to_dict("records") == expected
    assert list(model.metadata.get_output_schema().input_names()) == [*Score.__struct_fields__, "error"]
    rows = pd.DataFrame([RECORDS[1] | {"publishedDateTime": "soon"}, *RECORDS], index=["a", "b", "c"])
    scored = model.predict(rows, params={"as_of": AS_OF})
    assert scored.index.tolist() == ["a", "b", "c"]
    assert "a: publishedDateTime: got the text 'soon'" in scored.error["a"]
    assert pd.isna(scored.quality["a"])
    assert scored.quality[["b", "c"]].tolist() == [row["quality"] for row in expected]


def test_command_line_and_service_give_the_librarys_scores(saved: Path, tmp_path: Path) -> None:
    expected = library_scores(saved)
    lines = "\n".join(map(json.dumps, RECORDS))
    options = ["--model", str(saved), "--as-of", AS_OF, "--format", "jsonl"]
    printed = CliRunner().invoke(app, ["score", "-", *options], input=lines, prog_name="scoring").stdout
    assert [json.loads(line) for line in printed.splitlines()] == expected
    options_of_service = ServiceOptions(load_settings(home=tmp_path / "home"), str(saved))
    with TestClient(create_app(options_of_service)) as client:
        single = [client.post(f"/v1/score?as_of={AS_OF}", json=record).json() for record in RECORDS]
        many = client.post(f"/v1/score?as_of={AS_OF}", json=RECORDS).json()
        front_matter = [f"---\n{yaml.safe_dump(record)}---\n" for record in RECORDS]
        kind = {"content-type": "text/markdown"}
        files = [client.post(f"/v1/score?as_of={AS_OF}", content=file, headers=kind) for file in front_matter]
        assert many == expected
        # The name of a row in its request is the only difference.
        assert [score["path"] for score in single] == ["-:1"] * len(RECORDS)
        by_file = [file.json() for file in files]
        assert unnamed(single) == unnamed(by_file) == unnamed(expected)


def test_the_logged_folder_loads_in_the_library(logged: tuple[Store, str], saved: Path) -> None:
    names = {path.name for path in resolve_model(*logged).iterdir()}
    assert names == {path.name for path in saved.iterdir()}


def post(url: str, body: dict[str, Any] | bytes, kind: str = "application/json") -> tuple[int, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/invocations", content, {"Content-Type": kind})  # noqa: S310 -- our own server
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 -- our own server
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_served_over_http_it_gives_the_librarys_scores(
    logged: tuple[Store, str], saved: Path, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    folder = resolve_model(*logged).parents[1]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder), "-p", str(port)]
    log = tmp_path / "serve.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*command, "--env-manager", "local"],
            env=os.environ | {"PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true"},
            stdout=output,
            stderr=output,
        ) as server,
    ):
        try:
            wait_until_up(f"{url}/ping", server, log)
            expected = [row | {"error": None} for row in library_scores(saved)]
            params = {"params": {"as_of": AS_OF}}
            split: dict[str, Any] = {
                "columns": ["title", "publishedDateTime", "provider", "topics"],
                "data": [
                    ["A quiet day", "2021-03-01T00:00:00Z", json.dumps(RECORDS[1]["provider"]), '["Sea"]']
                ],
            }
            assert post(url, {"dataframe_records": RECORDS} | params) == (200, {"predictions": expected})
            assert post(url, {"inputs": RECORDS[:1]} | params) == (200, {"predictions": expected[:1]})
            status, answer = post(url, {"dataframe_split": split} | params)
            assert (status, answer["predictions"][0]["quality"]) == (200, expected[1]["quality"])
            csv = pd.DataFrame(split["data"], columns=split["columns"]).to_csv(index=False).encode()
            # MLflow's server reads no CSV for columns of any type, as the nested fields are.
            status, answer = post(url, csv, "text/csv")
            assert (status, "Failed to parse input" in answer["message"]) == (400, True)
            status, answer = post(url, {"dataframe_records": [RECORDS[0] | {"publishedDateTime": "soon"}]})
            assert status == 200
            assert "-:1: publishedDateTime: got the text 'soon'" in answer["predictions"][0]["error"]
            status, answer = post(url, {"dataframe_records": RECORDS, "params": {"as_of": "noon"}})
            assert status == 400
            assert "as_of: got 'noon', expected a time such as " in answer["message"]
        finally:
            server.terminate()


def wait_until_up(url: str, server: subprocess.Popen[bytes], log: Path, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 -- our own server
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no answer from {url}, exit code {server.poll()}: {log.read_text()}")
