"""Effects by which a section's own policy of quality may differ from the shared one, each with its price."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scoring.features.table import FeatureTable, Floats
from scoring.model.rubric import Rubric
from scoring.training.config import SectionConfig
from scoring.training.design_matrix import ADDITIVE_NAMES, HINGED_NAMES

Groups = NDArray[np.intp]
Kind = Literal["intercept", "shared", "number", "moved knot", "knot", "provider", "topic", "named"]
Effect = tuple[Kind, str, float]
"""Kind of an effect, column or level, and knot in characters (0 if it has none)."""

MIN_EFFECT_RATIO = 0.03  # of the labels' standard deviation; smaller effects of the shared policy are ignored
KNOT_STEP = 5  # characters between possible knots
MIN_SEEN = 2  # records that must have a value for it to count as known
NAMED_SUPPORT = 0.6  # relative price of a topic's effect up to the points of a named topic
SHIFT_SUPPORT = 0.5  # records that must support a shift of all qualities


@dataclass(frozen=True, slots=True)
class Candidates:
    """Possible effects, with the price of each: the number of records that must support it."""

    effects: list[Effect]
    prices: Floats
    bounds: Floats

    @classmethod
    def of(cls, table: FeatureTable, shared: Rubric, config: SectionConfig, deviation: float) -> Candidates:
        """List the candidate effects of a section.

        Parameters
        ----------
        table : FeatureTable
            Labelled records of the section.
        shared : Rubric
            The shared policy.
        config : SectionConfig
            Design, and support that effects need.
        deviation : float
            Standard deviation of the shared labels; points.
        """
        support, own_support = config.support, config.own_support
        priced: list[tuple[Effect, float, float]] = [
            (("intercept", "", 0.0), SHIFT_SUPPORT, np.inf),
            (("shared", "", 0.0), support, np.inf),
        ]
        if config.design == "difference":
            min_effect = MIN_EFFECT_RATIO * deviation
            for name in ADDITIVE_NAMES:
                is_paid = abs(shared.numbers_.get(name, 0.0)) >= min_effect
                priced.append((("number", name, 0.0), support if is_paid else own_support, np.inf))
            for name in HINGED_NAMES:
                priced += _priced_knots(name, table.number(name), shared, config, min_effect)
            providers = Counter(filter(None, table.text("provider_domain")))
            topics = Counter(topic for row in table.topics for topic in set(row))
            for domain, count in sorted(providers.items()):
                if count >= MIN_SEEN:
                    priced.append((("provider", domain, 0.0), own_support, np.inf))
            named = abs(shared.numbers_.get("title_names_topic_count", 0.0))
            for topic, count in sorted(topics.items()):
                if count < len(table):
                    priced.append((("named", topic, 0.0), NAMED_SUPPORT * support, named))
                    if count >= MIN_SEEN:
                        priced.append((("topic", topic, 0.0), support, np.inf))
        effects, prices, bounds = zip(*priced, strict=True)
        return cls(list(effects), np.array(prices), np.array(bounds))

    def columns(self, table: FeatureTable, quality: Floats, center: float, shared: Rubric) -> Floats:
        """Value of each effect for each record, shape (n_records, n_effects)."""
        domains = table.text("provider_domain")
        columns = []
        for kind, name, knot in self.effects:
            if kind == "intercept":
                column = np.ones(len(table))
            elif kind == "shared":
                column = quality - center
            elif kind == "number":
                column = np.nan_to_num(table.number(name))
            elif kind in ("knot", "moved knot"):
                column = np.maximum(table.number(name) - knot, 0.0)
                if kind == "moved knot":
                    column = column - np.maximum(table.number(name) - shared.knots[name], 0.0)
            elif kind == "provider":
                column = (domains == name).astype(np.float64)
            else:
                column = np.array([float(name in row) for row in table.topics])
            columns.append(column)
        return np.column_stack(columns)


def _priced_knots(
    name: str, lengths: Floats, shared: Rubric, config: SectionConfig, min_effect: float
) -> list[tuple[Effect, float, float]]:
    """Candidate effects of a length: the shared knot moved, and additional knots."""
    low, high = np.percentile(lengths, [5, 95])
    knots = np.arange(KNOT_STEP * np.floor(low / KNOT_STEP), high, KNOT_STEP).tolist()
    slope = sum(points for _, points in shared.hinges_.get(name, ()))
    is_paid = name in shared.knots and abs(slope) * (high - low) >= min_effect
    moved: list[tuple[Effect, float, float]] = [
        (("moved knot", name, knot), config.support, np.inf)
        for knot in knots
        if is_paid and knot != shared.knots[name]
    ]
    return moved + [(("knot", name, knot), config.own_support, np.inf) for knot in knots]


def distinguishable(values: Floats, effects: list[Effect], is_possible: NDArray[np.bool_]) -> Groups:
    """Indices of the columns that vary, without duplicates, and of the intercept; a topic may have two."""
    seen: set[tuple[bool, bytes]] = set()
    kept = []
    for index in np.flatnonzero(is_possible):
        kind = effects[index][0]
        column = values[:, index] - values[:, index].min()
        key = (kind == "named", column.round(9).tobytes())
        if kind == "intercept" or (column.any() and key not in seen):
            seen.add(key)
            kept.append(index)
    return np.array(kept, dtype=np.intp)
