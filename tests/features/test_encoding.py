"""Encoder: learned levels, topics and providers."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from scoring.errors import FeatureError
from scoring.features.encoding import (
    ENCODED_NUMBERS,
    FITTED_COLUMNS,
    TOPIC_PREFIX,
    Encoder,
    ProviderStatistics,
    topic_columns,
)
from scoring.features.sections import SectionRule
from scoring.features.table import NUMBER_NAMES, FeatureTable, build_table
from scoring.records.record import Provider, Record


def record(domain: str, *topics: str) -> Record:
    return Record(title="Ebb", provider=Provider("", domain), topics=topics)


TRAINING = [
    *[record("often.example", "Sea", "Gulls")] * 4,
    *[record("seldom.example", "Sea")] * 1,
    *[record("", "Sea", "Wrecks")] * 2,
]
Y = np.array([10.0, 20.0, 30.0, 40.0, 70.0, 0.0, 5.0])


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.fit(build_table(TRAINING), Y, min_level_count=2)


def column(encoder: Encoder, records: list[Record], name: str) -> list[float]:
    X = encoder.transform(build_table(records))
    assert X.shape == (len(records), len(encoder.names))
    return [float(value) for value in X[:, encoder.names.index(name)]]


def test_levels_are_those_seen_often_enough(encoder: Encoder) -> None:
    assert encoder.levels_["provider_domain"] == ["often.example"]
    assert encoder.topics_ == ["Gulls", "Sea", "Wrecks"]
    assert encoder.known_topics_ == ["Gulls", "Sea", "Wrecks"]


def test_unknown_and_absent_levels_are_missing(encoder: Encoder) -> None:
    encoded = [record("often.example"), record("seldom.example"), record("never.example"), record("")]
    assert np.isnan(column(encoder, encoded, "provider_domain")).tolist() == [False, True, True, True]
    assert column(encoder, encoded[:1], "provider_domain") == [0]


def test_topics_have_columns_of_their_own(encoder: Encoder) -> None:
    encoded = [record("", "Sea", "Gulls"), record("", "Gulls", "Gulls", "Reefs"), record("")]
    assert column(encoder, encoded, TOPIC_PREFIX + "Gulls") == [1, 1, 0]
    assert column(encoder, encoded, TOPIC_PREFIX + "Sea") == [1, 0, 0]
    assert [column.name for column in topic_columns(encoder)] == [
        f"topic: {name}" for name in encoder.topics_
    ]


def test_provider_means_are_shrunken_to_the_mean_of_all(encoder: Encoder) -> None:
    mean = 25.0
    encoded = [record("often.example"), record("seldom.example"), record("never.example")]
    assert column(encoder, encoded, "provider_seen_count") == [4, 1, 0]
    assert column(encoder, encoded, "provider_quality_mean") == pytest.approx([mean, mean + 45 / 6, mean])


def test_what_is_unknown_is_said(encoder: Encoder) -> None:
    assert encoder.unknown("often.example", "Sea", ("Sea",)) == []
    assert encoder.unknown("seldom.example", "", ()) == []  # seen once is seen
    assert encoder.unknown("", "", ()) == []
    assert encoder.unknown("never.example", "Sea", ("Sea", "Reefs")) == [
        "provider unknown to the model: never.example",
        "topic unknown to the model: Reefs",
    ]


def test_an_unknown_section_is_reported(encoder: Encoder) -> None:
    by_topic = msgspec.structs.replace(encoder, sections_=SectionRule("topic", ("Sea",)))
    assert by_topic.unknown("", "Sea", ("Sea",)) == []
    assert by_topic.unknown("", "", ("Reefs",)) == [
        "section unknown to the model: none of the topics is one",
        "topic unknown to the model: Reefs",
    ]
    by_folder = msgspec.structs.replace(encoder, sections_=SectionRule("folder"))
    assert by_folder.unknown("", "reefs", ("reefs", "Sea")) == ["section unknown to the model: reefs"]


def test_domain_is_the_same_in_any_case(encoder: Encoder) -> None:
    assert column(encoder, [record("OFTEN.example")], "provider_seen_count") == [4]


def test_names_have_the_order_of_the_matrix(encoder: Encoder) -> None:
    names = encoder.names
    assert names[: len(ENCODED_NUMBERS)] == ENCODED_NUMBERS
    assert set(NUMBER_NAMES) - set(ENCODED_NUMBERS) == {"age_hours"}
    assert names[-len(FITTED_COLUMNS) :] == tuple(column.name for column in FITTED_COLUMNS)
    assert len(set(names)) == len(names)


def test_order_of_the_records_changes_nothing(encoder: Encoder) -> None:
    again = Encoder.fit(build_table(TRAINING[::-1]), Y[::-1], min_level_count=2)
    assert again.levels_ == encoder.levels_
    assert again.topics_ == encoder.topics_
    assert again.providers_.counts_ == encoder.providers_.counts_


def test_encoder_survives_json(encoder: Encoder) -> None:
    again = msgspec.json.decode(msgspec.json.encode(encoder), type=Encoder)
    assert again == encoder


@pytest.mark.parametrize("cut", ["numbers", "texts"])
def test_table_of_another_shape_is_refused(encoder: Encoder, cut: str) -> None:
    table = build_table(TRAINING)
    numbers = table.numbers[:, 1:] if cut == "numbers" else table.numbers
    texts = table.texts[:, 1:] if cut == "texts" else table.texts
    wrong = FeatureTable(numbers, texts, table.topics, table.title_words)
    with pytest.raises(
        FeatureError, match=r"^feature table: got \d+ numbers and \d+ texts, expected \d+ and \d+$"
    ):
        encoder.transform(wrong)


def test_statistics_of_no_records_are_none() -> None:
    empty = ProviderStatistics.fit(np.array([], dtype=np.object_), np.array([]))
    assert empty.transform(np.array(["any.example"], dtype=np.object_)).tolist() == [[0, 0]]
