"""The terms on which competitors meet: the same columns, the same cut, thresholds chosen before it.

Each takes three targets as numbers: quality, heat (-1 where another record leads) and published. The
last 15 % of what precedes the test block choose settings, end training early and give the thresholds
of lead and published; then each is fitted anew on everything before the cut with what was chosen.
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
# The age is known before the cut and unknown after it: no competitor shall be led astray by that.
NUMBERS = tuple(name for name in NUMBER_NAMES if name != "age_hours")


@dataclass(frozen=True, slots=True)
class Data:
    """`n_records` records as data frames.

    Parameters
    ----------
    frame : DataFrame of shape (n_records, n_columns)
        Numbers (NaN is missing), topics as flags, texts of few values as categories.
    texts : DataFrame of shape (n_records, 2)
        Title and excerpt.
    """

    frame: pd.DataFrame
    texts: pd.DataFrame

    def take(self, rows: NDArray[np.bool_]) -> Data:
        """The records that a mask names."""
        return Data(self.frame[rows].reset_index(drop=True), self.texts[rows].reset_index(drop=True))


class Columns:
    """Levels and topics of the training records; what they do not have is missing in later records."""

    def __init__(self, table: FeatureTable) -> None:
        self.levels = {name: sorted(set(table.text(name)) - {""}) for name in TEXT_NAMES}
        counts = Counter(topic for topics in table.topics for topic in set(topics))
        self.topics = sorted(topic for topic, count in counts.items() if count >= MIN_TOPIC_COUNT)

    def data(self, table: FeatureTable, documents: list[Document]) -> Data:
        """The frames of a table and of the documents that it was made of."""
        columns: dict[str, Any] = {name: table.number(name) for name in NUMBERS}
        for at, topic in enumerate(self.topics):
            columns[f"topic_{at}"] = np.array([float(topic in topics) for topics in table.topics])
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
    """One target before the cut.

    Parameters
    ----------
    target : str
        ``quality``, ``heat`` or ``published``.
    data : Data
        `n_records` records.
    y : ndarray of shape (n_records,)
        Their labels; points, or 0 and 1.
    is_validation : ndarray of bool, shape (n_records,)
        The latest of them, to choose by.
    threads, seed : int
        Threads, and the seed of all that is drawn.
    budget_seconds : float
        Time of a search that takes as long as it may.
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
        """Whether the label is yes or no."""
        return self.target == "published"

    @property
    def earlier(self) -> tuple[Data, Floats]:
        """What to fit on while choosing."""
        return self.data.take(~self.is_validation), self.y[~self.is_validation]

    @property
    def later(self) -> tuple[Data, Floats]:
        """What to choose by."""
        return self.data.take(self.is_validation), self.y[self.is_validation]

    def loss(self, predicted: Floats, y: Floats) -> float:
        """What settings are chosen by: absolute error; of a probability, squared error."""
        error = np.abs(predicted - y)
        return float(np.mean(error**2 if self.is_binary else error))


Fitted = Callable[[Data], Floats]
"""Predicts points, or a number that rises with the probability; shape (n_records,)."""

Competitor = Callable[[Task], tuple[Floats, Fitted]]
"""Fits a task: predictions of the later part by a model that has not seen it, and the model of all."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is said of the test block, each an ndarray of shape (n_records,), and the fit's seconds.

    ``cpu_seconds`` are those of this process, all its threads together: others on the machine do not
    lengthen them.
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
    """Fit each target, and predict the test block in whole points, as the labels are."""
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
        known = np.isfinite(y)
        share = budget_seconds / len(TARGETS)
        task = Task(target, data.take(known), y[known], is_validation[known], threads, config.seed, share)
        tried, models[target] = competitor(task)
        cuts[target] = best_threshold(tried, task.later[1] > (0.5 if task.is_binary else NOT_LEADING))
    seconds, cpu_seconds = time.perf_counter() - begins[0], time.process_time() - begins[1]
    later = columns.data(blocks.later.table, blocks.documents(blocks.is_test))
    said = {target: model(later) for target, model in models.items()}
    is_lead = said["heat"] >= cuts["heat"]
    return Outcome(
        np.round(said["quality"]),
        np.where(is_lead, np.round(said["heat"]), NOT_LEADING),
        said["heat"],
        is_lead,
        said["published"] >= cuts["published"],
        seconds,
        cpu_seconds,
    )
