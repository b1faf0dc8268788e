"""Records whose ``published`` would change from one model to another, with both receipts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.evaluation.metrics import PredictionColumns
from scoring.explanation.results import Explanation, Reason
from scoring.model.score import Score
from scoring.training.splits import as_datetime

_BASE = "base"
Rows = NDArray[np.intp]


class ReasonPair(msgspec.Struct, frozen=True):
    """What one feature adds to a target by each of two models; None where it adds nothing to speak of."""

    target: str
    feature: str
    first: Reason | None
    second: Reason | None


class DecisionChange(msgspec.Struct, frozen=True):
    """A record whose ``published`` would change.

    Parameters
    ----------
    path : str
        Where the record was found.
    published_at : datetime or None
        Its date, aware UTC.
    label : bool or None
        Whether the site shows it; None where that is not known.
    first, second : Score
        The receipts; NaN where a run of an earlier version has logged no such number.
    reasons : tuple of ReasonPair
        What the models see most differently, the largest difference of each target first.
    """

    path: str
    published_at: datetime | None
    label: bool | None
    first: Score
    second: Score
    reasons: tuple[ReasonPair, ...] = ()

    @property
    def right(self) -> str | None:
        """``first`` or ``second``: who agrees with the label; None where there is none."""
        return None if self.label is None else "first" if self.first.published == self.label else "second"


class DecisionChangeCounts(msgspec.Struct, frozen=True):
    """Flips in all: those that the second would show or hide, and who was right of those with labels."""

    n_flips: int
    n_shown: int
    n_hidden: int
    n_first_right: int
    n_second_right: int


def decision_change_rows(first: PredictionColumns, second: PredictionColumns) -> Rows:
    """Rows of the records whose ``published`` differs, the largest change of probability first."""
    rows = np.flatnonzero(first["published_predicted"] != second["published_predicted"])
    change = np.abs(
        np.asarray(second["published_probability"], dtype=np.float64)
        - np.asarray(first["published_probability"], dtype=np.float64)
    )
    return rows[np.argsort(-change[rows], kind="stable")]


def count_decision_changes(first: PredictionColumns, second: PredictionColumns) -> DecisionChangeCounts:
    """How many flips there are, which way they go, and who was right."""
    rows = decision_change_rows(first, second)
    shown = np.asarray(second["published_predicted"], dtype=bool)[rows]
    known = _has_published(first)[rows]
    right = (np.asarray(first["published"], dtype=bool)[rows] == shown)[known]
    return DecisionChangeCounts(
        len(rows), int(shown.sum()), int((~shown).sum()), int((~right).sum()), int(right.sum())
    )


def decision_changes(
    first: PredictionColumns,
    second: PredictionColumns,
    *,
    models: tuple[str, str] = ("", ""),
    rows: Sequence[int] | None = None,
) -> tuple[DecisionChange, ...]:
    """Records whose ``published`` would change, with the scores of both.

    Parameters
    ----------
    first, second : mapping of str to ndarray of shape (n_records,)
        As :func:`compare_predictions` takes them.
    models : tuple of str
        Name and version of each model, as it stands in its scores.
    rows : sequence of int, optional
        Some of :func:`decision_change_rows`; all of them if not given.

    Returns
    -------
    tuple of Flip
        The largest change of probability first; without reasons, for which see :func:`diff_reasons`.
    """
    is_known = _has_published(first)
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


def _has_published(columns: PredictionColumns) -> NDArray[np.bool_]:
    # Who is shown is known of the records whose heat is: see metrics.compute.
    return ~np.isnan(np.asarray(columns["heat"], dtype=np.float64))


def _score(columns: PredictionColumns, row: int, model: str) -> Score:
    def number(name: str, digits: int = 4) -> float:
        # What a run of an earlier version has not logged is not known, which is no reason to refuse the run.
        return round(float(columns[name][row]), digits) if name in columns else float("nan")

    return Score(
        path=str(columns["path"][row]),
        quality=int(columns["quality_predicted"][row]),
        quality_low=number("quality_low"),
        quality_high=number("quality_high"),
        heat=int(columns["heat_predicted"][row]),
        heat_expected=number("heat_expected", 1),
        heat_settled=number("heat_settled", 1),
        lead_probability=number("lead_probability"),
        published=bool(columns["published_predicted"][row]),
        published_probability=number("published_probability"),
        lead_settled_probability=number("lead_settled_probability"),
        published_settled_probability=number("published_settled_probability"),
        model=model,
    )


def diff_reasons(
    first: Explanation,
    second: Explanation,
    *,
    targets: Sequence[str] = ("quality", "lead", "published"),
    n: int = 2,
) -> tuple[ReasonPair, ...]:
    """What two models see most differently in one record.

    Parameters
    ----------
    first, second : Explanation
        The same record explained by each.
    targets : sequence of str
        Which reasons: of ``quality`` (points), ``lead`` and ``published`` (log-odds).
    n : int
        Reasons of each target at most.

    Returns
    -------
    tuple of ReasonPair
        By target, the largest difference first; ``base`` is what every record starts from.
    """
    pairs: list[ReasonPair] = []
    for target in targets:
        one, two = _reasons_of(first, target), _reasons_of(second, target)
        found = [ReasonPair(target, name, one.get(name), two.get(name)) for name in one | two]
        pairs += sorted((pair for pair in found if _apart(pair)), key=lambda pair: -_apart(pair))[:n]
    return tuple(pairs)


def _reasons_of(explanation: Explanation, target: str) -> dict[str, Reason]:
    base = Reason(_BASE, "base value of all records", explanation.base[target])
    return {_BASE: base} | {reason.feature: reason for reason in explanation.reasons[target]}


def _apart(pair: ReasonPair) -> float:
    """By how much the two models differ on it."""
    first, second = (reason.contribution if reason else 0.0 for reason in (pair.first, pair.second))
    return abs(second - first)
