"""Comparison of two models by section: the worst metric of each section, and the ranking of sections."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from scoring.evaluation.metrics import PredictionColumns
from scoring.evaluation.paired_figures import Difference, SliceDifference, is_labelled, parts

SECTION = "section"
"""Family name of the slices by section."""

MAX_WORSENING_RATIO = 0.05
"""Accepted worsening on a subset of the records, relative to the first model's metric."""


class SectionChange(msgspec.Struct, frozen=True, kw_only=True):
    """The metric in which the second model is worst in a section.

    Parameters
    ----------
    section : str
        The section.
    n_records : int
        Number of its labelled records.
    difference : Difference
        The metric of both models.
    is_clearly_worse : bool
        Whether the whole interval of the gain is below the accepted worsening.
    """

    section: str
    n_records: int
    difference: Difference
    is_clearly_worse: bool


def is_clearly_worse(difference: Difference, max_ratio: float = MAX_WORSENING_RATIO) -> bool:
    """Whether the whole interval shows a worsening by more than a ratio of the first model's metric."""
    return difference.high is not None and difference.high < -max_ratio * abs(difference.first)


def relative_gain(difference: Difference) -> float:
    """Gain relative to the first model's metric, since points on different scales cannot be compared.

    Examples
    --------
    >>> relative_gain(Difference("quality_mae", 4.0, 5.0, -1.0))
    -0.25
    """
    if difference.gain == 0:
        return 0.0
    first = abs(difference.first)
    return difference.gain / first if first else float("inf") * difference.gain


def section_changes(
    slices: Sequence[SliceDifference], max_ratio: float = MAX_WORSENING_RATIO
) -> tuple[SectionChange, ...]:
    """The worst metric of each section, the worst section first.

    Parameters
    ----------
    slices : sequence of SliceDifference
        Metrics on subsets; only those by section are considered.
    max_ratio : float
        Accepted worsening: see :func:`is_clearly_worse`.

    Returns
    -------
    tuple of SectionChange
        Clearly worse sections come first, then significantly worse ones, then the others; each group is
        sorted by relative gain, the lowest first.
    """

    def rank(difference: Difference) -> tuple[bool, bool, float]:
        is_clear = is_clearly_worse(difference, max_ratio)
        return not is_clear, difference.verdict != "worse", relative_gain(difference)

    worst = [
        (part, min(part.differences.values(), key=rank))
        for part in slices
        if part.family == SECTION and part.differences
    ]
    worst.sort(key=lambda pair: (*rank(pair[1]), pair[0].name))
    return tuple(
        SectionChange(
            section=part.name,
            n_records=part.n_records,
            difference=difference,
            is_clearly_worse=is_clearly_worse(difference, max_ratio),
        )
        for part, difference in worst
    )


def worst_sections_first(
    slices: Sequence[SliceDifference], max_ratio: float = MAX_WORSENING_RATIO
) -> tuple[SliceDifference, ...]:
    """Sort slices: those by section first, the worst section before the others."""
    place = {change.section: index for index, change in enumerate(section_changes(slices, max_ratio))}

    def rank(part: SliceDifference) -> tuple[bool, int]:
        return part.family != SECTION, place.get(part.name, len(place)) if part.family == SECTION else 0

    return tuple(sorted(slices, key=rank))


def sections_left_out(columns: PredictionColumns, compared: Collection[str]) -> dict[str, int]:
    """Sections that were not compared, since they have too few labelled records.

    Parameters
    ----------
    columns : mapping of str to ndarray of shape (n_records,)
        Labels of the records, as in :class:`scoring.evaluation.results.Evaluation`.
    compared : collection of str
        Sections that were compared.

    Returns
    -------
    dict of str to int
        Labelled records of each; empty if there is only one section.
    """
    labelled = is_labelled(columns)
    counts = {
        name: int((mask & labelled).sum()) for family, name, mask in parts(columns) if family == SECTION
    }
    present = {name: count for name, count in counts.items() if count}
    return (
        {name: count for name, count in present.items() if name not in compared} if len(present) > 1 else {}
    )
