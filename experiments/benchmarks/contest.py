"""Common protocol for all competitors: same columns, same split, thresholds from validation records.

Each competitor predicts three numeric targets: quality, heat (-1 if another record leads) and published. The
last 15 % of the training records are used to choose settings, for early stopping, and for the thresholds of
lead and published; then each model is refitted on all training records with the chosen settings.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from blocks import Blocks
from numpy.typing import NDArray

from scoring.features.table import NUMBER_NAMES, TEXT_NAMES, FeatureTable, Floats
from scoring.model.cascade import NOT_LEADING
from scoring.records.record import Document
from scoring.training.config import TrainConfig
from scoring.training.splits import latest_mask
from scoring.training.thresholds import best_threshold

TARGETS = ("quality", "heat", "published")
MIN_TOPIC_COUNT = 5
# The age is known for training records and unknown for test records: it would mislead the competitors.
NUMBERS = tuple(name for name in NUMBER_NAMES if name != "age_hours")


@dataclass(frozen=True, slots=True)
class Data:
    """`n_records` records as data frames.

    Parameters
    ----------
    frame : DataFrame of shape (n_records, n_columns)
        Numbers (NaN is missing), topics as indicators, texts with few values as categories.
    texts : DataFrame of shape (n_records, 2)
        Title and excerpt.
    """

    frame: pd.DataFrame
    texts: pd.DataFrame

    def take(self, rows: NDArray[np.bool_]) -> Data:
        """Records selected by a mask."""
        return Data(self.frame[rows].reset_index(drop=True), self.texts[rows].reset_index(drop=True))


class Columns:
    """Categories and topics of the training records; others are missing values in test records."""

    def __init__(self, table: FeatureTable) -> None:
        self.levels = {name: sorted(set(table.text(name)) - {""}) for name in TEXT_NAMES}
        counts = Counter(topic for topics in table.topics for topic in set(topics))
        self.topics = sorted(topic for topic, count in counts.items() if count >= MIN_TOPIC_COUNT)

    def data(self, table: FeatureTable, documents: list[Document]) -> Data:
        """Data frames of a table and its documents."""
        columns: dict[str, Any] = {name: table.number(name) for name in NUMBERS}
        for number, topic in enumerate(self.topics):
            columns[f"topic_{number}"] = np.array([float(topic in topics) for topics in table.topics])
        for name, levels in self.levels.items():
            index = {level: code for code, level in enumerate(levels)}
            codes = np.array([index.get(level, -1) for level in table.text(name)], dtype=np.intp)
            columns[name] = pd.Categorical.from_codes(codes, categories=pd.Index(levels))
        texts = {
            "title": [document.record.title for document in documents],
            "excerpt": [document.record.excerpt for document in documents],
        }
        return Data(pd.DataFrame(columns), pd.DataFrame(texts, dtype=object))


@dataclass(frozen=True, slots=True)
class Task:
    """Training data for one target.

    Parameters
    ----------
    target : str
        ``quality``, ``heat`` or ``published``.
    data : Data
        `n_records` records.
    y : ndarray of shape (n_records,)
        Labels; points, or 0 and 1.
    is_validation : ndarray of bool, shape (n_records,)
        Validation records: the latest.
    threads, seed : int
        Number of threads, and random seed.
    budget_seconds : float
        Time budget of a search; seconds.
    """

    target: str
    data: Data
    y: Floats
    is_validation: NDArray[np.bool_]
    threads: int
    seed: int
    budget_seconds: float

    @property
    def is_binary(self) -> bool:
        """Whether the target is binary."""
        return self.target == "published"

    @property
    def earlier(self) -> tuple[Data, Floats]:
        """Data to fit on while choosing settings."""
        return self.data.take(~self.is_validation), self.y[~self.is_validation]

    @property
    def later(self) -> tuple[Data, Floats]:
        """Validation data."""
        return self.data.take(self.is_validation), self.y[self.is_validation]

    def loss(self, predicted: Floats, y: Floats) -> float:
        """Validation loss: mean absolute error, or Brier score for a binary target."""
        error = np.abs(predicted - y)
        return float(np.mean(error**2 if self.is_binary else error))


Fitted = Callable[[Data], Floats]
"""Predicts points, or a score that increases with the probability; shape (n_records,)."""

Competitor = Callable[[Task], tuple[Floats, Fitted]]
"""Fits a task: returns predictions for the validation records, and a model fitted on all records."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Predictions for the test block, each an ndarray of shape (n_records,), and fit times in seconds.

    ``cpu_seconds`` is the CPU time of this process, all threads together: other processes do not affect it.
    """

    quality: Floats
    heat: Floats
    heat_expected: Floats
    is_lead: NDArray[np.bool_]
    published: NDArray[np.bool_]
    seconds: float
    cpu_seconds: float


def compete(
    competitor: Competitor, blocks: Blocks, config: TrainConfig, *, threads: int, budget_seconds: float
) -> Outcome:
    """Fit each target, and predict the test block in whole points, like the labels."""
    columns = Columns(blocks.earlier.table)
    data = columns.data(blocks.earlier.table, blocks.documents(blocks.is_earlier))
    is_validation = latest_mask(
        blocks.earlier.moments, blocks.earlier.sections, config.split.validation_ratio
    )
    begins = time.perf_counter(), time.process_time()
    models: dict[str, Fitted] = {}
    cuts: dict[str, float] = {}
    for target in TARGETS:
        y: Floats = getattr(blocks.earlier.labels, target)
        is_labelled = np.isfinite(y)
        share = budget_seconds / len(TARGETS)
        task = Task(
            target,
            data.take(is_labelled),
            y[is_labelled],
            is_validation[is_labelled],
            threads,
            config.seed,
            share,
        )
        validation_predictions, models[target] = competitor(task)
        cuts[target] = best_threshold(
            validation_predictions, task.later[1] > (0.5 if task.is_binary else NOT_LEADING)
        )
    seconds, cpu_seconds = time.perf_counter() - begins[0], time.process_time() - begins[1]
    later = columns.data(blocks.later.table, blocks.documents(blocks.is_test))
    predictions = {target: model(later) for target, model in models.items()}
    is_lead = predictions["heat"] >= cuts["heat"]
    return Outcome(
        np.round(predictions["quality"]),
        np.where(is_lead, np.round(predictions["heat"]), NOT_LEADING),
        predictions["heat"],
        is_lead,
        predictions["published"] >= cuts["published"],
        seconds,
        cpu_seconds,
    )
