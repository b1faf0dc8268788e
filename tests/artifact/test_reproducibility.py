"""Differences between the files of two models, by part."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from scoring.artifact.model_folder import PARTS, ModelFiles, read_files
from scoring.artifact.reproducibility import FigureChange, diff_metrics, diff_parts
from scoring.evaluation.comparison import ValueDiff
from scoring.workflows.train import TrainOutcome


@pytest.fixture(scope="module")
def model(training: TrainOutcome) -> ModelFiles:
    return read_files(Path(training.model))


def with_manifest(model: ModelFiles, **changes: object) -> ModelFiles:
    manifest = msgspec.json.decode(model.manifest) | changes
    return replace(model, manifest=msgspec.json.format(msgspec.json.encode(manifest), indent=1))


def test_same_parts(model: ModelFiles) -> None:
    assert diff_parts(model, model) == ()
    laid_out_anew = replace(model, manifest=msgspec.json.format(model.manifest, indent=0))
    assert diff_parts(model, laid_out_anew) == ()


@pytest.mark.parametrize("part", PARTS)
def test_each_booster(model: ModelFiles, part: str) -> None:
    text = b"tree\n\nTree=0\n\nTree=1\n"
    other = replace(model, contents=model.contents | {f"{part}.txt": text})
    (difference,) = diff_parts(model, other)
    assert (difference.name, difference.second) == (
        part,
        f"2 trees, sha256 {hashlib.sha256(text).hexdigest()[:8]}",
    )
    assert difference.first is not None
    assert difference.first.partition(" ")[0] == str(model.text_of(part).count("Tree="))


@pytest.mark.parametrize(
    "field", ["encoder", "rubric", "errors", "thresholds", "medians", "profile", "feature_names"]
)
def test_each_field_of_the_manifest(model: ModelFiles, field: str) -> None:
    (difference,) = diff_parts(model, with_manifest(model, **{field: None}))
    assert (difference.name, difference.second) == (field, "null")


def test_facts_of_the_training(model: ModelFiles) -> None:
    training = msgspec.json.decode(model.manifest)["training"]
    other = with_manifest(model, training=training | {"n_records": 399, "begins_at": "2018"})
    begins = f'"{training["begins_at"]}"'
    assert set(diff_parts(model, other)) == {
        ValueDiff("training.n_records", "400", "399"),
        ValueDiff("training.begins_at", begins, '"2018"'),
    }


def test_manifest_of_another_version(model: ModelFiles) -> None:
    fields = msgspec.json.decode(model.manifest)
    del fields["profile"]
    (difference,) = diff_parts(replace(model, manifest=msgspec.json.encode(fields)), model)
    assert (difference.name, difference.first) == ("profile", None)
    (difference,) = diff_parts(model, with_manifest(model, later=[1, 2]))
    assert difference == ValueDiff("later", None, "[1,2]")


def test_hashes_of_the_files_are_not_reported_twice(model: ModelFiles) -> None:
    assert diff_parts(model, with_manifest(model, files={"lead.txt": "0" * 64})) == ()


def test_figures_to_the_last_digit() -> None:
    first = {"mae": 0.1 + 0.2, "f1": 0.5, "gone": 1.0}
    assert diff_metrics(first, {"f1": 0.5, "mae": 0.3, "new": 2.0}) == (
        FigureChange("mae", 0.30000000000000004, 0.3),
        FigureChange("gone", 1.0, None),
        FigureChange("new", None, 2.0),
    )
    assert diff_metrics(first, dict(reversed(first.items()))) == ()
