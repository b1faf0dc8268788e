"""The text below the front matter, as Markdown."""

from __future__ import annotations

import itertools
import re

MAX_CHARS = 100_000
"""Characters of a body that are parsed; the rest counts as if it were not there."""

_WHITE_SPACE = re.compile(r"\s+")


def first_paragraph(body: str) -> str:
    """Return the text of the first paragraph with text, without its markup; empty if there is none.

    Examples
    --------
    >>> first_paragraph("# Rain\\n\\n![a cloud](cloud.jpg)\\n\\nIt *rains* in [Oslo](https://oslo.example).\\n\\nAgain.")
    'It rains in Oslo.'
    """
    from markdown_it import MarkdownIt  # few records need it

    tokens = MarkdownIt("commonmark").parse(body[:MAX_CHARS])
    for opening, inline in itertools.pairwise(tokens):
        if opening.type != "paragraph_open" or opening.level:
            continue
        parts = (
            " " if child.type in ("softbreak", "hardbreak") else child.content
            for child in inline.children or ()
            if child.type in ("text", "code_inline", "softbreak", "hardbreak")
        )
        if text := _WHITE_SPACE.sub(" ", "".join(parts)).strip():
            return text
    return ""
