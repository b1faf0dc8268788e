"""Fit of a section's own policy of quality, as a sparse difference from the shared one.

The difference minimizes the sum of absolute errors plus the price of each effect, a linear program with few
nonzero effects as its solution (L1-penalized least absolute deviations: Wang, Li & Jiang, 2007). A column is
divided by its largest value, so that the price of an effect is the number of records that must support it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csc_array, hstack, identity

from scoring.errors import ModelError
from scoring.features.table import FeatureTable, Floats
from scoring.model.conformal import NO_ERRORS
from scoring.model.rubric import TOPICS, Rubric
from scoring.model.section_policy import LABEL_STEP, SectionPolicy, is_other
from scoring.training.config import ModelConfig, SectionConfig
from scoring.training.conformal import add_unseen_section, fit_residuals
from scoring.training.design_matrix import ADDITIVE_NAMES, HINGED_NAMES
from scoring.training.splits import group_folds

Groups = NDArray[np.intp]
Kind = Literal["intercept", "shared", "number", "moved knot", "knot", "provider", "topic", "named"]
Effect = tuple[Kind, str, float]
"""Kind of an effect, column or level, and knot in characters (0 if it has none)."""

MAX_RECORDS = 1000  # of a section that its difference is fitted on, spread evenly over time
MIN_PAID_RATIO = 0.03  # of the labels' standard deviation; smaller effects of the shared policy are ignored
KNOT_STEP = 5  # characters between possible knots
MIN_SEEN = 2  # records that must have a value for it to count as known
NAMED_SUPPORT = 0.6  # relative price of a topic's effect up to the points of a named topic
FREE = 1e-6  # a price so low that it only chooses among equally good fits
SHIFT_SUPPORT = 0.5  # records that must support a shift of all qualities


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
            min_paid = MIN_PAID_RATIO * deviation
            for name in ADDITIVE_NAMES:
                is_paid = abs(shared.numbers_.get(name, 0.0)) >= min_paid
                priced.append((("number", name, 0.0), support if is_paid else own_support, np.inf))
            for name in HINGED_NAMES:
                priced += _priced_knots(name, table.number(name), shared, config, min_paid)
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
    name: str, lengths: Floats, shared: Rubric, config: SectionConfig, min_paid: float
) -> list[tuple[Effect, float, float]]:
    """Candidate effects of a length: the shared knot moved, and additional knots."""
    low, high = np.percentile(lengths, [5, 95])
    knots = np.arange(KNOT_STEP * np.floor(low / KNOT_STEP), high, KNOT_STEP).tolist()
    slope = sum(points for _, points in shared.hinges_.get(name, ()))
    is_paid = name in shared.knots and abs(slope) * (high - low) >= min_paid
    moved: list[tuple[Effect, float, float]] = [
        (("moved knot", name, knot), config.support, np.inf)
        for knot in knots
        if is_paid and knot != shared.knots[name]
    ]
    return moved + [(("knot", name, knot), config.own_support, np.inf) for knot in knots]


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


def fit_policy(
    shared: Rubric,
    table: FeatureTable,
    quality: Floats,
    spread: Floats,
    y: Floats,
    copies: Groups,
    config: ModelConfig,
    deviation: float,
    constants: dict[str, float],
    shared_half_width: float,
) -> SectionPolicy:
    """Fit the policy of a section that is not part of the shared fit.

    Parameters
    ----------
    shared, table, quality, y, deviation
        See :func:`fit_difference`.
    spread : ndarray of shape (n_records,)
        Scale of the error by the shared policy; points.
    copies : ndarray of int, shape (n_records,)
        Group of copies of each record.
    config : ModelConfig
        Fit options.
    constants : dict of str to float
        Columns that have one value in all records of the shared fit.
    shared_half_width : float
        Half width of the interval of the shared policy, in units of the spread.

    Returns
    -------
    SectionPolicy
    """
    residual = np.empty(len(y))
    is_novel = np.zeros(len(y), dtype=bool)
    folds = group_folds(copies, config.sections.n_folds, 0)
    for fold in np.unique(folds):
        is_held = folds == fold
        known, held = table.take(~is_held), table.take(is_held)
        if len(known):
            fitted = fit_difference(
                shared, known, quality[~is_held], y[~is_held], config.sections, deviation, constants
            )
            predicted = policy_of(fitted, shared, known, constants).predict(held, quality[is_held])
        else:
            predicted = quality[is_held]
        residual[is_held] = y[is_held] - predicted
        is_novel[is_held] = is_other(held, still_constant(known, constants))
    difference = fit_difference(shared, table, quality, y, config.sections, deviation, constants)
    policy = policy_of(difference, shared, table, constants)
    return with_residuals(policy, table, residual, spread, y, is_novel, config, shared_half_width)


def policy_of(
    difference: Difference, shared: Rubric, table: FeatureTable, constants: dict[str, float]
) -> SectionPolicy:
    """Make a policy from a fitted difference, without residuals."""
    return SectionPolicy(
        difference.scale,
        difference.rubric(shared),
        NO_ERRORS,
        len(table),
        sorted(set(filter(None, table.text("provider_domain")))),
        sorted({topic for row in table.topics for topic in row}),
        still_constant(table, constants),
    )


def with_residuals(
    policy: SectionPolicy,
    table: FeatureTable,
    residual: Floats,
    spread: Floats,
    y: Floats,
    is_novel: NDArray[np.bool_],
    config: ModelConfig,
    shared_half_width: float,
) -> SectionPolicy:
    """Add the residual distributions of the section's records, and of records with a novel value.

    Its interval is never narrower than that of the shared policy that it rests on, in units of the spread.
    """
    scaled = policy.spread(table, spread)
    usual = fit_residuals(residual[~is_novel], scaled[~is_novel], _one_group(config))
    usual = msgspec.structs.replace(usual, half_width_=max(usual.half_width_, shared_half_width))
    errors = add_unseen_section(usual, float(scaled.max()), y - np.median(y), config.interval_level)
    return msgspec.structs.replace(policy, errors_=errors)


def _one_group(config: ModelConfig) -> ModelConfig:
    """Use a single group, since the residuals are few."""
    return msgspec.structs.replace(config, n_spread_bins=1)


def still_constant(table: FeatureTable, constants: dict[str, float]) -> dict[str, float]:
    """The constants that fewer than :data:`MIN_SEEN` records of a section contradict."""
    return {
        name: value
        for name, value in constants.items()
        if np.count_nonzero(np.nan_to_num(table.number(name)) != value) < MIN_SEEN
    }


def constants_of(table: FeatureTable) -> dict[str, float]:
    """Name and value of each column that has the same value in all records."""
    values = np.nan_to_num(table.columns(ADDITIVE_NAMES))
    return {
        name: float(column[0])
        for name, column in zip(ADDITIVE_NAMES, values.T, strict=True)
        if len(column) and np.ptp(column) == 0
    }
