"""Fit a rubric: regression of least absolute error on numbers, levels, lengths and words."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array, hstack
from threadpoolctl import threadpool_limits

from scoring.features.table import Floats
from scoring.model.rubric import TERMS, TOPICS, Rubric
from scoring.training.config import RubricConfig
from scoring.training.design_matrix import ADDITIVE_NAMES, HINGED_NAMES, DesignMatrix, distinct
from scoring.training.lad_regression import CensoredLAD, Places, SparseDesign
from scoring.training.term_selection import TermSelector

DEFAULTS = RubricConfig()
KNOT_REACH = 12  # characters to either side of a rough knot that a better one is looked for
NO_TERMS: Places = np.array([], dtype=np.intp)


def fit_rubric(
    material: DesignMatrix,
    y: Floats,
    config: RubricConfig = DEFAULTS,
    knots: dict[str, float] | None = None,
) -> Rubric:
    """Fit a rubric on labelled records.

    Parameters
    ----------
    material : DesignMatrix
        Columns of `n_records` records.
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
    with threadpool_limits(1, "blas"):
        return _fit_rubric(material, y, config, knots or {})


def _fit_rubric(material: DesignMatrix, y: Floats, config: RubricConfig, knots: dict[str, float]) -> Rubric:
    design = _Design(material, config)
    for name in HINGED_NAMES:
        design.set_knot(name, knots[name] if name in knots else _rough_knot(design, name, y, config))
    sought = [name for name in design.knots if name not in knots]
    fit, n_more = CensoredLAD(y), max(config.n_passes // 2, 1)
    if config.term_support <= 0:
        _refine_knots(design, sought, fit, fit.run(design.columns(), config.n_passes))
        return design.rubric(fit.run(design.columns(), n_more), NO_TERMS, fit.floor)
    known = distinct(material.terms, config.min_term_count)
    search = TermSelector(material.terms[:, known], config.term_purity)
    min_gain = config.term_support * float(np.std(y))
    # Without topics at first: they would take the points of the words that only records of one topic bear.
    fit.run(design.columns(with_topics=False), config.n_passes)
    chosen = NO_TERMS
    for _ in range(config.n_term_rounds):
        found = known[search.choose(fit.left, min_gain)]
        chosen = np.concatenate([chosen, found[~np.isin(found, chosen)]])
        weights = fit.run(design.columns(chosen), n_more)
        _refine_knots(design, sought, fit, weights)
        chosen = chosen[np.abs(design.term_weights(weights)) > 2 * fit.tolerance]
    return design.rubric(fit.run(design.columns(chosen), n_more), chosen, fit.floor)


def _rough_knot(design: _Design, name: str, y: Floats, config: RubricConfig) -> float:
    """Of some lengths, the one beyond which to count characters for the least absolute error."""
    lengths, found = design.lengths(name), []
    columns = design.numbers_and(lengths)
    for knot in np.unique(np.percentile(lengths, np.arange(2, 99, 4)).round()):
        beyond = np.maximum(lengths - knot, 0.0)
        columns.numbers[:, -1] = beyond / (beyond.std() or 1.0)
        fit = CensoredLAD(y)
        fit.run(columns, max(config.n_passes // 4, 2))
        found.append((float(np.mean(np.abs(fit.left))), float(knot)))
    return min(found)[1]


def _refine_knots(design: _Design, names: list[str], fit: CensoredLAD, weights: Floats) -> None:
    """Move knots to the length near them that leaves least absolute error, all else as it is."""
    above = fit.y > fit.floor
    for name in names:
        lengths, knot = design.lengths(name)[above], design.knots[name]
        slope = design.slope(name, weights)
        left = (fit.y - fit.points)[above] + slope * np.maximum(lengths - knot, 0.0)
        nearest_first = sorted(range(-KNOT_REACH, KNOT_REACH + 1), key=abs)
        candidates = [knot + step for step in nearest_first if knot + step >= 0]
        errors = [_absolute_error(np.maximum(lengths - candidate, 0.0), left) for candidate in candidates]
        design.set_knot(name, candidates[int(np.argmin(errors))])


def _absolute_error(x: Floats, y: Floats) -> float:
    """Least sum of ``abs(y - slope * x)`` for `x` of 0 or more: at the weighted median of the slopes."""
    counts = x > 0
    if not counts.any():
        return float(np.abs(y).sum())
    slopes = y[counts] / x[counts]
    order = np.argsort(slopes)
    weight = np.cumsum(x[counts][order])
    slope = slopes[order][np.searchsorted(weight, weight[-1] / 2)]
    return float(np.abs(y - slope * x).sum())


class _Design:
    """The columns of the regression and what they are called: numbers, lengths, levels, terms as chosen."""

    def __init__(self, material: DesignMatrix, config: RubricConfig) -> None:
        self.material, self.config = material, config
        self.knots: dict[str, float] = {}
        self.numbers = {"intercept": np.ones(len(material))}
        self.scales = {"intercept": 1.0}
        for name, values in zip(ADDITIVE_NAMES, material.numbers.T, strict=True):
            if name not in HINGED_NAMES:
                self._add(name, values)
        known = distinct(material.levels, config.min_level_count)
        self.levels = material.levels[:, known]
        self.level_names = [material.level_names[at] for at in known]
        self._asked: tuple[object, ...] = ()
        self._columns: SparseDesign

    def _add(self, name: str, values: Floats) -> bool:
        """Whether a column could be added: one that is not constant, nor another one but for a constant."""
        spread = float(values.std())
        if spread == 0:
            return False
        scaled = values / spread
        others = [column for other, column in self.numbers.items() if other not in ("intercept", name)]
        low, high = scaled.argmin(), scaled.argmax()  # where most columns differ, which is soon seen
        reach = scaled[high] - scaled[low]
        for column in others:
            if abs(column[high] - column[low] - reach) < 1e-9 and np.ptp(column - scaled) < 1e-9:
                return False
        self.numbers[name], self.scales[name] = scaled, spread
        return True

    def lengths(self, name: str) -> Floats:
        """One of the lengths, shape (n_records,); characters."""
        found: Floats = self.material.lengths[:, HINGED_NAMES.index(name)]
        return found

    def set_knot(self, name: str, knot: float) -> None:
        """Count the characters of a length beyond a knot."""
        if self._add(name, np.maximum(self.lengths(name) - knot, 0.0)):
            self.knots[name] = knot

    def slope(self, name: str, weights: Floats) -> float:
        """Points for each unit of a number."""
        at = list(self.numbers).index(name) - len(self.numbers)
        return float(weights[at]) / self.scales[name]

    def columns(self, terms: Places = NO_TERMS, *, with_topics: bool = True) -> SparseDesign:
        """The columns, with some terms of the material; or without what topics and their number are worth."""
        asked = tuple(terms), with_topics, tuple(self.knots.items())
        if self._asked != asked:  # else what was chosen and where the knots lie has not changed
            self._asked, self._columns = asked, self._make(terms, with_topics=with_topics)
        return self._columns

    def _make(self, terms: Places, *, with_topics: bool) -> SparseDesign:
        marks = hstack([self.levels, self.material.terms[:, terms]], format="csr")
        numbers = self.numbers
        if not with_topics:
            marks = marks[:, [kind != TOPICS for kind, _ in self.level_names]]
            numbers = {name: column for name, column in numbers.items() if name != "topic_count"}
        return self._penalised(marks, np.column_stack(list(numbers.values())))

    def numbers_and(self, values: Floats) -> SparseDesign:
        """The numbers and one more."""
        return self._penalised(self.levels[:, :0], np.column_stack([*self.numbers.values(), values]))

    def _penalised(self, marks: csr_array, numbers: Floats) -> SparseDesign:
        penalty = [self.config.level_ridge] * marks.shape[1] + [self.config.ridge] * numbers.shape[1]
        penalty[marks.shape[1]] = 0.0  # the intercept
        return SparseDesign(marks, numbers, np.array(penalty))

    def term_weights(self, weights: Floats) -> Floats:
        """The part of the weights that is for terms."""
        return weights[len(self.level_names) : len(weights) - len(self.numbers)]

    def rubric(self, weights: Floats, terms: Places, floor: float) -> Rubric:
        """The rubric of some weights, which knows the mean over the material of each of its parts."""
        numbers = {name: self.slope(name, weights) for name in self.numbers}
        intercept = numbers.pop("intercept")
        means = {
            name: slope * self.scales[name] * float(self.numbers[name].mean())
            for name, slope in numbers.items()
        }
        hinges = {name: [(knot, numbers.pop(name))] for name, knot in self.knots.items()}
        levels: dict[str, dict[str, float]] = {}
        for (kind, level), points in zip(self.level_names, weights.tolist(), strict=False):
            levels.setdefault(kind, {})[level] = points
        under: dict[str, dict[str, float]] = {}
        for term, points in zip(terms, self.term_weights(weights).tolist(), strict=True):
            topic, words = self.material.term_names[term]
            under.setdefault(topic, {})[words] = points
        kinds = [*(kind for kind, _ in self.level_names), *[TERMS] * len(terms)]
        shares = np.concatenate([self.levels.mean(axis=0), self.material.terms[:, terms].mean(axis=0)])
        means[TERMS] = 0.0
        for kind, points in zip(kinds, (shares * weights[: len(kinds)]).tolist(), strict=True):
            means[kind] = means.get(kind, 0.0) + points
        return Rubric(intercept, numbers, hinges, levels, under, floor, means)
