"""Synthetic records in the layouts of other archives: link blogs, static sites, feeds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC
from email.utils import format_datetime
from typing import Any, Literal, NamedTuple, get_args
from xml.sax.saxutils import escape

from scoring.records.record import Labels, Record
from scoring.records.synthetic.files import record_fields, render

Layout = Literal["scoring", "no-coverage", "quality", "ratings", "published", "toml", "json", "feed"]
"""scoring's own layout, and others: without coverage; quality alone; a link blog with ratings; a static site
with drafts; front matter in TOML and in JSON; feeds."""

LAYOUTS: tuple[Layout, ...] = get_args(Layout)
POINTS_PER_STAR = 20
"""Points of quality that a star of a rating stands for."""

_quote = json.JSONEncoder(ensure_ascii=False).encode  # JSON texts, numbers and lists are YAML and TOML too


class SampleFile(NamedTuple):
    """Name and content of a file."""

    name: str
    text: str


def other_files(
    story: Sequence[tuple[Record, Labels]], layout: Layout, *, is_labelled: bool
) -> Iterator[SampleFile]:
    """Yield the files of a story in a layout other than scoring's own.

    Parameters
    ----------
    story : sequence of (Record, Labels)
        Its records.
    layout : str
        The layout; a feed is one file for the whole story.
    is_labelled : bool
        Whether the files have labels; a feed never has.
    """
    if layout == "feed":
        first = story[0][0]
        yield SampleFile(f"{_name(first)}.xml", _feed([record for record, _ in story]))
        return
    for record, labels in story:
        text = _RENDERERS[layout](record, labels if is_labelled else Labels())
        yield SampleFile(f"{_name(record)}.md", text)


def _name(record: Record) -> str:
    date = record.published_at.date().isoformat() if record.published_at else ""
    return f"{date}-{record.web_url.rstrip('/').rpartition('/')[2]}"


def _stars(labels: Labels) -> int | None:
    return None if labels.quality is None else min(max(round(labels.quality / POINTS_PER_STAR), 1), 5)


def _link(record: Record, **labels: object) -> dict[str, Any]:
    """Front matter as link blogs and static sites have it."""
    fields = {
        "title": record.title,
        "date": record.published_at.astimezone(UTC).isoformat() if record.published_at else None,
        "link": record.url,
        "source": record.provider.name,
        "tags": list(record.topics),
        "cover": record.images[0].url if record.images else None,
        **labels,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _body(record: Record) -> str:
    return f"\n{record.excerpt}\n" if record.excerpt else ""


def _yaml(fields: dict[str, Any], record: Record) -> str:
    lines = "".join(f"{name}: {_quote(value)}\n" for name, value in fields.items())
    return f"---\n{lines}---\n{_body(record)}"


def _without_coverage(record: Record, labels: Labels) -> str:
    fields = record_fields(record, labels, secured="")
    del fields["secured"]
    return render(fields, related="")


def _with_quality(record: Record, labels: Labels) -> str:
    return _without_coverage(record, Labels(quality=labels.quality))


def _with_rating(record: Record, labels: Labels) -> str:
    return _yaml(_link(record, rating=_stars(labels)), record)


def _with_draft(record: Record, labels: Labels) -> str:
    is_draft = None if labels.published is None else not labels.published
    return _yaml(_link(record, draft=is_draft), record)


def _toml(record: Record, labels: Labels) -> str:
    fields = _link(record, rating=_stars(labels))
    tags = fields.pop("tags")
    lines = "".join(f"{name} = {_quote(value)}\n" for name, value in fields.items())
    return f"+++\n{lines}\n[taxonomies]\ntags = {_quote(tags)}\n+++\n{_body(record)}"


def _json(record: Record, labels: Labels) -> str:
    fields = json.dumps(_link(record, rating=_stars(labels)), ensure_ascii=False, indent=2)
    return f"{fields}\n{_body(record)}"


_RENDERERS: dict[str, Callable[[Record, Labels], str]] = {
    "no-coverage": _without_coverage,
    "quality": _with_quality,
    "ratings": _with_rating,
    "published": _with_draft,
    "toml": _toml,
    "json": _json,
}


def _feed(records: Sequence[Record]) -> str:
    items = "".join(map(_item, records))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0">\n<channel>\n'
        f"<title>{escape(records[0].provider.name)}</title>\n<link>{escape(records[0].url)}</link>\n"
        f"<description/>\n{items}</channel>\n</rss>\n"
    )


def _item(record: Record) -> str:
    categories = "".join(f"<category>{escape(topic)}</category>" for topic in record.topics)
    date = f"<pubDate>{format_datetime(record.published_at)}</pubDate>" if record.published_at else ""
    return (
        f"<item><title>{escape(record.title)}</title><link>{escape(record.url)}</link>{date}"
        f"<description>{escape(record.excerpt)}</description>{categories}</item>\n"
    )
