"""Scoring and features on a real cluster: equal to one process, also if processes are killed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyarrow import parquet

from scoring.artifact.saved_model import load_model
from scoring.distributed.cluster import opened
from scoring.errors import Fault, RecordError, ScoringError
from scoring.features.as_of import AsOf
from scoring.records.corpus import read_documents
from scoring.records.synthetic.generate import sample_json_lines, write_sample
from scoring.settings import Settings, load_settings
from scoring.storage.remote import opened as file_system
from scoring.workflows.cluster import ClusterOptions, ClusterOutcome, features_on_cluster, score_on_cluster
from scoring.workflows.features import write_features
from scoring.workflows.init import propose, write_proposal
from scoring.workflows.train import TrainOutcome
from tests.distributed.conftest import Processes, wait_until

SCORING = str(Path(sys.executable).with_name("scoring"))


def stop(error: RecordError) -> None:
    raise error


@pytest.fixture
def make(processes: Processes, training: TrainOutcome, settings: Settings) -> Any:
    """Scores on the cluster, in partitions of 1 MB."""

    def run(paths: list[str], output: object, **options: Any) -> ClusterOutcome:
        given: dict[str, Any] = {"form": "jsonl", "on_fault": stop, "model": training.model} | options
        cluster_options = ClusterOptions(processes.address, 1)
        return score_on_cluster(paths, output=str(output), place=cluster_options, settings=settings, **given)

    return run


@contextmanager
def client(address: str, model: str, lines: Path, output: Path) -> Iterator[subprocess.Popen[str]]:
    """`scoring score --dask` as a separate process."""
    options = ("--output", str(output), "--model", model, "--partition-mb", "1")
    with subprocess.Popen(
        [SCORING, "score", str(lines), "--dask", address, *options], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def one_process(
    paths: list[str], model: str, settings: Settings, as_of: AsOf = None, faults: list[str] | None = None
) -> bytes:
    """The JSON lines of one process."""

    def on_fault(error: RecordError) -> None:
        if faults is None:
            raise error
        faults.append(str(error))

    # On a cluster each record is scored by itself, also where one of a story leads.
    scorer = load_model(Path(model)).scorer
    scores = scorer.score(read_documents(paths, on_fault=on_fault), as_of)
    return b"".join(msgspec.json.encode(score) + b"\n" for score in scores)


@pytest.fixture(scope="module")
def lines_alone(lines: Path, training: TrainOutcome, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Scores of the JSON lines by one process."""
    settings = load_settings(home=tmp_path_factory.mktemp("alone"), threads=1)
    return one_process([str(lines)], training.model, settings)


def joined(output: Path) -> bytes:
    return b"".join(part.read_bytes() for part in sorted(output.glob("part-*")))


def finished(output: Path) -> dict[str, int]:
    """Modification time of each partition, by name."""
    return {done.name: done.stat().st_mtime_ns for done in (output / "_done").glob("part-*.json")}


def test_scores_are_those_of_one_process(
    make: Any,
    lines: Path,
    lines_alone: bytes,
    archive: Path,
    training: TrainOutcome,
    settings: Settings,
    tmp_path: Path,
) -> None:
    paths = [str(lines), str(archive)]
    made = make(paths, tmp_path / "out")
    assert (made.n_records, made.n_faults, made.n_done_before) == (4900, 0, 0)
    assert joined(tmp_path / "out") == lines_alone + one_process(paths[1:], training.model, settings)
    manifest = json.loads((tmp_path / "out" / "_manifest.json").read_bytes())
    saved = load_model(Path(training.model))
    assert (manifest["schema"], manifest["schema_version"]) == ("scoring data set", 1)
    assert (manifest["model"], manifest["model_sha256"]) == (saved.name, saved.sha256)
    assert manifest["inputs"][0] == {"path": str(lines), "n_bytes": lines.stat().st_size}
    assert len(manifest["inputs"]) == 401
    assert len(manifest["partitions"]) == made.n_partitions > 16
    assert manifest["partitions"][1]["inputs"] == [[str(lines), 10**6, 2 * 10**6]]
    assert (
        sum(partition["n_records"] for partition in manifest["partitions"]) == manifest["n_records"] == 4900
    )
    assert [entry.name for entry in (tmp_path / "out").glob(".*")] == []


def test_as_of_is_heeded(
    make: Any, archive: Path, training: TrainOutcome, settings: Settings, tmp_path: Path
) -> None:
    as_of = timedelta(hours=6)
    make([str(archive)], tmp_path / "out", as_of=as_of)
    aged = one_process([str(archive)], training.model, settings, as_of)
    assert joined(tmp_path / "out") == aged != one_process([str(archive)], training.model, settings)


def test_faults_are_reported_as_ever(
    make: Any, training: TrainOutcome, settings: Settings, tmp_path: Path
) -> None:
    rows = list(sample_json_lines(n_records=900, seed=4, is_labelled=False))
    for index in range(7, 900, 50):
        rows[index] = rows[index].replace(b'"title"', b'"topics": {"a": 1}, "title"', 1)
    rows.insert(3, b"\n")
    rows.append(b'{"title": 3')
    (tmp_path / "rows.jsonl").write_bytes(b"".join(rows))
    (tmp_path / "empty.jsonl").write_bytes(b"\n\n")
    (tmp_path / "a.md").write_text("---\ntitle: A\nimages: high\nprovider: [hot]\n---\n")
    paths = [str(tmp_path / name) for name in ("rows.jsonl", "empty.jsonl", "a.md")]
    expected: list[str] = []
    alone = one_process(paths, training.model, settings, faults=expected)
    messages: list[str] = []
    made = make(paths, tmp_path / "out", on_fault=lambda error: messages.append(str(error)))
    assert messages == expected
    assert made.n_faults == len(messages) == 21
    assert made.n_partitions > 2
    assert joined(tmp_path / "out") == alone
    kept = (tmp_path / "out" / "_faults.jsonl").read_bytes().splitlines()
    assert [str(Fault(**json.loads(line))) for line in kept] == "\n".join(messages).splitlines()


@pytest.mark.exhaustive
def test_object_store(
    training: TrainOutcome,
    archive: Path,
    settings: Settings,
    bucket: str,
) -> None:
    fs, _ = file_system(bucket)
    fs.put(f"{archive}/", f"{bucket}/archive/", recursive=True)
    made = score_on_cluster(
        [f"{bucket}/archive"],
        output=f"{bucket}/scores",
        form="jsonl",
        place=ClusterOptions("local", 1),  # its workers have the environment of the store,
        model=training.model,
        settings=settings,
        on_fault=stop,
    )
    assert made.n_records == 400
    names = sorted(fs.glob(f"{bucket}/scores/part-*"))
    assert len(names) == made.n_partitions > 1
    alone = [json.loads(line) for line in one_process([str(archive)], training.model, settings).splitlines()]
    for record_score in alone:
        record_score["path"] = f"{bucket}/archive/{Path(record_score['path']).name}"
    stored = [json.loads(line) for name in names for line in fs.cat_file(name).splitlines()]
    assert stored == alone


def test_parquet_has_the_same_scores(
    make: Any, archive: Path, training: TrainOutcome, settings: Settings, tmp_path: Path
) -> None:
    make([str(archive)], tmp_path / "out", form="parquet")
    alone = one_process([str(archive)], training.model, settings).splitlines()
    assert parquet.read_table(tmp_path / "out").to_pylist() == [json.loads(line) for line in alone]


def test_features_are_those_of_one_process(
    processes: Processes, archive: Path, settings: Settings, tmp_path: Path
) -> None:
    made = features_on_cluster(
        [str(archive)],
        output=str(tmp_path / "out"),
        place=ClusterOptions(processes.address, 1),
        settings=settings,
        on_fault=stop,
    )
    assert made.n_partitions > 1
    write_features([str(archive)], output=tmp_path / "alone.parquet", on_fault=stop)
    assert parquet.read_table(tmp_path / "out").equals(parquet.read_table(tmp_path / "alone.parquet"))


def test_a_killed_worker_loses_nothing(
    processes: Processes, training: TrainOutcome, lines: Path, lines_alone: bytes, tmp_path: Path
) -> None:
    victim = processes.start_worker()
    processes.wait_for(3)
    output = tmp_path / "out"
    with client(processes.address, training.model, lines, output) as process:
        wait_until(lambda: len(finished(output)) >= 3, "partitions")
        victim.kill()
        victim.wait()
        assert not (output / "_manifest.json").exists()
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert joined(output) == lines_alone
    processes.wait_for(2)


def test_a_killed_client_goes_on_where_it_stood(
    processes: Processes, training: TrainOutcome, lines: Path, lines_alone: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    with client(processes.address, training.model, lines, output) as process:
        wait_until(lambda: len(finished(output)) >= 3, "partitions")
        process.kill()
        process.wait()
    before = finished(output)
    assert 3 <= len(before) < 17
    assert not (output / "_manifest.json").exists()
    with client(processes.address, training.model, lines, output) as process:
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    n_before = int(stderr.partition(" of them done before")[0].rpartition(" ")[2])
    assert n_before >= len(before)
    assert {name: at for name, at in finished(output).items() if name in before} == before
    assert joined(output) == lines_alone


def test_what_was_damaged_is_done_again(make: Any, archive: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    made = make([str(archive)], output)
    whole = joined(output)
    (output / "part-000000.jsonl").write_bytes(b"{}\n")
    (output / "_done" / "part-000001.json").write_bytes(b"{")
    again = make([str(archive)], output)
    assert again.n_done_before == made.n_partitions - 2
    assert joined(output) == whole


def test_another_job_is_refused(make: Any, archive: Path, saved: Any, tmp_path: Path) -> None:
    output = tmp_path / "out"
    make([str(archive / "*-n1.md")], output)
    with pytest.raises(ScoringError, match=r"another job \(as_of: , now 6:00:00\), expected the same"):
        make([str(archive / "*-n1.md")], output, as_of=timedelta(hours=6))
    with pytest.raises(ScoringError, match=r"another job \(model: small@.*, now default@.*model_sha256"):
        make([str(archive / "*-n1.md")], output, model=str(Path(__file__).parents[2] / "models" / "default"))
    with pytest.raises(ScoringError, match=r"another job \(n_partitions: 1, now \d+; inputs_sha256"):
        make([str(archive)], output)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(ScoringError, match=r"mine: got notes\.txt there, expected a new or empty folder"):
        make([str(archive)], tmp_path / "mine")


def test_parts_that_are_written_elsewhere_are_missed(
    make: Any, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the workers had another folder of that name.
    monkeypatch.setattr("scoring.distributed.output_dataset.sizes", lambda url: {})
    with pytest.raises(ScoringError, match=r"got no part-000000\.jsonl there \(\d+ of \d+ are missing\)"):
        make([str(archive)], tmp_path / "out")
    assert not (tmp_path / "out" / "_manifest.json").exists()


def test_a_worker_with_other_code_is_refused(
    make: Any, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoring.workflows.cluster.code_version", lambda: b"other")
    with pytest.raises(ScoringError, match="a worker has another version of scoring than this machine"):
        make([str(archive)], tmp_path / "out")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://a"])
def test_a_scheduler_that_is_not_there_is_reported(
    address: str, archive: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoring.distributed.cluster._CONNECT_SECONDS", 0.5)
    with pytest.raises(ScoringError, match=rf"--dask {address}: cannot be reached: "):
        features_on_cluster(
            [str(archive)],
            output=str(tmp_path / "out"),
            place=ClusterOptions(address, 1),
            settings=settings,
            on_fault=stop,
        )
    assert not (tmp_path / "out").exists()


def test_a_cluster_without_workers_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoring.distributed.cluster._JOIN_SECONDS", 0.1)
    alone = Processes(tmp_path)
    try:
        with (
            pytest.raises(ScoringError, match=r"got no worker within 0\.1 seconds"),
            opened(alone.address, n_processes=1),
        ):
            pass
    finally:
        alone.end()


def test_records_are_read_by_the_field_map_of_their_archive(
    processes: Processes, training: TrainOutcome, settings: Settings, tmp_path: Path
) -> None:
    write_sample(tmp_path / "links", n_records=40, layout="ratings")
    write_proposal(str(tmp_path / "links"), propose(str(tmp_path / "links")))
    with client(processes.address, str(training.model), tmp_path / "links", tmp_path / "out") as process:
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    assert joined(tmp_path / "out").count(b"\n") == 40
    assert joined(tmp_path / "out") == one_process([str(tmp_path / "links")], training.model, settings)
    warnings = [json.loads(line)["warnings"] for line in joined(tmp_path / "out").splitlines()]
    assert not any("only the title was read" in warning for record in warnings for warning in record)
