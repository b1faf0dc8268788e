"""Fit of the quality model: draft and final model, folds, errors of sections left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from scoring.features.encoding import Encoder
from scoring.features.table import FeatureTable, Floats, build_table
from scoring.model.booster import Booster
from scoring.model.rubric import Rubric
from scoring.records.record import Provider, Record
from scoring.training import quality_inputs
from scoring.training.config import BoosterConfig, ModelConfig
from scoring.training.design_matrix import DesignMatrix
from scoring.training.leave_section_out import leave_section_out_errors
from scoring.training.lightgbm_trainer import train_booster
from scoring.training.parallel import fit_pool
from scoring.training.quality import MIN_CALIBRATION, QualityFit, _out_of_fold_residuals, start_quality
from scoring.training.quality_inputs import QualityFitInputs, prepare
from scoring.training.rubric import fit_rubric
from scoring.training.section_plan import SectionPlan
from tests.model.doubles import booster_of

FULL = ModelConfig()
CONFIG = msgspec.structs.replace(
    FULL,
    quality=BoosterConfig(40, FULL.quality.params),
    spread=BoosterConfig(5, FULL.spread.params),
    patience=3,
)
DOMAINS = ("a.example", "b.example", "c.example")


def tables_of(records: list[Record]) -> tuple[FeatureTable, DesignMatrix]:
    table = build_table(records)
    return table, DesignMatrix.of(table, CONFIG.rubric)


def sectioned(**counts: int) -> list[Record]:
    return [
        Record(title=f"Kite {number}", topics=(section,))
        for section, count in counts.items()
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("counts", "n_held"), [((20, 20), 2), ((19, 30), 0), ((30, 19), 0), ((20, 25, 10), 2)]
)
def test_a_section_is_left_out_if_it_and_the_rest_have_twenty_records(
    counts: tuple[int, ...], n_held: int
) -> None:
    table, design_matrix = tables_of(sectioned(**dict(zip("ABC", counts, strict=False))))
    y = np.arange(float(len(table))) ** 2
    errors = leave_section_out_errors(table, design_matrix, y, CONFIG)
    if n_held:
        assert len(errors) == 101 * n_held  # the quantiles of each
    else:
        assert errors.tolist() == (y - np.median(y)).tolist()


def test_error_of_a_section_is_label_minus_what_the_others_tell() -> None:
    table, design_matrix = tables_of(sectioned(A=30, B=30))
    y = np.repeat([50.0, 20.0], 30)
    errors = leave_section_out_errors(table, design_matrix, y, CONFIG)
    assert errors[:101] == pytest.approx(np.full(101, 30.0), abs=0.1)
    # The lowest label of A is 50, and a rubric predicts nothing below that.
    assert errors[101:] == pytest.approx(np.full(101, -30.0), abs=0.1)


def out_of_fold(records: list[Record], y: Floats, folds: list[int], n_folds: int) -> Floats:
    table, design_matrix = tables_of(records)
    config = msgspec.structs.replace(CONFIG, n_folds=n_folds)
    encoder, rubric = Encoder.fit(table, y), fit_rubric(design_matrix, y)
    return quality_inputs._out_of_fold(table, design_matrix, y, encoder, rubric, config, np.array(folds))


def test_with_a_single_fold_the_rubric_is_the_median() -> None:
    y = np.array([1.0, 2.0, 4.0, 50.0, 60.0])
    assert out_of_fold(sectioned(A=5), y, [0] * 5, n_folds=1)[:, -1].tolist() == [4] * 5


def test_columns_of_a_fold_are_learned_from_the_others() -> None:
    records = [Record(title=f"Kite {number}", provider=Provider("", DOMAINS[0])) for number in range(20)]
    y, folds = np.repeat([10.0, 30.0], 10), [0] * 10 + [1] * 10
    X = out_of_fold(records, y, folds, n_folds=2)
    assert X[:, -1] == pytest.approx(30 - 20 * np.array(folds))
    mean = Encoder.fit(build_table(records), y).names.index("provider_quality_mean")
    assert X[:, mean] == pytest.approx(30 - 20 * np.array(folds))


def test_rubrics_of_the_folds_share_the_knots(monkeypatch: pytest.MonkeyPatch) -> None:
    knots: list[Any] = []

    def record(*arguments: Any) -> Any:
        knots.append(arguments[3] if len(arguments) > 3 else None)
        return fit_rubric(*arguments)

    records = [Record(title="x" * number) for number in range(30)]
    table, design_matrix = tables_of(records)
    y = np.maximum(np.arange(30.0) - 12, 0)
    rubric = fit_rubric(design_matrix, y)
    monkeypatch.setattr(quality_inputs, "fit_rubric", record)
    folds = np.arange(30) % 3
    quality_inputs._out_of_fold(table, design_matrix, y, Encoder.fit(table, y), rubric, CONFIG, folds)
    assert rubric.knots
    assert knots == [rubric.knots] * 3


def test_copies_share_a_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    folds: list[Any] = []
    find_columns = quality_inputs._out_of_fold

    def record(*arguments: Any) -> Any:
        folds.append(arguments[-1])
        return find_columns(*arguments)

    monkeypatch.setattr(quality_inputs, "_out_of_fold", record)
    table, design_matrix = tables_of(sectioned(A=60))
    copies = np.arange(60) // 6
    prepare(table, design_matrix, np.arange(60.0), copies, CONFIG, num_threads=1, seed=0)
    assert len(set(folds[0].tolist())) == 3
    assert all(len(set(folds[0][copies == group].tolist())) == 1 for group in range(10))


def test_booster_is_fitted_on_what_the_rubric_misses() -> None:
    table, design_matrix = tables_of(sectioned(A=30, B=30))
    y = np.random.default_rng(0).normal(50, 9, 60)
    inputs = prepare(table, design_matrix, y, np.arange(60), CONFIG, num_threads=1, seed=0)
    assert inputs.X[:, -1] + inputs.residual == pytest.approx(y)


def test_spread_is_fitted_on_errors_of_which_the_largest_hundredth_is_capped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fits: list[Floats] = []

    def record(X: Floats, y: Floats, **options: Any) -> Booster:
        fits.append(y)
        return train_booster(X, y, **options)

    monkeypatch.setattr(quality_inputs, "train_booster", record)
    table, design_matrix = tables_of(sectioned(A=101))
    y = np.random.default_rng(0).normal(50, 9, 101)
    inputs = prepare(table, design_matrix, y, np.arange(101), CONFIG, num_threads=1, seed=0)
    errors = np.abs(inputs.residual)
    second_largest = np.sort(errors)[-2]  # 1 % of the 100 others are above it
    assert fits[0] == pytest.approx(np.minimum(errors, second_largest))


N_RECORDS, N_EARLIER = 120, 90
IS_LATER = np.arange(N_RECORDS) >= N_EARLIER


def fit(
    y: Floats, trainer: Callable[..., Booster] = train_booster, config: ModelConfig = CONFIG
) -> QualityFit:
    """Fit on records of three providers, the last 30 of which are the validation block."""
    table = build_table(
        [
            Record(title=f"Kite {number}", provider=Provider("", DOMAINS[number % 3]))
            for number in range(N_RECORDS)
        ]
    )
    with fit_pool(1, N_RECORDS) as pool:
        return start_quality(
            table, y, np.arange(N_RECORDS), IS_LATER, config, pool=pool, seed=0, trainer=trainer
        )()


def test_the_final_model_has_as_many_trees_as_the_draft() -> None:
    calls: list[dict[str, Any]] = []
    boosters: list[Booster] = []

    def record(X: Floats, y: Floats, **options: Any) -> Booster:
        calls.append({"y": y, **options})
        boosters.append(train_booster(X, y, **options))
        return boosters[-1]

    y = np.random.default_rng(0).normal(50, 9, N_RECORDS)  # nothing to learn, so that the draft stops early
    fitted = fit(y, record)
    draft, final = calls
    assert boosters[0].num_trees < CONFIG.quality.num_iterations
    assert final["num_iterations"] == boosters[0].num_trees == fitted.model.booster.num_trees
    assert final["validation"] is None
    assert (len(draft["y"]), len(final["y"])) == (N_EARLIER, N_RECORDS)
    X, residual = draft["validation"]
    assert X[:, -1] + residual == pytest.approx(y[IS_LATER])


def test_errors_are_those_of_the_draft_on_later_records() -> None:
    fitted = fit(np.where(IS_LATER, 57.0, 50.0))
    assert fitted.validation_quality == pytest.approx(np.full(30, 50.0), abs=0.1)
    *known, _ = fitted.model.errors.atoms_
    assert known == [[7.0]] * len(known)
    assert fitted.validation_spread.max() < 50


def test_unseen_sections_are_beyond_every_spread_of_the_validation_block() -> None:
    random = np.random.default_rng(1)
    noise = random.normal(size=N_RECORDS) * np.where(np.arange(N_RECORDS) % 3 == 0, 30, 1)
    # A single group has no other edge.
    config = msgspec.structs.replace(CONFIG, n_spread_bins=1)
    fitted = fit(np.round(100 + noise), config=config)
    assert np.ptp(fitted.validation_spread) > 1
    assert fitted.model.errors.edges_ == [pytest.approx(fitted.validation_spread.max() + 0.5)]


def test_the_interval_of_unseen_sections_is_as_wide_as_the_labels_of_one_section() -> None:
    random = np.random.default_rng(2)
    y = np.round(100 + random.normal(size=N_RECORDS) * 20)
    fitted = fit(y)
    errors = fitted.model.errors
    assert errors.half_width_ * errors.foreign_spread_ >= np.abs(y - np.median(y)).max()


@pytest.mark.parametrize(
    ("n_records", "expected"), [(MIN_CALIBRATION, [-1.0, 4.0]), (MIN_CALIBRATION - 1, [-10.0, 10.0])]
)
def test_few_residuals_are_those_of_the_other_folds_and_fewer_are_as_wide_as_the_labels(
    n_records: int, expected: list[float]
) -> None:
    y = np.append(np.full(n_records, 50.0), 0.0)
    y[:2] = 40.0, 60.0
    X = np.column_stack([y[:-1], y[:-1]])
    X[:2, -1] = 41.0, 56.0
    is_shared = np.arange(n_records + 1) < n_records
    plan = SectionPlan(np.full(len(y), "Kites", dtype=object), is_shared, y, {}, ())
    encoder = Encoder.fit(build_table([Record()]), np.array([20.0]))
    rubric = Rubric(0.0, {}, {}, {}, {}, 0.0)
    inputs = QualityFitInputs(encoder, rubric, booster_of(lambda columns: columns[0] / 10), X, y[:-1])
    found = _out_of_fold_residuals(plan, inputs, np.ones(len(y), dtype=bool), CONFIG, 1)
    assert found.residual.tolist() == expected + [0.0] * (n_records - 2)
    assert found.scale.tolist() == [4.0, 6.0] + [5.0] * (n_records - 2)
    assert found.config.interval_level == pytest.approx(0.95)
