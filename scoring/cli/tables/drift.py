"""Drift as people read it."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scoring.cli.tables.common import empty_table, shown_number
from scoring.drift.detect import Drift, Shift

_MAX_COLUMNS = 3  # of one family; JSON has more


def drift(drift: Drift) -> RenderableType:
    """Distances, unseen names and shifts beside their limits; then the verdict and its rule."""
    return Group(
        Text(f"{drift.n_records} records compared with the training records of {drift.model}"),
        _families(drift),
        Text(),
        _unseen(drift),
        Text(),
        _shifts(drift),
        Text(),
        *_error(drift),
        Text("refused" if drift.reasons else "accepted", style="bold"),
        *(Text(f"  {reason}") for reason in drift.reasons),
        Text(drift.rule),
    )


def _families(drift: Drift) -> Table:
    table = empty_table("family", "times typical>", "limit>", "", "largest")
    for one in drift.families:
        farthest = [f"{name} {times:.1f}" for name, times in list(one.columns.items())[:_MAX_COLUMNS]]
        told = Text(", ".join(farthest), overflow="fold")
        table.add_row(one.family, f"{one.distance:.2f}", f"{one.limit:.2f}", _mark(one.is_beyond), told)
    return table


def _unseen(drift: Drift) -> Table:
    table = empty_table("unseen", "records>", "typical>", "limit>", "", "most often")
    for one in drift.unseen:
        names = Text(", ".join(f"{name} {count}" for name, count in one.names.items()), overflow="fold")
        shares = (f"{share:.1%}" for share in (one.ratio, one.usual_ratio, one.limit_ratio))
        table.add_row(one.what, *shares, _mark(one.is_beyond), names)
    return table


def _shifts(drift: Drift) -> Table:
    table = empty_table("mean", "before>", "new>", "shift>", "typical>", "limit>", "")
    for one in drift.shifts:
        cells = (shown_number(value) for value in (one.before, one.new))
        table.add_row(one.name, *cells, *_distances(one), _mark(one.is_beyond))
    return table


def _distances(one: Shift) -> tuple[str, ...]:
    return f"{one.new - one.before:+.3f}", shown_number(one.usual), shown_number(one.limit)


def _error(drift: Drift) -> list[Text]:
    lines = []
    if drift.error_ratio is not None:
        lines.append(
            Text(f"expected error of quality: {drift.error_ratio:.2f} times that of the held-back records")
        )
    if drift.label_error is not None:
        lines.append(Text(f"error on the {drift.n_labelled} with a quality label: {drift.label_error:.3f}"))
    return [*lines, Text()] if lines else []


def _mark(is_beyond: bool) -> Text:
    return Text("beyond" if is_beyond else "", style="bold")
