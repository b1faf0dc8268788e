"""The additive part of quality: what an editor's rubric would add up, learned by robust regression.

Editors' rubrics add points: so many for a picture, so many for a provider they trust, one off for
every few characters of a title too long. Trees need many splits for what a sum says at once, so the
sum is fitted first and the booster learns what it leaves. Absolute error (by iteratively reweighted
least squares; Holland & Welsch, 1977) makes the sum pass *through* most records instead of between
them. Words that are worth points only under some topic are found by a lasso on what is left
(Tibshirani, 1996; scikit-learn's), then fitted anew with the rest.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack
from threadpoolctl import threadpool_limits

from scoring.features.table import NUMBER_COLUMNS, NUMBER_INDEX, FeatureTable
from scoring.features.text import terms_of

Floats = NDArray[np.float64]

ADDITIVE_NAMES = tuple(
    column.name
    for column in NUMBER_COLUMNS
    if column.family in ("provider", "topic", "content") and column.type in ("bool", "count")
)
TERMS = "title_terms"
HINGED_NAMES = ("title_chars", "excerpt_chars")


class RubricConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the rubric is fitted.

    Parameters
    ----------
    n_passes : int
        Rounds of reweighting, and twice that many at the last fit.
    ridge : float
        Penalty on each (scaled) column, in records: an effect seen on as many records is halved.
    level_ridge : float
        The same for each provider and topic.
    min_level_count : int
        Records that a provider or topic needs to have an effect of its own.
    min_term_count : int
        Records that a word needs under a topic to be looked at.
    term_support : float
        Records, each off by the typical error, that a word must explain to be worth points; 0 leaves words out.
    """

    n_passes: int = 8
    ridge: float = 0.01
    level_ridge: float = 0.01
    min_level_count: int = 2
    min_term_count: int = 2
    term_support: float = 0.6
    n_term_rounds: int = 2


class Rubric(msgspec.Struct, frozen=True):
    """A fitted rubric: intercept plus effects; every part is plain numbers, so that it can be saved as JSON.

    Parameters
    ----------
    intercept_ : float
        Points of a record with nothing.
    numbers_ : dict of str to float
        Points for each unit of a column.
    hinges_ : dict of str to list of [float, float]
        Points for each character beyond a knot.
    levels_ : dict of str to dict of str to float
        Points for each provider domain, host, section and topic.
    terms_ : dict of str to dict of str to float
        Points for each word or run of words of the title under each topic.
    floor_ : float
        Lowest quality among the labels.
    """

    intercept_: float
    numbers_: dict[str, float]
    hinges_: dict[str, list[tuple[float, float]]]
    levels_: dict[str, dict[str, float]]
    terms_: dict[str, dict[str, float]]
    floor_: float

    @property
    def knots(self) -> dict[str, float]:
        """Knot of each hinged column."""
        return {name: hinges[0][0] for name, hinges in self.hinges_.items()}

    def parts(self, table: FeatureTable) -> dict[str, Floats]:
        """Points of each record by name of what they are given for, each of shape (n_records,)."""
        n_records = len(table)
        parts = {name: weight * np.nan_to_num(table.number(name)) for name, weight in self.numbers_.items()}
        for name, hinges in self.hinges_.items():
            values = table.number(name)
            points = sum((weight * np.maximum(values - knot, 0.0) for knot, weight in hinges), np.zeros(n_records))
            parts[name] = parts.get(name, np.zeros(n_records)) + points
        for name, effects in self.levels_.items():
            if name == "topics":
                values = [sum(effects.get(topic, 0.0) for topic in topics) for topics in table.topics]
            elif name == "provider_form":
                values = [effects.get(form, 0.0) for form in _forms(table)]
            else:
                values = [effects.get(level, 0.0) for level in table.text(name)]
            parts[name] = np.array(values, dtype=np.float64)
        parts[TERMS] = np.array(
            [self._term_points(topics, words) for topics, words in zip(table.topics, table.title_words, strict=True)],
            dtype=np.float64,
        )
        return parts

    def _term_points(self, topics: tuple[str, ...], words: tuple[str, ...]) -> float:
        if not any(topic in self.terms_ for topic in topics):
            return 0.0
        return sum(self.terms_[topic][term] for topic, term in self._found(topics, words))

    def _found(self, topics: tuple[str, ...], words: tuple[str, ...]) -> list[tuple[str, str]]:
        terms = terms_of(list(words))
        return [(topic, term) for topic in topics for term in terms if term in self.terms_.get(topic, {})]

    def found_terms(self, topics: tuple[str, ...], words: tuple[str, ...]) -> list[str]:
        """Words of a title that are worth points under its topics, each with them, in words."""
        return [f"{term} under {topic} {self.terms_[topic][term]:+.1f}" for topic, term in self._found(topics, words)]

    def predict(self, table: FeatureTable) -> Floats:
        """Points of each record, not below the lowest label; shape (n_records,)."""
        points = self.intercept_ + sum(self.parts(table).values(), np.zeros(len(table)))
        return np.maximum(points, self.floor_)


def fit_rubric(
    table: FeatureTable, y: Floats, config: RubricConfig = RubricConfig(), knots: dict[str, float] | None = None
) -> Rubric:
    """Fit a rubric on labelled records.

    Parameters
    ----------
    table : FeatureTable
        Features of `n_records` records.
    y : ndarray of shape (n_records,)
        Their qualities; points.
    config : RubricConfig
        How.
    knots : dict of str to float, optional
        Length beyond which every character counts, by column; looked for if not given.

    Returns
    -------
    Rubric
    """
    # One thread: sums of many threads differ in their last digits, and small matrices gain nothing.
    with threadpool_limits(1):
        return _fit_rubric(table, y, config, knots or {})


def _fit_rubric(table: FeatureTable, y: Floats, config: RubricConfig, knots: dict[str, float]) -> Rubric:
    design = _Design.of(table, config)
    floor = float(y.min())
    design.add_hinges(table, y, floor, config, knots)
    dense = csr_array(design.matrix)
    if config.term_support <= 0:
        return design.rubric(_absolute_fit(dense, y, design.penalty, floor, 2 * config.n_passes), [], floor)
    terms = _Terms(table, config.min_term_count)
    matrix, penalty, chosen = csr_array(design.without_topics()), design.penalty_without_topics(), list[int]()
    min_gain = config.term_support * float(np.std(y))
    for _ in range(config.n_term_rounds):
        weights = _absolute_fit(matrix, y, penalty, floor, config.n_passes)
        left = y - _predict(matrix, weights, floor)
        chosen = list(dict.fromkeys([*chosen, *terms.choose(left, min_gain)]))
        matrix = hstack([dense, csr_array(terms.matrix(chosen, len(table)))], format="csr")
        penalty = np.concatenate([design.penalty, np.full(len(chosen), config.level_ridge)])
        weights = _absolute_fit(matrix, y, penalty, floor, config.n_passes)
        kept = np.abs(weights[design.matrix.shape[1] :]) > 2 * _tolerance(y)
        chosen = [at for at, is_kept in zip(chosen, kept, strict=True) if is_kept]
        mask = np.concatenate([np.ones(design.matrix.shape[1], dtype=bool), kept])
        matrix, penalty = matrix[:, mask], penalty[mask]
    weights = _absolute_fit(matrix, y, penalty, floor, 2 * config.n_passes)
    return design.rubric(weights, [terms.pairs[at] for at in chosen], floor)


def _predict(matrix: Any, weights: Floats, floor: float) -> Floats:
    points: Floats = np.maximum(matrix @ weights, floor)
    return points


def _absolute_fit(matrix: Any, y: Floats, penalty: Floats, floor: float, n_passes: int) -> Floats:
    """Weights of least absolute error; where the label stands on the floor, a lower prediction is no error.

    `matrix` is sparse, or dense where it is narrow.
    """
    importance = np.ones(len(y))
    weights = np.zeros(matrix.shape[1])
    for _ in range(n_passes):
        points = matrix @ weights
        target = np.where((y <= floor) & (points < floor), points, y)
        normal = _dense(matrix.T @ _scale_rows(matrix, importance)) + np.diag(penalty)
        weights = np.linalg.solve(normal, matrix.T @ (importance * target))
        importance = 1.0 / np.maximum(np.abs(target - matrix @ weights), _tolerance(y))
        importance /= importance.max()
    return weights


def _scale_rows(matrix: Any, scale: Floats) -> Any:
    return matrix * scale[:, None] if isinstance(matrix, np.ndarray) else matrix.multiply(scale[:, None]).tocsr()


def _dense(matrix: Any) -> Floats:
    dense: Floats = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    return dense


def _tolerance(y: Floats) -> float:
    """Error below which all errors count alike: a hundredth of the labels' spread."""
    return max(float(np.std(y)) / 100, 1e-9)


class _Terms:
    """Which records bear which (topic, run of title words) pair."""

    def __init__(self, table: FeatureTable, min_count: int) -> None:
        rows = [
            {(topic, term) for topic in topics for term in terms_of(list(words))}
            for topics, words in zip(table.topics, table.title_words, strict=True)
        ]
        counts = Counter(pair for row in rows for pair in row)
        self.pairs = sorted(pair for pair, count in counts.items() if count >= min_count)
        index = {pair: at for at, pair in enumerate(self.pairs)}
        self.pairs_of = [sorted(index[pair] for pair in row if pair in index) for row in rows]
        records: list[list[int]] = [[] for _ in self.pairs]
        for row, listed in enumerate(self.pairs_of):
            for at in listed:
                records[at].append(row)
        self.records_of = [np.array(listed, dtype=np.intp) for listed in records]

    def choose(self, left: Floats, min_gain: float) -> list[int]:
        """Pairs that, one after another, take most absolute error from what is left.

        A greedy search: each pair is worth the median of what its records miss. It ends where the best
        pair gains less than `min_gain` points in all.
        """
        left = left.copy()
        chosen: dict[int, None] = {}
        heap = [(-self._gain(at, left)[0], at) for at in range(len(self.pairs))]
        heapq.heapify(heap)
        while heap:
            _, at = heapq.heappop(heap)
            gain, points = self._gain(at, left)
            if heap and gain < -heap[0][0]:
                if gain >= min_gain:
                    heapq.heappush(heap, (-gain, at))
                continue
            if gain < min_gain:
                break
            left[self.records_of[at]] -= points
            chosen[at] = None
            touched = {pair for row in self.records_of[at] for pair in self.pairs_of[row]}
            for pair in touched:
                heapq.heappush(heap, (-self._gain(pair, left)[0], pair))
        return list(chosen)

    def _gain(self, at: int, left: Floats) -> tuple[float, float]:
        missed = left[self.records_of[at]]
        # The lower median, which is as good a minimum and five times as fast as numpy's.
        points = float(np.sort(missed)[(len(missed) - 1) // 2])
        return float(np.abs(missed).sum() - np.abs(missed - points).sum()), points

    def matrix(self, chosen: Sequence[int], n_records: int) -> Floats:
        matrix = np.zeros((n_records, len(chosen)))
        for column, at in enumerate(chosen):
            matrix[self.records_of[at], column] = 1.0
        return matrix


class _Design:
    """The dense columns of the regression and what they are called."""

    def __init__(self, matrix: Floats, penalty: Floats, names: list[tuple[str, str]], scales: Floats) -> None:
        self.matrix, self.penalty, self.names, self.scales = matrix, penalty, names, scales

    @classmethod
    def of(cls, table: FeatureTable, config: RubricConfig) -> _Design:
        blocks, names, penalties, scales = [np.ones((len(table), 1))], [("intercept", "")], [0.0], [1.0]
        for name in ADDITIVE_NAMES:
            values = np.nan_to_num(table.number(name))
            spread = float(values.std())
            if spread > 0 and name not in HINGED_NAMES:
                blocks.append((values / spread)[:, None])
                names.append(("number", name))
                penalties.append(config.ridge)
                scales.append(spread)
        seen: set[bytes] = set()
        for name, rows in _levels(table).items():
            members: dict[str, list[int]] = {}
            for at, row in enumerate(rows):
                for level in row:
                    members.setdefault(level, []).append(at)
            for level, found in sorted(members.items()):
                column = np.zeros(len(table))
                column[found] = 1.0
                key = np.array(found).tobytes()
                # A level that stands for the same records as an earlier one says nothing new.
                if level and config.min_level_count <= len(found) < len(table) and key not in seen:
                    seen.add(key)
                    blocks.append(column[:, None])
                    names.append((name, level))
                    penalties.append(config.level_ridge)
                    scales.append(1.0)
        return cls(np.hstack(blocks), np.array(penalties), names, np.array(scales))

    def add_hinges(
        self, table: FeatureTable, y: Floats, floor: float, config: RubricConfig, knots: dict[str, float]
    ) -> None:
        """Add, for each length, the knot beyond which every character counts: the one of least absolute error."""
        generic = np.array([kind in ("intercept", "number") for kind, _ in self.names])
        for name in HINGED_NAMES:
            values = table.number(name)
            if name in knots:
                knot = knots[name]
            else:
                coarse = np.unique(np.percentile(values, np.arange(2, 99, 4)).round())
                knot = self._best_knot(values, coarse, generic, y, floor, config)
                knot = self._best_knot(values, np.arange(knot - 12, knot + 13, 2.0), generic, y, floor, config)
            column = np.maximum(values - knot, 0.0)
            spread = float(column.std())
            if spread > 0:
                self.matrix = np.hstack([self.matrix, (column / spread)[:, None]])
                self.penalty = np.append(self.penalty, config.ridge)
                self.scales = np.append(self.scales, spread)
                self.names.append((f"hinge {knot}", name))
                generic = np.append(generic, True)

    def _best_knot(
        self, values: Floats, candidates: Floats, generic: NDArray[np.bool_], y: Floats, floor: float, config: RubricConfig
    ) -> float:
        found = []
        for knot in candidates:
            column = np.maximum(values - knot, 0.0)
            matrix = np.hstack([self.matrix[:, generic], (column / max(float(column.std()), 1e-9))[:, None]])
            penalty = np.append(self.penalty[generic], config.ridge)
            weights = _absolute_fit(matrix, y, penalty, floor, max(config.n_passes // 2, 2))
            found.append((float(np.mean(np.abs(y - _predict(matrix, weights, floor)))), float(knot)))
        return min(found)[1]

    def _is_general(self) -> NDArray[np.bool_]:
        """Columns other than those of single topics and their number."""
        return np.array([kind != "topics" and name != "topic_count" for kind, name in self.names])

    def without_topics(self) -> Floats:
        return self.matrix[:, self._is_general()]

    def penalty_without_topics(self) -> Floats:
        return self.penalty[self._is_general()]

    def rubric(self, weights: Floats, chosen: Sequence[tuple[str, str]], floor: float) -> Rubric:
        numbers: dict[str, float] = {}
        hinges: dict[str, list[tuple[float, float]]] = {}
        levels: dict[str, dict[str, float]] = {}
        terms: dict[str, dict[str, float]] = {}
        points = [float(weight) for weight in weights[: len(self.names)] / self.scales]
        for (kind, name), value in zip(self.names, points, strict=True):
            if kind == "number":
                numbers[name] = value
            elif kind.startswith("hinge "):
                hinges.setdefault(name, []).append((float(kind.removeprefix("hinge ")), value))
            elif kind != "intercept":
                levels.setdefault(kind, {})[name] = value
        for (topic, term), weight in zip(chosen, weights[len(self.names) :], strict=True):
            terms.setdefault(topic, {})[term] = float(weight)
        return Rubric(points[0], numbers, hinges, levels, terms, floor)


def _levels(table: FeatureTable) -> dict[str, list[tuple[str, ...]]]:
    return {
        "provider_domain": [(level,) for level in table.text("provider_domain")],
        "provider_section": [(level,) for level in table.text("provider_section")],
        "provider_form": list(zip(_forms(table), strict=True)),
        "topics": list(table.topics),
    }


def _forms(table: FeatureTable) -> list[str]:
    """Each record's provider domain with the forms of address that came with it."""
    marks = [table.number(name) > 0 for name in ("has_original_url", "has_amp")]
    return [
        f"{domain} {'original' if original else '-'} {'amp' if amp else '-'}"
        for domain, original, amp in zip(table.text("provider_domain"), *marks, strict=True)
    ]
