"""Training set: rows of a mask."""

from __future__ import annotations

import numpy as np

from scoring.features.table import build_table
from scoring.records.record import Record
from scoring.training.cascade import CascadeLabels
from scoring.training.training_set import TrainingSet, as_floats


def test_every_part_has_the_rows_of_the_mask() -> None:
    table = build_table([Record(title=f"Kite {number}") for number in range(3)])
    labels = CascadeLabels(np.arange(3.0), np.arange(10.0, 13.0), np.array([0.0, 1.0, np.nan]))
    moments = np.array(["2021-03-01", "2021-03-02", "2021-03-03"], dtype="datetime64[us]")
    whole = TrainingSet(table, labels, moments, ["a", "b", "c"], np.array([5, 6, 7]), (table, table))
    taken = whole.take(np.array([True, False, True]))
    assert taken.table.title_words == (("kite", "0"), ("kite", "2"))
    assert [early.title_words for early in taken.early] == [taken.table.title_words] * 2
    assert taken.labels.quality.tolist() == [0, 2]
    assert taken.labels.heat.tolist() == [10, 12]
    assert taken.labels.published[0] == 0
    assert np.isnan(taken.labels.published[1])
    assert taken.moments.tolist() == moments[[0, 2]].tolist()
    assert taken.sections == ["a", "c"]
    assert taken.copies.tolist() == [5, 7]


def test_labels_that_are_none_are_missing() -> None:
    values = as_floats([5, None, True, 0.5])
    assert values[[0, 2, 3]].tolist() == [5, 1, 0.5]
    assert np.isnan(values[1])
