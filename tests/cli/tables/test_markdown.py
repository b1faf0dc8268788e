"""Scores as a Markdown table."""

from __future__ import annotations

import msgspec
import pytest
from markdown_it import MarkdownIt

from scoring.cli.tables.markdown import markdown_lines
from scoring.model.score import Score
from tests.cli.tables.test_common import LOW


def cells(scores: list[Score]) -> list[list[str]]:
    """Texts of the cells as a parser of Markdown reads them, the head first."""
    tokens = MarkdownIt().enable("table").parse("\n".join(markdown_lines(scores)))
    assert tokens[0].type == "table_open"
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append("".join(child.content for child in token.children or ()))
    return rows


def test_rows_have_the_highest_heat_first() -> None:
    high = msgspec.structs.replace(LOW, path="inbox/a.md", heat=97, published=True, warnings=())
    head, first, second = cells([LOW, high])
    assert head == [
        *("heat", "settles at", "quality", "90 % interval", "lead", "published"),
        *("record", "warnings"),
    ]
    assert first == ["97", "17", "31", "25 to 37", "4%", "1% yes", "inbox/a.md", ""]
    assert second[6:] == ["inbox/b.md", 'provider unknown: example.org<br>title has a "quote"']


def test_without_scores_there_is_a_head() -> None:
    assert len(cells([])) == 1


@pytest.mark.parametrize(
    "name", ["a|b.md", "a\\|b.md", "`a``b`.md", "<img src=x>.md", "@everyone #1.md", "[a](b).md", "* a *.md"]
)
def test_no_name_is_read_as_markdown(name: str) -> None:
    lines = list(markdown_lines([msgspec.structs.replace(LOW, path=name, warnings=(name,))]))
    assert cells([msgspec.structs.replace(LOW, path=name, warnings=(name,))])[1][6:] == [name, name]
    assert "<code>" in MarkdownIt().enable("table").render("\n".join(lines))
