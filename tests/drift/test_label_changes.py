"""Labels of new records that follow other rules than the model's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scoring.drift.label_changes import changes_from, present_counts, unknown_sections
from scoring.model.components import FittedComponents
from scoring.model.policy_change import PolicyChange
from scoring.records.record import Labels, Record
from scoring.records.synthetic.generate import sample_documents
from scoring.records.synthetic.policy import DEFAULT_POLICY, Policy
from scoring.training.config import TrainConfig
from scoring.training.fit import fit_models
from tests.conftest import training_set_of
from tests.sites import QUICK

POLICY = replace(DEFAULT_POLICY, large_image_points=0).without_noise()
OTHER = replace(
    POLICY,
    image_points=4,
    section_in_title_points=32,
    heat_bonus=4,
    bonus_from_quality=20,
    published_from_heat=40,
)
N_RECORDS, BEGINS = 900, 700


def by(policy: Policy) -> list[tuple[Record, Labels]]:
    return list(sample_documents(policy=policy, n_records=N_RECORDS, seed=4, section="Harbour"))


@pytest.fixture(scope="module")
def models() -> FittedComponents:
    return fit_models(training_set_of(by(POLICY)[:BEGINS]), TrainConfig(model=QUICK), num_threads=1)


def changes_in(models: FittedComponents, labelled: list[tuple[Record, Labels]]) -> dict[str, PolicyChange]:
    return {change.target: change for change in changes_from(models, training_set_of(labelled), QUICK)}


def test_later_labels_by_the_rules_of_the_model_show_no_change(models: FittedComponents) -> None:
    assert changes_in(models, by(POLICY)[BEGINS:]) == {}


def test_labels_by_other_rules_are_found_with_their_date(models: FittedComponents) -> None:
    start = BEGINS + 60
    changes = changes_in(models, by(POLICY)[BEGINS:start] + by(OTHER)[start:])
    quality = changes["quality"]
    assert quality.section == "Harbour"
    assert abs(quality.n_before - 60) <= 4
    effects = {effect.name: effect for effect in quality.effects}
    assert effects["has_image"].before == pytest.approx(POLICY.image_points, abs=1)
    assert effects["has_image"].since == pytest.approx(4, abs=2)
    assert changes["published"].effects[0].since == pytest.approx(40, abs=3)
    heat = {effect.name: (effect.before, effect.since) for effect in changes["heat"].effects}
    assert list(heat["bonus"]) == [POLICY.heat_bonus, 4]
    assert heat["bonus from"][0] == pytest.approx(POLICY.bonus_from_quality, abs=4)


def test_all_of_the_labels_may_follow_other_rules(models: FittedComponents) -> None:
    change = changes_in(models, by(OTHER)[BEGINS:])["quality"]
    assert change.n_before <= 2


def test_few_labels_of_a_section_are_not_compared(models: FittedComponents) -> None:
    tripled = by(replace(POLICY, scale=3.0))
    assert "quality" in changes_in(models, tripled[-40:])
    assert "quality" not in changes_in(models, tripled[-19:])


def test_labels_from_before_a_known_change_are_left_out() -> None:
    changed = by(POLICY)[:400] + by(OTHER)[400:]
    models = fit_models(training_set_of(changed[:BEGINS]), TrainConfig(model=QUICK), num_threads=1)
    assert {change.target for change in models.changes} == {"quality", "heat", "published"}
    assert changes_in(models, changed) == {}
    assert changes_in(models, changed[:400]) == {}
    counts = present_counts(models, training_set_of(changed))
    assert counts["Harbour"] == pytest.approx(N_RECORDS - 400, abs=4)


def test_labels_of_an_unknown_section_are_not_compared(models: FittedComponents) -> None:
    labelled = list(sample_documents(policy=OTHER, n_records=100, seed=4, section="Meadow"))
    records = training_set_of(labelled)
    assert unknown_sections(models, records) == ["Meadow"]
    assert changes_from(models, records, QUICK) == ()
