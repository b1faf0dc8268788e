"""The text below the front matter, as Markdown."""

from __future__ import annotations

import functools
import itertools
import re
from typing import TYPE_CHECKING

from scoring.records.addresses import host_of
from scoring.records.record import Body, Record, RecordWithBody

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MAX_CHARS = 100_000
"""Characters of a body that are parsed for its first paragraph; the rest counts as if it were not there."""

MAX_COUNTED_CHARS = 20_000
"""Characters of a body whose words, links and so on are counted; parsing so many takes 50 ms."""

_WHITE_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"\w+")
_TEXTS = frozenset({"text", "code_inline"})
_BREAKS = frozenset({"softbreak", "hardbreak"})


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # few records need it

    return MarkdownIt("commonmark")


def first_paragraph(body: str) -> str:
    """Return the text of the first paragraph with text, without its markup; empty if there is none.

    Examples
    --------
    >>> first_paragraph("# Rain\\n\\n![a cloud](cloud.jpg)\\n\\nIt *rains* in [Oslo](https://oslo.example).\\n\\nAgain.")
    'It rains in Oslo.'
    """
    tokens = _parser().parse(body[:MAX_CHARS])
    for opening, inline in itertools.pairwise(tokens):
        if opening.type != "paragraph_open" or opening.level:
            continue
        parts = (
            " " if child.type in _BREAKS else child.content
            for child in inline.children or ()
            if child.type in _TEXTS | _BREAKS
        )
        if text := _WHITE_SPACE.sub(" ", "".join(parts)).strip():
            return text
    return ""


def count_body(text: str) -> Body:
    """Count what a body has, in its first :data:`MAX_COUNTED_CHARS` characters.

    Words of code blocks and of HTML are not counted.

    Examples
    --------
    >>> count_body("# Rain\\n\\nIt *rains* in [Oslo](https://oslo.example).\\n")
    Body(words=5, links=1, hosts=1, headings=1, code_blocks=0, images=0, quotes=0)
    """
    tokens = _parser().parse(text[:MAX_COUNTED_CHARS])
    children = [child for token in tokens for child in token.children or ()]
    links = [_address(child) for child in children if child.type == "link_open"]
    kinds = [token.type for token in tokens]
    return Body(
        words=sum(len(_WORD.findall(child.content)) for child in children if child.type in _TEXTS),
        links=len(links),
        hosts=len({host_of(link) for link in links} - {""}),
        headings=kinds.count("heading_open"),
        code_blocks=kinds.count("fence") + kinds.count("code_block"),
        images=sum(child.type == "image" for child in children),
        quotes=kinds.count("blockquote_open"),
    )


def _address(link: Token) -> str:
    return str(link.attrGet("href") or "")


def with_body(record: Record, text: str) -> Record:
    """Return the record with the counts of its body, or as it is if the text is blank."""
    if not text.strip():
        return record
    fields = {name: getattr(record, name) for name in Record.__struct_fields__}
    return RecordWithBody(**fields, body=count_body(text))
