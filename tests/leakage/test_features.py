"""Features depend neither on a record's own labels nor on anything after `as_of`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest

from scoring.features.column import Column
from scoring.features.encoding import ENCODED_NUMBERS, FITTED_COLUMNS, TOPIC_PREFIX, Encoder, topic_columns
from scoring.features.table import NUMBER_COLUMNS, TEXT_COLUMNS, FeatureTable, build_table
from scoring.records.decode import decode_json
from scoring.records.record import Coverage, Image, Provider, Record
from scoring.records.synthetic.generate import sample_documents, sample_json_lines

AS_OF = datetime(2018, 6, 1, tzinfo=UTC)
RECORDS = [record for record, _ in sample_documents(n_records=150, seed=4)]
LINES = [json.loads(line) for line in sample_json_lines(n_records=60, seed=4)]


def decoded(lines: list[dict[str, Any]]) -> list[Record]:
    return [
        decode_json(json.dumps(line).encode(), "-", index).record for index, line in enumerate(lines, start=1)
    ]


def relabelled(line: dict[str, Any]) -> dict[str, Any]:
    """The record with other labels, another opaque payload and unknown keys."""
    line = {key: value for key, value in line.items() if key not in ("quality", "heat", "published")}
    extra = {"secured": "c29tZXRoaW5nIGVsc2U=", "editorsPick": True, "score": 99}
    return line | extra | {"quality": 777, "heat": 5555, "published": line["title"] < "M"}


def with_later_coverage(record: Record, at: int) -> Record:
    """The record after `AS_OF`: with new coverage, and with later changes of its coverage."""
    random = Random(at)  # noqa: S311 -- nothing to keep secret
    known = [
        related_record
        for related_record in record.related
        if related_record.published_at and related_record.published_at <= AS_OF
    ]
    later = [
        Coverage(
            title=record.title,
            published_at=AS_OF + timedelta(seconds=random.choice((1, 3600, 10**6))),
            provider=record.provider if random.random() < 0.5 else Provider("New", "new.example"),
            images=(Image("https://example.org/a.png", 10, 10),),
            quality=random.choice((None, -5, 500)),
        )
        for _ in range(random.randint(1, 4))
    ]
    related = [*known, *later]
    random.shuffle(related)
    return msgspec.structs.replace(record, related=tuple(related))


BEFORE = build_table(RECORDS, AS_OF)
AFTER = build_table([with_later_coverage(record, index) for index, record in enumerate(RECORDS)], AS_OF)
LABELLED, RELABELLED = (
    build_table(decoded(LINES)),
    build_table(decoded([relabelled(labelled_line) for labelled_line in LINES])),
)


def values(table: FeatureTable, column: Column) -> Any:
    if column in TEXT_COLUMNS:
        return table.text(column.name).tolist()
    return [None if np.isnan(value) else float(value) for value in table.number(column.name)]


def differs(column: Column) -> bool:
    """Whether a column has several values, so that a change could be noticed."""
    return len(set(values(BEFORE, column))) > 1


@pytest.mark.parametrize("column", [*NUMBER_COLUMNS, *TEXT_COLUMNS], ids=lambda column: column.name)
def test_no_feature_reads_the_labels(column: Column) -> None:
    assert values(LABELLED, column) == values(RELABELLED, column)


@pytest.mark.parametrize("column", [*NUMBER_COLUMNS, *TEXT_COLUMNS], ids=lambda column: column.name)
def test_no_feature_knows_what_came_later(column: Column) -> None:
    expected = pytest.approx(values(BEFORE, column)) if column in NUMBER_COLUMNS else values(BEFORE, column)
    assert values(AFTER, column) == expected


def test_later_coverage_would_show() -> None:
    """The two tests above can fail: without `as_of`, later coverage changes the features."""
    seen = build_table([with_later_coverage(record, index) for index, record in enumerate(RECORDS)])
    for column in NUMBER_COLUMNS:
        if column.family == "coverage":
            assert values(seen, column) != values(BEFORE, column), column.name
    assert sum(map(differs, (*NUMBER_COLUMNS, *TEXT_COLUMNS))) > 50


def test_topics_and_words_are_the_records_own() -> None:
    assert LABELLED.topics == RELABELLED.topics
    assert LABELLED.title_words == RELABELLED.title_words
    assert BEFORE.topics == AFTER.topics
    assert BEFORE.title_words == AFTER.title_words


def test_record_has_no_place_for_its_labels() -> None:
    assert not {"quality", "heat", "published", "secured"} & set(Record.__struct_fields__)


def test_learned_columns_know_the_training_labels_only() -> None:
    y = np.arange(float(len(LINES)))
    encoder = Encoder.fit(LABELLED, y, min_level_count=2)
    assert np.array_equal(encoder.transform(LABELLED), encoder.transform(RELABELLED), equal_nan=True)
    assert np.array_equal(encoder.transform(BEFORE), encoder.transform(AFTER), equal_nan=True)
    # Of all columns only the provider's mean follows the labels.
    other = Encoder.fit(LABELLED, y[::-1].copy() * 3, min_level_count=2)
    moved = {
        name
        for name, first, second in zip(
            encoder.names, encoder.transform(LABELLED).T, other.transform(LABELLED).T, strict=True
        )
        if not np.array_equal(first, second, equal_nan=True)
    }
    assert moved == {"provider_quality_mean"}
    learned = {column.name for column in (*FITTED_COLUMNS, *topic_columns(encoder))}
    assert set(encoder.names) == learned | {*ENCODED_NUMBERS, *(column.name for column in TEXT_COLUMNS)}
    assert all(name.startswith(TOPIC_PREFIX) for name in learned - {column.name for column in FITTED_COLUMNS})
