"""Comparison by section: which section is the worst, whatever the scale of its points."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.evaluation.paired_figures import Difference, SliceDifference
from scoring.evaluation.section_changes import (
    is_clearly_worse,
    relative_gain,
    section_changes,
    sections_left_out,
    worst_sections_first,
)
from tests.evaluation.test_paired_figures import predictions


def mae(first: float, gain: float, half_width: float) -> Difference:
    return Difference("quality_mae", first, first - gain, gain, gain - half_width, gain + half_width)


def part(name: str, *differences: Difference, family: str = "section") -> SliceDifference:
    return SliceDifference(family, name, 40, {difference.name: difference for difference in differences})


def names(*parts: SliceDifference, max_ratio: float = 0.05) -> list[str]:
    return [change.section for change in section_changes(parts, max_ratio)]


def test_the_worst_is_the_lowest_gain_in_relation_to_the_metric() -> None:
    wide, narrow = part("Wide", mae(60.0, -6.0, 10.0)), part("Narrow", mae(4.0, -2.0, 5.0))
    assert names(wide, narrow) == ["Narrow", "Wide"]


def test_what_is_sure_comes_before_what_is_large() -> None:
    unsure = part("Unsure", mae(4.0, -3.0, 4.0))
    significant = part("Significant", mae(4.0, -1.0, 0.9))  # perhaps within the bound
    clear = part("Clear", mae(4.0, -0.5, 0.1))
    assert names(unsure, significant, clear) == ["Clear", "Significant", "Unsure"]
    changes = section_changes([unsure, significant, clear])
    assert [change.is_clearly_worse for change in changes] == [True, False, False]


def test_each_section_has_its_worst_metric() -> None:
    f1 = Difference("published_f1", 0.8, 0.4, -0.4, -0.5, -0.3)
    (change,) = section_changes([part("Sea", mae(4.0, 1.0, 0.5), f1)])
    assert (change.difference, change.n_records, change.is_clearly_worse) == (f1, 40, True)


@pytest.mark.parametrize(
    ("high", "is_clear"), [(-0.2001, True), (-0.2, False), (-0.1, False), (0.1, False), (None, False)]
)
def test_the_bound_is_a_ratio_of_the_first(high: float | None, is_clear: bool) -> None:
    assert is_clearly_worse(Difference("quality_mae", 4.0, 5.0, -1.0, -2.0, high)) is is_clear


def test_sections_come_first_and_the_worst_of_them_before_the_others() -> None:
    slices = [
        part("b.example", mae(4.0, -2.0, 0.1), family="provider"),
        part("Land", mae(4.0, 1.0, 0.1)),
        part("Sea", mae(4.0, -1.0, 0.1)),
        part("Empty"),
    ]
    ordered = [entry.name for entry in worst_sections_first(slices)]
    assert ordered == ["Sea", "Land", "Empty", "b.example"]
    assert names(*slices) == ["Sea", "Land"]


def test_a_metric_of_zero_that_gets_worse_is_worst_of_all() -> None:
    assert relative_gain(Difference("quality_mae", 0.0, 1.0, -1.0)) == float("-inf")
    assert relative_gain(Difference("quality_mae", 0.0, 0.0, 0.0)) == 0.0


def test_sections_with_too_few_records_are_counted() -> None:
    side = predictions(4)
    n_land = int((side["section"] == "Land").sum())
    assert sections_left_out(side, {"Sea"}) == {"Land": n_land}
    assert sections_left_out(side, {"Sea", "Land"}) == {}
    side["quality"] = np.where(side["section"] == "Land", np.nan, side["quality"])
    assert sections_left_out(side, set()) == {}  # a single section with labels is the whole


def test_no_sections_no_changes() -> None:
    assert section_changes([part("2021-03", mae(4.0, -1.0, 0.1), family="month")]) == ()
