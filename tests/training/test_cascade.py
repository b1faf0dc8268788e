"""Fit of the cascade: what each booster is fitted on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from scoring.features.table import Floats
from scoring.model.cascade import HEAT_NAMES, LEAD_NAMES, PUBLISHED_NAMES
from scoring.model.targets import TARGETS, Targets
from scoring.training import cascade
from scoring.training.cascade import WIDE, CascadeLabels, fit_cascade
from scoring.training.config import BoosterConfig, ModelConfig
from tests.model.doubles import table_of

CONFIG = ModelConfig()
NAN = float("nan")


class Fitted(NamedTuple):
    """Arguments of one fit."""

    X: Floats
    y: Floats
    names: tuple[str, ...]
    config: BoosterConfig
    extra_params: dict[str, Any]

    def column(self, name: str) -> list[float]:
        values: list[float] = self.X[:, self.names.index(name)].tolist()
        return values


# Of six records the first has no heat, and another than the second leads its story.
LABELS = CascadeLabels(
    quality=np.array([10.0, 20, 30, 40, 50, 60]),
    heat=np.array([NAN, -1, 0, 60, 80, 90]),
    published=np.array([1.0, 0, 0, NAN, 1, 1]),
)
TABLE = table_of(
    6,
    coverage_count=[7, 6, 0, 2, 3, 1],
    coverage_quality_max=[1, 2, 3, 4, 5, 6],
    age_hours=[1, 2, 3, 4, 5, 6],
    has_image=[1, 0, 1, 0, 1, 0],
)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> tuple[Fitted, Fitted, Fitted]:
    """The fits of lead, heat and published."""
    return fits_of(TARGETS, monkeypatch)


def fits_of(targets: Targets, monkeypatch: pytest.MonkeyPatch) -> tuple[Fitted, Fitted, Fitted]:
    """The fits of a model of some labels."""
    fitted: list[Fitted] = []

    def record(*arguments: Any, **_: Any) -> None:
        fitted.append(Fitted(*arguments))

    monkeypatch.setattr(cascade, "_fit", record)
    fit_cascade(TABLE, LABELS, CONFIG, num_threads=1, seed=0, targets=targets)
    lead, heat, published = fitted
    return lead, heat, published


@pytest.mark.parametrize(
    ("targets", "is_wide"),
    [
        (("quality", "published"), (False, True)),
        (("heat",), (True, False)),
        (("heat", "published"), (True, True)),
        (("quality", "heat"), (False, False)),
    ],
)
def test_a_booster_without_labels_of_an_earlier_step_has_all_features(
    targets: Targets, is_wide: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, _, published = fits_of(targets, monkeypatch)
    assert (lead.config is WIDE, published.config is WIDE) == is_wide
    assert [fit.X.shape[1] == len(fit.names) for fit in (lead, published)] == [True, True]
    assert (lead.names == LEAD_NAMES, published.names == PUBLISHED_NAMES) == (not is_wide[0], not is_wide[1])


def test_lead_is_fitted_on_records_with_a_heat(fits: tuple[Fitted, ...]) -> None:
    lead = fits[0]
    assert (lead.names, lead.config) == (LEAD_NAMES, CONFIG.lead)
    assert lead.y.tolist() == [0, 1, 1, 1, 1]  # a heat of 0 leads
    assert lead.column("quality_margin") == [18, 27, 36, 45, 54]
    assert lead.column("coverage_count") == [6, 0, 2, 3, 1]


def test_heat_is_fitted_on_leads_by_related_record_with_age_and_without(fits: tuple[Fitted, ...]) -> None:
    heat = fits[1]
    assert (heat.names, heat.config, heat.extra_params) == (HEAT_NAMES, CONFIG.heat, {})
    # Heat minus quality, for each related record, of which there is at least the record itself.
    assert heat.y.tolist() == [-30, 10, 10, 30] * 2
    assert heat.column("quality") == [30, 40, 50, 60] * 2
    assert heat.column("age_hours")[:4] == [3, 4, 5, 6]
    assert np.isnan(heat.column("age_hours")[4:]).all()


def test_published_is_fitted_on_records_with_heat_and_published(fits: tuple[Fitted, ...]) -> None:
    published = fits[2]
    assert (published.names, published.config) == (PUBLISHED_NAMES, CONFIG.published)
    assert published.y.tolist() == [0, 0, 1, 1]
    assert published.column("heat") == [-1, 0, 80, 90]
    assert published.column("quality") == [20, 30, 50, 60]
    assert published.column("has_image") == [0, 1, 1, 0]


def test_lead_and_published_only_rise_with_margin_and_heat(fits: tuple[Fitted, ...]) -> None:
    for fit, rising in ((fits[0], "quality_margin"), (fits[2], "heat")):
        constraints = dict(zip(fit.names, fit.extra_params["monotone_constraints"], strict=True))
        assert constraints == {name: int(name == rising) for name in fit.names}


def test_more_margin_never_makes_leading_less_likely() -> None:
    """The labels contradict the constraint (the better half does not lead), and are averaged."""
    quality = np.arange(200.0)
    labels = CascadeLabels(quality, np.where(quality < 100, quality, -1.0), np.arange(200.0) % 2)
    table = table_of(200, coverage_quality_max=50.0, coverage_count=1.0)
    fitted = fit_cascade(table, labels, CONFIG, num_threads=1, seed=0)
    assert fitted.lead_probability(table, quality) == pytest.approx(np.full(200, 0.5), abs=0.01)


def test_a_single_class_is_predicted_as_certain() -> None:
    X = np.random.default_rng(0).random((60, 1))
    for answer in (0.0, 1.0):
        booster = cascade._fit(X, np.full(60, answer), ("quality",), CONFIG.lead, {}, num_threads=1, seed=0)
        assert booster.predict(X).tolist() == [answer] * 60
