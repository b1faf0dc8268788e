"""Ranges of the labels of training: those of the training records themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from scoring.artifact.saved_model import SavedModel
from scoring.model.label_ranges import label_ranges
from scoring.model.story_policy import StoryPolicy
from scoring.records.corpus import read_documents


def stop(error: Exception) -> None:
    raise error


def test_ranges_are_those_of_the_training_records(saved: SavedModel, archive: Path) -> None:
    labels = [document.labels for document in read_documents([str(archive)], on_fault=stop)]
    expected = {}
    for name in ("quality", "heat"):
        values = [getattr(label, name) for label in labels if getattr(label, name) is not None]
        expected[name] = (min(values), max(values))
    assert label_ranges(saved.models) == {"": expected}
    shifted = replace(saved.models.cascade, policies={"Sea": StoryPolicy(published_shift_=20.0)})
    ranges = label_ranges(replace(saved.models, cascade=shifted))
    (low, high), (_, hottest) = expected["quality"], expected["heat"]
    assert ranges["Sea"] == {"quality": (low + 20, high + 20), "heat": (-1, hottest + 20)}
    assert label_ranges(replace(saved.models, targets=("heat",))) == {"": {"heat": expected["heat"]}}
