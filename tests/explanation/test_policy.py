"""The policy in words: it has the constants that made the labels, each within its interval."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from msgspec.structs import replace as replace_struct
from rich.console import Console

from scoring.cli.tables.policy import differences_table, policy_table
from scoring.explanation.policy import (
    compare_rules,
    policy_differences,
    policy_lines,
    policy_texts,
)
from scoring.explanation.rule_texts import text_of
from scoring.model.components import FittedComponents
from scoring.model.conformal import NO_ERRORS
from scoring.model.policy_change import ChangedEffect, PolicyChange
from scoring.model.rubric import Rubric
from scoring.model.rules import Rule, SectionRules
from scoring.model.section_policy import SectionPolicy
from scoring.records.synthetic.generate import sample_documents
from scoring.records.synthetic.policy import DEFAULT_POLICY
from scoring.training.config import TrainConfig
from scoring.training.fit import fit_models
from scoring.training.rules import _class_rules, _worths_of_words, median_interval
from tests.conftest import training_set_of
from tests.model.doubles import table_of

NOW = datetime(2019, 1, 1, tzinfo=UTC)
SHARED = replace(DEFAULT_POLICY.without_noise(), large_image_points=0)
OTHER = replace(SHARED, image_points=9, topic_points=31, published_from_heat=55)
CONSTANTS = {
    "has_image": SHARED.image_points,
    "title_names_section": SHARED.section_in_title_points,
    "topic_count": SHARED.topic_points,
    "title_chars": -1 / SHARED.title_overrun_chars_per_point,
    "title_chars from": SHARED.title_limit_chars,
    "bonus": SHARED.heat_bonus,
    "bonus from": SHARED.bonus_from_quality,
    "published from": SHARED.published_from_heat,
}


@pytest.fixture(scope="module")
def models() -> FittedComponents:
    """A model of two sections: the second has other points of an image and of a topic."""
    documents = [
        *sample_documents(n_records=1000, seed=4, policy=SHARED, section="Harbour"),
        *sample_documents(n_records=400, seed=5, policy=OTHER, section="Meadow"),
    ]
    return fit_models(training_set_of(documents), TrainConfig(), num_threads=1)


def rules_of(models: FittedComponents, section: str) -> dict[str, Rule]:
    (group,) = (group for group in models.rules if section in group.sections)
    return {rule.name: rule for rule in group.rules}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_of_the_policy_are_within_their_intervals(models: FittedComponents, name: str) -> None:
    rule = rules_of(models, "Harbour")[name]
    assert rule.low <= CONSTANTS[name] <= rule.high
    assert rule.n_records > 20


def test_the_rules_of_the_other_section_are_its_own(models: FittedComponents) -> None:
    rules = rules_of(models, "Meadow")
    for name, value in (("has_image", 9), ("topic_count", 31), ("published from", 55)):
        assert rules[name].low <= value <= rules[name].high


def test_only_what_differs_is_listed(models: FittedComponents) -> None:
    sides = [policy_lines(models.rules, section) for section in ("Harbour", "Meadow")]
    names = {difference.name for difference in policy_differences(*sides)}
    assert {"has_image", "topic_count", "published from"} <= names
    assert not {"title_names_section", "title_chars from", "title_chars", "bonus"} & names
    assert not policy_differences(sides[0], sides[0])


def rules(points: float, *sections: str, is_own: bool = False) -> SectionRules:
    rule = Rule("quality", "has_image", points, points - 1, points + 1, 90, 1.0)
    return SectionRules(sections, is_own, 100, (rule,))


def test_two_models_are_compared_section_by_section() -> None:
    first = [rules(20, "Harbour", "Quay"), rules(9, "Meadow", is_own=True)]
    second = [rules(20, "Harbour", "Meadow"), rules(5, "Quay", is_own=True), rules(1, "Mill", is_own=True)]
    compared = compare_rules(first, second)
    values = [
        (row.sections, row.first and row.first.value, row.second and row.second.value)
        for row in compared.differences
    ]
    assert values == [(("Quay",), 20, 5), (("Meadow",), 9, 20)]
    assert (compared.only_first, compared.only_second, compared.fault) == ((), ("Mill",), "")
    assert compare_rules(first, first).differences == ()


def test_sections_with_the_same_differences_are_joined() -> None:
    compared = compare_rules([rules(20, "Harbour", "Quay", "")], [rules(5, "", "Harbour", "Quay")])
    (difference,) = compared.differences
    assert difference.sections == ("Harbour", "Quay", "")
    assert difference.sections_text == "Harbour, Quay, (no section)"


def test_models_of_one_policy_are_compared_whatever_their_sections_are_called() -> None:
    compared = compare_rules([rules(20, "Harbour")], [rules(5, "Meadow")])
    assert [row.sections for row in compared.differences] == [()]
    apart = compare_rules([rules(20, "Harbour")], [rules(5, "Meadow"), rules(5, "Mill")])
    assert (apart.differences, apart.only_first, apart.only_second) == ((), ("Harbour",), ("Meadow", "Mill"))


def test_small_changes_are_known_by_the_step_of_the_labels() -> None:
    effects = (
        ChangedEffect("has_image", 20.0, 12.0, 8.0),
        ChangedEffect("excerpt_chars", 0.0, 0.004, 0.9),
        ChangedEffect("has_amp", 3.0, 0.0, 3.0),
    )
    changes = [
        PolicyChange("Harbour", "quality", NOW, 90, 60, effects),
        PolicyChange("Harbour", "published", NOW, 90, 60, (ChangedEffect("published from", 70.0, 70.5),)),
    ]
    group = rules(20, "Harbour")
    lines = [line for line in policy_lines([group], changes=changes) if line.since]
    assert [line.name for line in lines if line.is_small_change] == ["excerpt_chars"]
    fives = replace_struct(group, label_step=5.0)
    lines = policy_lines([fives], changes=changes)
    assert [line.name for line in lines if line.is_small_change] == ["excerpt_chars", "has_amp"]
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(policy_table(lines))
    text = console.export_text()
    assert "+12 instead of +20 where the record has an image" in text
    assert "AMP" not in text
    assert "left out: 2 changes of less than a step of the labels (--json has all)" in text


def test_small_differences_are_known_by_what_they_move() -> None:
    def group(slope: float, knot: float, word: float) -> SectionRules:
        of_slope = Rule("quality", "title_chars", slope, slope, slope, 90, points=abs(slope) * 40)
        of_knot = Rule("quality", "title_chars from", knot, knot, knot, 90)
        of_word = Rule("quality", "has_amp", word, word, word, 90, points=abs(word))
        return SectionRules(("Harbour",), False, 100, (of_slope, of_knot, *([of_word] if word else [])))

    first, second = group(-0.5, 70, 0.6), group(-0.48, 67, 0.0)
    found = {row.name: row for row in compare_rules([first], [second]).differences}
    assert found["title_chars"].points == pytest.approx(0.02 * 40)
    assert found["title_chars from"].points == pytest.approx(3 * 0.5)
    assert found["has_amp"].points == pytest.approx(0.6)
    assert {name for name, row in found.items() if row.is_small} == {"title_chars", "has_amp"}
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(differences_table("a", "b", found.values()))
    *_, last = console.export_text().splitlines()
    assert last == "left out: 2 differences of less than a step of the labels (--json has all)"
    (alone,) = policy_differences(policy_lines([group(-0.5, 70, 0.0)]), policy_lines([rules(0, "Harbour")]))[
        :1
    ]
    assert (alone.name, alone.points) == ("title_chars", 20.0)
    assert compare_rules([rules(20, "Harbour")], [rules(5, "Harbour")]).differences[0].points is None


def test_each_policy_of_a_model_is_written_once(models: FittedComponents) -> None:
    texts = policy_texts(models.rules)
    assert [(text.sections, text.is_own) for text in texts] == [(("Harbour",), False), (("Meadow",), True)]
    assert [line for text in texts for line in text.lines] == policy_lines(models.rules)
    assert [text.n_records for text in texts] == [1000, 400]


def test_rules_say_how_many_records_follow_them(models: FittedComponents) -> None:
    rules = rules_of(models, "Harbour")
    for name in ("best leads", "bonus", "published from"):
        followed = rules[name].followed_ratio
        assert followed is not None
        assert followed > 0.9


def test_the_rubric_of_a_section_is_the_shared_one_scaled_and_what_it_adds() -> None:
    shared = Rubric(
        10.0, {"has_image": 20.0}, {"title_chars": [(70.0, -0.5)]}, {}, {"Sea": {"gull": 5.0}}, 0.0
    )
    own = Rubric(
        3.0, {"has_image": -4.0, "is_video": 7.0}, {"title_chars": [(70.0, 0.4), (60.0, -0.4)]}, {}, {}, 2.0
    )
    policy = SectionPolicy(0.8, own, NO_ERRORS, 30, [], [])
    rubric = policy.rubric(shared)
    assert rubric.intercept_ == pytest.approx(0.8 * 10 + 3)
    assert rubric.numbers_ == {"has_image": pytest.approx(0.8 * 20 - 4), "is_video": 7.0}
    assert rubric.hinges_["title_chars"] == [(60.0, -0.4), (70.0, pytest.approx(0.8 * -0.5 + 0.4))]
    assert rubric.terms_ == {"Sea": {"gull": 4.0}}
    assert rubric.floor_ == 2.0


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Rule("quality", "has_image", -4.5, 0, 0, 9), "-4.5 where the record has an image"),
        (
            Rule("quality", "topic_count", 20.0, 0, 0, 9),
            "+20 for each of: topics, including the section",
        ),
        (Rule("quality", "providers +15", 15.2, 0, 0, 9), "+15.2 for some providers"),
        (
            Rule("quality", "topics -3", -3, 0, 0, 9, names=("Sea",), n_names=1),
            "-3 for the topic Sea",
        ),
        (
            Rule("quality", "providers +8", 8, 0, 0, 9, names=("a.example", "b.example"), n_names=7),
            "+8 for each of 7 providers: a.example, b.example and 5 more",
        ),
        (
            Rule("quality", "words +5", 5, 0, 0, 9, names=("gull (Sea)", "tern (Sea)"), n_names=2),
            "+5 for each of 2 title words, with their topics: gull (Sea), tern (Sea)",
        ),
        (
            Rule("heat", "bonus from", 50, 49, 51, 9),
            "related records add heat only to a lead with a quality of 50 or more",
        ),
        (Rule("published", "published from", 70, 69, 71, 9), "published from a heat of 70"),
    ],
)
def test_rules_in_words(rule: Rule, text: str) -> None:
    assert text_of(rule) == text


def test_words_that_stand_for_a_topic_are_a_rule() -> None:
    rubric = Rubric(0.0, {}, {}, {}, {"Sea": {"gull": 5.2, "tern": 4.9, "wave": 0.2}}, 0.0)
    titles = [("gull", "rain"), ("a", "tern"), ("wave",), ("rain",)]
    table = table_of(len(titles) * 4)
    table = replace(table, topics=(("Sea",),) * 16, title_words=tuple(titles) * 4)
    worths = _worths_of_words(rubric, table)
    assert worths[:4] == [{"gull (Sea)": 5.2}, {"tern (Sea)": 4.9}, {"wave (Sea)": 0.2}, {}]
    (rule,) = _class_rules("words", worths, np.zeros(16), 0.5)
    assert (rule.name, rule.value, rule.n_records, rule.n_names) == ("words +5", 5.0, 8, 2)
    assert rule.names == ("gull (Sea)", "tern (Sea)")


def test_the_interval_of_a_median_holds_it_in_19_of_20_samples() -> None:
    random = np.random.default_rng(1)
    samples = [median_interval(random.laplace(3.0, 2.0, 60), 0.0) for _ in range(400)]
    assert 0.93 <= np.mean([low <= 3.0 <= high for low, high in samples]) <= 0.99
