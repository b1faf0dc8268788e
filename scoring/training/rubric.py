"""Fit of the rubric by least absolute deviations, with learned knots and selected terms."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array, hstack
from threadpoolctl import threadpool_limits

from scoring.features.table import Floats
from scoring.model.rubric import TERMS, TOPICS, Rubric
from scoring.training.config import RubricConfig
from scoring.training.design_matrix import HINGED_NAMES, DesignMatrix, distinct
from scoring.training.lad_regression import CensoredLAD, Indices, SparseDesign
from scoring.training.term_selection import TermSelector

DEFAULTS = RubricConfig()
KNOT_REACH = 12  # characters on either side of an initial knot within which it is refined
MAX_CELLS = 500_000  # limit of records times candidates that are fitted at once for an initial knot
NO_TERMS: Indices = np.array([], dtype=np.intp)


def fit_rubric(
    design_matrix: DesignMatrix,
    y: Floats,
    config: RubricConfig = DEFAULTS,
    knots: dict[str, float] | None = None,
) -> Rubric:
    """Fit a rubric on labelled records.

    Parameters
    ----------
    design_matrix : DesignMatrix
        Candidate columns of `n_records` records.
    y : ndarray of shape (n_records,)
        Their qualities; points.
    config : RubricConfig
        Fit options.
    knots : dict of str to float, optional
        Knots of the length columns, in characters; learned if not given.

    Returns
    -------
    Rubric
    """
    # One thread: threads change the last digits of sums, and small matrices gain nothing.
    with threadpool_limits(1, "blas"):
        return _fit_rubric(design_matrix, y, config, knots or {})


def _fit_rubric(
    design_matrix: DesignMatrix, y: Floats, config: RubricConfig, knots: dict[str, float]
) -> Rubric:
    builder = _DesignBuilder(design_matrix, config)
    for name in HINGED_NAMES:
        builder.set_knot(name, knots[name] if name in knots else _initial_knot(builder, name, y, config))
    free_knots = [name for name in builder.knots if name not in knots]
    fit, n_more = CensoredLAD(y), max(config.n_passes // 2, 1)
    if config.term_support <= 0:
        _refine_knots(builder, free_knots, fit, fit.run(builder.columns(), config.n_passes))
        return builder.rubric(fit.run(builder.columns(), n_more), NO_TERMS, fit.floor)
    candidates = distinct(design_matrix.terms, config.min_term_count)
    selector = TermSelector(design_matrix.terms[:, candidates], config.term_purity)
    min_gain = config.term_support * float(np.std(y))
    # Without topics at first: they would absorb the effect of words that only one topic has.
    fit.run(builder.columns(with_topics=False), config.n_passes)
    selected = NO_TERMS
    for _ in range(config.n_term_rounds):
        new_terms = candidates[selector.select(fit.residual, min_gain)]
        selected = np.concatenate([selected, new_terms[~np.isin(new_terms, selected)]])
        coef = fit.run(builder.columns(selected), n_more)
        _refine_knots(builder, free_knots, fit, coef)
        selected = selected[np.abs(builder.term_coef(coef)) > 2 * fit.tolerance]
    return builder.rubric(fit.run(builder.columns(selected), n_more), selected, fit.floor)


def _initial_knot(builder: _DesignBuilder, name: str, y: Floats, config: RubricConfig) -> float:
    """Knot with the least absolute error among percentiles of the lengths."""
    lengths, fit, errors = builder.lengths(name), CensoredLAD(y), []
    dense, n_passes = np.column_stack(list(builder.dense.values())), max(config.n_passes // 4, 2)
    knots = np.unique(np.percentile(lengths, np.arange(2, 99, 4)).round())
    step = max(MAX_CELLS // max(len(dense), 1), 1)
    for some in (knots[start : start + step] for start in range(0, len(knots), step)):
        beyond = np.maximum(lengths - some[:, None], 0.0)
        deviations = beyond.std(axis=1, keepdims=True)
        candidates = beyond / np.where(deviations > 0, deviations, 1.0)
        errors += fit.candidate_errors(dense, candidates, config.ridge, n_passes).tolist()
    return float(knots[int(np.argmin(errors))])


def _refine_knots(builder: _DesignBuilder, names: list[str], fit: CensoredLAD, coef: Floats) -> None:
    """Move each knot to the nearby length with the least absolute error, all else fixed."""
    is_above_floor = fit.y > fit.floor
    for name in names:
        lengths, knot = builder.lengths(name)[is_above_floor], builder.knots[name]
        slope = builder.slope(name, coef)
        partial_residual = (fit.y - fit.fitted)[is_above_floor] + slope * np.maximum(lengths - knot, 0.0)
        nearest_first = sorted(range(-KNOT_REACH, KNOT_REACH + 1), key=abs)
        candidates = [knot + step for step in nearest_first if knot + step >= 0]
        errors = [
            _absolute_error(np.maximum(lengths - candidate, 0.0), partial_residual)
            for candidate in candidates
        ]
        builder.set_knot(name, candidates[int(np.argmin(errors))])


def _absolute_error(x: Floats, y: Floats) -> float:
    """Minimum over slopes of the sum of ``abs(y - slope * x)``, `x` >= 0: at the weighted median slope."""
    is_positive = x > 0
    if not is_positive.any():
        return float(np.abs(y).sum())
    slopes = y[is_positive] / x[is_positive]
    order = np.argsort(slopes)
    cumulative_weight = np.cumsum(x[is_positive][order])
    slope = slopes[order][np.searchsorted(cumulative_weight, cumulative_weight[-1] / 2)]
    return float(np.abs(y - slope * x).sum())


class _DesignBuilder:
    """Builds the named columns of the regression: dense, hinged lengths, levels, selected terms."""

    def __init__(self, design_matrix: DesignMatrix, config: RubricConfig) -> None:
        self.design_matrix, self.config = design_matrix, config
        self.knots: dict[str, float] = {}
        self.dense = {"intercept": np.ones(len(design_matrix))}
        self.scales = {"intercept": 1.0}
        for name, values in zip(design_matrix.dense_names, design_matrix.dense.T, strict=True):
            if name not in HINGED_NAMES:
                self._add(name, values)
        kept = distinct(design_matrix.levels, config.min_level_count)
        self.levels = design_matrix.levels[:, kept]
        self.level_names = [design_matrix.level_names[index] for index in kept]
        self._key: tuple[object, ...] = ()
        self._columns: SparseDesign

    def _add(self, name: str, values: Floats) -> bool:
        """Add a column and return True, unless it is constant or another column plus a constant."""
        spread = float(values.std())
        if spread == 0:
            return False
        scaled = values / spread
        other_columns = [
            column for other_name, column in self.dense.items() if other_name not in ("intercept", name)
        ]
        low, high = scaled.argmin(), scaled.argmax()  # a quick check that rules out most columns
        reach = scaled[high] - scaled[low]
        for column in other_columns:
            if abs(column[high] - column[low] - reach) < 1e-9 and np.ptp(column - scaled) < 1e-9:
                return False
        self.dense[name], self.scales[name] = scaled, spread
        return True

    def lengths(self, name: str) -> Floats:
        """Values of a length column, shape (n_records,); characters."""
        lengths: Floats = self.design_matrix.lengths[:, HINGED_NAMES.index(name)]
        return lengths

    def set_knot(self, name: str, knot: float) -> None:
        """Add the hinge column of a length: its characters beyond a knot."""
        if self._add(name, np.maximum(self.lengths(name) - knot, 0.0)):
            self.knots[name] = knot

    def slope(self, name: str, coef: Floats) -> float:
        """Points per unit of a dense column."""
        index = list(self.dense).index(name) - len(self.dense)
        return float(coef[index]) / self.scales[name]

    def columns(self, terms: Indices = NO_TERMS, *, with_topics: bool = True) -> SparseDesign:
        """The design with the given terms, optionally without topics and their count."""
        key = tuple(terms), with_topics, tuple(self.knots.items())
        if self._key != key:  # otherwise reuse the last design
            self._key, self._columns = key, self._make(terms, with_topics=with_topics)
        return self._columns

    def _make(self, terms: Indices, *, with_topics: bool) -> SparseDesign:
        indicators = hstack([self.levels, self.design_matrix.terms[:, terms]], format="csr")
        dense = self.dense
        if not with_topics:
            indicators = indicators[:, [kind != TOPICS for kind, _ in self.level_names]]
            dense = {name: column for name, column in dense.items() if name != "topic_count"}
        return self._penalized(indicators, np.column_stack(list(dense.values())))

    def _penalized(self, indicators: csr_array, dense: Floats) -> SparseDesign:
        penalty = [self.config.level_ridge] * indicators.shape[1] + [self.config.ridge] * dense.shape[1]
        penalty[indicators.shape[1]] = 0.0  # the intercept
        return SparseDesign(indicators, dense, np.array(penalty))

    def term_coef(self, coef: Floats) -> Floats:
        """Coefficients of the terms."""
        return coef[len(self.level_names) : len(coef) - len(self.dense)]

    def rubric(self, coef: Floats, terms: Indices, floor: float) -> Rubric:
        """Rubric of the coefficients, with the mean of each part over the training records."""
        dense = {name: self.slope(name, coef) for name in self.dense}
        intercept = dense.pop("intercept")
        means = {
            name: slope * self.scales[name] * float(self.dense[name].mean()) for name, slope in dense.items()
        }
        hinges = {name: [(knot, dense.pop(name))] for name, knot in self.knots.items()}
        levels: dict[str, dict[str, float]] = {}
        for (kind, level), points in zip(self.level_names, coef.tolist(), strict=False):
            levels.setdefault(kind, {})[level] = points
        term_points: dict[str, dict[str, float]] = {}
        for term, points in zip(terms, self.term_coef(coef).tolist(), strict=True):
            topic, words = self.design_matrix.term_names[term]
            term_points.setdefault(topic, {})[words] = points
        kinds = [*(kind for kind, _ in self.level_names), *[TERMS] * len(terms)]
        shares = np.concatenate([self.levels.mean(axis=0), self.design_matrix.terms[:, terms].mean(axis=0)])
        means[TERMS] = 0.0
        for kind, points in zip(kinds, (shares * coef[: len(kinds)]).tolist(), strict=True):
            means[kind] = means.get(kind, 0.0) + points
        return Rubric(intercept, dense, hinges, levels, term_points, floor, means)
