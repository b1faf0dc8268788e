r"""Escapes of surrogate pairs in YAML, ``"\ud83d\ude00"``, which are read as JSON reads them.

libyaml refuses them. They are masked, by as many characters so that positions stay, and restored in values.
"""

from __future__ import annotations

import re
from itertools import chain

_PAIR = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
# Private characters, the last first; a text has at most a few of them.
_MASKS = map(chr, chain(range(0x10FFFD, 0x100000, -1), range(0xFFFFD, 0xF0000, -1)))
_CANDIDATES = tuple(character for character, _ in zip(_MASKS, range(64), strict=False))
_MARK_CHARS = 4  # of the twelve characters of a pair, eight are its digits


class SurrogatePairs:
    r"""Masks the pairs of one text.

    Examples
    --------
    >>> pairs = SurrogatePairs(r'"\ud83d\ude00"')
    >>> len(pairs.masked), pairs.restore(pairs.masked[1:-1], is_escape=True)
    (14, '😀')
    """

    def __init__(self, text: str) -> None:
        self.masked = text
        self._mark = ""
        if _PAIR.search(text) is None:
            return
        mask = next((character for character in _CANDIDATES if character not in text), "")
        if mask:
            self._mark = mask * _MARK_CHARS
            self._masked = re.compile(re.escape(self._mark) + r"(.{4})(.{4})")
            self.masked = _PAIR.sub(self._hide, text)

    def _hide(self, match: re.Match[str]) -> str:
        start = match.start()
        while match.string.endswith("\\", 0, start):
            start -= 1
        is_escaped = (match.start() - start) % 2 == 1  # the backslash is itself escaped
        return match[0] if is_escaped else self._mark + match[1] + match[2]

    def restore(self, value: str, *, is_escape: bool) -> str:
        """Return a parsed value with its pairs: as characters, or as they stand if they are no escapes."""
        if not self._mark or self._mark not in value:
            return value
        return self._masked.sub(_character if is_escape else _source, value)


def _character(match: re.Match[str]) -> str:
    high, low = int(match[1], 16), int(match[2], 16)
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


def _source(match: re.Match[str]) -> str:
    return f"\\u{match[1]}\\u{match[2]}"
