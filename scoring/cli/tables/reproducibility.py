"""What came of making a training again, as people read it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from scoring.artifact.model_folder import FILES
from scoring.artifact.reproducibility import FigureChange, Reproduction
from scoring.cli.tables.common import empty_table

_MAX_FIGURES = 15  # JSON has all


def reproduction(found: Reproduction) -> RenderableType:
    """What differs around the training, in the model and in the figures; the answer stands last."""
    return Group(
        Text(f"run {found.run_id[:7]} {found.run_name}, {found.model}, {found.n_records} records"),
        *_tables(found),
        Text(_answer(found), style="bold"),
    )


def _tables(found: Reproduction) -> Iterator[RenderableType]:
    around = {"data": found.data, "code": found.code, "versions": found.versions, "machine": found.machine}
    table = empty_table("what differs", "", "run", "now")
    for kind, values in (around | {"model": found.parts}).items():
        for each in values:
            cells = ("-" if value is None else value for value in (each.first, each.second))
            table.add_row(kind, each.name, *(Text(cell, overflow="fold") for cell in cells))
    if table.row_count:
        yield table
    if found.figures:
        yield _figures(found.figures)


def _figures(changes: tuple[FigureChange, ...]) -> RenderableType:
    """Figures to their last digit, those without a dot, which are of the model itself, first."""
    ordered = sorted(changes, key=lambda change: "." in change.name)
    table = empty_table("metric", "run>", "now>")
    for each in ordered[:_MAX_FIGURES]:
        cells = ("-" if value is None else repr(value) for value in (each.first, each.second))
        table.add_row(Text(each.name, overflow="fold"), *cells)
    rest = len(changes) - table.row_count
    return Group(table, *([Text(f"{rest} more: --json has them")] if rest else []))


def _answer(found: Reproduction) -> str:
    if found.is_same:
        return f"the same bytes: {len(FILES)} files, and every metric"
    if not found.is_trained:
        return "the records differ, nothing was trained: --ignore-data-mismatch trains anyway"
    return f"not the same: {len(found.parts)} parts of the model and {len(found.figures)} metrics differ"
