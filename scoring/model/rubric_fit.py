"""Fit a rubric: regression of least absolute error on columns, levels, lengths and words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack
from threadpoolctl import threadpool_limits

from scoring.features.table import NUMBER_COLUMNS, FeatureTable, Floats
from scoring.model.rubric import TOPICS, Rubric, RubricConfig, levels_of
from scoring.model.terms import Terms

ADDITIVE_NAMES = tuple(
    column.name
    for column in NUMBER_COLUMNS
    if column.family in ("provider", "topic", "content") and column.type in ("bool", "count")
)
HINGED_NAMES = ("title_chars", "excerpt_chars")
LEVEL_NAMES = ("provider_domain", "provider_section", "provider_form", TOPICS)
DEFAULTS = RubricConfig()


def fit_rubric(
    table: FeatureTable,
    y: Floats,
    config: RubricConfig = DEFAULTS,
    knots: dict[str, float] | None = None,
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
        rubric = _fit_rubric(table, y, config, knots or {})
    means = {name: float(points.mean()) for name, points in rubric.parts(table).items()}
    return msgspec.structs.replace(rubric, means_=means)


def _fit_rubric(table: FeatureTable, y: Floats, config: RubricConfig, knots: dict[str, float]) -> Rubric:
    design = _Design.of(table, config)
    floor = float(y.min())
    design.add_hinges(table, y, floor, config, knots)
    dense = csr_array(design.matrix)
    if config.term_support <= 0:
        return design.rubric(_absolute_fit(dense, y, design.penalty, floor, 2 * config.n_passes), [], floor)
    terms = Terms(table, config.min_term_count, config.term_purity)
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
    return (
        matrix * scale[:, None] if isinstance(matrix, np.ndarray) else matrix.multiply(scale[:, None]).tocsr()
    )


def _dense(matrix: Any) -> Floats:
    dense: Floats = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    return dense


def _tolerance(y: Floats) -> float:
    """Error below which all errors count alike: a hundredth of the labels' spread."""
    return max(float(np.std(y)) / 100, 1e-9)


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
            if spread > 0 and name not in HINGED_NAMES and not _is_repeated(values / spread, blocks):
                blocks.append((values / spread)[:, None])
                names.append(("number", name))
                penalties.append(config.ridge)
                scales.append(spread)
        seen: set[bytes] = set()
        for name in LEVEL_NAMES:
            members: dict[str, list[int]] = {}
            for at, row in enumerate(levels_of(table, name)):
                for level in set(row):
                    members.setdefault(level, []).append(at)
            for level, found in sorted(members.items()):
                key = np.array(found).tobytes()
                # A level that stands for the same records as an earlier one says nothing new.
                if level and config.min_level_count <= len(found) < len(table) and key not in seen:
                    seen.add(key)
                    column = np.zeros((len(table), 1))
                    column[found] = 1.0
                    blocks.append(column)
                    names.append((name, level))
                    penalties.append(config.level_ridge)
                    scales.append(1.0)
        return cls(np.hstack(blocks), np.array(penalties), names, np.array(scales))

    def add_hinges(
        self, table: FeatureTable, y: Floats, floor: float, config: RubricConfig, knots: dict[str, float]
    ) -> None:
        """Add, for each length, a knot beyond which every character counts: that of least absolute error."""
        generic = np.array([kind in ("intercept", "number") for kind, _ in self.names])
        for name in HINGED_NAMES:
            values = table.number(name)
            if name in knots:
                knot = knots[name]
            else:
                coarse = np.unique(np.percentile(values, np.arange(2, 99, 4)).round())
                knot = self._best_knot(values, coarse, generic, y, floor, config)
                knot = self._best_knot(
                    values, np.arange(knot - 12, knot + 13, 2.0), generic, y, floor, config
                )
            column = np.maximum(values - knot, 0.0)
            spread = float(column.std())
            if spread > 0:
                self.matrix = np.hstack([self.matrix, (column / spread)[:, None]])
                self.penalty = np.append(self.penalty, config.ridge)
                self.scales = np.append(self.scales, spread)
                self.names.append((f"hinge {knot}", name))
                generic = np.append(generic, True)

    def _best_knot(
        self,
        values: Floats,
        candidates: Floats,
        generic: NDArray[np.bool_],
        y: Floats,
        floor: float,
        config: RubricConfig,
    ) -> float:
        found = []
        for knot in candidates:
            column = np.maximum(values - knot, 0.0)
            matrix = np.hstack([self.matrix[:, generic], (column / (float(column.std()) or 1.0))[:, None]])
            penalty = np.append(self.penalty[generic], config.ridge)
            weights = _absolute_fit(matrix, y, penalty, floor, max(config.n_passes // 2, 2))
            found.append((float(np.mean(np.abs(y - _predict(matrix, weights, floor)))), float(knot)))
        return min(found)[1]

    def _is_general(self) -> NDArray[np.bool_]:
        """Columns other than those of single topics and their number."""
        return np.array([kind != TOPICS and name != "topic_count" for kind, name in self.names])

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


def _is_repeated(column: Floats, blocks: list[Floats]) -> bool:
    """Whether a column says what an earlier one says (two that differ by a constant do)."""
    return any(np.ptp(block[:, 0] - column) < 1e-9 for block in blocks[1:])
