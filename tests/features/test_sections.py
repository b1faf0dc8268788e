from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.features.sections import FIRST_TOPIC, WHOLE, SectionRule, learn_sections
from scoring.features.table import extract
from scoring.records.record import Record

FINER = ("rain", "soil", "frost", "kites", "boats", "bread")
Archive = list[tuple[str, ...]]


def random_of(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 -- not for secrets


def archive(section: str, n_records: int, *, seed: int = 0, finer: tuple[str, ...] = FINER) -> Archive:
    """Topics of records of one section: the section and one to three finer topics, in any order."""
    rng = random_of(seed)
    records = []
    for _ in range(n_records):
        topics = [section, *rng.sample(finer, rng.randint(1, min(3, len(finer))))]
        rng.shuffle(topics)
        records.append(tuple(topics))
    return records


def test_the_section_is_the_topic_that_all_records_share() -> None:
    assert learn_sections([archive("Tea", 60)]) == SectionRule("topic", ("Tea",))


def test_a_section_that_some_records_lack_is_still_found() -> None:
    records = archive("Tea", 200)
    lacking = [tuple(topic for topic in topics if topic != "Tea") for topics in records[:10]]
    rule = learn_sections([lacking + records[10:]])
    assert rule == SectionRule("topic", ("Tea",))
    assert rule.section_of(Record(topics=lacking[0])) == ""


def test_two_sections_in_one_folder_are_kept_apart() -> None:
    rule = learn_sections([archive("Tea", 60) + archive("Boats", 40, seed=1)])
    assert rule.names == ("Tea", "Boats")


def test_a_finer_topic_on_most_records_of_one_section_is_no_section() -> None:
    rng = random_of(2)
    records = [(*topics, "green") if rng.random() < 0.9 else topics for topics in archive("Tea", 100)]
    assert learn_sections([records + archive("Boats", 80, seed=1)]).names == ("Tea", "Boats")


def test_a_topic_across_two_sections_is_no_section() -> None:
    records = archive("Tea", 60) + archive("Boats", 50, seed=1)
    rng = random_of(3)
    records = [(*topics, "news") if rng.random() < 0.7 else topics for topics in records]
    assert learn_sections([records]).names == ("Tea", "Boats")


def test_thirty_finer_topics_do_not_make_thirty_sections() -> None:
    records = [(f"finer {number % 30}", "Tea") for number in range(300)]
    assert learn_sections([records]).names == ("Tea",)


def test_a_topic_that_two_archives_share_is_no_section_where_each_has_its_own() -> None:
    first = [(*topics, "news") for topics in archive("Tea", 60)]
    second = [(*topics, "news") for topics in archive("Boats", 50, seed=1)]
    assert learn_sections([first, second]).names == ("Tea", "Boats")


def test_one_section_in_two_folders_is_one() -> None:
    assert learn_sections([archive("Tea", 60), archive("Tea", 50, seed=1)]).names == ("Tea",)


def test_a_section_of_one_record_is_unknown() -> None:
    rule = learn_sections([[*archive("Tea", 60), ("Boats", "sails")]])
    assert rule.names == ("Tea",)
    assert rule.section_of(Record(topics=("Boats", "sails"))) == ""


def test_a_new_topic_overnight_changes_no_section() -> None:
    rule = learn_sections([archive("Tea", 60)])
    assert rule.section_of(Record(topics=("new", "Tea"))) == "Tea"
    assert rule.section_of(Record(topics=("new",))) == ""


def test_an_archive_whose_topics_overlap_has_no_sections() -> None:
    rng = random_of(4)
    records = [tuple(rng.sample(FINER, 3)) for _ in range(100)]
    rule = learn_sections([records])
    assert rule == SectionRule("topic", (), WHOLE)
    assert rule.section_of(Record(topics=records[0])) == WHOLE


@given(st.randoms(use_true_random=False))
def test_the_order_of_topics_and_records_does_not_matter(rng: random.Random) -> None:
    records = archive("Tea", 40) + archive("Boats", 30, seed=1)
    mixed = [tuple(rng.sample(topics, len(topics))) for topics in rng.sample(records, len(records))]
    assert learn_sections([mixed]) == learn_sections([records])


@given(st.integers(0, 3), st.booleans())
def test_moving_the_section_changes_no_feature(position: int, has_other: bool) -> None:
    rule = SectionRule("topic", ("Tea", "Boats"))
    others = ["green tea", "kettle", "frost"]
    topics = [*others[:position], "Tea", *others[position:]]
    record = Record(title="Green tea: the kettle of the year", topics=tuple(topics))
    if has_other:
        record = msgspec.structs.replace(record, topics=(*record.topics, "Boats"))
    first = msgspec.structs.replace(
        record, topics=("Tea", *(topic for topic in record.topics if topic != "Tea"))
    )
    assert repr(extract(rule.placed(record))) == repr(extract(rule.placed(first)))  # NaN is not NaN


def test_a_record_of_no_known_section_has_all_its_topics_as_finer_ones() -> None:
    rule = SectionRule("topic", ("Tea",))
    record = Record(title="Kites above the town", topics=("kites", "town"))
    placed = rule.placed(record)
    assert placed.topics == ("", "kites", "town")
    assert rule.placed(placed) is placed
    texts, _, topics, _ = extract(placed)
    assert topics == ("kites", "town")
    assert texts[-2:] == ("", "kites")


def test_a_section_may_be_the_folder_or_a_field() -> None:
    record = Record(topics=("kites",), category="sports")
    assert SectionRule("folder").section_of(record, "news/boats/a.md") == "boats"
    assert SectionRule("folder").section_of(record, "-") == ""
    assert SectionRule("field", field="category").placed(record).topics == ("sports", "kites")


@pytest.mark.parametrize("rule", [FIRST_TOPIC, SectionRule("topic", ("Tea",), WHOLE)])
def test_a_rule_is_saved_with_the_model(rule: SectionRule) -> None:
    assert msgspec.json.decode(msgspec.json.encode(rule), type=SectionRule) == rule
