"""Two models on the same records: figures on all of them and on parts, with intervals, and the verdict."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.deployment.gate import HEADLINES, GateConfig, Verdict, judge, refuse, too_few
from scoring.evaluation.metrics import PredictionColumns, compute, days_of, draw_figures, interval_of
from scoring.evaluation.paired_figures import (
    PART_FIGURES,
    Difference,
    SliceDifference,
    gain_of,
    is_labelled,
    parts,
)
from scoring.features.table import Floats

PART_FAMILIES = ("section", "provider", "coverage")  # months do not come again
_MIN_KNOWN_RATIO = 0.5  # of draws in which a part's figure is defined
_BY = " of "


def compare_paired(
    first: PredictionColumns, second: PredictionColumns, config: GateConfig, *, seed: int
) -> Verdict:
    """Judge two sets of predictions.

    Parameters
    ----------
    first, second : mapping of str to ndarray of shape (n_records,)
        What the champion and the challenger said of the same records in the same order, as in
        :class:`scoring.evaluation.results.Evaluation`; neither had seen any of them.
    config : GateConfig
        What is asked for.
    seed : int
        Seed of the draws.

    Returns
    -------
    Verdict
    """
    n_records, n_days = count_days(first)
    if lacking := too_few(n_records, n_days, config):
        return refuse(f"records to evaluate on: {lacking}", config, n_records=n_records, n_days=n_days)
    whole, slices = measure(first, second, config, seed=seed)
    verdict = judge(whole, slices, config, n_records=n_records)
    return msgspec.structs.replace(verdict, n_days=n_days)


def count_days(columns: PredictionColumns) -> tuple[int, int]:
    """Labelled records, and the days that they are of."""
    known = is_labelled(columns)
    return int(known.sum()), len(np.unique(days_of(columns["published_at"])[known]))


def measure(
    first: PredictionColumns, second: PredictionColumns, config: GateConfig, *, seed: int
) -> tuple[dict[str, Difference], tuple[SliceDifference, ...]]:
    """Figures of both on all records and on parts of them, with the intervals that :func:`judge` takes.

    The same days are drawn for both sides and for all parts. On all records the interval of each figure is
    that of its own draws. Those of the parts are as wide as it takes for all of them to hold together:
    each is its standard error times what the largest of them all stays below in a share ``level`` of the
    draws (the studentised maximum: Romano & Wolf, 2005).

    Parameters
    ----------
    first, second, config, seed
        As :func:`compare_paired` takes them.

    Returns
    -------
    tuple of (dict of str to Difference) and (tuple of SliceDifference)
        By figure; parts with too few records or days are left out.
    """
    known = is_labelled(first)
    masks = _parts_to_judge({name: values[known] for name, values in first.items()}, config)
    # Text is in no figure, and costs most to draw.
    needed = [name for name, values in first.items() if values.dtype != np.object_ and name in second]
    rows = {f"part {row}": mask for row, (_, _, mask) in enumerate(masks)}
    one, two = ({name: side[name][known] for name in needed} | rows for side in (first, second))
    figures = partial(_figures, names={config.figure, *HEADLINES}, needed=needed, part_columns=list(rows))
    before, after = figures(one), figures(two)
    names = [name for name in before if name in after]
    gains = _gains(names, before, after)
    drawn = draw_figures(one, two, n_draws=config.n_draws, seed=seed, figures=figures)
    draws = np.array([_gains(names, *pair) for pair in drawn])
    of_parts = [at for at, name in enumerate(names) if _BY in name]
    widths = dict(
        zip(
            of_parts,
            simultaneous_half_widths(gains[of_parts], draws[:, of_parts], config.level).tolist(),
            strict=True,
        )
    )
    whole: dict[str, Difference] = {}
    slices = {
        column: SliceDifference(family, part, int(mask.sum()), {})
        for column, (family, part, mask) in zip(rows, masks, strict=True)
    }
    for at, (name, gain) in enumerate(zip(names, gains.tolist(), strict=True)):
        figure, _, column = name.partition(_BY)
        values = (figure, before[name], after[name], gain)
        if not column:
            whole[figure] = Difference(*values, *interval_of(draws[:, at].tolist(), level=config.level))
        elif np.isfinite(widths[at]):
            ends = (gain - widths[at], gain + widths[at])
            slices[column].differences[figure] = Difference(*values, *ends)
    return whole, tuple(slices.values())


def _figures(
    side: PredictionColumns,
    daily: Floats | None = None,
    *,
    names: Collection[str],
    needed: Sequence[str],
    part_columns: Sequence[str],
) -> dict[str, float]:
    """Figures on all records by their names, then those on each part by name and part."""
    found = compute(side, daily, names=names)
    for column in part_columns:
        mask = np.asarray(side[column], dtype=bool)
        if mask.any():
            values = compute({name: side[name][mask] for name in needed}, names=PART_FIGURES)
            found |= {f"{name}{_BY}{column}": value for name, value in values.items()}
    return found


def _gains(names: Sequence[str], before: Mapping[str, float], after: Mapping[str, float]) -> Floats:
    nan = float("nan")
    return np.array(
        [gain_of(name.partition(_BY)[0], before.get(name, nan), after.get(name, nan)) for name in names],
        dtype=np.float64,
    )


def simultaneous_half_widths(gains: Floats, draws: Floats, level: float) -> Floats:
    """Half the width of each gain's interval, such that all of them hold together.

    Parameters
    ----------
    gains : ndarray of shape (n_gains,)
        What was found.
    draws : ndarray of shape (n_draws, n_gains)
        The same in each draw; NaN where it is not defined.
    level : float
        Share of draws in which no gain is farther off than that; 0 to 1.

    Returns
    -------
    ndarray of shape (n_gains,)
        NaN where a gain is not defined in most of the draws.

    Examples
    --------
    >>> joint_widths(np.array([0.0]), np.array([[-2.0], [1.0], [1.0], [2.0]]), 1.0).tolist()
    [2.0]
    """
    widths = np.full(len(gains), np.nan)
    known = np.isfinite(draws).mean(axis=0) >= _MIN_KNOWN_RATIO
    if known.any():
        off = np.abs(draws[:, known] - gains[known])
        errors = np.sqrt(np.nanmean(off**2, axis=0))
        times = np.divide(off, errors, out=np.zeros_like(off), where=errors > 0)
        widths[known] = errors * np.quantile(np.nanmax(times, axis=1, initial=0.0), level)
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
