"""Text of HTML, without its markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_BLOCKS = frozenset(
    {"article", "blockquote", "br", "dd", "div", "dt", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5"}
    | {"h6", "hr", "li", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul"}
)
_UNSEEN = frozenset({"script", "style", "template", "head"})
_WHITE_SPACE = re.compile(r"\s+")


def text_of(markup: str) -> str:
    """Return the text of HTML on one line, entities resolved.

    Examples
    --------
    >>> text_of("<p>It <i>rain</i>s &amp; pours.</p><p>Again.</p><script>alert(1)</script>")
    'It rains & pours. Again.'
    """
    parser = _TextParser()
    parser.feed(markup)
    parser.close()
    return _WHITE_SPACE.sub(" ", "".join(parser.parts)).strip()


class _TextParser(HTMLParser):
    """Collects text; blocks are set apart by a blank."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._n_unseen = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._n_unseen += tag in _UNSEEN
        if tag in _BLOCKS:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._n_unseen = max(self._n_unseen - (tag in _UNSEEN), 0)
        if tag in _BLOCKS:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._n_unseen:
            self.parts.append(data)
