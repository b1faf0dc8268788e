"""All that differs between two runs or models, as one value that every interface prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from scoring.evaluation.decision_changes import DecisionChange, DecisionChangeCounts
from scoring.evaluation.paired_figures import Difference, SliceDifference


class ValueDiff(msgspec.Struct, frozen=True):
    """A value that differs, as text; None on the side that has none."""

    name: str
    first: str | None
    second: str | None


class FeatureDifference(msgspec.Struct, frozen=True):
    """Columns of parts of the model that one side has and the other has not."""

    parts: tuple[str, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


class Side(msgspec.Struct, frozen=True):
    """One of those compared: how people know it, its run where it is one, and its model."""

    name: str
    run_id: str | None
    model: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two runs or models.

    Parameters
    ----------
    first, second : Side
        Who is compared; the first is what the second is held against.
    n_records, n_labelled : int
        Records that both scored, and those of them with a quality to compare with.
    begins_at, ends_at : datetime or None
        First and last date of publication among them, aware UTC.
    parameters, data : tuple of Unlike
        Parameters, and facts of the training data, that differ.
    features : tuple of FeatureDifference
        Columns that the models do not share.
    differences : dict of str to Difference
        Figures on the records with labels; empty where there are none.
    slices : tuple of SliceDifference
        The same on parts of the records.
    flip_counts : DecisionChangeCounts
        Records whose ``published`` would change.
    flips : tuple of DecisionChange
        Those of them that were asked for, the largest change of probability first.
    notes : tuple of str
        What the reader has to know of the figures.
    """

    first: Side
    second: Side
    n_records: int
    n_labelled: int
    begins_at: datetime | None
    ends_at: datetime | None
    parameters: tuple[ValueDiff, ...]
    data: tuple[ValueDiff, ...]
    features: tuple[FeatureDifference, ...]
    differences: dict[str, Difference]
    slices: tuple[SliceDifference, ...]
    flip_counts: DecisionChangeCounts
    flips: tuple[DecisionChange, ...]
    notes: tuple[str, ...] = ()


def diff(first: Mapping[str, str], second: Mapping[str, str]) -> tuple[ValueDiff, ...]:
    """Values that differ, by name, also those that one side has not.

    Examples
    --------
    >>> unlike({"seed": "0", "name": "a"}, {"seed": "0", "name": "b"})
    (Unlike(name='name', first='a', second='b'),)
    """
    return tuple(
        ValueDiff(name, first.get(name), second.get(name))
        for name in {**first, **second}
        if first.get(name) != second.get(name)
    )


def diff_features(
    first: Mapping[str, Sequence[str]], second: Mapping[str, Sequence[str]]
) -> tuple[FeatureDifference, ...]:
    """Columns that one side has and the other has not; parts that differ alike stand together.

    Parameters
    ----------
    first, second : mapping of str to sequence of str
        By part, its columns; a part of one side alone is left out.

    Returns
    -------
    tuple of FeatureDifference
    """
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for part, columns in first.items():
        others = second.get(part, columns)
        only_first = tuple(name for name in columns if name not in set(others))
        only_second = tuple(name for name in others if name not in set(columns))
        if only_first or only_second:
            found.setdefault((only_first, only_second), []).append(part)
    return tuple(FeatureDifference(tuple(parts), *columns) for columns, parts in found.items())
