"""Bootstrap over days: whole days are drawn, and each with its NDCG."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as oracle

from scoring.evaluation.cluster_bootstrap import bootstrap
from scoring.evaluation.metrics import compute
from scoring.evaluation.results import Figure


def drawn(n_records: int = 300) -> dict[str, Any]:
    random = np.random.default_rng(0)
    heat = random.integers(-1, 100, n_records).astype(float)
    quality = random.integers(0, 100, n_records).astype(float)
    probability = random.random(n_records)
    return {
        "published_at": np.datetime64("2021-03-01", "us")
        + random.integers(0, 40 * 86400, n_records) * 1_000_000,
        "quality": quality,
        "quality_predicted": quality + random.normal(0, 5, n_records),
        "heat": heat,
        "heat_predicted": heat + random.normal(0, 9, n_records),
        "heat_expected": heat + random.normal(0, 30, n_records),
        "lead": heat > -1,
        "lead_predicted": random.random(n_records) < 0.8,
        "lead_probability": probability,
        "published": heat > 70,
        "published_predicted": heat + random.normal(0, 20, n_records) > 70,
        "published_probability": probability,
    }


def test_bootstrap_gives_the_same_intervals_again() -> None:
    first, again, other = (bootstrap(drawn(), n_draws=40, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert {name: figure.value for name, figure in first.items()} == compute(drawn())


def test_intervals_hold_their_value() -> None:
    for name, figure in bootstrap(drawn(), n_draws=100, seed=0).items():
        assert figure.low is not None, name
        assert figure.high is not None, name
        assert figure.low <= figure.value <= figure.high, name
        assert figure.low < figure.high, name


def test_wider_level_wider_interval() -> None:
    narrow, wide = (bootstrap(drawn(), n_draws=100, seed=0, level=level) for level in (0.5, 0.99))
    for name in narrow:
        assert (wide[name].low or 0) <= (narrow[name].low or 0), name
        assert (wide[name].high or 0) >= (narrow[name].high or 0), name


def test_whole_days_are_drawn() -> None:
    columns = drawn()
    day = columns["published_at"].astype("datetime64[D]")
    counts = dict(zip(*np.unique(day, return_counts=True), strict=True))
    seen = []

    def remember(part: dict[str, Any], daily: Any = None) -> dict[str, float]:
        drawn_days, drawn_counts = np.unique(part["published_at"].astype("datetime64[D]"), return_counts=True)
        # A day that is there is there whole, once or several times.
        assert all(
            count % counts[day_value] == 0 for day_value, count in zip(drawn_days, drawn_counts, strict=True)
        )
        seen.append(sum(drawn_counts // [counts[drawn_day] for drawn_day in drawn_days]))
        return {"size": float(len(part["quality"]))}

    bootstrap(columns, n_draws=20, seed=3, figures=remember)
    assert seen == [len(counts)] * 21


def test_days_ndcg_is_drawn_with_its_day() -> None:
    """The bootstrap's shortcut (each day's NDCG is computed once) equals the direct computation."""
    columns = drawn()
    short = bootstrap(columns, n_draws=30, seed=5)
    long = bootstrap(
        columns, n_draws=30, seed=5, figures=lambda part, daily=None: _slow_figures(part, columns)
    )
    assert short["heat_ndcg_10"].value == pytest.approx(long["heat_ndcg_10"].value)
    assert short["heat_ndcg_10"].low == pytest.approx(long["heat_ndcg_10"].low)
    assert short["heat_ndcg_10"].high == pytest.approx(long["heat_ndcg_10"].high)


def _slow_figures(part: dict[str, Any], columns: dict[str, Any]) -> dict[str, float]:
    """Mean NDCG of the days of a draw; a day drawn twice counts twice."""
    whole = columns["published_at"].astype("datetime64[D]")
    day = part["published_at"].astype("datetime64[D]")
    values = []
    for day_index in np.unique(day):
        rows = whole == day_index
        gain = np.maximum(columns["heat"][rows], 0)
        times = int((day == day_index).sum() / rows.sum())
        if len(gain) > 1 and gain.any():
            value = oracle.ndcg_score(gain[None], columns["heat_expected"][rows][None], k=10)
            values += [float(value)] * times
        elif gain.any():
            values += [1.0] * times
    return {"heat_ndcg_10": float(np.mean(values))}


def test_no_draws_no_intervals() -> None:
    columns = drawn()
    error = compute(columns)["quality_mae"]
    assert bootstrap(columns, n_draws=0, seed=0)["quality_mae"] == Figure(error, None, None)
