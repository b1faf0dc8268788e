"""Read the entries of RSS, Atom and JSON Feed documents as records in scoring's own layout.

Nothing is fetched: addresses and external entities are not followed.
"""

from __future__ import annotations

import codecs
import html
import io
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from scoring.errors import Fault, RecordError
from scoring.extras import naming_extras
from scoring.records.addresses import host_of
from scoring.records.feed_detection import JSON_NAME, MAX_FEED_BYTES, begins_xml, is_json_feed
from scoring.records.html_text import text_of

_HEAD_BYTES = 64
_FORMS = "an RSS, Atom or JSON feed"
_LOG = logging.getLogger(__name__)
_REFERENCE = re.compile(rb"&#(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,8}));?")
_HALVES = range(0xD800, 0xE000)  # of surrogate pairs: no characters, and feedparser cannot encode them

Entry = Mapping[str, Any]
_Read = Callable[[], dict[str, Any]]


def read_entries(data: bytes, path: str) -> Iterator[tuple[int, bytes | RecordError]]:
    """Read the entries of a feed.

    Parameters
    ----------
    data : bytes
        The document.
    path : str
        Its file, for faults.

    Yields
    ------
    tuple of int and (bytes or RecordError)
        Number of the entry, from 1, and its record as JSON. A fault of the whole feed is entry 0.
    """
    try:
        if len(data) > MAX_FEED_BYTES:
            got, expected = f"a feed of more than {MAX_FEED_BYTES:,} bytes", "a smaller one"
            raise RecordError(Fault(path, 0, "", got, expected))
        is_json = not begins_xml(data) and (is_json_feed(data) or path.lower().endswith(JSON_NAME))
        records = _json_records(data, path) if is_json else _xml_records(data, path)
    except RecordError as error:
        yield 0, error
        return
    if not records:
        yield 0, RecordError(Fault(path, 0, "", "a feed without entries", "at least one entry"))
    for number, read in enumerate(records, start=1):
        try:
            fields = {name: value for name, value in read().items() if value not in (None, "", [])}
            yield number, msgspec.json.encode(fields)
        except UnicodeEncodeError:
            yield number, RecordError(Fault(path, number, "", "half of a character", "text in Unicode"))
        except RecordError as error:
            yield number, RecordError(*(replace(fault, line=number) for fault in error.faults))


def _xml_records(data: bytes, path: str) -> list[_Read]:
    with naming_extras("feeds"):
        import feedparser
    data = _without_halves(data, path)
    feed = feedparser.parse(io.BytesIO(data))  # of text it would take an address, and fetch it
    problem = feed.get("bozo_exception") if feed.get("bozo") else None
    if isinstance(problem, feedparser.CharacterEncodingOverride):
        problem = None
    described = _described(problem, has_declaration=b"<?xml" in data[:_HEAD_BYTES])
    if not feed.entries and (problem is not None or not feed.get("version")):
        got = f"XML that does not parse ({described})" if described else "a document of another kind"
        raise RecordError(Fault(path, 0, "", got, _FORMS))
    if described:
        _LOG.warning("%s: the XML is damaged (%s); %d entries were read", path, described, len(feed.entries))
    return [partial(_xml_record, entry, feed.feed) for entry in feed.entries]


def _without_halves(data: bytes, path: str) -> bytes:
    """The document with U+FFFD for each reference to half of a character; the log has their number."""
    n_replaced = 0

    def replaced(match: re.Match[bytes]) -> bytes:
        nonlocal n_replaced
        number = int(match[1], 16) if match[1] else int(match[2])
        if number not in _HALVES:
            return match[0]
        n_replaced += 1
        return b"&#xFFFD;"

    data = _REFERENCE.sub(replaced, data)
    if n_replaced:
        _LOG.warning("%s: halves of characters, replaced by U+FFFD: %d", path, n_replaced)
    return data


def _described(problem: Any, *, has_declaration: bool) -> str:
    """The problem with its line, if it is one of the XML parser; empty if there is none."""
    if not hasattr(problem, "getLineNumber"):
        return "" if problem is None else str(problem)
    line = problem.getLineNumber() - (not has_declaration)  # feedparser adds a missing declaration
    return f"line {line}: {problem.getMessage()}"


def _xml_record(entry: Entry, feed: Entry) -> dict[str, Any]:
    content = next((part.get("value", "") for part in entry.get("content", ())), "")
    source = entry.get("source") or feed  # an aggregator names the feed that an entry is from
    home = source.get("link") or source.get("href") or entry.get("link", "")
    files = [link for link in entry.get("links", ()) if link.get("rel") == "enclosure"]
    media = [*entry.get("media_content", ()), *files]
    is_video = any(_is_of(item, "video") for item in media)
    images = [item for item in media if _is_of(item, "image")] + list(entry.get("media_thumbnail", ()))
    terms = (tag.get("label") or tag.get("term") for tag in entry.get("tags", ()))
    return {
        "title": _plain(entry.get("title", ""), entry.get("title_detail", {}).get("type")),
        "excerpt": _plain(entry.get("summary") or content),
        "publishedDateTime": _date(entry),
        "originalUrl": entry.get("link", ""),
        "type": "video" if is_video else "",
        "provider": {"name": text_of(source.get("title", "")), "domain": host_of(home)},
        "topics": list(dict.fromkeys(filter(None, terms))),
        "images": list(map(_image, images)),
    }


def _plain(markup: str, kind: str | None = None) -> str:
    """Text of HTML, as a record's JSON has it: the reader resolves entities once more."""
    return html.escape(markup if kind == "text/plain" else text_of(markup), quote=False)


def _date(entry: Entry) -> str:
    """Time of publication, else of the last change; a date that did not parse stays as it is."""
    name = "published" if "published" in entry else "updated"
    parsed = entry.get(f"{name}_parsed")
    try:
        return datetime(*parsed[:6]).replace(tzinfo=UTC).isoformat() if parsed else str(entry.get(name, ""))
    except ValueError:
        return str(entry.get(name, ""))


def _is_of(item: Entry, kind: str) -> bool:
    return item.get("medium") == kind or str(item.get("type", "")).startswith(f"{kind}/")


def _image(item: Entry) -> dict[str, Any]:
    sizes = {name: int(item[name]) for name in ("width", "height") if str(item.get(name, "")).isdecimal()}
    return {"url": item.get("url") or item.get("href", ""), **sizes}


def _json_records(data: bytes, path: str) -> list[_Read]:
    try:
        feed = msgspec.json.decode(data.removeprefix(codecs.BOM_UTF8))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(Fault(path, 0, "", f"JSON that does not parse ({error})", _FORMS)) from None
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list):
        raise RecordError(Fault(path, 0, "items", "no list", _FORMS))
    return [partial(_json_record, item, feed, path) for item in items]


def _json_record(item: object, feed: Entry, path: str) -> dict[str, Any]:
    """The record of an item; a value of another type is left to the reader, which reports it."""
    if not isinstance(item, dict):
        raise RecordError(Fault(path, 0, "", f"an item of type {type(item).__name__}", "an object"))
    link = item.get("external_url") or item.get("url") or ""
    home = feed.get("home_page_url") or link
    excerpt = item.get("summary") or item.get("content_text") or ""
    if not excerpt and isinstance(item.get("content_html"), str):
        excerpt = text_of(item["content_html"])
    return {
        "title": _escaped(item.get("title")),
        "excerpt": _escaped(excerpt),
        "publishedDateTime": item.get("date_published") or item.get("date_modified"),
        "originalUrl": link,
        "provider": {"name": feed.get("title", ""), "domain": host_of(home) if isinstance(home, str) else ""},
        "topics": item.get("tags"),
        "images": [{"url": item[key]} for key in ("image", "banner_image") if item.get(key)][:1],
    }


def _escaped(value: object) -> object:
    return html.escape(value, quote=False) if isinstance(value, str) else value
