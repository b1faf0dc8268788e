"""Bootstrap over days: whole days are drawn, and each with its NDCG."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as oracle

from scoring.evaluation.cluster_bootstrap import bootstrap, draw_days, draw_figures
from scoring.evaluation.metrics import MEANINGS, compute, days_of
from scoring.evaluation.results import Figure

# Metrics that a sample of records gives on its own: days that were drawn twice would be one list.
DIRECT = MEANINGS.keys() - {"heat_ndcg_10"}


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
    samples = draw_days(drawn(), n_draws=20, seed=3)
    assert samples.n_times.shape == (20, samples.day.max() + 1)
    assert (samples.n_times == np.floor(samples.n_times)).all()
    assert (samples.n_times.sum(axis=1) == samples.n_times.shape[1]).all()
    assert (samples.n_times == 0).any()
    assert (samples.n_times > 1).any()


@pytest.mark.parametrize("n_records", [3, 40, 300])
def test_metrics_of_samples_are_those_of_their_records(n_records: int) -> None:
    """The sums by day give what the records of a sample give when they are put together."""
    columns = drawn(n_records)
    columns["quality_predicted"] = np.round(columns["quality_predicted"])  # equal ranks
    columns["quality_low"], columns["quality_high"] = (
        columns["quality_predicted"] + sign * 7.0 for sign in (-1, 1)
    )
    columns["quality"][::7] = np.nan
    columns["heat"][1::5] = np.nan
    samples = draw_days(columns, n_draws=30, seed=4)
    metrics = draw_figures(columns, samples)
    assert metrics.keys() == MEANINGS.keys()
    for number, n_times in enumerate(samples.n_times.astype(int)):
        rows = np.concatenate(
            [np.repeat(np.flatnonzero(samples.day == day), n) for day, n in enumerate(n_times)]
        )
        direct = compute({name: values[rows] for name, values in columns.items()}, names=DIRECT)
        for name in DIRECT:
            expected = direct.get(name, float("nan"))
            assert metrics[name][number] == pytest.approx(expected, abs=1e-9, nan_ok=True), name


def test_constant_labels_have_no_correlation_and_no_explained_variance() -> None:
    columns = drawn(50)
    columns["quality"] = np.full(50, 42.1)
    metrics = draw_figures(columns, draw_days(columns, n_draws=10, seed=0))
    assert np.isnan(metrics["quality_r2"]).all()
    assert np.isnan(metrics["quality_spearman"]).all()
    assert np.isfinite(metrics["quality_mae"]).all()


def test_days_ndcg_is_drawn_with_its_day() -> None:
    columns = drawn()
    columns["heat"][days_of(columns["published_at"]) == 3] = -1.0  # a day without a list
    samples = draw_days(columns, n_draws=30, seed=5)
    short = draw_figures(columns, samples)["heat_ndcg_10"]
    for value, n_times in zip(short, samples.n_times.astype(int), strict=True):
        rows = np.concatenate(
            [np.repeat(np.flatnonzero(samples.day == day), n) for day, n in enumerate(n_times)]
        )
        part = {name: values[rows] for name, values in columns.items()}
        assert value == pytest.approx(_slow_figures(part, columns)["heat_ndcg_10"])


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
