"""Records whose ``published`` decision differs between two models."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.evaluation.metrics import PredictionColumns, has_published
from scoring.explanation.results import Explanation, Reason
from scoring.model.score import Score
from scoring.training.splits import as_datetime

_BASE = "base"
Rows = NDArray[np.intp]


class ReasonPair(msgspec.Struct, frozen=True):
    """Contribution of a feature to a target in each of two models; None where it is negligible."""

    target: str
    feature: str
    first: Reason | None
    second: Reason | None


class DecisionChange(msgspec.Struct, frozen=True):
    """A record whose ``published`` decision differs.

    Parameters
    ----------
    path : str
        Where the record was found.
    published_at : datetime or None
        Date of publication, aware UTC.
    label : bool or None
        Whether the site published it; None if unknown.
    first, second : Score
        Scores of each model; NaN where a run of an earlier version did not log the number.
    reasons : tuple of ReasonPair
        Largest differences in the contributions, by target, the largest first.
    """

    path: str
    published_at: datetime | None
    label: bool | None
    first: Score
    second: Score
    reasons: tuple[ReasonPair, ...] = ()

    @property
    def right(self) -> str | None:
        """``first`` or ``second``: the model that agrees with the label; None without a label."""
        return None if self.label is None else "first" if self.first.published == self.label else "second"


class DecisionChangeCounts(msgspec.Struct, frozen=True):
    """Counts of decision changes: newly shown, newly hidden, and which model was right where labelled."""

    n_flips: int
    n_shown: int
    n_hidden: int
    n_first_right: int
    n_second_right: int


def decision_change_rows(first: PredictionColumns, second: PredictionColumns) -> Rows:
    """Rows of the records with a different decision, the largest change of probability first.

    None if a model does not predict whether a record is published.
    """
    if "published_predicted" not in first or "published_predicted" not in second:
        return np.array([], dtype=np.intp)
    rows = np.flatnonzero(first["published_predicted"] != second["published_predicted"])
    change = np.abs(
        np.asarray(second["published_probability"], dtype=np.float64)
        - np.asarray(first["published_probability"], dtype=np.float64)
    )
    return rows[np.argsort(-change[rows], kind="stable")]


def count_decision_changes(first: PredictionColumns, second: PredictionColumns) -> DecisionChangeCounts:
    """Count the decision changes by direction and by the model that was right."""
    rows = decision_change_rows(first, second)
    if not len(rows):
        return DecisionChangeCounts(0, 0, 0, 0, 0)
    is_shown = np.asarray(second["published_predicted"], dtype=bool)[rows]
    is_known = has_published(first)[rows]
    is_second_right = (np.asarray(first["published"], dtype=bool)[rows] == is_shown)[is_known]
    return DecisionChangeCounts(
        len(rows),
        int(is_shown.sum()),
        int((~is_shown).sum()),
        int((~is_second_right).sum()),
        int(is_second_right.sum()),
    )


def decision_changes(
    first: PredictionColumns,
    second: PredictionColumns,
    *,
    models: tuple[str, str] = ("", ""),
    rows: Sequence[int] | None = None,
) -> tuple[DecisionChange, ...]:
    """Records with a different ``published`` decision, with the scores of both models.

    Parameters
    ----------
    first, second : mapping of str to ndarray of shape (n_records,)
        See :func:`scoring.evaluation.paired_figures.compare_predictions`.
    models : tuple of str
        Name and version of each model, as in its scores.
    rows : sequence of int, optional
        Rows of :func:`decision_change_rows` to return; default all.

    Returns
    -------
    tuple of DecisionChange
        The largest change of probability first; without reasons (see :func:`diff_reasons`).
    """
    is_known = has_published(first)
    return tuple(
        DecisionChange(
            str(first["path"][row]),
            as_datetime(first["published_at"][row]),
            bool(first["published"][row]) if is_known[row] else None,
            _score(first, row, models[0]),
            _score(second, row, models[1]),
        )
        for row in (decision_change_rows(first, second) if rows is None else rows)
    )


def _score(columns: PredictionColumns, row: int, model: str) -> Score:
    has_quality, has_heat = "quality_predicted" in columns, "heat_predicted" in columns

    def number(name: str, digits: int = 4, *, is_learned: bool = True) -> float | None:
        if not is_learned:
            return None
        # A run of an earlier version may lack a column: its values are unknown, not an error.
        return round(float(columns[name][row]), digits) if name in columns else float("nan")

    return Score(
        path=str(columns["path"][row]),
        quality=int(columns["quality_predicted"][row]) if has_quality else None,
        quality_low=number("quality_low", is_learned=has_quality),
        quality_high=number("quality_high", is_learned=has_quality),
        heat=int(columns["heat_predicted"][row]) if has_heat else None,
        heat_expected=number("heat_expected", 1, is_learned=has_heat),
        heat_settled=number("heat_settled", 1, is_learned=has_heat),
        lead_probability=number("lead_probability", is_learned=has_heat),
        published=bool(columns["published_predicted"][row]),
        published_probability=number("published_probability"),
        lead_settled_probability=number("lead_settled_probability", is_learned=has_heat),
        published_settled_probability=number(
            "published_settled_probability", is_learned=has_quality and has_heat
        ),
        model=model,
    )


def diff_reasons(
    first: Explanation,
    second: Explanation,
    *,
    targets: Sequence[str] = ("quality", "lead", "published"),
    n: int = 2,
) -> tuple[ReasonPair, ...]:
    """Largest differences between two models' explanations of one record.

    Parameters
    ----------
    first, second : Explanation
        Explanations of the same record.
    targets : sequence of str
        Targets: ``quality`` (points), ``lead`` and ``published`` (log-odds); those that both models have.
    n : int
        Maximum reasons per target.

    Returns
    -------
    tuple of ReasonPair
        By target, the largest difference first; ``base`` is the base value.
    """
    pairs: list[ReasonPair] = []
    for target in targets:
        if target not in first.reasons or target not in second.reasons:
            continue
        first_reasons, second_reasons = _reasons_of(first, target), _reasons_of(second, target)
        target_pairs = [
            ReasonPair(target, name, first_reasons.get(name), second_reasons.get(name))
            for name in first_reasons | second_reasons
        ]
        pairs += sorted(
            (pair for pair in target_pairs if _difference(pair)), key=lambda pair: -_difference(pair)
        )[:n]
    return tuple(pairs)


def _reasons_of(explanation: Explanation, target: str) -> dict[str, Reason]:
    base = Reason(_BASE, "base value of all records", explanation.base[target])
    return {_BASE: base} | {reason.feature: reason for reason in explanation.reasons[target]}


def _difference(pair: ReasonPair) -> float:
    """Absolute difference between the two contributions."""
    first, second = (reason.contribution if reason else 0.0 for reason in (pair.first, pair.second))
    return abs(second - first)
