"""Training and evaluation runs in the store, and the status of interrupted ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from scoring.tracking import EvaluationRun, Store, TrainingRun, list_runs, log_evaluation, log_training
from scoring.tracking.provenance import git_tags
from scoring.tracking.store import opened

Make = Callable[..., TrainingRun]
SHA256 = "0123456789abcdef" * 4


def search(store: Store, filter_string: str = "") -> list[Any]:
    with opened(store, "read", writes=False) as client:
        ids = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(client.search_runs(ids, filter_string))


def test_a_training_is_one_finished_run_with_all_it_found(store: Store, make_run: Make) -> None:
    logged = log_training(store, make_run(register="scoring", description="The first."))
    (run,) = search(store)
    assert (run.info.run_id, run.info.run_name, run.info.status) == (logged.run_id, "first", "FINISHED")
    assert run.info.start_time == datetime(2021, 4, 1, 12, tzinfo=UTC).timestamp() * 1000
    assert run.data.params == {"quality.num_leaves": "31", "quality.seeds": "[1, 2]", "note": "x" * 6000}
    assert run.data.metrics == {
        "quality_mae": 1.5,
        "quality/mae_low": 1.25,
        "quality/mae_high": 1.75,
        "lead_accuracy": 0.9,
        "baseline/plain_lightgbm/quality_mae": 2.5,
        "records/train": 8.0,
        "records/test": 2.0,
        "records/evaluated": 2.0,
    }
    tags = run.data.tags
    assert {name: tags[name] for name in ("type", "model", "data_sha256", "reason")} == {
        "type": "train",
        "model": "default 1",
        "data_sha256": SHA256,
        "reason": "a test",
    }
    assert tags["version.python"] == ".".join(map(str, sys.version_info[:3]))
    assert tags["version.pandas"] == pd.__version__
    assert "git_commit" not in tags  # the working folder is no checkout


def test_the_data_set_has_the_whole_hash(store: Store, make_run: Make, tmp_path: Path) -> None:
    log_training(store, make_run(profile={"num_rows": 10}))
    (data,) = search(store)[0].inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("news", SHA256[:36])
    columns = {column["name"]: column["type"] for column in json.loads(data.dataset.schema)["mlflow_colspec"]}
    assert (columns["title"], columns["topics"]) == ("string", "any")
    assert (columns["quality"], columns["published"]) == ("long", "boolean")
    assert json.loads(data.dataset.profile) == {"num_rows": 10, "num_train": 8, "num_test": 2}
    assert json.loads(data.dataset.source) == {"uri": str(tmp_path / "news")}
    tags = {tag.key: tag.value for tag in data.tags}
    assert tags == {"mlflow.data.context": "training", "sha256": SHA256, "n_train": "8", "n_test": "2"}


def test_the_artifacts_lie_in_the_stores_home(store: Store, make_run: Make) -> None:
    run_id = log_training(store, make_run()).run_id
    files = store.home / "artifacts" / run_id / "artifacts"
    assert sorted(path.relative_to(files).as_posix() for path in files.rglob("*") if path.is_file()) == [
        "config.json",
        "evaluation.json",
        "importances.csv",
        "plots/importance.png",
        "predictions.parquet",
    ]
    assert json.loads((files / "config.json").read_text())["quality"] == {"num_leaves": 31, "seeds": [1, 2]}
    evaluation = json.loads((files / "evaluation.json").read_text())
    assert evaluation["figures"]["quality_mae"] == {"value": 1.5, "low": 1.25, "high": 1.75}
    assert evaluation["slices"][0]["name"] == "example.org"
    assert "predictions" not in evaluation
    predictions = pd.read_parquet(files / "predictions.parquet")
    assert predictions.to_dict("list") == {"path": ["a.md", "b.md"], "quality": [52, 67]}
    table = (files / "importances.csv").read_text().splitlines()
    assert table == ["feature,booster,gain,split", "title_chars,quality,12.5,3"]
    assert (files / "plots" / "importance.png").read_bytes().startswith(b"\x89PNG")


def test_the_errors_of_the_boosters_are_lines_over_their_trees(store: Store, make_run: Make) -> None:
    curve = {n_trees: 1 / n_trees for n_trees in range(10, 12_010, 10)}  # more than MLflow takes at once
    logged = log_training(store, make_run(curves={"quality/test_mae": curve}))
    with opened(store, "read", writes=False) as client:
        points = client.get_metric_history(logged.run_id, "boosting/quality/test_mae")
    assert {point.step: point.value for point in points} == curve
    assert "boosting/quality/test_mae" not in list_runs(store)[0].metrics


def test_a_run_says_how_good_it_is(store: Store, make_run: Make) -> None:
    logged = log_training(store, make_run(report="<p>näh</p>", description="The first.", register="scoring"))
    (run,) = search(store)
    description, verdict, table, links = run.data.tags["mlflow.note.content"].split("\n\n")
    assert description == "The first."
    assert verdict == (
        "`quality_mae` is 1.5 (95 % interval 1.25 to 1.75) on 2 records of 2021-03-01 to 2021-03-02: "
        "40 % lower than the best baseline, plain LightGBM (2.5)."
    )
    assert table.splitlines() == [
        "| metric | model | 95 % interval | plain LightGBM |",
        "|---|---|---|---|",
        "| `quality_mae` | **1.500** | 1.250 to 1.750 | 2.500 |",
        "| `lead_accuracy` | **0.900** |  |  |",
    ]
    experiment, run_id = run.info.experiment_id, logged.run_id
    model_id = run.outputs.model_outputs[0].model_id
    assert links == (
        f"[Report](#/experiments/{experiment}/runs/{run_id}/artifacts/report.html), "
        f"[Model](#/experiments/{experiment}/models/{model_id})"
    )


def test_a_report_lies_beside_the_figures(store: Store, make_run: Make) -> None:
    run_id = log_training(store, make_run(report="<p>näh</p>")).run_id
    report = store.home / "artifacts" / run_id / "artifacts" / "report.html"
    assert report.read_text("utf-8") == "<p>näh</p>"


def test_runs_are_found_by_their_figures(store: Store, make_run: Make) -> None:
    log_training(store, make_run())
    assert len(search(store, "metrics.quality_mae < 2")) == 1
    assert search(store, "metrics.quality_mae > 2") == []
    assert len(search(store, "metrics.`baseline/plain_lightgbm/quality_mae` > 2")) == 1


def test_an_evaluation_is_a_run_of_its_own_without_a_model(store: Store, make_run: Make) -> None:
    fields = {name: getattr(make_run(), name) for name in EvaluationRun.__dataclass_fields__}
    run_id = log_evaluation(store, EvaluationRun(**fields))
    (run,) = search(store, "tags.type = 'evaluate'")
    assert (run.info.run_id, run.info.status, run.data.tags["model"]) == (run_id, "FINISHED", "default 1")
    assert run.data.metrics["quality/mae_high"] == 1.75
    assert run.outputs.model_outputs == []


def test_nothing_is_printed_and_nothing_global_is_left(
    store: Store, make_run: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    import mlflow

    path = list(sys.path)
    log_training(store, make_run(register="scoring"))
    assert capfd.readouterr() == ("", "")
    assert sys.path == path
    assert mlflow.active_run() is None
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert "MLFLOW_REGISTRY_URI" not in os.environ
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_the_commit_and_its_dirty_mark(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert git_tags(tmp_path) == {}
    git("init", "-q")
    (tmp_path / "a.txt").write_text("one")
    git("add", "a.txt")
    git("commit", "-q", "-m", "One")
    commit = git("rev-parse", "HEAD")
    (tmp_path / "untracked.txt").write_text("")
    clean = {"git_commit": commit, "mlflow.source.git.commit": commit, "git_dirty": "false"}
    assert git_tags(tmp_path) == clean
    (tmp_path / "a.txt").write_text("two")
    assert git_tags(tmp_path) == clean | {"git_dirty": "true"}


def test_a_machine_without_git_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_tags(Path(__file__).parent) == {}
