"""Decode front matter in the plain form without parsing coverage again that other records have listed.

The records of a story list each other, so that an archive has the same entry under ``related`` many times. Of
a file, only entries that are not remembered are parsed, together with its other fields, and equal entries are
one object.
"""

from __future__ import annotations

import re

import msgspec

from scoring.records.forms.front_matter import to_json
from scoring.records.plain_json import decode_fast
from scoring.records.record import Coverage, Labels, Record

_KEY, _ITEM = b"\nrelated:", b"\n  - "
_AFTER_LIST = re.compile(rb"\n(?!  |\n|\Z)")
_FIELD = re.compile(rb"[A-Za-z_]")
MAX_BYTES = 8_000_000
"""Text and overhead of the entries of a generation."""

_OVERHEAD_BYTES = 400
"""Of a short entry: its objects, and its place in the dictionary."""


class CoverageCache:
    """Decoded entries by their text; the least recently used half is dropped when there are too many.

    Parameters
    ----------
    max_bytes : int
        Limit of the text and overhead of a generation; there are two of them.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes, self._n_bytes = max_bytes, 0
        self._recent: dict[bytes, Coverage] = {}
        self._earlier: dict[bytes, Coverage] = {}

    def get(self, text: bytes) -> Coverage | None:
        """The entry of a text; None if it is not remembered."""
        if (coverage := self._recent.get(text)) is None and (coverage := self._earlier.get(text)) is not None:
            self.put(text, coverage)
        return coverage

    def put(self, text: bytes, coverage: Coverage) -> None:
        """Remember an entry."""
        n_bytes = len(text) + _OVERHEAD_BYTES
        if self._n_bytes + n_bytes > self._max_bytes:
            self._earlier, self._recent, self._n_bytes = self._recent, {}, 0
        self._recent[text] = coverage
        self._n_bytes += n_bytes


_CACHE = CoverageCache()


class PlainRecord(msgspec.Struct, frozen=True):
    """A record and its labels, and the JSON with all its fields but for some of its coverage."""

    record: Record
    labels: Labels
    json: memoryview


def decode_plain(block: bytes, cache: CoverageCache = _CACHE) -> PlainRecord | None:
    """Decode YAML of the plain form; None if it has another form or needs the strict path.

    Parameters
    ----------
    block : bytes
        The YAML between the ``---`` lines, in valid UTF-8.
    cache : CoverageCache
        Entries of earlier records; it gets those of this one.

    Returns
    -------
    PlainRecord or None
        The same as without the entries of earlier records.
    """
    span = _list_span(block)
    if span is None:
        return _decode(block)
    start, stop = span
    texts = block[start:stop].split(_ITEM)[1:]
    known = [cache.get(text) for text in texts]
    new = [text for text, coverage in zip(texts, known, strict=True) if coverage is None]
    if len(new) == len(texts):
        plain = _decode(block)
    else:
        # Remembered entries had the plain form, line by line: so the block has it if the rest has it.
        key = _KEY * bool(new)
        plain = _decode(b"".join([block[: start - len(_KEY)], _ITEM.join([key, *new]), block[stop:]]))
    if plain is None:
        return _decode(block) if len(new) < len(texts) else None
    if len(plain.record.related) != len(new):
        return plain if len(new) == len(texts) else _decode(block)
    decoded = iter(plain.record.related)
    related = tuple(next(decoded) if coverage is None else coverage for coverage in known)
    for text, coverage, before in zip(texts, related, known, strict=True):
        if before is None:
            cache.put(text, coverage)
    if len(new) == len(texts):
        return plain
    return msgspec.structs.replace(plain, record=msgspec.structs.replace(plain.record, related=related))


def _decode(block: bytes) -> PlainRecord | None:
    as_json = to_json(block)
    fast = decode_fast(as_json) if as_json is not None else None
    return PlainRecord(fast[0], fast[1], as_json) if fast is not None and as_json is not None else None


def _list_span(block: bytes) -> tuple[int, int] | None:
    """Where the entries under ``related`` begin and end, if that is clear from their indent; else None."""
    start = block.find(_KEY + _ITEM) + len(_KEY)
    is_one_list = block.count(_KEY) == 1 and not block.startswith(_KEY[1:]) and b"\r" not in block
    if start < len(_KEY) or not is_one_list:
        return None
    after = _AFTER_LIST.search(block, start)
    end = after.start() if after else len(block)
    if after and not _FIELD.match(block, end + 1):
        return None
    return start, len(block[:end].rstrip(b"\n"))
