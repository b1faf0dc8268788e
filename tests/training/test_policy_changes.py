"""Points in time at which labels begin to follow other rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from scoring.explanation.policy import policy_lines
from scoring.model.components import FittedComponents
from scoring.model.policy_change import PolicyChange
from scoring.records.record import Labels, Record
from scoring.records.synthetic.generate import sample_documents
from scoring.records.synthetic.policy import DEFAULT_POLICY, Policy
from scoring.training.config import ModelConfig, SectionConfig, TrainConfig
from scoring.training.fit import fit_models, fit_quality
from scoring.training.policy_changes import with_changes
from scoring.training.training_set import TrainingSet, regime_until
from tests.conftest import training_set_of
from tests.sites import QUICK

FIRST = replace(DEFAULT_POLICY, large_image_points=0).without_noise()
CONFIG = TrainConfig(model=QUICK)


def labelled(
    since: Policy, n_records: int, begins: int, *, section: str = "Harbour", seed: int = 3
) -> list[tuple[Record, Labels]]:
    """Records by date; those from a place on have the labels of another policy."""
    before, after = (
        list(sample_documents(policy=policy, n_records=n_records, seed=seed, section=section))
        for policy in (FIRST, since)
    )
    return before[:begins] + after[begins:]


def changes_of(
    *archives: list[tuple[Record, Labels]], config: ModelConfig = QUICK
) -> tuple[PolicyChange, ...]:
    everything = [record for archive in archives for record in archive]
    return with_changes(training_set_of(everything), config).changes


def values(change: PolicyChange) -> dict[str, tuple[float, float]]:
    """What was and what is, by effect."""
    return {effect.name: (round(effect.before, 1), round(effect.since, 1)) for effect in change.effects}


POINTS = replace(FIRST, image_points=6, section_in_title_points=30)


@pytest.fixture(scope="module")
def repainted() -> list[tuple[Record, Labels]]:
    """800 records: since the 500th, an image and the section in the title are worth other points."""
    return labelled(POINTS, 800, 500)


def test_a_change_of_points_is_found_with_its_date(repainted: list[tuple[Record, Labels]]) -> None:
    (change,) = changes_of(repainted)
    assert (change.section, change.target) == ("Harbour", "quality")
    assert change.n_before + change.n_since == 800
    assert abs(change.n_since - 300) <= 3
    assert change.since == repainted[change.n_before][0].published_at
    found = values(change)
    assert found["has_image"] == pytest.approx((FIRST.image_points, 6), abs=0.6)
    assert found["title_names_section"] == pytest.approx((FIRST.section_in_title_points, 30), abs=0.6)
    assert len(found) <= 3


def test_a_recent_change_is_found_from_forty_records() -> None:
    (change,) = changes_of(labelled(POINTS, 600, 560))
    assert 37 <= change.n_since <= 43
    assert values(change)["has_image"] == pytest.approx((FIRST.image_points, 6), abs=1.0)


def test_another_scale_is_told_as_a_scale() -> None:
    (change,) = changes_of(labelled(replace(FIRST, scale=0.5, shift=20.0), 600, 300))
    found = values(change)
    assert found["scale"] == pytest.approx((1.0, 0.5), abs=0.05)
    assert found["shift"] == pytest.approx((0.0, 20.0), abs=2.0)


@pytest.mark.parametrize("seed", range(4))
def test_an_unchanged_policy_has_no_change(seed: int) -> None:
    policy = replace(DEFAULT_POLICY, noise_ratio=0.1, noise_points=15)
    assert not changes_of(
        list(sample_documents(n_records=(90, 150, 300, 500)[seed], seed=seed, policy=policy))
    )


def test_one_section_changes_and_the_other_does_not(repainted: list[tuple[Record, Labels]]) -> None:
    other = labelled(FIRST, 300, 0, section="Meadow", seed=9)
    assert [change.section for change in changes_of(repainted, other)] == ["Harbour"]


def dated_by_month(documents: list[tuple[Record, Labels]]) -> list[tuple[Record, Labels]]:
    """The records with the first of their month as their date."""
    return [
        (
            msgspec.structs.replace(
                record, published_at=record.published_at.replace(day=1, hour=0, minute=0, second=0)
            ),
            labels,
        )
        for record, labels in documents
        if record.published_at
    ]


def test_records_of_one_date_are_on_one_side_of_a_change() -> None:
    since = replace(POINTS, heat_bonus=5, published_from_heat=45)
    noisy = [replace(policy, noise_ratio=0.3, noise_points=8) for policy in (FIRST, since)]
    before, after = (
        list(sample_documents(policy=policy, n_records=900, seed=4, section="Harbour")) for policy in noisy
    )
    june = sum(
        record.published_at < datetime(2018, 7, 1, tzinfo=UTC) for record, _ in before if record.published_at
    )
    changes = changes_of(dated_by_month(before[:june] + after[june:]))
    assert {change.target for change in changes} == {"quality", "heat", "published"}
    assert {change.since for change in changes} == {datetime(2018, 7, 1, tzinfo=UTC)}
    (quality,) = [change for change in changes if change.target == "quality"]
    assert quality.n_before == june


@pytest.mark.exhaustive
def test_records_of_one_date_have_no_change(repainted: list[tuple[Record, Labels]]) -> None:
    date = datetime(2018, 7, 1, tzinfo=UTC)
    assert not changes_of(
        [(msgspec.structs.replace(record, published_at=date), labels) for record, labels in repainted]
    )


@pytest.mark.exhaustive
def test_two_changes_of_one_section_are_found() -> None:
    third = replace(FIRST, topic_points=4, image_points=6, section_in_title_points=30)
    documents = labelled(POINTS, 900, 300)[:600] + labelled(third, 900, 300)[600:]
    first, second = changes_of(documents)
    assert first.since < second.since
    assert (abs(first.n_before - 300), abs(second.n_since - 300)) <= (4, 4)


def test_changed_rules_of_heat_and_publication_are_found() -> None:
    since = replace(FIRST, heat_bonus=5, bonus_from_quality=30, published_from_heat=45)
    by_target = {change.target: change for change in changes_of(labelled(since, 900, 450))}
    assert set(by_target) == {"heat", "published"}
    assert values(by_target["heat"])["bonus"] == (FIRST.heat_bonus, 5)
    before, now = values(by_target["published"])["published from"]
    assert (before, now) == pytest.approx((FIRST.published_from_heat, 45), abs=2)


def test_rules_that_come_back_are_found() -> None:
    since = replace(FIRST, heat_bonus=5, published_from_heat=45)
    documents = labelled(since, 900, 300)[:600] + labelled(FIRST, 900, 0)[600:]
    changes = changes_of(documents)
    bonuses = [values(change)["bonus"] for change in changes if change.target == "heat"]
    assert bonuses == [(FIRST.heat_bonus, 5), (5, FIRST.heat_bonus)]
    first, second = [change for change in changes if change.target == "published"]
    assert values(first)["published from"] == pytest.approx((FIRST.published_from_heat, 45), abs=2)
    assert values(second)["published from"] == pytest.approx((45, FIRST.published_from_heat), abs=2)


def test_one_policy_for_all_sections_is_one_policy_for_all_times(
    repainted: list[tuple[Record, Labels]],
) -> None:
    shared = msgspec.structs.replace(QUICK, sections=SectionConfig(design="shared"))
    assert not changes_of(repainted, config=shared)


def quality_error(training: TrainingSet, later: TrainingSet, config: TrainConfig = CONFIG) -> float:
    model = fit_quality(training, config, num_threads=1).model
    return float(np.abs(np.round(model.estimate(later.table)[0]) - later.labels.quality).mean())


@pytest.mark.parametrize("n_since", [pytest.param(300, marks=pytest.mark.exhaustive), 60])
def test_earlier_records_teach_what_did_not_change(n_since: int) -> None:
    documents = labelled(POINTS, 900, 700 - n_since)
    training, later = training_set_of(documents[:700]), training_set_of(documents[700:])
    one_policy = msgspec.structs.replace(QUICK, sections=SectionConfig(design="shared"))
    pooled = quality_error(training, later, TrainConfig(model=one_policy))
    apart = quality_error(training_set_of(documents[700 - n_since : 700]), later)
    changed = quality_error(training, later)
    assert changed < 0.8 * apart
    assert changed < 0.5 * pooled


@pytest.fixture(scope="module")
def models(repainted: list[tuple[Record, Labels]]) -> FittedComponents:
    return fit_models(training_set_of(repainted), CONFIG, num_threads=1)


def test_a_model_tells_the_rules_of_today(models: FittedComponents) -> None:
    rules = {line.name: line for line in policy_lines(models.rules)}
    assert rules["has_image"].low <= 6 <= rules["has_image"].high
    assert rules["has_image"].n_records < 300


def test_changes_are_kept_in_json(models: FittedComponents) -> None:
    encoded = msgspec.json.encode(models.changes)
    assert msgspec.json.decode(encoded, type=tuple[PolicyChange, ...]) == models.changes


def test_nothing_of_the_past_has_a_part_in_scoring(models: FittedComponents) -> None:
    assert {*models.quality.policies, *models.cascade.policies} <= {"Harbour"}


def test_records_before_a_change_are_of_another_regime(repainted: list[tuple[Record, Labels]]) -> None:
    training = with_changes(training_set_of(repainted), QUICK)
    (change,) = training.changes
    regimes = training.regimes("quality")
    assert (regimes == regime_until(change)).sum() == change.n_before
    assert (regimes == "Harbour").sum() == change.n_since
    assert set(training.regimes("heat")) == {"Harbour"}
    assert set(training.by_regime("quality").table.text("topic_section")) == set(regimes)
