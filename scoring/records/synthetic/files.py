"""Render synthetic records as files, with the key order, quoting and blank lines of a site's own files."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from random import Random
from typing import Any

from scoring.records.record import Coverage, Image, Labels, Provider, Record
from scoring.records.synthetic.stories import utc_offset_hours

_quote = json.JSONEncoder(ensure_ascii=False).encode  # JSON texts, numbers and booleans are YAML too
_QUOTED = frozenset(
    {"title", "excerpt", "originalUrl", "webUrl", "ampWebUrl", "cdnAmpWebUrl", "url", "secured"}
)
_BLOCKS = frozenset({"provider", "topics", "images", "related", "secured"})
_NOT_PLAIN = re.compile(r"(?i:true|false|null|yes|no|on|off|y|n)|.*[^\w .&+/-].*|[^A-Za-z].*|.* ", re.DOTALL)


def record_fields(record: Record, labels: Labels, *, secured: str) -> dict[str, Any]:
    """Return the front matter of a record as plain values, keys in file order.

    Parameters
    ----------
    record : Record
        The record.
    labels : Labels
        Its labels; None is omitted.
    secured : str
        The opaque payload.

    Returns
    -------
    dict of str to object
        Texts with HTML entities, dates as text in the provider's time zone.
    """
    fields: dict[str, Any] = {
        "category": record.category,
        **_texts(record),
        **_addresses(record),
        "type": record.type,
        "quality": labels.quality,
        "heat": labels.heat,
        "published": labels.published,
        "provider": _provider(record.provider),
        "topics": list(record.topics),
        "images": [_image(image) for image in record.images],
        "related": [coverage_fields(other) for other in record.related],
        "secured": secured,
    }
    return _without_absent(fields)


def coverage_fields(other: Coverage) -> dict[str, Any]:
    """Return one entry of ``related`` as plain values, keys in file order."""
    fields: dict[str, Any] = {
        **_texts(other),
        **_addresses(other),
        "type": other.type,
        "provider": _provider(other.provider),
        "quality": other.quality,
        "images": [_image(image) for image in other.images],
    }
    return _without_absent(fields)


def render(fields: dict[str, Any], *, related: str) -> str:
    """Render a file: YAML front matter without a body.

    Parameters
    ----------
    fields : dict of str to object
        As from :func:`record_fields`; its own ``related`` is ignored.
    related : str
        Concatenated entries of ``related`` from :func:`render_coverage`; may be empty.

    Returns
    -------
    str
        The text, ``---`` lines included.
    """
    parts = ["---\n"]
    for key, value in fields.items():
        if key in _BLOCKS:
            parts.append("\n")
        if key == "secured" and related:
            parts.append(f"related:\n{related}\n")
        if key != "related":
            parts.append(_entry(key, value, ""))
    parts.append("---\n\n")
    return "".join(parts)


def render_coverage(other: Coverage) -> str:
    """Render one entry of ``related`` as YAML, indented as in a file."""
    return _item(coverage_fields(other), "  ")


def opaque_payload(rng: Random) -> str:
    """Return random base64 in place of a site's encrypted payload."""
    body = b64encode(rng.randbytes(16 * rng.randint(16, 26))).decode()
    return f"{body};{b64encode(rng.randbytes(16)).decode()}"


def _texts(item: Record | Coverage) -> dict[str, Any]:
    return {
        "title": _escaped(item.title),
        "excerpt": _escaped(item.excerpt),
        "publishedDateTime": item.published_at and _date_text(item.published_at, item.provider.domain),
    }


def _addresses(item: Record | Coverage) -> dict[str, Any]:
    return {
        "originalUrl": item.original_url or None,
        "webUrl": item.web_url or None,
        "ampWebUrl": item.amp_web_url or None,
        "cdnAmpWebUrl": item.cdn_amp_web_url or None,
    }


def _provider(provider: Provider) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": provider.name, "domain": provider.domain}
    if provider.images:
        fields["images"] = [_image(image) for image in provider.images]
    return fields


def _image(image: Image) -> dict[str, Any]:
    fields = {
        "url": image.url,
        "width": image.width,
        "height": image.height,
        "isCached": image.is_cached or None,
    }
    return _without_absent(fields)


def _without_absent(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None and value != []}


def _escaped(text: str) -> str:
    return html.escape(text, quote=False).replace("\u2019", "&rsquo;")


def _date_text(moment: datetime, domain: str) -> str:
    hours = utc_offset_hours(domain)
    if hours == 0:
        return moment.isoformat().removesuffix("+00:00") + "Z"
    return moment.astimezone(timezone(timedelta(hours=hours))).isoformat()


def _entry(key: str, value: Any, indent: str) -> str:
    """Render one key and its value as YAML lines."""
    kind = type(value)
    if kind is str:
        is_bare = key == "publishedDateTime"
        return f"{indent}{key}: {value if is_bare else _quote(value) if key in _QUOTED else _plain(value)}\n"
    if kind is dict:
        inner = indent + "  "
        return f"{indent}{key}:\n" + "".join([_entry(k, v, inner) for k, v in value.items()])
    if kind is list:
        return f"{indent}{key}:\n" + "".join([_item(item, indent + "  ") for item in value])
    return f"{indent}{key}: {_quote(value)}\n"


def _item(value: Any, indent: str) -> str:
    """Render one list item as YAML lines; its first key follows the dash."""
    if not isinstance(value, dict):
        return f"{indent}- {_plain(value)}\n"
    inner = indent + "  "
    text = "".join([_entry(key, part, inner) for key, part in value.items()])
    return f"{indent}- {text[len(inner) :]}"


@lru_cache(maxsize=8192)
def _plain(text: str) -> str:
    """Quote a text unless YAML reads it back unquoted as the same text."""
    return _quote(text) if _NOT_PLAIN.fullmatch(text) else text
