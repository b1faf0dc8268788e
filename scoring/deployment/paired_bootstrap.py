"""Paired bootstrap over days: compare two models on the same records and on subsets of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.deployment.gate import HEADLINES, GateConfig, Verdict, judge, refuse, too_few
from scoring.evaluation.cluster_bootstrap import draw_figures, interval_of
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
from scoring.evaluation.section_changes import SECTION, sections_left_out
from scoring.features.table import Floats

PART_FAMILIES = (SECTION, "provider", "coverage")  # not by month: a past month does not recur
_MIN_KNOWN_RATIO = 0.5  # of draws in which a subset's metric is defined
_BY = " of "


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
    mask_columns = {f"part {number}": mask for number, (_, _, mask) in enumerate(masks)}
    champion, challenger = (
        {name: side[name][labelled] for name in needed}
        | {"section": section_codes(first)[labelled]}
        | mask_columns
        for side in (first, second)
    )
    figures = partial(
        _figures, names={config.figure, *HEADLINES}, needed=needed, part_columns=list(mask_columns)
    )
    before, after = figures(champion), figures(challenger)
    names = [name for name in before if name in after]
    gains = _gains(names, before, after)
    draw_pairs = draw_figures(champion, challenger, n_draws=config.n_draws, seed=seed, figures=figures)
    gain_draws = np.array([_gains(names, *pair) for pair in draw_pairs])
    subset_indices = [index for index, name in enumerate(names) if _BY in name]
    widths = dict(
        zip(
            subset_indices,
            simultaneous_half_widths(
                gains[subset_indices], gain_draws[:, subset_indices], config.level
            ).tolist(),
            strict=True,
        )
    )
    whole: dict[str, Difference] = {}
    slices = {
        column: SliceDifference(family, part, int(mask.sum()), {})
        for column, (family, part, mask) in zip(mask_columns, masks, strict=True)
    }
    for index, (name, gain) in enumerate(zip(names, gains.tolist(), strict=True)):
        metric, _, column = name.partition(_BY)
        values = (metric, before[name], after[name], gain)
        if not column:
            whole[metric] = Difference(
                *values, *interval_of(gain_draws[:, index].tolist(), level=config.level)
            )
        elif np.isfinite(widths[index]):
            ends = (gain - widths[index], gain + widths[index])
            slices[column].differences[metric] = Difference(*values, *ends)
    return whole, tuple(slices.values())


def _figures(
    side: PredictionColumns,
    daily: Floats | None = None,
    *,
    names: Collection[str],
    needed: Sequence[str],
    part_columns: Sequence[str],
) -> dict[str, float]:
    """Metrics on all records by name, then those on each subset by name and subset."""
    values = compute(side, daily, names=names)
    for column in part_columns:
        mask = np.asarray(side[column], dtype=bool)
        if mask.any():
            part_values = compute({name: side[name][mask] for name in needed}, names=PART_FIGURES)
            values |= {f"{name}{_BY}{column}": value for name, value in part_values.items()}
    return values


def _gains(names: Sequence[str], before: Mapping[str, float], after: Mapping[str, float]) -> Floats:
    nan = float("nan")
    return np.array(
        [gain_of(name.partition(_BY)[0], before.get(name, nan), after.get(name, nan)) for name in names],
        dtype=np.float64,
    )


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
