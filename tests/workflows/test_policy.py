"""The policy command: words, differences between sections and between models, and bad input."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from msgspec import structs
from rich.console import Console

from scoring.artifact.saved_model import load_model
from scoring.cli.formats import to_json
from scoring.cli.tables.policy import differences_table
from scoring.errors import ModelError
from scoring.explanation.policy import compare_rules
from scoring.settings import load_settings
from scoring.workflows.policy import compare_policies, policy
from scoring.workflows.train import TrainOutcome


def test_a_model_says_its_policy(training: TrainOutcome, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    lines = policy(model=str(training.model), settings=settings)
    assert {line.target for line in lines} == {"quality", "lead", "heat", "published"}
    ((section,),) = {line.sections for line in lines}
    assert policy(model=str(training.model), section=section, settings=settings) == lines


def test_a_model_does_not_differ_from_itself(training: TrainOutcome, tmp_path: Path) -> None:
    folder = str(training.model)
    assert not compare_policies(folder, folder, settings=load_settings(home=tmp_path)).differences


def test_a_section_that_the_model_does_not_know_is_named(training: TrainOutcome, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="section: got 'Nowhere', expected one of"):
        policy(model=str(training.model), section="Nowhere", settings=load_settings(home=tmp_path))


def test_a_second_section_that_the_model_does_not_know_is_named(
    two_scales: TrainOutcome, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="section: got 'Nowhere', expected one of"):
        compare_policies("Harbour", "Nowhere", model=two_scales.model, settings=load_settings(home=tmp_path))


@pytest.mark.parametrize("store", [{}, {"tracking_uri": "http://127.0.0.1:9"}])
def test_two_models_are_compared_without_a_champion(
    training: TrainOutcome, tmp_path: Path, store: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    folder = str(training.model)
    settings = load_settings(home=tmp_path, **store)
    assert not compare_policies(folder, folder, settings=settings).differences
    assert not caplog.messages  # nothing was said of the shipped model, which has no part in it


def test_a_model_of_before_says_that_it_has_no_rules(tmp_path: Path) -> None:
    old = Path(__file__).parents[1] / "model" / "format_1" / "model"
    with pytest.raises(ModelError, match="without rules; train it again"):
        policy(model=str(old), settings=load_settings(home=tmp_path))


def test_lines_are_json(training: TrainOutcome, tmp_path: Path) -> None:
    lines = policy(model=str(training.model), settings=load_settings(home=tmp_path))
    decoded = json.loads(to_json(lines))
    assert len(decoded) == len(lines)
    assert decoded[0]["sections"] == list(lines[0].sections)


def test_two_models_of_several_sections_are_compared_by_section(
    training: TrainOutcome, two_scales: TrainOutcome, tmp_path: Path
) -> None:
    settings = load_settings(home=tmp_path)
    folder = str(two_scales.model)
    assert not compare_policies(folder, folder, settings=settings).differences
    compared = compare_policies(folder, str(training.model), settings=settings)
    assert compared.only_first == ("Harbour", "Meadow")
    assert len(compared.only_second) == 1
    rules = load_model(Path(folder)).models.rules
    moved = [
        rule if rule.name != "bonus" else structs.replace(rule, value=9, low=9, high=9)
        for rule in rules[1].rules
    ]
    changed = compare_rules(rules, (rules[0], structs.replace(rules[1], rules=tuple(moved))))
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(differences_table("a", "b", changed.differences))
    _, row = console.export_text().splitlines()
    assert row.split()[:2] == ["Meadow", "heat"]
    sections = compare_policies("Harbour", "Meadow", model=folder, settings=settings)
    assert {row.target for row in sections.differences} >= {"quality", "heat", "published"}
    shown = Console(width=160, record=True, file=io.StringIO())
    shown.print(differences_table("a", "b", compared.differences, compared.only_first, compared.only_second))
    text = shown.export_text()
    assert "a and b: no rule differs in a section that both know." in text
    assert "only a knows: Harbour, Meadow" in text
