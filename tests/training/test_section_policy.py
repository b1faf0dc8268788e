"""Policies of sections: what is learned of a section that others do not share, and from how many labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from scoring.explanation.attribution import explain
from scoring.features.table import NUMBER_INDEX, Floats, extract
from scoring.model.quality import QualityModel
from scoring.model.scorer import Scorer
from scoring.model.section_policy import SectionPolicy, is_other
from scoring.records.record import Document, Labels, Record
from scoring.records.synthetic.generate import sample_documents
from scoring.records.synthetic.policy import DEFAULT_POLICY, Policy
from scoring.training.config import ModelConfig, SectionConfig, TrainConfig
from scoring.training.fit import fit_models
from scoring.training.parallel import fit_pool
from scoring.training.quality import start_quality
from scoring.training.section_difference import Difference, fit_difference
from scoring.training.section_effects import MIN_SEEN
from scoring.training.section_policy import constants_of, fit_policy
from scoring.training.splits import latest_mask
from scoring.training.story_policy import BonusRule, fit_bonus, fit_threshold, plan_stories
from scoring.training.training_set import TrainingSet
from tests.conftest import training_set_of

FEW_TREES = {
    name: msgspec.structs.replace(getattr(ModelConfig(), name), num_iterations=20)
    for name in ("quality", "spread", "lead", "heat", "published", "settled_lead", "growth")
}
CONFIG = TrainConfig(model=ModelConfig(forecast_ages_hours=(0.0,), **FEW_TREES))
SHARED = DEFAULT_POLICY.without_noise()
AFFINE = replace(SHARED, scale=0.8, shift=12.0, published_from_heat=58)
POINTS = replace(SHARED, image_points=12, topic_points=29, title_limit_chars=60)
Labelled = tuple[Record, Labels]


def documents_of(section: str, policy: Policy, n_records: int, seed: int) -> list[Labelled]:
    return list(sample_documents(n_records=n_records, seed=seed, policy=policy, section=section))


def training_of(*groups: Sequence[Labelled]) -> TrainingSet:
    labelled = [pair for group in groups for pair in group]
    return training_set_of(sorted(labelled, key=lambda pair: moment(pair[0])))


def moment(record: Record) -> float:
    assert record.published_at is not None
    return record.published_at.timestamp()


@pytest.fixture(scope="module")
def harbour() -> list[Labelled]:
    """700 records of the section that sets the scale."""
    return documents_of("Harbour", SHARED, 700, seed=1)


def errors_of(model: QualityModel, labelled: Sequence[Labelled]) -> Floats:
    later = training_set_of(list(labelled))
    errors: Floats = later.labels.quality - np.round(model.estimate(later.table)[0])
    return errors


def quality_of(*groups: Sequence[Labelled], sections: SectionConfig = CONFIG.model.sections) -> QualityModel:
    training = training_of(*groups)
    config = msgspec.structs.replace(CONFIG.model, sections=sections)
    is_validation = latest_mask(training.moments, training.sections, CONFIG.split.validation_ratio)
    with fit_pool(1, len(training.table), 1) as pool:
        finish = start_quality(
            training.table,
            training.labels.quality,
            training.copies,
            is_validation,
            config,
            pool=pool,
            seed=0,
        )
        return finish().model


@pytest.fixture(scope="module")
def harbour_model(harbour: list[Labelled]) -> QualityModel:
    """The model of that section alone."""
    return quality_of(harbour)


@pytest.fixture(scope="module")
def early_model(harbour: list[Labelled]) -> QualityModel:
    """The model of its first 550 records."""
    return quality_of(harbour[:550])


def test_sections_with_one_policy_have_the_model_of_one_policy(harbour: list[Labelled]) -> None:
    groups = harbour, documents_of("Meadow", SHARED, 300, seed=2)
    model, expected = quality_of(*groups), quality_of(*groups, sections=SectionConfig(design="shared"))
    assert not model.policies
    assert model.rubric == expected.rubric
    assert model.booster.text == expected.booster.text


@pytest.mark.parametrize("policy", [AFFINE, POINTS], ids=["affine", "points"])
def test_a_section_with_another_policy_is_learned_and_spoils_no_other(
    harbour: list[Labelled], early_model: QualityModel, policy: Policy
) -> None:
    meadow = documents_of("Meadow", policy, 500, seed=2)
    labelled, later = meadow[:300], meadow[300:]
    model = quality_of(harbour[:550], labelled)
    for alone, tested in ((early_model, harbour[550:]), (quality_of(labelled), later)):
        errors, expected = (np.abs(errors_of(fitted, tested)) for fitted in (model, alone))
        assert errors.mean() < 1.1 * expected.mean()
        assert np.mean(errors <= 1) > np.mean(expected <= 1) - 0.05
    quality, spread = model.estimate(training_set_of(later).table)
    low, high = model.interval(training_set_of(later).table, quality, spread)
    labels = training_set_of(later).labels.quality
    assert np.mean((low <= labels) & (labels <= high)) > 0.86


def test_fifty_labels_say_what_is_different(harbour: list[Labelled], harbour_model: QualityModel) -> None:
    model = quality_of(harbour, documents_of("Meadow", POINTS, 300, seed=2)[100:150])
    difference = model.policies["Meadow"].difference_
    assert difference.numbers_["has_image"] == pytest.approx(
        POINTS.image_points - SHARED.image_points, abs=1.5
    )
    assert model.policies["Meadow"].scale_ == pytest.approx(1.0, abs=0.03)
    later = documents_of("Meadow", POINTS, 300, seed=2)[150:]
    errors, expected = (np.abs(errors_of(fitted, later)) for fitted in (model, harbour_model))
    assert errors.mean() < 0.6 * expected.mean()
    table = training_set_of(later).table
    low, high = model.interval(table, *model.estimate(table))
    labels = training_set_of(later).labels.quality
    assert 0.8 < np.mean((low <= labels) & (labels <= high)) < 1


def test_few_labels_of_a_section_change_nothing_for_the_others(
    harbour: list[Labelled], harbour_model: QualityModel
) -> None:
    few = documents_of("Meadow", AFFINE, 30, seed=3)
    model = quality_of(harbour, few)
    assert model.rubric == harbour_model.rubric
    assert model.booster.text == harbour_model.booster.text
    assert model.policies["Meadow"].n_records_ == 30


def test_a_handful_of_labels_takes_part_in_the_shared_policy(harbour: list[Labelled]) -> None:
    few = documents_of("Meadow", AFFINE, 30, seed=3)[: CONFIG.model.sections.min_records - 1]
    assert not quality_of(harbour, few).policies


def test_publication_follows_the_thresholds_of_both_sections(harbour: list[Labelled]) -> None:
    meadow = documents_of("Meadow", AFFINE, 500, seed=2)
    models = fit_models(training_of(harbour, meadow[:300]), CONFIG, num_threads=1)
    later = training_set_of(meadow[300:])
    decided = Scorer("two sections", models).predict(later.table).published
    assert np.mean(decided == (later.labels.published > 0.5)) > 0.93
    assert models.cascade.policies["Meadow"].published_shift_ == pytest.approx(58 - 70, abs=3)


def test_reasons_of_a_section_with_its_own_policy_sum_to_its_quality(harbour: list[Labelled]) -> None:
    meadow = documents_of("Meadow", AFFINE, 60, seed=2)
    models = fit_models(training_of(harbour, meadow), CONFIG, num_threads=1)
    scorer = Scorer("two sections", models)
    for record, labels in meadow[:10]:
        explanation = explain(scorer, Document("one.md", 0, "", record, labels))
        table = training_set_of([(record, labels)]).table
        contributions = [reason.contribution for reason in explanation.reasons["quality"]]
        total = explanation.base["quality"] + sum(contributions)
        assert total == pytest.approx(models.quality.estimate(table)[0][0])
        reasons = {reason.feature: reason.contribution for reason in explanation.reasons["quality"]}
        assert "topic_section" in reasons
        assert abs(reasons.get("floor", 0.0)) < 1e-6 or models.quality.estimate(table)[0][0] < 20


def test_a_value_that_no_record_had_has_a_wide_interval() -> None:
    table = training_set_of(documents_of("Harbour", SHARED, 60, seed=1)).table
    constants = constants_of(table)
    assert constants
    assert not is_other(table, constants).any()
    changed = {name: value + 1 for name, value in constants.items()}
    assert is_other(table, changed).all()
    assert MIN_SEEN > 1


def test_a_value_that_no_record_had_is_named(harbour: list[Labelled]) -> None:
    model = quality_of(harbour, documents_of("Meadow", POINTS, 50, seed=2))
    record, _ = documents_of("Meadow", POINTS, 1, seed=3)[0]
    numbers = list(extract(record)[1])
    name, value = next(iter(model.policies["Meadow"].constants_.items()))
    numbers[NUMBER_INDEX[name]] = value
    assert not any(name in text for text in model.novel_values("Meadow", numbers))
    numbers[NUMBER_INDEX[name]] = value + 2
    assert f"value unknown to the model: {name} {value + 2:g}" in model.novel_values("Meadow", numbers)
    assert model.novel_values("Harbour", numbers) == []
    table = training_set_of(documents_of("Meadow", POINTS, 5, seed=3)).table
    table.numbers[:, NUMBER_INDEX[name]] = [value + 2, *[value] * 4]
    policy = model.policies["Meadow"]
    spread = policy.spread(table, np.ones(5))
    assert spread[0] == policy.errors_.foreign_spread_
    assert policy.is_novel(table)[0]
    assert (spread[~policy.is_novel(table)] < spread[0]).all()


def test_effects_of_a_difference_are_those_of_its_rubric(harbour_model: QualityModel) -> None:
    effects = {
        ("intercept", "", 0.0): 3.0,
        ("shared", "", 0.0): -0.2,
        ("number", "has_image", 0.0): -12.0,
        ("moved knot", "title_chars", 60.0): -0.5,
        ("topic", "Meadow", 0.0): 2.0,
        ("named", "Meadow", 0.0): 5.0,
    }
    own = frozenset(effect for effect in effects if effect[1] == "Meadow")
    difference = Difference(effects, center=40.0, floor=0.0, own=own)  # type: ignore[arg-type]
    assert difference.scale == pytest.approx(0.8)
    rubric = difference.rubric(harbour_model.rubric)
    assert rubric.intercept_ == pytest.approx(3 + 0.2 * 40)
    assert rubric.hinges_ == {"title_chars": [(60.0, -0.5), (harbour_model.rubric.knots["title_chars"], 0.5)]}
    assert rubric.levels_ == {"topics": {"Meadow": 7.0}}
    assert set(difference.contradiction.effects) == {effect for effect in effects if effect[1] != "Meadow"}


def test_a_difference_is_not_fitted_to_single_records(harbour_model: QualityModel) -> None:
    part = training_set_of(documents_of("Harbour", SHARED, 60, seed=9))
    quality = harbour_model.rubric.predict(part.table)
    labels = np.round(quality)
    labels[7] += 90
    difference = fit_difference(harbour_model.rubric, part.table, quality, labels, SectionConfig(), 30.0, {})
    assert not difference.contradiction.effects


@pytest.mark.parametrize(
    ("quality", "heat", "n_related", "expected"),
    [
        ([30, 40, 50, 60], [30, 40, 70, 80], [2, 1, 1, 1], BonusRule(20.0, 50.0)),
        ([30, 40, 50, 60], [36, 43, 53, 63], [2, 1, 1, 1], BonusRule(3.0, 30.0)),
    ],
)
def test_the_bonus_is_found(
    quality: list[int], heat: list[int], n_related: list[int], expected: BonusRule
) -> None:
    columns = (np.array(values, dtype=np.float64) for values in (quality, heat, n_related))
    assert fit_bonus(*columns) == expected


def test_two_contradictions_do_not_move_the_threshold() -> None:
    heat = np.arange(0.0, 100.0, 10.0)
    is_published = heat >= 50
    assert fit_threshold(heat, is_published, 65.0) == 65.0
    assert fit_threshold(heat, is_published, 75.0) == 45.0


def test_the_rule_of_a_section_with_another_bonus_is_found() -> None:
    generous = replace(SHARED, heat_bonus=30, bonus_from_quality=30)
    training = training_of(
        documents_of("Harbour", SHARED, 700, seed=1), documents_of("Meadow", generous, 400, seed=2)
    )
    labels = training.labels
    plan = plan_stories(training.table, labels.quality, labels.heat, labels.published, SectionConfig())
    policy = plan.policies["Meadow"]
    assert policy.bonus_ratio_ == pytest.approx(1.5, abs=0.1)
    assert policy.bonus_shift_ == pytest.approx(-20, abs=5)
    is_meadow = training.table.text("topic_section") == "Meadow"
    assert not plan.has_shared_bonus[is_meadow].any()
    assert plan.has_shared_bonus[~is_meadow].all()


def test_a_policy_is_kept_in_json() -> None:
    model = quality_of(
        documents_of("Harbour", SHARED, 200, seed=1), documents_of("Meadow", AFFINE, 30, seed=2)
    )
    policy = model.policies["Meadow"]
    assert msgspec.json.decode(msgspec.json.encode(policy), type=SectionPolicy) == policy


def test_the_interval_of_a_small_archive_is_that_of_records_of_other_folds() -> None:
    documents = documents_of("Harbour", SHARED, 400, seed=3)
    model = quality_of(documents[:60])
    later = training_set_of(documents[60:])
    quality, spread = model.estimate(later.table)
    low, high = model.interval(later.table, quality, spread)
    assert np.mean((low <= later.labels.quality) & (later.labels.quality <= high)) > 0.8
    assert model.half_widths(later.table, spread).mean() < np.ptp(later.labels.quality) / 3


def test_the_interval_of_a_few_labels_is_as_wide_as_these(harbour: list[Labelled]) -> None:
    few = training_set_of(harbour[:25])
    model = quality_of(harbour[:25])
    _, spread = model.estimate(few.table)
    distances = np.abs(few.labels.quality - np.median(few.labels.quality))
    assert np.median(model.half_widths(few.table, spread)) >= 0.9 * distances.max()


def test_the_interval_of_a_policy_is_as_wide_as_errors_on_other_folds(harbour_model: QualityModel) -> None:
    table = training_set_of(documents_of("Harbour", SHARED, 60, seed=9)).table
    rubric = harbour_model.rubric
    quality, copies = rubric.predict(table), np.arange(60)
    noise = np.random.default_rng(0).choice([-20.0, 20.0], 60)
    half_widths = [
        fit_policy(
            rubric, table, quality, np.ones(60), quality + errors, copies, CONFIG.model, 30.0, {}, 0.5
        ).errors_.half_width_
        for errors in (np.zeros(60), noise)
    ]
    assert half_widths[0] == 0.5
    assert half_widths[1] >= 20
