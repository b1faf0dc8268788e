"""Quality model: out-of-fold columns, residual distribution, thresholds, boosters as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.features.encoding import Encoder
from scoring.features.table import Floats, build_table
from scoring.model.booster import Booster
from scoring.model.conformal import MAX_ATOMS, MIN_SPREAD, NO_ERRORS, ResidualDistribution
from scoring.model.quality import QualityModel
from scoring.model.rubric import Rubric
from scoring.records.record import Record
from scoring.records.synthetic.generate import sample_documents
from scoring.training import quality_inputs
from scoring.training.config import ModelConfig
from scoring.training.conformal import add_unseen_section, fit_residuals
from scoring.training.design_matrix import DesignMatrix
from scoring.training.leave_section_out import leave_section_out_errors
from scoring.training.lightgbm_trainer import train_booster
from scoring.training.rubric import fit_rubric
from scoring.training.splits import group_folds
from scoring.training.thresholds import best_threshold
from tests.model.doubles import booster_of

CONFIG = ModelConfig()


def test_learned_columns_of_a_record_do_not_know_its_label(make_training: Callable[[Any], Any]) -> None:
    training = make_training(list(sample_documents(n_records=90, seed=2)))
    table, y = training.table, training.labels.quality
    design_matrix = DesignMatrix.of(table, CONFIG.rubric)
    encoder, rubric = Encoder.fit(table, y), fit_rubric(design_matrix, y)
    folds = group_folds(training.copies, CONFIG.n_folds, 0)
    before = quality_inputs._out_of_fold(table, design_matrix, y, encoder, rubric, CONFIG, folds)
    changed = np.where(folds == 1, 500 - 3 * y, y)
    after = quality_inputs._out_of_fold(table, design_matrix, changed, encoder, rubric, CONFIG, folds)
    held = folds == 1
    assert np.array_equal(after[held], before[held], equal_nan=True)
    # The others learn from these labels, in every learned column.
    mean = encoder.names.index("provider_quality_mean")
    assert not np.isclose(after[~held][:, mean], before[~held][:, mean]).any()
    assert not np.isclose(after[~held][:, -1], before[~held][:, -1]).any()


def errors_of(count: int) -> tuple[Floats, Floats]:
    random = np.random.default_rng(0)
    spread = random.uniform(0.5, 8, count)
    return random.laplace(0, spread), spread


def test_interval_holds_its_share_of_other_errors() -> None:
    errors, spread = errors_of(4000)
    fitted = fit_residuals(errors[:2000], spread[:2000], CONFIG)
    held = np.abs(errors[2000:]) <= fitted.half_width_ * spread[2000:]
    assert held.mean() == pytest.approx(CONFIG.interval_level, abs=0.02)


def test_interval_is_the_conformal_quantile() -> None:
    errors = np.arange(1.0, 20.0)  # 19 of them: the 18th holds 90 % of what comes
    assert fit_residuals(errors, np.full(19, 2.0), CONFIG).half_width_ == 9.0


def test_distributions_are_those_of_the_groups() -> None:
    errors, spread = errors_of(2000)
    fitted = fit_residuals(errors, spread, CONFIG)
    assert len(fitted.atoms_) == len(fitted.weights_) == len(fitted.edges_) + 1 == CONFIG.n_spread_bins
    assert all(len(atoms) <= MAX_ATOMS for atoms in fitted.atoms_)
    widths = [
        float(np.average(np.abs(a), weights=w)) for a, w in zip(fitted.atoms_, fitted.weights_, strict=True)
    ]
    assert widths == sorted(widths)
    atoms, weights = fitted.spread_out(np.array([50.0, 50.0]), np.array([0.5, 8.0]))
    assert weights.sum(axis=1) == pytest.approx([1, 1])
    assert (atoms * weights).sum(axis=1) == pytest.approx([50, 50], abs=2)
    off = np.abs(atoms - 50)
    assert (off * weights).sum(axis=1)[1] > 3 * (off * weights).sum(axis=1)[0]


def test_no_errors_leave_the_quality_as_it_is() -> None:
    assert fit_residuals(np.array([]), np.array([]), CONFIG) is NO_ERRORS
    atoms, weights = NO_ERRORS.spread_out(np.array([7.0, 9.0]), np.array([1.0, 2.0]))
    assert atoms.tolist() == [[7], [9]]
    assert weights.tolist() == [[1], [1]]


ANSWERS = st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=1, max_size=25)


@given(ANSWERS)
def test_cut_is_the_best_there_is_but_for_one_record(answers: list[tuple[int, bool]]) -> None:
    probability = np.array([tenths / 10 for tenths, _ in answers])
    truth = np.array([is_true for _, is_true in answers])

    def f1(cut: float) -> float:
        predicted = probability >= cut
        return float(2 * (predicted & truth).sum() / max(predicted.sum() + truth.sum(), 1))

    def is_alike(cut: float) -> bool:
        """Whether a threshold is worse than the best of a grid by at most one record."""
        n_said = int((probability >= best).sum())
        return f1(cut) >= f1(best) - 2 / max(n_said + int(truth.sum()), 1) - 1e-9

    cut = best_threshold(probability, truth)
    best = max(np.linspace(0, 1, 201), key=f1)
    assert is_alike(cut)
    if is_alike(0.5):
        assert cut == 0.5


def test_cut_of_very_many_records_needs_no_table_of_pairs() -> None:
    probability = np.random.default_rng(0).random(200_000)
    assert best_threshold(probability, probability > 0.73) == pytest.approx(0.73, abs=0.001)


def booster(num_threads: int = 1, names: tuple[str, ...] = ("a b", "a,b")) -> Any:
    random = np.random.default_rng(0)
    X = random.random((200, 2))
    params = {"objective": "regression", "min_data_in_leaf": 5}
    return train_booster(
        X,
        X[:, 0] * 9 + X[:, 1],
        names=names,
        params=params,
        num_iterations=5,
        num_threads=num_threads,
        seed=0,
    )


def test_text_of_a_booster_is_the_booster() -> None:
    text = booster().text
    again = Booster(text)
    X = np.random.default_rng(1).random((50, 2))
    assert np.array_equal(again.predict(X), booster().predict(X))
    assert again.text == text
    assert booster(num_threads=2).text == text


def test_columns_that_lightgbm_would_call_alike_stay_two() -> None:
    assert "\nfeature_names=a_b_0 a_b_1\n" in booster(names=("a b", "a-b")).text
    assert "\nfeature_names=plain other\n" in booster(names=("plain", "other")).text


def test_training_stops_where_later_records_gain_nothing() -> None:
    random = np.random.default_rng(0)
    X, noise = random.random((200, 2)), random.normal(size=400)
    stopped = train_booster(
        X,
        noise[:200],
        names=("a", "b"),
        params={"objective": "regression"},
        num_iterations=300,
        num_threads=1,
        seed=0,
        validation=(X, noise[200:]),
        patience=5,
    )
    assert 1 <= stopped.num_trees < 20


def test_a_record_of_an_unknown_section_is_less_sure() -> None:
    known = fit_residuals(np.linspace(-2, 2, 400), np.linspace(0.5, 2, 400), CONFIG)
    foreign = np.linspace(-40, 40, 401)
    fitted = add_unseen_section(known, 2.0, foreign, CONFIG.interval_level)
    assert fitted.half_width_ * fitted.foreign_spread_ == pytest.approx(36.0, abs=0.5)
    assert fitted.foreign_spread_ > fitted.edges_[-1]
    atoms, weights = fitted.spread_out(np.array([50.0]), np.array([fitted.foreign_spread_]))
    assert atoms[0][weights[0] > 0].max() > 80
    before, shares = known.spread_out(np.array([50.0]), np.array([1.0]))
    after, same = fitted.spread_out(np.array([50.0]), np.array([1.0]))
    n_atoms = before.shape[1]
    assert np.array_equal(after[:, :n_atoms], before)
    assert np.array_equal(same[:, :n_atoms], shares)


def test_one_section_tells_nothing_of_others() -> None:
    table = build_table([Record(title=f"Kite {number}", topics=("Kites",)) for number in range(60)])
    y = np.arange(60.0)
    assert np.array_equal(
        leave_section_out_errors(table, DesignMatrix.of(table, CONFIG.rubric), y, CONFIG), y - np.median(y)
    )


def model(errors: ResidualDistribution) -> tuple[QualityModel, int]:
    """A model whose boosters return the first two columns, and the index of the section's column."""
    encoder = Encoder.fit(build_table([Record(topics=("Kites",))]), np.array([20.0]))
    return QualityModel(
        encoder,
        Rubric(20.0, {}, {}, {}, {}, 10.0),
        booster_of(lambda columns: columns[0]),
        booster_of(lambda columns: columns[1]),
        errors,
    ), encoder.place_of("topic_section")


FOREIGN = ResidualDistribution([1.0, 6.0], [[0.0]] * 3, [[1.0]] * 3, 2.0, 9.0)


def test_quality_is_what_rubric_and_booster_sum_to_but_not_below_the_lowest_label() -> None:
    quality_model, _ = model(NO_ERRORS)
    X = np.zeros((3, len(quality_model.names)))
    X[:, -1], X[:, 0] = [30.0, 30.0, 12.0], [4.0, -4.0, -9.0]
    assert quality_model.predict(X).tolist() == [34, 26, 10]


def test_interval_is_a_multiple_of_the_spread_and_ends_at_the_lowest_label() -> None:
    quality_model, _ = model(FOREIGN)
    table = build_table([Record(title="one"), Record(title="two")])
    low, high = quality_model.interval(table, np.array([50.0, 12.0]), np.array([3.0, 3.0]))
    assert low.tolist() == [44, 10]
    assert high.tolist() == [56, 18]


def test_no_value_of_the_distribution_is_below_the_lowest_label() -> None:
    errors = ResidualDistribution([1.0, 6.0], [[-5.0, 5.0]] * 3, [[0.5, 0.5]] * 3, 2.0, 9.0)
    quality_model, _ = model(errors)
    table = build_table([Record(title="one"), Record(title="two")])
    found = quality_model.distribution(table, np.array([50.0, 12.0]), np.array([3.0, 3.0]))
    assert found.support.min(axis=1).tolist() == [45, 10]


def test_spread_is_never_below_the_least() -> None:
    quality_model, _ = model(NO_ERRORS)
    X = np.zeros((3, len(quality_model.names)))
    X[:, 1] = [-1.0, 0.1, 7.0]
    assert quality_model.predict_spread(X).tolist() == [MIN_SPREAD, MIN_SPREAD, 7]


def test_only_unseen_sections_have_the_spread_of_unseen_sections() -> None:
    quality_model, section = model(FOREIGN)
    X = np.zeros((4, len(quality_model.names)))
    X[:, 1] = [2.0, 2.0, 5.9, 70.0]
    X[:, section] = [0, np.nan, 0, 0]
    # The last two stay below the edge, 6, of the group of unseen sections.
    below = 6 - MIN_SPREAD
    assert quality_model.predict_spread(X).tolist() == [2, 9, below, below]
