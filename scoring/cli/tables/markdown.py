"""Scores as a Markdown table, for comments on pull requests and summaries of jobs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from scoring.cli.tables.scores import (
    DECISION,
    HEAT,
    INTERVAL,
    LEAD,
    QUALITY,
    SETTLED,
    cells_of,
    rank,
    shown_columns,
)
from scoring.errors import shown
from scoring.model.score import Score


def markdown_lines(scores: Iterable[Score]) -> Iterator[str]:
    """Lines of the table, highest heat first, with the labels that the model has.

    Texts of records are code, in which GitHub follows no link and calls nobody.

    Parameters
    ----------
    scores : iterable of Score
        Scores, in any order.

    Yields
    ------
    str
        A line without its line feed: the head, the line below it, then one for each score.
    """
    rows = sorted(scores, key=rank)
    columns = shown_columns((HEAT, SETTLED, QUALITY, INTERVAL, LEAD, DECISION), rows)
    yield _line([*(column.head.rstrip(">") for column in columns), "record", "warnings"])
    yield _line([*("--:" for _ in columns), "---", "---"])
    for score in rows:
        texts = [_code(score.path), "<br>".join(map(_code, score.warnings))]
        yield _line([*map(str, cells_of(columns, score)), *texts])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    """Any text as inline code in a cell.

    Examples
    --------
    >>> print(_code("a|b.md"), _code("`a`"))
    `a\\|b.md` `` `a` ``
    """
    text = shown(text)
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|") if text else ""
