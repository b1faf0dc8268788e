"""Table of related records."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from scoring.cli.tables.common import empty_table
from scoring.stories.relations import RelatedRecord, Relations

_MAX_STORY = 5  # related records of a story; JSON has all


def relations_table(relations: Iterable[Relations]) -> Table:
    """Records with related ones: copies, and the most probable others of the story."""
    table = empty_table("record", "copies", "same story (estimate)")
    for relation in relations:
        if relation.copies or relation.story:
            more = len(relation.story) - _MAX_STORY
            lines = [*map(_line, relation.story[:_MAX_STORY]), *([f"and {more} more"] if more > 0 else [])]
            cells = (_place(relation), "\n".join(map(_place, relation.copies)), "\n".join(lines))
            table.add_row(*(Text(cell, overflow="fold") for cell in cells))
    return table


def _line(record: RelatedRecord) -> str:
    return f"{_place(record)} ({record.probability:.0%})"


def _place(record: RelatedRecord | Relations) -> str:
    return f"{record.path}:{record.line}" if record.line else record.path
