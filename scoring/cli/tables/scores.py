"""Cells of a score in tables: those of the labels that the model has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.text import Text

from scoring.model.score import Score, targets_of
from scoring.model.targets import TARGETS, Target, Targets


@dataclass(frozen=True, slots=True)
class ScoreColumn:
    """A column of a table of scores: its head, its label, and its cell for a score that has the label."""

    head: str
    target: Target
    cell: Callable[[Score], str | Text]


def whole(value: float | None) -> str:
    """A number without decimals, and without the sign of a zero.

    Examples
    --------
    >>> whole(-0.3), whole(56.6), whole(None)
    ('0', '57', '')
    """
    return "" if value is None else str(round(value))


HEAT = ScoreColumn("heat>", "heat", lambda score: str(score.heat))
SETTLED = ScoreColumn("settles at>", "heat", lambda score: whole(score.heat_settled))
QUALITY = ScoreColumn("quality>", "quality", lambda score: str(score.quality))
INTERVAL = ScoreColumn(
    "90 % interval>", "quality", lambda score: f"{whole(score.quality_low)} to {whole(score.quality_high)}"
)
LEAD = ScoreColumn("lead>", "heat", lambda score: f"{score.lead_probability:.0%}")
PUBLISHED = ScoreColumn(
    "published>",
    "published",
    lambda score: Text(f"{score.published_probability:.0%}", style="bold" if score.published else ""),
)
DECISION = ScoreColumn(
    "published>",
    "published",
    lambda score: Text(
        f"{score.published_probability:.0%} {'yes' if score.published else 'no'}",
        style="bold" if score.published else "",
    ),
)


def shown_columns(columns: Sequence[ScoreColumn], scores: Iterable[Score]) -> list[ScoreColumn]:
    """Columns of the labels that any of the scores has; all of them if there are no scores."""
    targets = {target for score in scores for target in targets_of(score)} or set(TARGETS)
    return [column for column in columns if column.target in targets]


def cells_of(columns: Iterable[ScoreColumn], score: Score) -> list[str | Text]:
    """Cells of a score, empty for a label that it does not have."""
    targets: Targets = targets_of(score)
    return [column.cell(score) if column.target in targets else "" for column in columns]


def rank(score: Score) -> tuple[float, float, float, str]:
    """Sort key: highest heat first, then highest quality; by the probability of publication without both."""
    has_points = score.heat is not None or score.quality is not None
    probability = 0.0 if has_points else score.published_probability or 0.0
    return -(score.heat or 0), -(score.quality or 0), -probability, score.path
