"""The policy command: words, differences between sections and between models, and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scoring.errors import ModelError
from scoring.settings import load_settings
from scoring.workflows.policy import compare_policies, policy
from scoring.workflows.train import TrainOutcome


def test_a_model_says_its_policy(training: TrainOutcome, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    lines = policy(model=str(training.model), settings=settings)
    assert {line.target for line in lines} == {"quality", "lead", "heat", "published"}
    (section,) = {line.section for line in lines}
    assert policy(model=str(training.model), section=section, settings=settings) == lines


def test_a_model_does_not_differ_from_itself(training: TrainOutcome, tmp_path: Path) -> None:
    folder = str(training.model)
    assert not compare_policies(folder, folder, settings=load_settings(home=tmp_path)).differences


def test_a_section_that_the_model_does_not_know_is_named(training: TrainOutcome, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="section: got 'Nowhere', expected one of"):
        policy(model=str(training.model), section="Nowhere", settings=load_settings(home=tmp_path))


def test_a_model_of_before_says_that_it_has_no_rules(tmp_path: Path) -> None:
    old = Path(__file__).parents[1] / "model" / "format_1" / "model"
    with pytest.raises(ModelError, match="without rules; train it again"):
        policy(model=str(old), settings=load_settings(home=tmp_path))


def test_lines_are_json(training: TrainOutcome, tmp_path: Path) -> None:
    import msgspec

    lines = policy(model=str(training.model), settings=load_settings(home=tmp_path))
    assert len(json.loads(msgspec.json.encode(lines))) == len(lines)
