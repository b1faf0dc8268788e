"""Detect feeds by their names and first bytes."""

from __future__ import annotations

import codecs
import os
import re

EXTENSIONS = (".xml", ".rss", ".atom")
"""Extensions of RSS and Atom documents, in lower case."""

MAX_FEED_BYTES = 16_000_000
"""Size limit of a feed, bytes; usual ones have a hundredth of that."""

JSON_NAME = "feed.json"
"""Name of a JSON Feed, in lower case."""

_XML_STARTS = (b"<", b"\xff\xfe<", b"\xfe\xff\0<")
_JSON_VERSION = re.compile(rb'"version"\s*:\s*"https?:\\?/\\?/jsonfeed\.org\\?/version')


def is_feed(path: str) -> bool:
    """Whether a file is a feed by its name, in any case.

    Examples
    --------
    >>> is_feed("a.xml"), is_feed("news/feed.json"), is_feed("a.json")
    (True, True, False)
    """
    return path.lower().endswith(EXTENSIONS) or os.path.basename(path).lower() == JSON_NAME


def begins_xml(head: bytes) -> bool:
    """Whether data that begins with these bytes is XML."""
    return head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(_XML_STARTS)


def is_json_feed(data: bytes) -> bool:
    """Whether data is JSON that says it is a JSON Feed."""
    head = data.removeprefix(codecs.BOM_UTF8).lstrip()
    return head.startswith(b"{") and _JSON_VERSION.search(head) is not None
