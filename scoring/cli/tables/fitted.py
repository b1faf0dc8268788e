"""Tables that fit the terminal: columns are left out by priority and long texts cropped, never wrapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Column, Table
from rich.text import Text

_MIN_TEXT_CHARS = 20
"""Width down to which a text is cropped before another column is left out."""

_MIN_WRAPPED_CHARS = 36
_PLACES = ("record", "where", "files")  # cropped at the front: the end of a path distinguishes it
_NEVER_CROPPED = (
    *("metric", "mean", "column", "feature", "setting", "parameter", "95 % interval"),
    *("run", "when (UTC)", "began (UTC)", "month", "as of"),
)
_GAP = 2  # between two columns, by the padding of rich


class FittedTable(Table):
    """A table in full, except on a terminal that is too narrow for it.

    Parameters
    ----------
    drops : sequence of str
        Heads of columns that are left out if the width is too small, the first first. Any others follow, from
        the right, except the first column. A line below the table names the columns that were left out.
    wraps : sequence of str
        Heads of columns whose text is wrapped instead of cropped.
    left_out : mapping of str to str
        Lines below the table about columns without room, by their heads; empty for none.
    **options
        Those of a ``rich.table.Table``.
    """

    def __init__(
        self,
        *,
        drops: Sequence[str] = (),
        wraps: Sequence[str] = (),
        left_out: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.drops = tuple(drops)
        self.wraps = tuple(wraps)
        self.left_out = left_out or {}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = [_width_of(column, console) for column in self.columns]
        full_width = sum(widths) + _GAP * max(len(widths) - 1, 0)
        if full_width <= options.max_width or not console.is_terminal:
            yield from super().__rich_console__(console, options)
        else:
            yield from self._fitted(widths, options.max_width)

    def _fitted(self, widths: Sequence[int], max_width: int) -> RenderResult:
        fitted = [
            min(width, _MIN_WRAPPED_CHARS if head in self.wraps else _MIN_TEXT_CHARS)
            if _is_text(column, head)
            else width
            for column, width in zip(self.columns, widths, strict=True)
            for head in [str(column.header)]
        ]
        kept = self._kept(fitted, max_width)
        spare = max_width - sum(fitted[number] for number in kept) - _GAP * (len(kept) - 1)
        table = Table(box=None, pad_edge=False, header_style=self.header_style)
        for number in sorted(kept, key=lambda number: str(self.columns[number].header) not in self.wraps):
            added = max(0, min(widths[number] - fitted[number], spare))
            spare -= added
            fitted[number] += added
        for number in kept:
            table.columns.append(self._column(number, fitted[number], len(table.columns)))
        for row in self.rows:
            table.rows.append(row)
        yield table
        heads = [str(column.header) for number, column in enumerate(self.columns) if number not in kept]
        unsaid = ", ".join(head for head in heads if head not in self.left_out)
        said = [self.left_out[head] for head in heads if head in self.left_out]
        for line in filter(None, (unsaid and f"no room for: {unsaid}", *said)):
            yield Text(line, style="dim")

    def _kept(self, least: Sequence[int], max_width: int) -> list[int]:
        """Numbers of the columns that fit in their least width, at least one."""
        heads = [str(column.header) for column in self.columns]
        order = [heads.index(head) for head in self.drops if head in heads]
        order += [number for number in range(len(heads) - 1, 0, -1) if number not in order]
        kept = list(range(len(heads)))
        for number in order:
            if sum(least[column] for column in kept) + _GAP * (len(kept) - 1) <= max_width:
                break
            kept.remove(number)
        return kept

    def _column(self, number: int, width: int, index: int) -> Column:
        """A copy of a column in this width."""
        column = self.columns[number]
        head = str(column.header)
        if head in self.wraps:
            return replace(column, width=width, _index=index)
        cells = [_cropped(cell, width, at_front=head in _PLACES) for cell in column.cells]
        return replace(column, width=width, no_wrap=True, overflow="ellipsis", _index=index, _cells=cells)


def _width_of(column: Column, console: Console) -> int:
    cells = (column.header, *column.cells)
    return max((console.measure(cell).maximum for cell in cells), default=0)


def _is_text(column: Column, head: str) -> bool:
    """Whether the column has texts of any length: numbers, dates and names of metrics are never cropped."""
    return column.justify == "left" and head not in _NEVER_CROPPED


def _cropped(cell: Any, width: int, *, at_front: bool) -> Any:
    """The cell; of a place, its end."""
    if isinstance(cell, Text) and not at_front:
        cell = cell.copy()
        cell.overflow = "ellipsis"
    text = cell.plain if isinstance(cell, Text) else cell
    if not at_front or not isinstance(text, str):
        return cell
    lines = [line if len(line) <= width else "…" + line[len(line) - width + 1 :] for line in text.split("\n")]
    return Text("\n".join(lines), style=cell.style if isinstance(cell, Text) else "")
