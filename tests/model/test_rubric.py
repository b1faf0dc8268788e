"""Rubric: a known sum of points is recovered, on any scale."""

from __future__ import annotations

from random import Random

import msgspec
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from scoring.features.table import Floats, build_table
from scoring.model.rubric import Rubric
from scoring.records.record import Image, Provider, Record
from scoring.training.config import RubricConfig
from scoring.training.design_matrix import DesignMatrix
from scoring.training.rubric import fit_rubric

WORDS = (
    "pier",
    "buoy",
    "keel",
    "reef",
    "sloop",
    "anchor",
    "harbourmaster",
    "lighthouse",
    "storm",
    "net",
    "cove",
)
DOMAINS = {"a.example": 0.0, "b.example": 9.0, "c.example": -6.0, "d.example": 14.0}
TOPICS = {"Gulls": 11.0, "Wrecks": -7.0, "Tides": 4.0}
PICTURE = Image("https://example.org/a.png", 640, 480)
LIMIT_CHARS = 48


def points(record: Record) -> float:
    """The editor's rubric: provider, image, topics, length of the title, a word under one topic."""
    total = 40.0 + DOMAINS[record.provider.domain] + 24 * bool(record.images)
    total += sum(TOPICS.get(topic, 0.0) for topic in record.topics)
    total -= 0.5 * max(0, len(record.title) - LIMIT_CHARS)
    return total + 30 * ("Wrecks" in record.topics and "storm" in record.title.split())


def draw(count: int, seed: int) -> list[Record]:
    random = Random(seed)  # noqa: S311 -- nothing to keep secret
    return [
        Record(
            title=" ".join(random.choices(WORDS, k=random.randint(3, 14))),
            provider=Provider("", random.choice(list(DOMAINS))),
            topics=("Sea", *random.sample(list(TOPICS), random.randint(0, 2))),
            images=(PICTURE,) * (random.random() < 0.5),
        )
        for _ in range(count)
    ]


TRAINING, LATER = draw(600, seed=1), draw(200, seed=2)
MATERIAL = DesignMatrix.of(build_table(TRAINING), RubricConfig())
Y = np.array([points(record) for record in TRAINING])


@pytest.fixture(scope="module")
def rubric() -> Rubric:
    return fit_rubric(MATERIAL, Y)


def predict(rubric: Rubric, *records: Record) -> Floats:
    return rubric.predict(build_table(records))


def test_every_point_is_found_again(rubric: Rubric) -> None:
    off = np.abs(predict(rubric, *LATER) - [points(record) for record in LATER])
    assert np.mean(off) < 0.3
    assert np.quantile(off, 0.95) < 1


@pytest.mark.parametrize(
    ("change", "worth"),
    [
        ({"images": (PICTURE,)}, 24),
        ({"provider": Provider("", "b.example")}, 9),
        ({"provider": Provider("", "c.example")}, -6),
        ({"topics": ("Sea", "Gulls")}, 11),
        ({"topics": ("Sea", "Wrecks")}, -7),
        ({"title": "sloop buoy storm"}, 0),  # the word has points under its topic only
        ({"title": "sloop buoy storm", "topics": ("Sea", "Wrecks")}, 23),
        ({"title": "sloop buoy " * 4}, 0),  # 44 characters
        ({"title": "sloop buoy " * 8}, -20),  # 88 characters
    ],
)
def test_what_each_thing_is_worth(rubric: Rubric, change: dict[str, object], worth: float) -> None:
    plain = Record(title="sloop buoy reef", provider=Provider("", "a.example"), topics=("Sea",))
    without, with_it = predict(rubric, plain, msgspec.structs.replace(plain, **change))
    assert with_it - without == pytest.approx(worth, abs=1.0)


def test_limit_of_the_title_is_found(rubric: Rubric) -> None:
    (knot, slope), *others = rubric.hinges_["title_chars"]
    assert not others
    assert knot == pytest.approx(LIMIT_CHARS, abs=3)
    assert slope == pytest.approx(-0.5, abs=0.05)


def test_parts_add_up(rubric: Rubric) -> None:
    table = build_table(LATER)
    total = rubric.intercept_ + sum(rubric.parts(table).values())
    assert rubric.predict(table) == pytest.approx(np.maximum(total, rubric.floor_))


@pytest.mark.parametrize(("scale", "shift"), [(0.5, 4.0), (1.0, -100.0), (3.0, 1000.0)])
def test_site_with_another_scale_is_learned_as_well(rubric: Rubric, scale: float, shift: float) -> None:
    other = fit_rubric(MATERIAL, scale * Y + shift)
    expected = scale * predict(rubric, *LATER) + shift
    assert predict(other, *LATER) == pytest.approx(expected, abs=0.5 * scale)


def test_few_labels_off_the_rubric_do_not_bend_it() -> None:
    random = np.random.default_rng(0)
    noisy = Y + np.where(random.random(len(Y)) < 0.15, random.integers(-60, 60, len(Y)), 0)
    fitted = fit_rubric(MATERIAL, noisy)
    truth = np.array([points(record) for record in LATER])
    assert np.median(np.abs(predict(fitted, *LATER) - truth)) < 1
    # Least squares would be off by several points.
    assert np.mean(np.abs(predict(fitted, *LATER) - truth)) < 3


def test_nothing_is_worth_less_than_the_lowest_label() -> None:
    low = np.maximum(Y - 40, 0)
    assert 0.2 < np.mean(low == 0) < 0.3
    fitted = fit_rubric(MATERIAL, low)
    truth = np.maximum(np.array([points(record) for record in LATER]) - 40, 0)
    predicted = predict(fitted, *LATER)
    assert fitted.floor_ == predicted.min() == 0
    # Labels at the floor are censored, so they do not bias the points of the others.
    assert np.mean(np.abs(predicted - truth)) < 0.5


def test_fit_is_the_same_again_and_with_any_number_of_threads(rubric: Rubric) -> None:
    for threads in (1, 2):
        with threadpool_limits(threads):
            assert msgspec.json.encode(fit_rubric(MATERIAL, Y)) == msgspec.json.encode(rubric)


def test_means_are_those_of_the_parts(rubric: Rubric) -> None:
    means = {name: float(points.mean()) for name, points in rubric.parts(build_table(TRAINING)).items()}
    assert rubric.means_ == pytest.approx(means)


def test_words_can_be_left_out(rubric: Rubric) -> None:
    without = fit_rubric(MATERIAL, Y, RubricConfig(term_support=0))
    assert without.terms_ == {}
    assert "storm" in rubric.terms_["Wrecks"]


def test_known_knots_are_kept() -> None:
    fitted = fit_rubric(MATERIAL, Y, knots={"title_chars": 30.0, "excerpt_chars": 10.0})
    assert fitted.knots["title_chars"] == 30


def test_words_that_count_are_reported(rubric: Rubric) -> None:
    (description,) = rubric.found_terms(("Wrecks",), ("storm",))
    assert description.startswith("storm under Wrecks +")
    assert rubric.found_terms(("Gulls",), ("storm",)) == []


@pytest.mark.parametrize(
    "records",
    [TRAINING[:1] * 40, [Record()] * 40, [Record(provider=Provider("", domain)) for domain in DOMAINS] * 10],
    ids=["one record", "empty records", "providers alone"],
)
def test_records_all_alike_are_worth_their_median(records: list[Record]) -> None:
    table = build_table(records)
    design_matrix = DesignMatrix.of(table, RubricConfig())
    assert fit_rubric(design_matrix, np.full(40, 7.0)).predict(table) == pytest.approx(
        np.full(40, 7.0), abs=0.01
    )


def test_labels_all_alike_need_no_words() -> None:
    fitted = fit_rubric(MATERIAL, np.full(len(Y), 5.0))
    assert fitted.terms_ == {}
    assert predict(fitted, *LATER) == pytest.approx(np.full(len(LATER), 5.0), abs=0.05)


def plain(**values: object) -> Rubric:
    """A rubric with only some effects."""
    nothing: dict[str, object] = {name: {} for name in ("numbers_", "hinges_", "levels_", "terms_")}
    return msgspec.convert({"intercept_": 0, "floor_": -999, **nothing, **values}, Rubric)


def test_a_number_that_is_missing_has_no_points() -> None:
    record = Record(title="sloop buoy")
    assert np.isnan(build_table([record]).number("age_hours")).all()
    fitted = plain(numbers_={"age_hours": 5.0, "title_word_count": 3.0})
    assert predict(fitted, record).tolist() == [6]


@pytest.mark.parametrize("n_more_words", [0, 400])
def test_terms_are_whole_words_in_a_row_in_titles_of_any_length(n_more_words: int) -> None:
    terms = {
        "net": 1.0,
        "reef pier": 2.0,
        "reef cove": 4.0,
        "cove pier keel": 8.0,
        "keel": 16.0,
        "storm": 32.0,
    }
    title = ["cabinet", "reef", "cove", "pier", "keel", *(f"word{number}" for number in range(n_more_words))]
    record = Record(title=" ".join(title), topics=("Sea",))
    # Not "net", a part of a word; not "reef pier", whose words are apart; not "storm".
    assert predict(plain(terms_={"Sea": terms, "Tides": terms}), record).tolist() == [4 + 8 + 16]
