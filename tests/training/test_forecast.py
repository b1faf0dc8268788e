"""Fit of the forecast: what its boosters are fitted on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from scoring.features.table import Floats
from scoring.model.cascade import Cascade
from scoring.model.forecast import GROWTH_NAMES, SETTLED_LEAD_NAMES
from scoring.training import forecast
from scoring.training.cascade import CascadeLabels
from scoring.training.config import ModelConfig
from scoring.training.forecast import fit_forecast
from tests.model.doubles import booster_of, table_of


class Fitted(NamedTuple):
    """Arguments of one fit."""

    X: Floats
    y: Floats
    options: dict[str, Any]

    def column(self, name: str) -> Floats:
        values: Floats = self.X[:, self.options["names"].index(name)]
        return values


#: Of four records, the first leads with a heat of 0, the second does not lead, and the third has no heat.
LABELS = CascadeLabels(
    quality=np.array([10.0, 20, 30, 40]),
    heat=np.array([0.0, -1, np.nan, 80]),
    published=np.full(4, np.nan),
)
EARLY = [table_of(4, age_hours=age, coverage_count=age) for age in (0.5, 6.0)]
#: Each is as likely to lead as not; heat is -9.75 points for each related record.
CASCADE = Cascade(booster_of(lambda columns: 0.5), booster_of(lambda columns: -9.75), booster_of(lambda _: 0))


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> tuple[Fitted, Fitted]:
    """The fits of lead and growth."""
    fitted: list[Fitted] = []
    monkeypatch.setattr(
        forecast, "train_booster", lambda X, y, **options: fitted.append(Fitted(X, y, options))
    )
    fit_forecast(CASCADE, EARLY, LABELS, ModelConfig(), num_threads=1, seed=0)
    lead, growth = fitted
    return lead, growth


def test_lead_is_fitted_at_each_age_and_without_age(fits: tuple[Fitted, Fitted]) -> None:
    lead, _ = fits
    assert lead.options["names"] == SETTLED_LEAD_NAMES
    # Three records have a heat; two ages, each with the age and without.
    assert lead.y.tolist() == [1, 0, 1] * 4
    assert lead.column("quality").tolist() == [10, 20, 40] * 4
    nan = float("nan")
    assert np.array_equal(lead.column("age_hours"), np.repeat([0.5, nan, 6.0, nan], 3), equal_nan=True)
    assert lead.column("coverage_count").tolist() == [0.5] * 6 + [6.0] * 6
    assert lead.column("lead_log_odds").tolist() == [0] * 12


def test_lead_starts_from_the_odds_of_now(fits: tuple[Fitted, Fitted]) -> None:
    assert fits[0].options["start"].tolist() == fits[0].column("lead_log_odds").tolist()


def test_growth_is_fitted_on_leads_and_heat_counts_a_point_at_least(fits: tuple[Fitted, Fitted]) -> None:
    _, growth = fits
    assert growth.options["names"] == GROWTH_NAMES
    assert growth.column("quality").tolist() == [10, 40] * 4
    now = [0.25, 30.25] * 2 + [-48.5, -18.5] * 2
    assert growth.column("heat").tolist() == now
    settled = [1, 80] * 4
    factors = [after / max(before, 1) for before, after in zip(now, settled, strict=True)]
    assert growth.y == pytest.approx(np.log(factors))
