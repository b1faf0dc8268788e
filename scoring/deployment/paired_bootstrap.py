"""Paired bootstrap over days: compare two models on the same records and on subsets of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.deployment.gate import HEADLINES, GateConfig, Verdict, judge, refuse, too_few
from scoring.evaluation.cluster_bootstrap import draw_days, draw_figures, interval_of
from scoring.evaluation.metrics import PredictionColumns, compute, days_of, section_codes
from scoring.evaluation.paired_figures import (
    PART_FIGURES,
    Difference,
    SliceDifference,
    gain_of,
    is_labelled,
    parts,
    predicted_labels,
)
from scoring.evaluation.resampled_metrics import DaySamples
from scoring.evaluation.section_changes import SECTION, sections_left_out
from scoring.features.table import Floats

PART_FAMILIES = (SECTION, "provider", "coverage")  # not by month: a past month does not recur
_MIN_KNOWN_RATIO = 0.5  # of draws in which a subset's metric is defined


def compare_paired(
    first: PredictionColumns, second: PredictionColumns, config: GateConfig, *, seed: int
) -> Verdict:
    """Compare two sets of predictions of the same records, and apply the gate.

    Parameters
    ----------
    first, second : mapping of str to ndarray of shape (n_records,)
        Predictions of the champion and the challenger for the same unseen records in the same order, as in
        :class:`scoring.evaluation.results.Evaluation`.
    config : GateConfig
        Rule of the gate.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    Verdict
    """
    if not (targets := predicted_labels(first, second)):
        return refuse("the models have no label in common", config)
    config = config.of_models(targets)
    n_records, n_days = count_days(first)
    if lacking := too_few(n_records, n_days, config):
        return refuse(f"records to evaluate on: {lacking}", config, n_records=n_records, n_days=n_days)
    whole, slices = measure(first, second, config, seed=seed)
    verdict = judge(whole, slices, config, n_records=n_records)
    not_judged = sections_left_out(first, {change.section for change in verdict.sections})
    return msgspec.structs.replace(verdict, n_days=n_days, sections_not_judged=not_judged)


def count_days(columns: PredictionColumns) -> tuple[int, int]:
    """Count the labelled records and their days."""
    known = is_labelled(columns)
    return int(known.sum()), len(np.unique(days_of(columns["published_at"])[known]))


def measure(
    first: PredictionColumns, second: PredictionColumns, config: GateConfig, *, seed: int
) -> tuple[dict[str, Difference], tuple[SliceDifference, ...]]:
    """Metrics of both sides on all records and on subsets, with the intervals that :func:`judge` takes.

    The same days are drawn for both sides and for all subsets. On all records each metric has the percentile
    interval of its own draws. The intervals of the subsets are simultaneous: each half-width is the standard
    error times the ``level`` quantile of the largest studentised deviation of a draw (the studentised
    maximum: Romano & Wolf, 2005).

    Parameters
    ----------
    first, second, config, seed
        As :func:`compare_paired` takes them.

    Returns
    -------
    tuple of (dict of str to Difference) and (tuple of SliceDifference)
        By metric; by subset. Subsets with too few records or days are left out.
    """
    labelled = is_labelled(first)
    masks = _parts_to_judge({name: values[labelled] for name, values in first.items()}, config)
    # No metric uses other text columns than the section; they are the slowest to resample.
    needed = [name for name, values in first.items() if values.dtype != np.object_ and name in second]
    sides = tuple(
        {name: side[name][labelled] for name in needed} | {"section": section_codes(first)[labelled]}
        for side in (first, second)
    )
    samples = draw_days(sides[0], n_draws=config.n_draws, seed=seed)
    whole = {
        gain.name: gain.difference(*interval_of(gain.draws, level=config.level))
        for gain in _gains(sides, samples, {config.figure, *HEADLINES})
    }
    slices = tuple(SliceDifference(family, part, int(mask.sum()), {}) for family, part, mask in masks)
    slice_gains = [
        (slice_, gain)
        for slice_, (_, _, mask) in zip(slices, masks, strict=True)
        for gain in _gains([_rows(side, mask) for side in sides], samples.take(mask), PART_FIGURES)
    ]
    widths = simultaneous_half_widths(
        np.array([gain.value for _, gain in slice_gains]),
        np.array([gain.draws for _, gain in slice_gains]).reshape(-1, config.n_draws).T,
        config.level,
    )
    for (slice_, gain), width in zip(slice_gains, widths.tolist(), strict=True):
        if np.isfinite(width):
            slice_.differences[gain.name] = gain.difference(gain.value - width, gain.value + width)
    return whole, slices


@dataclass(frozen=True, slots=True)
class _Gain:
    """Gain of a metric, and of each draw of days, shape (n_draws,)."""

    name: str
    first: float
    second: float
    draws: Floats

    @property
    def value(self) -> float:
        return gain_of(self.name, self.first, self.second)

    def difference(self, low: float | None, high: float | None) -> Difference:
        """The gain with an interval."""
        return Difference(self.name, self.first, self.second, self.value, low, high)


def _rows(columns: PredictionColumns, mask: NDArray[np.bool_]) -> PredictionColumns:
    return {name: values[mask] for name, values in columns.items()}


def _gains(sides: Sequence[PredictionColumns], samples: DaySamples, names: Collection[str]) -> list[_Gain]:
    """Gains of the metrics that both sides have."""
    first, second = (compute(side, names=names) for side in sides)
    first_draws, second_draws = (draw_figures(side, samples, names=names) for side in sides)
    return [
        _Gain(name, first[name], second[name], gain_of(name, first_draws[name], second_draws[name]))
        for name in first
        if name in second
    ]


def simultaneous_half_widths(gains: Floats, draws: Floats, level: float) -> Floats:
    """Half-widths of simultaneous bootstrap intervals (studentised maximum: Romano & Wolf, 2005).

    Parameters
    ----------
    gains : ndarray of shape (n_gains,)
        Observed gains.
    draws : ndarray of shape (n_draws, n_gains)
        Gains of each bootstrap draw; NaN where undefined.
    level : float
        Simultaneous confidence level; 0 to 1.

    Returns
    -------
    ndarray of shape (n_gains,)
        NaN where a gain is undefined in more than half of the draws.

    Examples
    --------
    >>> simultaneous_half_widths(np.array([0.0]), np.array([[-2.0], [1.0], [1.0], [2.0]]), 1.0).tolist()
    [2.0]
    """
    widths = np.full(len(gains), np.nan)
    is_defined = np.isfinite(draws).mean(axis=0) >= _MIN_KNOWN_RATIO
    if is_defined.any():
        deviations = np.abs(draws[:, is_defined] - gains[is_defined])
        standard_errors = np.sqrt(np.nanmean(deviations**2, axis=0))
        studentised = np.divide(
            deviations, standard_errors, out=np.zeros_like(deviations), where=standard_errors > 0
        )
        widths[is_defined] = standard_errors * np.quantile(np.nanmax(studentised, axis=1, initial=0.0), level)
    return widths


def _parts_to_judge(
    columns: PredictionColumns, config: GateConfig
) -> list[tuple[str, str, NDArray[np.bool_]]]:
    days = days_of(columns["published_at"])
    return [
        (family, name, mask)
        for family, name, mask in parts(columns)
        if family in PART_FAMILIES
        and config.min_records <= mask.sum() < len(mask)
        and len(np.unique(days[mask])) >= config.min_days
    ]
