"""Comparison of two runs or models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from scoring.evaluation.decision_changes import DecisionChange, DecisionChangeCounts
from scoring.evaluation.paired_figures import Difference, SliceDifference
from scoring.evaluation.section_changes import SectionChange
from scoring.explanation.policy import PolicyComparison


class ValueDiff(msgspec.Struct, frozen=True):
    """A differing value, as text; None on a side without it."""

    name: str
    first: str | None
    second: str | None


class FeatureDifference(msgspec.Struct, frozen=True):
    """Columns of model parts that only one side has."""

    parts: tuple[str, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


class Side(msgspec.Struct, frozen=True):
    """One side of a comparison: its name, its run if any, and its model."""

    name: str
    run_id: str | None
    model: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Differences between two runs or models.

    Parameters
    ----------
    first, second : Side
        The compared sides; the first is the reference.
    n_records, n_labelled : int
        Records that both scored, and those of them with a quality label.
    begins_at, ends_at : datetime or None
        First and last date of publication among them, aware UTC.
    parameters, data : tuple of ValueDiff
        Differing parameters, and properties of the training data.
    features : tuple of FeatureDifference
        Columns that only one model has.
    differences : dict of str to Difference
        Metrics on the labelled records; empty if there are none.
    slices : tuple of SliceDifference
        Differences on parts of the records: sections first, the worst of them before the others.
    flip_counts : DecisionChangeCounts
        Number of records whose ``published`` would change.
    flips : tuple of DecisionChange
        The requested ones, the largest change of probability first.
    notes : tuple of str
        Notes on how to read the metrics.
    sections : tuple of SectionChange
        The metric in which the second is worst, for each section; the worst section first.
    sections_left_out : dict of str to int
        Sections with too few labelled records to compare, and their numbers of records.
    policy : PolicyComparison
        Rules that differ between the models.
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
    sections: tuple[SectionChange, ...] = ()
    sections_left_out: dict[str, int] = {}
    policy: PolicyComparison = PolicyComparison(fault="the models were not opened")


def diff(first: Mapping[str, str], second: Mapping[str, str]) -> tuple[ValueDiff, ...]:
    """Differing values by name, including those of one side only.

    Examples
    --------
    >>> diff({"seed": "0", "name": "a"}, {"seed": "0", "name": "b"})
    (ValueDiff(name='name', first='a', second='b'),)
    """
    return tuple(
        ValueDiff(name, first.get(name), second.get(name))
        for name in {**first, **second}
        if first.get(name) != second.get(name)
    )


def diff_features(
    first: Mapping[str, Sequence[str]], second: Mapping[str, Sequence[str]]
) -> tuple[FeatureDifference, ...]:
    """Columns that only one side has; parts with the same difference are grouped.

    Parameters
    ----------
    first, second : mapping of str to sequence of str
        Columns by part; parts of one side only are skipped.

    Returns
    -------
    tuple of FeatureDifference
    """
    parts_by_columns: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for part, columns in first.items():
        second_columns = second.get(part, columns)
        only_first = tuple(name for name in columns if name not in set(second_columns))
        only_second = tuple(name for name in second_columns if name not in set(columns))
        if only_first or only_second:
            parts_by_columns.setdefault((only_first, only_second), []).append(part)
    return tuple(FeatureDifference(tuple(parts), *columns) for columns, parts in parts_by_columns.items())
