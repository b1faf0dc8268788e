"""Stand-ins for fitted components, whose answers are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np

from scoring.features.table import NUMBER_INDEX, FeatureTable, Floats, build_table
from scoring.model.booster import Booster
from scoring.records.record import Record


class _Function:
    """A booster that answers by a function of the columns."""

    def __init__(self, answer: Callable[[Floats], Any]) -> None:
        self.answer = answer

    def predict(self, X: Floats, num_threads: int = 1, *, is_raw: bool = False) -> Floats:
        return np.full(len(X), self.answer(X.T), dtype=np.float64)


def booster_of(answer: Callable[[Floats], Any]) -> Booster:
    """A booster that predicts a function of the columns, or a constant."""
    return cast(Booster, _Function(answer))


def table_of(n_records: int, **columns: Any) -> FeatureTable:
    """Features of empty records, with some numeric columns replaced."""
    table = build_table([Record()] * n_records)
    numbers = table.numbers.copy()
    for name, values in columns.items():
        numbers[:, NUMBER_INDEX[name]] = values
    return replace(table, numbers=numbers)
