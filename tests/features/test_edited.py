"""Features of edited records equal those computed from the edited record itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from scoring.features.as_of import AsOf
from scoring.features.edited import EditedFeatures
from scoring.features.table import Row, extract
from scoring.records.record import Coverage, Image, Record
from scoring.records.synthetic.generate import sample_documents
from scoring.records.synthetic.vocabulary import TOPICS

RECORDS = [record for record, _ in sample_documents(n_records=40, seed=8)]
MODEL_TOPICS = frozenset({*(topic for record in RECORDS for topic in record.topics), *TOPICS} - {TOPICS[1]})


def row_of(record: Record, as_of: AsOf = None, **changes: Any) -> Row:
    texts, numbers, topics, words = extract(msgspec.structs.replace(record, **changes), as_of)
    return texts, numbers, tuple(topic for topic in topics if topic in MODEL_TOPICS), words


def same(row: Row, other: Row) -> bool:
    return repr(row) == repr(other)  # NaN included


@pytest.mark.parametrize("as_of", [None, timedelta(hours=2)], ids=["as it stands", "2 h old"])
def test_a_row_is_that_of_the_edited_record(as_of: AsOf) -> None:
    for record in RECORDS:
        features = EditedFeatures(record, as_of, MODEL_TOPICS)
        assert same(features.row, row_of(record, as_of))
        for title in (f"{record.topics[0]}: {record.title}", record.title[:20], ""):
            assert same(features.with_title(title), row_of(record, as_of, title=title))
        text = f"It is about {TOPICS[2]}."
        assert same(features.with_excerpt(text), row_of(record, as_of, excerpt=text))
        images = (Image(width=1200, height=675, is_cached=True), *record.images[1:])
        assert same(features.with_images(images), row_of(record, as_of, images=images))
        entry = Coverage(published_at=record.published_at, quality=3, title=record.title)
        related = (*record.related, entry)
        assert same(features.with_coverage(entry), row_of(record, as_of, related=related))
        own = msgspec.structs.replace(entry, original_url=record.original_url)  # the record lists itself
        assert same(features.with_coverage(own), row_of(record, as_of, related=(*record.related, own)))
        others = [topic for topic in TOPICS if topic not in record.topics and topic in MODEL_TOPICS]
        for topic, row in zip(others, features.with_each_topic(others), strict=True):
            assert same(row, row_of(record, as_of, topics=(*record.topics, topic)))


@pytest.mark.parametrize(
    "topics",
    [
        ("Tessaril",),
        ("Tessaril", TOPICS[0]),
        ("Tessaril", TOPICS[0], TOPICS[2], TOPICS[3]),
        ("Tessaril", "Kites", TOPICS[2], "Kites", "Tides", TOPICS[1]),
        (TOPICS[2], TOPICS[3], TOPICS[2], TOPICS[0], TOPICS[3], TOPICS[3]),
        ("Kites", "Kites", "Tides"),
    ],
    ids=" ".join,
)
def test_each_topic_that_is_lost_has_its_row_or_that_of_one_like_it(topics: tuple[str, ...]) -> None:
    record = msgspec.structs.replace(RECORDS[0], topics=topics, title=f"Tides and {topics[-1]}")
    rows = list(EditedFeatures(record, None, MODEL_TOPICS).without_topics())
    expected = [
        (topics[index], row_of(record, topics=topics[:index] + topics[index + 1 :]))
        for index in range(1, len(topics))
    ]
    distinct: dict[str, tuple[str, Row]] = {}
    for topic, row in expected:
        distinct.setdefault(repr(row), (topic, row))
    assert {repr(row) for _, row in rows} == distinct.keys()
    # Of those that are alike the first comes first.
    first: dict[str, str] = {}
    for topic, row in rows:
        first.setdefault(repr(row), topic)
    assert list(first.items()) == [(key, topic) for key, (topic, _) in distinct.items()]


def test_as_many_topics_are_tried_as_the_model_knows() -> None:
    topics = ("Tessaril", *TOPICS, *(f"unheard of {index}" for index in range(5000)))
    record = msgspec.structs.replace(RECORDS[0], topics=topics)
    rows = list(EditedFeatures(record, None, MODEL_TOPICS).without_topics())
    assert len(rows) <= len(MODEL_TOPICS) + 8
    assert all(len(row[2]) <= len(MODEL_TOPICS) for _, row in rows)
