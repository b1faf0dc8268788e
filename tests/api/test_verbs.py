"""The public functions give the same numbers as the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

import scoring
from scoring.cli import app
from scoring.records.synthetic.generate import write_sample
from scoring.workflows.train import TrainOutcome
from tests.workflows.test_train import QUICK

RECORD = {"title": "Rain on the coast", "provider": {"domain": "example.org"}, "topics": ["Weather"]}


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    write_sample(folder, n_records=5, seed=1, is_labelled=False)
    return folder


def command(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="scoring")
    assert done.exit_code == 0, done.output
    return done.stdout


def test_scores_are_those_of_the_command_line(inbox: Path, training: TrainOutcome) -> None:
    lines = command("score", inbox, "--model", training.model, "--format", "jsonl").splitlines()
    model = scoring.load_model(training.model)
    as_paths = list(scoring.score(inbox, model=training.model))
    as_documents = list(model.score(scoring.read_records([inbox])))
    assert as_paths == as_documents
    assert [msgspec.to_builtins(score) for score in as_paths] == [
        json.loads(line) | {"warnings": tuple(json.loads(line)["warnings"])} for line in lines
    ]
    assert {score.model for score in as_paths} == {model.name}


def test_an_exported_model_is_the_same(tmp_path: Path, training: TrainOutcome) -> None:
    command("export", training.model, tmp_path / "model.zip")
    [exported] = scoring.score(RECORD, model=tmp_path / "model.zip")
    [original] = scoring.score(RECORD, model=training.model)
    assert exported == original
    evaluated = scoring.evaluate(
        [RECORD | {"publishedDateTime": "2021-03-04T05:06:07Z", "quality": 40}],
        model=tmp_path / "model.zip",
        tracked=False,
    )
    assert evaluated.model == exported.model


def test_a_configuration_is_an_object_or_a_file() -> None:
    config: Any = {"seed": 3}
    with pytest.raises(
        TypeError, match="config: got dict, expected a TrainConfig, or the path of a YAML file"
    ):
        scoring.train(RECORD, config=config)


def test_one_record_is_explained_and_has_features(inbox: Path, training: TrainOutcome) -> None:
    explanation = scoring.explain(RECORD, model=training.model)
    [score] = scoring.score(RECORD, model=training.model)
    assert explanation.score == score
    with pytest.raises(scoring.RecordError, match="got 5 records, expected one record"):
        scoring.explain(inbox, model=training.model)
    features = scoring.extract_features([RECORD, inbox])
    assert features.shape[0] == 6
    assert features["title_word_count"].iloc[0] == 4
    record = {"title": "Rain", "topics": ["Grafting", "Tessaril"]}
    assert scoring.extract_features(record)["topic_section"].iloc[0] == "Grafting"
    assert scoring.extract_features(record, model=training.model)["topic_section"].iloc[0] == "Tessaril"


def test_a_record_object_is_taken_as_it_is(inbox: Path, training: TrainOutcome) -> None:
    documents = list(scoring.read_records(inbox))
    records = [document.record for document in documents]
    model = scoring.load_model(training.model)
    expected = [msgspec.structs.replace(score, path="") for score in model.score(documents)]
    assert [msgspec.structs.replace(score, path="") for score in model.score(records)] == expected
    assert msgspec.structs.replace(next(iter(model.score(records[0]))), path="") == expected[0]
    assert scoring.validate(records).n_records == len(records)
    assert scoring.explain(records[0], model=model).score.quality == expected[0].quality


def test_a_record_that_cannot_be_used(inbox: Path) -> None:
    frame = scoring.read_frame(inbox)
    assert scoring.validate(frame).n_records == len(frame) == 5
    (inbox / "faulty.md").write_text("---\ntitle: Rain\nimages: high\n---\n")
    [fault] = scoring.validate(inbox).faults
    assert (Path(fault.path).name, fault.line, fault.field) == ("faulty.md", 3, "images")
    with pytest.raises(scoring.RecordError, match="got 'high'"):
        list(scoring.read_records(inbox))
    with pytest.warns(UserWarning, match="got 'high'"):
        assert len(list(scoring.read_records(inbox, on_error="warn"))) == 5
    errors: list[scoring.RecordError] = []
    assert len(list(scoring.score(inbox, model="shipped", on_error=errors.append))) == 5
    assert len(errors) == 1
    with pytest.raises(ValueError, match='expected "raise", "warn" or a callable'):
        list(scoring.read_records(inbox, on_error="skip"))  # type: ignore[arg-type]
    with pytest.raises(scoring.RecordError, match="title: got a value of type object, expected text"):
        list(scoring.read_records({"title": object()}))


def test_a_model_that_nobody_asked_for_comes_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="using the shipped model"):
        [score] = scoring.score(RECORD)
    assert score.model.startswith("default@")


def test_suggestions_are_those_of_the_command_line(inbox: Path, training: TrainOutcome) -> None:
    lines = command("suggest", inbox, "--model", training.model, "--count", 3, "--json").splitlines()
    outcome = scoring.suggest(inbox, count=3, model=training.model)
    assert [json.loads(msgspec.json.encode(suggestion)) for suggestion in outcome.suggestions] == [
        json.loads(line) for line in lines
    ]
    assert (outcome.n_labelled, outcome.n_unlabelled, outcome.n_faults) == (0, 5, 0)
    assert scoring.suggest([inbox], count=3, model=scoring.load_model(training.model)) == outcome
    with pytest.raises(ValueError, match="count: got 0, expected 1 or more"):
        scoring.suggest(inbox, count=0, model=training.model)
    (inbox / "faulty.md").write_text("---\ntitle: Rain\nimages: high\n---\n")
    with pytest.raises(scoring.RecordError, match="got 'high'"):
        scoring.suggest(inbox, model=training.model)
    with pytest.warns(UserWarning, match="got 'high'"):
        assert scoring.suggest(inbox, count=3, model=training.model, on_error="warn").n_faults == 1


def test_train_evaluate_and_compare(archive: Path, tmp_path: Path, training: TrainOutcome) -> None:
    trained = scoring.train(archive, config=QUICK, output=tmp_path / "model", tracked=False)
    assert trained.metrics["quality_mae"] > 0
    evaluated = scoring.evaluate(archive, model=trained.model, tracked=False)
    assert evaluated.n_records == trained.n_records
    loaded = scoring.evaluate(archive, model=scoring.load_model(trained.model), tracked=False)
    assert loaded.evaluation.figures == evaluated.evaluation.figures
    [comparison] = scoring.compare(training.model, trained.model, on=archive)
    assert comparison.n_records == trained.n_records
    with pytest.raises(scoring.ModelError, match="overwrite"):
        scoring.train(archive, output=tmp_path / "model", tracked=False)
