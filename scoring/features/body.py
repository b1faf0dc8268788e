"""Body features: what the text below the front matter has, if a record has such a text."""

from __future__ import annotations

from scoring.features.column import Column
from scoring.records.record import Record, RecordWithBody

COLUMNS = (
    Column("body_word_count", "body", "count", "words", ">= 0, missing", "words of the body"),
    Column("body_link_count", "body", "count", "links", ">= 0, missing", "links of the body"),
    Column("body_host_count", "body", "count", "hosts", ">= 0, missing", "different hosts of its links"),
    Column("body_heading_count", "body", "count", "headings", ">= 0, missing", "headings of the body"),
    Column("body_code_block_count", "body", "count", "blocks", ">= 0, missing", "blocks of code in the body"),
    Column("body_image_count", "body", "count", "images", ">= 0, missing", "images in the body"),
    Column("body_quote_count", "body", "count", "quotes", ">= 0, missing", "block quotes in the body"),
)


def extract(record: Record) -> tuple[float, ...]:
    """Compute the values of :data:`COLUMNS` for one record; empty if it has no body."""
    if not isinstance(record, RecordWithBody):
        return ()
    body = record.body
    counts = (body.words, body.links, body.hosts, body.headings, body.code_blocks, body.images, body.quotes)
    return tuple(map(float, counts))
