"""Prometheus metrics of the service."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from starlette.testclient import TestClient

from scoring.artifact.saved_model import SavedModel, load_model
from scoring.deployment.loaded_model import ModelSource, ResolvedModel
from scoring.drift.detect import measure_drift
from scoring.features.table import build_table
from scoring.records.decode import decode_json
from scoring.service.drift_monitor import DriftWindow
from scoring.service.metrics import Metrics
from scoring.service.model_manager import Served
from scoring.settings import default_model_folder
from tests.service.conftest import Serve

JSON = {"content-type": "application/json"}
GOOD = b'{"title": "A quiet day at the harbour", "topics": ["Sea"]}'
BAD = b'{"title": ["Harbour"]}'


def figures(text: str) -> dict[str, float]:
    """Value of every series by its name and labels."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_requests_records_and_faults_are_counted(client: TestClient) -> None:
    for content in (GOOD, BAD, b"[" + b",".join([GOOD, BAD, GOOD, BAD]) + b"]", b""):
        client.post("/v1/score", content=content, headers=JSON)
    client.get("/nowhere")
    client.request("BREW", "/nowhere")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = figures(answer.text)
    for status, count in {"200": 2, "422": 2}.items():
        name = f'scoring_requests_total{{method="POST",route="/v1/score",status="{status}"}}'
        assert samples[name] == count
    assert samples['scoring_requests_total{method="GET",route="-",status="404"}'] == 1
    assert samples['scoring_requests_total{method="-",route="-",status="404"}'] == 1
    assert samples['scoring_records_total{outcome="scored"}'] == 3
    assert samples['scoring_records_total{outcome="faulty"}'] == 3
    kinds = {
        kind: samples[f'scoring_faults_total{{kind="{kind}"}}'] for kind in ("record", "body", "not-found")
    }
    assert kinds == {"record": 3, "body": 1, "not-found": 2}
    assert samples['scoring_request_seconds_count{route="/v1/score"}'] == 4
    assert samples["scoring_requests_in_hand"] == 0
    model = client.get("/v1/model").json()["name"]
    assert samples[f'scoring_model{{address="",model="{model}"}}'] == 1


def served(saved: SavedModel) -> Served:
    resolved = ResolvedModel(source=ModelSource.EXPLICIT, folder="", name=saved.name, sha256=saved.sha256)
    return Served(saved, saved.scorer, resolved, saved.manifest.training.ends_at)


def test_drift_of_the_last_records_is_what_the_command_says(lines: list[bytes]) -> None:
    saved = load_model(default_model_folder())
    profile = saved.manifest.profile
    assert profile is not None
    documents = [decode_json(line, "-", 1) for line in lines]
    window = DriftWindow(buffer_size=32, n_records=48)
    assert window.measure(served(saved)) is None
    window.add(documents[:8])
    assert window.measure(served(saved)) is None, "too few"
    window.add(documents)
    measured = window.measure(served(saved))
    assert measured is not None
    # The first 8, and the first 32 of those that came after.
    sections = saved.scorer.sections
    records = [sections.placed(document.record) for document in documents[:8] + documents[:32]]
    table = build_table(records, timedelta(0))
    assert measured == measure_drift(profile, saved.scorer, table, np.full(40, np.nan))
    assert window.measure(served(saved)) is None, "nothing is new"
    window.add(documents)
    later = window.measure(served(saved))
    assert later is not None
    assert later.n_records == 48

    metrics = Metrics()
    metrics.record_drift(measured)
    exported = figures(metrics.exposition().decode())
    assert exported["scoring_drift_records"] == 40
    assert exported["scoring_drift_is_refused"] == bool(measured.reasons) == 1
    (provider,) = [value for value in measured.unseen if value.what == "provider"]
    assert exported['scoring_drift_unseen_ratio{what="provider"}'] == provider.ratio == 1
    assert exported['scoring_drift_unseen_limit_ratio{what="provider"}'] == provider.limit_ratio
    (quality,) = [shift for shift in measured.shifts if shift.name == "quality"]
    assert exported['scoring_score_mean{score="quality"}'] == quality.new
    assert exported['scoring_score_training_mean{score="quality"}'] == quality.before
    shift = abs(quality.new - quality.before) / quality.limit
    assert exported['scoring_drift_score_ratio{score="quality"}'] == pytest.approx(shift)
    assert {name for name in exported if "family" in name} == {
        f'scoring_drift_family_ratio{{family="{family.family}"}}' for family in measured.families
    }


def test_the_service_looks_at_what_it_has_scored(
    serve: Serve, lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoring.service.app.SECONDS", 0.02)
    client = serve(model=str(default_model_folder()))
    client.post("/v1/score", content=b"[" + b",".join(lines) + b"]", headers=JSON)
    for _ in range(500):
        samples = figures(client.get("/metrics").text)
        if samples["scoring_drift_records"]:
            break
    assert samples["scoring_drift_records"] == len(lines)


def test_a_model_without_a_profile_has_no_drift(saved: SavedModel, lines: list[bytes]) -> None:
    bare = replace(saved, manifest=msgspec.structs.replace(saved.manifest, profile=None))
    for model, has_drift in ((saved, True), (bare, False)):
        window = DriftWindow()
        window.add([decode_json(line, "-", 1) for line in lines])
        assert (window.measure(served(model)) is not None) is has_drift


def test_every_metric_is_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operate.md").read_text("utf-8")
    names = set(re.findall(r"^# TYPE (\w+) ", Metrics().exposition().decode(), re.MULTILINE))
    names = {name for name in names if not name.endswith("_created")}
    assert names == set(re.findall(r"^\| `(scoring_\w+)` \|", page, re.MULTILINE))


def test_of_several_processes_the_one_that_is_farthest_off_is_reported(tmp_path: Path) -> None:
    script = """
import sys
from prometheus_client import CollectorRegistry
from scoring.service.metrics import _DriftGauges
gauges = _DriftGauges(CollectorRegistry())
gauges.is_refused.set(int(sys.argv[1]))
gauges.family.labels("topic").set(int(sys.argv[2]))
if sys.argv[3:]:
    from scoring.service.metrics import Metrics
    print(Metrics().exposition().decode().rstrip())
"""
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    (tmp_path / "counter_1.db").touch()  # as of a process that has only begun to count
    for arguments in (["1", "1"], ["0", "3"], ["0", "2", "told"]):
        command = [sys.executable, "-c", script, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    exported = figures(done.stdout)
    assert exported["scoring_drift_is_refused"] == 1
    assert exported['scoring_drift_family_ratio{family="topic"}'] == 3
