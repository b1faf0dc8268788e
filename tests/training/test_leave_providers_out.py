"""Errors of rubrics fitted without some providers, and intervals of providers that a model has not seen."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from scoring.features.table import Floats, build_table
from scoring.records.record import Provider, Record
from scoring.training.config import BoosterConfig, ModelConfig
from scoring.training.conformal import half_width_of
from scoring.training.design_matrix import DesignMatrix
from scoring.training.leave_providers_out import leave_providers_out_errors
from scoring.training.parallel import fit_pool
from scoring.training.quality import start_quality

FULL = ModelConfig()
CONFIG = msgspec.structs.replace(FULL, quality=BoosterConfig(20, FULL.quality.params))


def records_of(*counts: int, start: int = 0) -> list[Record]:
    """Records of providers with these numbers of them, one after the other."""
    return [
        Record(title=f"Kite {number}", topics=("Sea",), provider=Provider("", f"{start + name}.example"))
        for name, count in enumerate(counts)
        for number in range(count)
    ]


def errors_of(records: list[Record], y: Floats) -> Floats:
    table = build_table(records)
    return leave_providers_out_errors(table, DesignMatrix.of(table, CONFIG.rubric), y, CONFIG, 0.9)


def test_each_provider_counts_once() -> None:
    counts = (30, *[4] * 20)
    y = np.repeat([90.0, *[40.0] * 20], counts)
    errors = errors_of(records_of(*counts), y)
    assert len(errors) == 21
    assert errors[0] == pytest.approx(50.0, abs=0.1)
    assert np.median(errors[1:]) < 5
    assert half_width_of(errors, 0.9) < 10


def test_few_providers_tell_nothing_of_others() -> None:
    y = np.arange(20.0)
    assert errors_of(records_of(10, 10), y).tolist() == np.abs(y - np.median(y)).tolist()
    assert errors_of([Record(title="Kite") for _ in range(20)], y).tolist() == np.abs(y - 9.5).tolist()


def test_the_interval_of_an_unseen_provider_covers_what_its_labels_may_be() -> None:
    random = np.random.default_rng(4)
    worth = random.integers(0, 60, size=45).astype(float)
    seen, unseen = records_of(*[6] * 30), records_of(*[6] * 15, start=30)
    table, y = build_table(seen), np.repeat(worth[:30], 6)
    order = random.permutation(len(seen))  # so that the validation block has all providers
    with fit_pool(1, len(seen)) as pool:
        model = start_quality(
            table.take(order),
            y[order],
            np.arange(len(seen)),
            np.arange(len(seen)) >= 150,
            CONFIG,
            pool=pool,
            seed=0,
        )().model
    later = build_table(unseen)
    low, high = model.interval(later, *model.estimate(later))
    labels = np.repeat(worth[30:], 6)
    assert np.mean((low <= labels) & (labels <= high)) >= 0.86
    known_low, known_high = model.interval(table, *model.estimate(table))
    assert np.mean(known_high - known_low) < np.mean(high - low) / 4


def test_quantile_of_errors() -> None:
    errors = np.array([3.0, -1.0, 2.0, 4.0])
    assert half_width_of(errors, 0.6) == 3.0  # the third of four
    assert half_width_of(errors, 0.9) == 4.0
    assert half_width_of(np.zeros(0), 0.9) == 0.0
