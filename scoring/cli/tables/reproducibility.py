"""Table of the ``reproduce`` command."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from scoring.artifact.model_folder import FILES
from scoring.artifact.reproducibility import FigureChange, Reproduction
from scoring.cli.tables.common import empty_table

_MAX_METRICS = 15  # JSON has all


def reproduction(outcome: Reproduction) -> RenderableType:
    """Differences in the environment, the model and the metrics; then the verdict."""
    return Group(
        Text(f"run {outcome.run_id[:7]} {outcome.run_name}, {outcome.model}, {outcome.n_records} records"),
        *_tables(outcome),
        Text(_verdict(outcome), style="bold"),
    )


def _tables(outcome: Reproduction) -> Iterator[RenderableType]:
    environment = {
        "data": outcome.data,
        "code": outcome.code,
        "versions": outcome.versions,
        "machine": outcome.machine,
    }
    table = empty_table("what differs", "", "run", "now")
    for kind, values in (environment | {"model": outcome.parts}).items():
        for difference in values:
            cells = ("-" if value is None else value for value in (difference.first, difference.second))
            table.add_row(kind, difference.name, *(Text(cell, overflow="fold") for cell in cells))
    if table.row_count:
        yield table
    if outcome.figures:
        yield _figures(outcome.figures)


def _figures(changes: tuple[FigureChange, ...]) -> RenderableType:
    """Metrics to their last digit; metrics without a dot, which are the model's own, come first."""
    ordered = sorted(changes, key=lambda change: "." in change.name)
    table = empty_table("metric", "run>", "now>")
    for change in ordered[:_MAX_METRICS]:
        cells = ("-" if value is None else repr(value) for value in (change.first, change.second))
        table.add_row(Text(change.name, overflow="fold"), *cells)
    n_omitted = len(changes) - table.row_count
    return Group(table, *([Text(f"{n_omitted} more: --json has them")] if n_omitted else []))


def _verdict(outcome: Reproduction) -> str:
    if outcome.is_same:
        return f"the same bytes: {len(FILES)} files, and every metric"
    if not outcome.is_trained:
        return "the records differ, nothing was trained: --ignore-data-mismatch trains anyway"
    return f"not the same: {len(outcome.parts)} parts of the model and {len(outcome.figures)} metrics differ"
