"""The commands end to end: synthetic records, a small trained model, written scores."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
import sqlite3
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

from scoring.cli import app
from scoring.errors import ScoringError
from scoring.model.score import Score
from scoring.storage.home import prepare_home
from scoring.workflows import score as workflow

SMALL = """\
description: Does it run from end to end?
n_bootstrap: 10
model:
  n_folds: 2
  sections: {design: shared}
  quality: {num_iterations: 20, params: {objective: regression_l1, num_leaves: 7, min_data_in_leaf: 10}}
  spread: {num_iterations: 10, params: {objective: regression, num_leaves: 4, min_data_in_leaf: 10}}
  lead: {num_iterations: 20, params: {objective: binary, num_leaves: 4, min_data_in_leaf: 5}}
  heat: {num_iterations: 20, params: {objective: regression_l1, num_leaves: 4, min_data_in_leaf: 5}}
  published: {num_iterations: 20, params: {objective: binary, num_leaves: 4, min_data_in_leaf: 5}}
"""


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(
        app, [str(argument) for argument in arguments], prog_name="scoring", input=stdin
    )


class Trained(NamedTuple):
    """A training: its folder, what it printed, and its store."""

    folder: Path
    outcome: dict[str, Any]
    database: Path

    @property
    def model(self) -> Path:
        return self.folder / "model"


@pytest.fixture(scope="module")
def trained(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("site")
    prepare_home(folder / "home")
    shutil.copy(template, folder / "home")
    (folder / "small.yaml").write_text(SMALL)
    assert run("sample", folder / "new", "--records", "200", "--seed", "1", "--quiet").exit_code == 0
    (folder / "new" / "bad.md").write_text("---\ntitle: [a]\n---\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCORING_HOME", str(folder / "home"))
        patch.setenv("SCORING_THREADS", "1")
        names = ["--register", "site", "--experiment", "small", "--run-name", "first"]
        files = ["--config", folder / "small.yaml", "--output", folder / "model"]
        done = run("train", folder / "new", *files, *names, "--json", "--quiet")
    assert done.exit_code == 1, done.output
    assert done.stderr.startswith(f"{folder}/new/bad.md:2: title: got ")
    return Trained(folder, json.loads(done.stdout), folder / "home" / "mlflow.db")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    assert run("sample", tmp_path / "inbox", "--records", "12", "--seed", "2", "--unlabelled").exit_code == 0
    return tmp_path / "inbox"


def scores(*arguments: object, stdin: bytes | None = None) -> list[dict[str, Any]]:
    done = run("score", *arguments, stdin=stdin)
    assert (done.exit_code, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_training_is_reported_and_tracked(trained: Trained) -> None:
    outcome = trained.outcome
    assert (outcome["n_records"], outcome["n_faults"]) == (200, 1)
    assert outcome["evaluation"]["n_records"] == 30
    assert outcome["metrics"]["quality_mae"] == outcome["evaluation"]["figures"]["quality_mae"]["value"]
    with sqlite3.connect(trained.database) as store:
        runs = store.execute(
            "SELECT runs.name, run_uuid, experiments.name FROM runs JOIN experiments USING (experiment_id)"
        ).fetchall()
        versions = store.execute("SELECT name, version FROM model_versions").fetchall()
    store.close()
    assert runs == [("first", outcome["run_id"], "small")]
    assert versions == [("site", 1)]


def test_report_of_a_training_is_in_its_run(trained: Trained) -> None:
    outcome = trained.outcome
    (report,) = trained.database.parent.glob(f"artifacts/{outcome['run_id']}/artifacts/report.html")
    page = report.read_text("utf-8")
    assert "<h1>Training of small@" in page
    assert "fitted on the records before the test block" in page
    assert f"<strong>{outcome['metrics']['quality_mae']:.3f}</strong>" in page
    assert "train 169, test 30, all 200" in page


def test_every_form_has_the_same_scores(trained: Trained, inbox: Path, tmp_path: Path) -> None:
    expected = scores(inbox, "--model", trained.model)
    assert len(expected) == 12
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        done = run("score", inbox, "--model", trained.model, "--output", name)
        assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"{name}: 12 scores\n")
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == expected
    assert parquet.read_table(tmp_path / "a.parquet").to_pylist() == expected
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], row["heat"]) for row in rows] == [
        (score["path"], str(score["heat"])) for score in expected
    ]
    table = run("score", inbox, "--model", trained.model, "--format", "table").stdout.splitlines()
    heats = [int(line.split()[0]) for line in table[1:] if line.split()[0].lstrip("-").isdigit()]
    assert heats == sorted((score["heat"] for score in expected), reverse=True)


def test_what_was_scored_before_an_end_is_reported(
    trained: Trained, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = workflow.score

    def broken(*arguments: Any, **options: Any) -> Iterator[Score]:
        yield from islice(scores(*arguments, **options), 5)
        raise ScoringError("the end")

    whole = run("score", inbox, "--model", trained.model)
    monkeypatch.setattr(workflow, "score", broken)
    done = run("score", inbox, "--model", trained.model)
    assert (done.exit_code, done.stderr) == (2, "error: the end\n")
    assert done.stdout.splitlines() == whole.stdout.splitlines()[:5]


def test_registered_model_gives_the_same_scores(
    trained: Trained, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORING_HOME", str(trained.folder / "home"))
    local, registered = (scores(inbox, "--model", model) for model in (trained.model, "models:/site/1"))
    assert [score["heat"] for score in local] == [score["heat"] for score in registered]


def test_json_line_has_the_score_of_its_file(trained: Trained, tmp_path: Path) -> None:
    fields = {
        "title": "A tide table for gulls",
        "publishedDateTime": "2018-03-04T05:06:07Z",
        "provider": {"name": "Example", "domain": "example.org"},
        "topics": ["Tessaril"],
    }
    front = "".join(f"{name}: {json.dumps(value)}\n" for name, value in fields.items())
    (tmp_path / "a.md").write_text(f"---\n{front}---\n")
    (of_file,) = scores("a.md", "--model", trained.model)
    (of_line,) = scores("-", "--model", trained.model, stdin=json.dumps(fields).encode() + b"\n")
    assert of_line.pop("path") == "-:1"
    assert of_file.pop("path") == "a.md"
    assert of_line == of_file


def test_bad_record_is_named_and_the_rest_are_scored(trained: Trained, inbox: Path) -> None:
    (inbox / "bad.md").write_text("---\ntitle: [a]\n---\n")
    done = run("score", inbox, "--model", trained.model)
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 12
    assert f"{inbox}/bad.md:2: title: got " in done.stderr


def test_scores_are_written_only_when_asked(trained: Trained, inbox: Path) -> None:
    before = {file: file.read_bytes() for file in inbox.iterdir()}
    done = run("score", inbox, "--model", trained.model, "--write", "--dry-run")
    assert (done.exit_code, done.stderr) == (
        0,
        "12 of 12 files would be written: 36 labels filled, 0 renewed, 0 left alone\n",
    )
    assert sum(line.startswith("+heat: ") for line in done.stdout.splitlines()) == 12
    assert {file: file.read_bytes() for file in inbox.iterdir()} == before
    expected = {score["path"]: score["heat"] for score in scores(inbox, "--model", trained.model)}
    done = run("score", inbox, "--model", trained.model, "--write")
    first, second = done.stderr.splitlines()
    assert (done.exit_code, first) == (0, "12 of 12 files written: 36 labels filled, 0 renewed, 0 left alone")
    assert re.fullmatch(rf'write (\S+): "scoring restore --write-id \1 {inbox}" restores the labels', second)
    assert sorted(done.stdout.splitlines()) == sorted(expected)
    for path, heat in expected.items():
        assert f"\nheat: {heat}\n" in Path(path).read_text()
    done = run("score", inbox, "--model", trained.model, "--write")
    assert (done.exit_code, done.stdout, done.stderr) == (
        0,
        "",
        "0 of 12 files written: 0 labels filled, 0 renewed, 0 left alone, 36 unchanged\n",
    )


def test_labels_that_people_gave_are_left_alone(trained: Trained, inbox: Path) -> None:
    (inbox / "bare.md").write_text("---\ntitle: Rain\n---\n")
    first = min(inbox.glob("2*.md"))
    first.write_text(first.read_text().replace("\ntype:", "\nquality: 999\ntype:", 1))
    done = run("score", inbox, "--model", trained.model, "--write", "--journal", inbox / "journal.jsonl")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[:3] == [
        f"{inbox}/bare.md: got neither a date nor a provider nor topics, expected a title, and "
        "a date, provider or topics (or --allow-unknown)",
        "12 of 13 files written: 35 labels filled, 0 renewed, 1 left alone (given by people; --overwrite "
        "replaces them), 1 records refused (too little known about them; --allow-unknown writes them)",
        f"{inbox}/journal.jsonl: no such journal, so all existing labels count as given by people and are "
        "left alone (--journal FILE names another)",
    ]
    assert "\nquality: 999\n" in first.read_text()
    assert not (inbox / "journal.jsonl.lock").exists()
    options = ("--write", "--overwrite", "--allow-unknown", "--journal", inbox / "journal.jsonl")
    done = run("score", inbox, "--model", trained.model, *options)
    assert done.exit_code == 0
    assert "2 of 13 files written: 3 labels filled, 0 renewed, 1 replaced, 0 left alone, 35 unchanged" in (
        done.stderr
    )


def test_the_printed_command_takes_a_write_back(trained: Trained, inbox: Path) -> None:
    before = {file: file.read_bytes() for file in inbox.iterdir()}
    journal = inbox.parent / "own labels.jsonl"
    stderr = run("score", inbox, "--model", trained.model, "--write", "--journal", journal).stderr
    (command,) = re.findall(r'"scoring (restore .*)" restores the labels', stderr)
    done = run(*shlex.split(command))
    assert (done.exit_code, done.stderr) == (0, "36 labels of 12 files restored\n")
    assert {file: file.read_bytes() for file in inbox.iterdir()} == before


def test_what_is_left_alone_though_it_is_to_be_overwritten_says_why(trained: Trained, inbox: Path) -> None:
    run("score", inbox, "--model", trained.model, "--write")
    fresh = ("--write", "--overwrite", "--journal", inbox.parent / "fresh.jsonl")
    assert run("score", inbox, "--model", trained.model, *fresh).stderr == (
        "0 of 12 files written: 0 labels filled, 0 renewed, 36 left alone (people gave the same)\n"
    )


def test_a_write_is_listed_shown_and_put_back(trained: Trained, inbox: Path) -> None:
    before = {file: file.read_bytes() for file in inbox.iterdir()}
    run("score", inbox, "--model", trained.model, "--write")
    listed = json.loads(run("restore", "--json").stdout.splitlines()[-1])
    assert (listed["file_count"], listed["filled_count"], listed["changed_count"]) == (12, 36, 0)
    assert listed["write_id"] in run("restore").stdout
    options = ("--write-id", listed["write_id"], inbox)
    dry = run("restore", *options, "--dry-run")
    assert dry.stdout.count("\n-quality: ") == 12
    assert dry.stderr == "36 labels of 12 files would be restored\n"
    first, second = sorted(inbox.iterdir())[:2]
    first.write_bytes(re.sub(rb"\nheat: .*", b"\nheat: 998", first.read_bytes()))
    second.unlink()
    done = run("restore", *options)
    assert (done.exit_code, done.stderr) == (
        0,
        "32 labels of 11 files restored, 1 left alone (changed or accepted since); 1 records of the write "
        "were not found there\n",
    )
    del before[second]
    assert first.read_bytes().replace(b"heat: 998\n", b"") == before.pop(first)
    assert {file: file.read_bytes() for file in before} == before
    assert "no writes of scores recorded" in run("restore", "--journal", "fresh.jsonl").stderr


def test_explanation_has_the_score_that_is_explained(trained: Trained, inbox: Path) -> None:
    expected = scores(inbox, "--model", trained.model)[3]
    done = run("explain", expected["path"], "--model", trained.model, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    explanation = json.loads(done.stdout)
    assert explanation["score"] == expected
    assert set(explanation["reasons"]) <= {"quality", "lead", "heat", "published"}
    contributions = [reason["contribution"] for reason in explanation["reasons"]["quality"]]
    total = explanation["base"]["quality"] + sum(contributions)
    assert abs(max(total, 0) - expected["quality"]) <= 1
    table = run("explain", expected["path"], "--model", trained.model).stdout
    assert f"{contributions[0]:+.2f}" in table
    assert "why this quality" in table


def test_only_one_record_is_explained(trained: Trained, inbox: Path) -> None:
    done = run("explain", inbox, "--model", trained.model)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"error: {inbox}: got 12 records, expected one record\n"


def test_evaluation_leaves_a_run_unless_told_not_to(trained: Trained, tmp_path: Path) -> None:
    run("sample", tmp_path / "later", "--records", "40", "--seed", "3")
    arguments = ["evaluate", tmp_path / "later", "--model", trained.model, "--output", tmp_path / "figures"]
    done = run(*arguments, "--no-track", "--json")
    assert done.exit_code == 0, done.output
    outcome = json.loads(done.stdout)
    assert (outcome["run_id"], outcome["n_records"]) == (None, 40)
    assert not (tmp_path / ".scoring" / "mlflow.db").exists()
    assert any((tmp_path / "figures").iterdir())
    table = run(*arguments, "--no-track").stdout
    assert f"{outcome['evaluation']['figures']['quality_mae']['value']:.3f}" in table


def test_feature_table_has_the_columns_of_the_catalogue(inbox: Path, tmp_path: Path) -> None:
    done = run("features", inbox, "--output", tmp_path / "a.parquet")
    sections = "section of each record: its first topic; --model uses the sections that a model learned"
    assert (done.exit_code, done.stderr) == (0, f"{sections}\n{tmp_path}/a.parquet: 12 records\n")
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.num_rows == 12
    catalogue = run("features", "--catalogue").stdout
    # The path and the topics are no columns of a model: it learns its own from the topics.
    for name in set(table.column_names) - {"path", "topics"}:
        assert f"\n{name} " in catalogue, name


def test_model_that_is_not_there_stops_the_command(inbox: Path) -> None:
    done = run("score", inbox, "--model", "nowhere")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: model: got 'nowhere', expected a folder")


def test_configuration_that_cannot_be_used_is_named(inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "new.yaml").write_text("n_boots: 3\n")
    done = run("train", inbox, "--config", "new.yaml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: new.yaml: ")
    assert "n_boots" in done.stderr


def test_copy_of_the_model_is_enough(trained: Trained, inbox: Path, tmp_path: Path) -> None:
    shutil.copytree(trained.model, tmp_path / "copy")
    heats = [
        [score["heat"] for score in scores(inbox, "--model", model)] for model in (trained.model, "copy")
    ]
    assert heats[0] == heats[1]
