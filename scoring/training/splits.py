"""Temporal splits and group folds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from scoring.errors import ModelError
from scoring.training.config import SplitConfig

Mask = NDArray[np.bool_]


def latest_mask(moments: NDArray[np.datetime64], sections: Sequence[str], ratio: float) -> Mask:
    """Mask of the latest records of each section.

    Parameters
    ----------
    moments : ndarray of datetime64, shape (n_records,)
        Dates of publication.
    sections : sequence of str
        Section of each record.
    ratio : float
        Share of each section's records; 0 to 1. Records of the same moment stay together.

    Returns
    -------
    ndarray of bool, shape (n_records,)

    Examples
    --------
    >>> days = np.array(["2021-01-01", "2021-01-02", "2021-01-03", "2021-01-04"], dtype="datetime64[us]")
    >>> latest_mask(days, ["a"] * 4, 0.25)
    array([False, False, False,  True])
    """
    mask = np.zeros(len(moments), dtype=bool)
    names = np.asarray(sections, dtype=object)
    for section in sorted(set(sections)):
        rows = np.flatnonzero(names == section)
        count = int(len(rows) * ratio)
        if count:
            starts_at = np.sort(moments[rows])[-count]
            mask[rows] = moments[rows] >= starts_at
    return mask


def test_mask(moments: NDArray[np.datetime64], sections: Sequence[str], config: SplitConfig) -> Mask:
    """Mask of the test block, shape (n_records,); see :class:`SplitConfig`.

    Raises
    ------
    ModelError
        If no record precedes the test block.
    """
    mask = latest_mask(moments, sections, config.test_ratio)
    names = np.asarray(sections, dtype=object)
    for section, starts_at in config.test_from.items():
        rows = names == section
        if rows.any():
            mask[rows] = moments[rows] >= to_moment(starts_at)
    if mask.all():
        raise ModelError("split: got no record before the test block, expected some to train on")
    return mask


def to_moment(moment: datetime | None) -> np.datetime64:
    """Convert an aware datetime to numpy (UTC, microseconds); None to NaT."""
    if moment is None:
        return np.datetime64("NaT", "us")
    offset = moment.utcoffset()
    naive = moment.replace(tzinfo=None) - offset if offset is not None else moment
    return np.datetime64(naive, "us")


def as_datetime(moment: np.datetime64) -> datetime | None:
    """Convert back from numpy to aware UTC; NaT to None."""
    if np.isnat(moment):
        return None
    value: datetime = moment.astype("datetime64[us]").item()
    return value.replace(tzinfo=UTC)


def group_folds(groups: NDArray[np.intp], n_folds: int, seed: int) -> NDArray[np.intp]:
    """Fold of each record; a group stays in one fold.

    Parameters
    ----------
    groups : ndarray of int, shape (n_records,)
        Group of each record.
    n_folds, seed : int
        Number of folds and random seed.

    Returns
    -------
    ndarray of int, shape (n_records,)
    """
    names, group_index = np.unique(groups, return_inverse=True)
    folds = np.random.default_rng(seed).permutation(len(names)) % n_folds
    return np.asarray(folds[group_index], dtype=np.intp)
