"""Sparse difference of a section's own policy of quality from the shared one.

The difference minimizes the sum of absolute errors plus the price of each effect, a linear program with few
nonzero effects as its solution (L1-penalized least absolute deviations: Wang, Li & Jiang, 2007). A column is
divided by its largest value, so that the price of an effect is the number of records that must support it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csc_array, hstack, identity

from scoring.errors import ModelError
from scoring.features.table import FeatureTable, Floats
from scoring.model.rubric import TOPICS, Rubric
from scoring.model.section_policy import LABEL_STEP
from scoring.training.config import SectionConfig
from scoring.training.section_effects import Candidates, Effect, distinguishable

MAX_RECORDS = 1000  # of a section that its difference is fitted on, spread evenly over time
FREE = 1e-6  # a price so low that it only chooses among equally good fits


@dataclass(frozen=True, slots=True)
class Difference:
    """A fitted difference: its effects in points per unit of their columns.

    Parameters
    ----------
    effects : dict of Effect to float
        Effects other than 0.
    center : float
        Shared quality at which the scale adds nothing; points.
    floor : float
        Lowest quality of the section; points.
    own : frozenset of Effect
        Effects of values that the shared records lack; all other effects contradict the shared policy.
    """

    effects: Mapping[Effect, float]
    center: float
    floor: float
    own: frozenset[Effect] = frozenset()

    @property
    def contradiction(self) -> Difference:
        """The effects that contradict the shared policy: those of values that shared records have too."""
        effects = {effect: points for effect, points in self.effects.items() if effect not in self.own}
        return Difference(effects, self.center, self.floor)

    @property
    def scale(self) -> float:
        """Points for each point of the shared quality."""
        return 1.0 + sum(points for (kind, _, _), points in self.effects.items() if kind == "shared")

    def rubric(self, shared: Rubric) -> Rubric:
        """The difference as a rubric, to be added to the scaled shared quality."""
        intercept = self.center * (1.0 - self.scale)
        numbers: dict[str, float] = {}
        hinges: dict[str, list[tuple[float, float]]] = {}
        levels: dict[str, dict[str, float]] = {}
        for (kind, name, knot), points in self.effects.items():
            if kind == "intercept":
                intercept += points
            elif kind == "number":
                numbers[name] = points
            elif kind in ("knot", "moved knot"):
                hinges.setdefault(name, []).append((knot, points))
                if kind == "moved knot":
                    hinges[name].append((shared.knots[name], -points))
            elif kind != "shared":
                column = "provider_domain" if kind == "provider" else TOPICS
                of_level = levels.setdefault(column, {})
                of_level[name] = of_level.get(name, 0.0) + points
        return Rubric(intercept, numbers, hinges, levels, {}, self.floor)


def fit_difference(
    shared: Rubric,
    table: FeatureTable,
    quality: Floats,
    y: Floats,
    config: SectionConfig,
    deviation: float,
    constants: Mapping[str, float],
    *,
    is_own_only: bool = False,
) -> Difference:
    """Fit a difference to the labelled records of a section.

    Parameters
    ----------
    shared : Rubric
        The shared policy.
    table : FeatureTable
        `n_records` records of the section.
    quality : ndarray of shape (n_records,)
        Their quality by the shared policy; points.
    y : ndarray of shape (n_records,)
        Their labels; points.
    config : SectionConfig
        Design, and support that effects need.
    deviation : float
        Standard deviation of the shared labels; points.
    constants : mapping of str to float
        Columns that have one value in all records of the shared fit.
    is_own_only : bool
        Exclude effects that contradict the shared policy.

    Returns
    -------
    Difference
    """
    if len(table) > MAX_RECORDS:
        chosen = np.linspace(0, len(table) - 1, MAX_RECORDS).astype(np.intp)
        table, quality, y = table.take(chosen), quality[chosen], y[chosen]
    candidates = Candidates.of(table, shared, config, deviation)
    center, floor = float(np.median(quality)), min(float(y.min()), shared.floor_)
    values = candidates.columns(table, quality, center, shared)
    sizes = np.abs(values).max(axis=0)
    own = frozenset(effect for effect in candidates.effects if _is_own(effect, shared, constants))
    is_allowed = np.array([effect in own or not is_own_only for effect in candidates.effects])
    kept = distinguishable(values, candidates.effects, is_allowed & (sizes > 0))
    # A prediction below a label at the floor is not an error.
    is_censored = y <= floor
    X, residual, bounds = values[:, kept] / sizes[kept], y - quality, candidates.bounds[kept]
    coef = _least_absolute_deviations(X, residual, candidates.prices[kept], bounds, is_censored, LABEL_STEP)
    is_selected = np.abs(coef) > LABEL_STEP
    # The selected effects are fitted again without prices, which shrink them.
    free = np.full(np.count_nonzero(is_selected), FREE)
    coef = _least_absolute_deviations(X[:, is_selected], residual, free, bounds[is_selected], is_censored)
    effects = {
        candidates.effects[index]: points / float(sizes[index])
        for index, points in zip(kept[is_selected].tolist(), coef.tolist(), strict=True)
    }
    return Difference(effects, center, floor, own)


def _is_own(effect: Effect, shared: Rubric, constants: Mapping[str, float]) -> bool:
    """Whether the shared records lack the value that an effect belongs to."""
    kind, name, _ = effect
    if kind == "number":
        return name in constants
    if kind == "provider":
        return name not in shared.levels_.get("provider_domain", {})
    return kind in ("topic", "named") and name not in shared.levels_.get(TOPICS, {})


def _least_absolute_deviations(
    X: Floats,
    y: Floats,
    prices: Floats,
    bounds: Floats,
    is_censored: NDArray[np.bool_],
    tolerance: float = 0.0,
) -> Floats:
    """Coefficients that minimize ``sum(abs(y - X @ coef)) + prices @ abs(coef)``; shape (n_columns,).

    Errors up to the tolerance cost nothing. Each number is split into its positive and negative parts, which
    makes the objective linear.
    """
    n_records, n_columns = X.shape
    columns, unit = csc_array(X), identity(n_records, format="csc")
    no_cost, unlimited = np.zeros(2 * n_records), np.full(2 * n_records, np.inf)
    costs = [prices, prices, np.where(is_censored, 0.0, 1.0), np.ones(n_records), no_cost]
    limits = np.concatenate([bounds, bounds, unlimited, np.full(2 * n_records, tolerance)])
    solution = linprog(
        np.concatenate(costs),
        A_eq=hstack([columns, -columns, unit, -unit, unit, -unit], format="csc"),
        b_eq=y,
        bounds=[(0.0, limit) for limit in limits.tolist()],
        method="highs",
    )
    if solution.x is None:
        raise ModelError(f"policy of a section: the linear program was not solved: {solution.message}")
    coef: Floats = solution.x[:n_columns] - solution.x[n_columns : 2 * n_columns]
    return coef
