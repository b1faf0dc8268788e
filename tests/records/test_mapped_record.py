"""Records of other layouts, read by a field map."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

import scoring
from scoring.errors import RecordError
from scoring.records.decode import decode_file, decode_json
from scoring.records.field_maps.field_map import FieldMap, LabelRule
from scoring.records.field_maps.map_file import parse_field_map
from scoring.records.mapped_labels import spell_label
from scoring.records.record import Document, Labels

LINKS = parse_field_map(
    """
    fields:
      title: title
      published_at: [{key: date, zone: Europe/Berlin}, {file: date}]
      original_url: [link, url]
      provider.domain: {host: link}
      topics: tags
      excerpt: [summary, {body: first paragraph}]
      images: cover
    labels:
      quality: {key: rating, scale: 20, min: 1, max: 5}
      published: {key: draft, invert: true}
    """
)


def read(front_matter: str, field_map: FieldMap = LINKS, *, body: str = "", path: str = "a.md") -> Document:
    return decode_file(f"---\n{front_matter}\n---\n{body}".encode(), path, field_map=field_map)


def test_a_link_is_a_record() -> None:
    document = read(
        "title: Rain again\ndate: 2021-03-04 08:15\nlink: https://www.gulls.example/rain\n"
        "tags: [sea, weather]\nrating: 4\ndraft: false\ncover: rain.jpg\nlayout: link",
        body="# Rain\n\nThe *third* storm.\n\nMore.\n",
    )
    record = document.record
    assert (record.title, record.topics, record.excerpt) == (
        "Rain again",
        ("sea", "weather"),
        "The third storm.",
    )
    assert record.published_at == datetime(2021, 3, 4, 7, 15, tzinfo=UTC)
    assert (record.original_url, record.provider.domain) == (
        "https://www.gulls.example/rain",
        "gulls.example",
    )
    assert [image.url for image in record.images] == ["rain.jpg"]
    assert document.labels == Labels(80, None, True)
    assert document.warnings == ()


def test_a_line_of_json_is_read_by_the_same_map() -> None:
    line = {"title": "Rain", "date": "2021-03-04", "tags": ["sea"], "rating": 3.5, "draft": True}
    document = decode_json(json.dumps(line).encode(), "a.jsonl", 1, LINKS)
    assert document.labels == Labels(70, None, False)
    assert document.record.published_at == datetime(2021, 3, 3, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("source", "value", "path", "expected"),
    [
        ("date", "2021-03-04T05:06:07+02:00", "a.md", datetime(2021, 3, 4, 3, 6, 7)),
        ("date", "Thu, 04 Mar 2021 05:06:07 +0200", "a.md", datetime(2021, 3, 4, 3, 6, 7)),
        ('{key: date, formats: ["%d.%m.%Y"], zone: UTC}', "04.03.2021", "a.md", datetime(2021, 3, 4)),
        ('{key: date, formats: ["%Y"], zone: UTC}', "2021", "a.md", datetime(2021, 1, 1)),
        ("{key: date, formats: unix}", "1614834367", "a.md", datetime(2021, 3, 4, 5, 6, 7)),
        ("{key: date, zone: America/New_York}", "2021-03-04", "a.md", datetime(2021, 3, 4, 5)),
        ("{file: date}", "", "news/2021/03/04/a.md", datetime(2021, 3, 4)),
        ("{file: date}", "", "2020-01-01/2021-03-04-a.md", datetime(2021, 3, 4)),
        ("[{key: none}, {key: date}]", "2021-03-04 05:06Z", "a.md", datetime(2021, 3, 4, 5, 6)),
    ],
)
def test_dates(source: str, value: str, path: str, expected: datetime) -> None:
    field_map = parse_field_map(f"fields: {{title: title, published_at: {source}}}\nlabels: {{}}")
    document = read(f"title: Rain\ndate: {json.dumps(value)}", field_map, path=path)
    assert document.record.published_at == expected.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("source", "value", "topics"),
    [
        ("tags", "[sea, weather]", ("sea", "weather")),
        ("tags", "sea", ("sea",)),
        ('{key: tags, separator: ","}', "sea , weather,", ("sea", "weather")),
        ('{key: tags, separator: " "}', "sea  weather", ("sea", "weather")),
        ('{key: tags, separator: " "}', "[open sea, weather]", ("open sea", "weather")),
        ("{key: tags, item: name}", "[{name: sea}, {name: weather, id: 4}]", ("sea", "weather")),
        ("tags", "[2021, true]", ("2021", "true")),
        ("extra.tags", "[none]", ()),
        ("{value: sea}", "[none]", ("sea",)),
    ],
)
def test_topics(source: str, value: str, topics: tuple[str, ...]) -> None:
    field_map = parse_field_map(f"fields: {{title: title, topics: {source}}}\nlabels: {{}}")
    assert read(f"title: Rain\ntags: {value}", field_map).record.topics == topics


def test_a_record_that_is_in_no_file_has_no_name_of_one() -> None:
    field_map = parse_field_map(
        "fields: {title: [title, {file: name}], published_at: {file: date}}\nlabels: {}"
    )
    [document] = scoring.read_records({"title": "Rain", "date": "x"}, fields=field_map)
    assert document.record.published_at is None
    assert "no file, by whose name or path the map reads published_at" in document.warnings
    by_name = parse_field_map("fields: {title: {file: name}, topics: tags}\nlabels: {}")
    with pytest.raises(RecordError, match="name: got no text, expected a title"):
        list(scoring.read_records({"tags": ["sea"]}, fields=by_name))


def test_what_no_field_uses_is_named_if_only_the_title_was_read() -> None:
    document = read("title: Rain\npublishedDateTime: 2021-03-04\nprovider: Gulls")
    assert "only the title was read: no field uses 'publishedDateTime', 'provider'" in document.warnings


def test_a_date_beyond_the_years_that_are_read_is_the_fault_of_its_key() -> None:
    with pytest.raises(RecordError, match=r"a\.md:3: date: got"):
        read("title: Rain\ndate: 0001-01-01")


def test_keys_may_be_nested() -> None:
    field_map = parse_field_map(
        "fields: {title: a.title, topics: extra.tags, provider.name: extra.site,"
        " images: {key: a.pics, item: src}}\nlabels: {quality: {key: extra.rating, scale: 10}}"
    )
    document = read(
        "a: {title: Rain, pics: [{src: x.jpg}]}\nextra: {tags: [sea], site: Gulls, rating: 7}", field_map
    )
    assert document.record.title == "Rain"
    assert (document.record.topics, document.record.provider.name) == (("sea",), "Gulls")
    assert [image.url for image in document.record.images] == ["x.jpg"]
    assert document.labels.quality == 70


def test_faults_name_the_keys_of_the_file() -> None:
    field_map = parse_field_map(
        "fields: {title: [headline, name], published_at: day, topics: tags}\nlabels: {}"
    )
    with pytest.raises(RecordError) as raised:
        read("day: soon\ntags: [sea]", field_map)
    assert [str(fault) for fault in raised.value.faults] == [
        "a.md:2: headline or name: got no text, expected a title",
        "a.md:2: day: got 'soon', expected a date such as 2021-03-04T05:06:07Z",
    ]
    with pytest.raises(RecordError, match=r"a\.md:3: name: got a repeated field"):
        read("name: Rain\nname: Sun", field_map)


def test_an_assumption_is_reported_by_the_key_of_the_file() -> None:
    field_map = parse_field_map("fields: {title: title, published_at: day}\nlabels: {}")
    document = read("title: Rain\nday: 2021-03-04", field_map)
    assert document.warnings[0] == "day: '2021-03-04' has no time: taken as midnight UTC"
    assert "no day" in read("title: Rain", field_map).warnings


@pytest.mark.parametrize(
    ("rule", "text", "label"),
    [
        ("quality: {key: r, scale: 20}", "4", Labels(80)),
        ("quality: {key: r, scale: 20}", "'3.5'", Labels(70)),
        ("quality: {key: r, scale: 9, offset: 10}", "3", Labels(37)),
        ("quality: {key: r, choices: {A: 90, B: 60}}", "B", Labels(60)),
        ("heat: r", "-1", Labels(heat=-1)),
        ("heat: {key: r, min: 0}", "-1", Labels(heat=-1)),
        ("quality: {key: r, scale: 20, min: 1, max: 5}", "5", Labels(100)),
        ("published: r", "true", Labels(published=True)),
        ("published: r", "no", Labels(published=False)),
        ("published: {key: r, invert: true}", "true", Labels(published=False)),
        ("published: {key: r, choices: {live: true, held: false}}", "held", Labels(published=False)),
        ("published: {key: r, at_least: 4}", "3.5", Labels(published=False)),
        (
            "quality: {key: r, scale: 20}, published: {label: quality, at_least: 60}",
            "3",
            Labels(60, None, True),
        ),
        ("published: {label: quality, at_least: 60}", "3", Labels()),
        ("quality: {key: r, scale: 20}", "", Labels()),
    ],
)
def test_labels(rule: str, text: str, label: Labels) -> None:
    field_map = parse_field_map(f"labels: {{{rule}}}")
    document = read(f"title: Rain\nr: {text}", field_map)
    assert document.labels == label
    assert not any("r: " in warning for warning in document.warnings)


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("quality: {key: r, scale: 20}", "high", "a number: taken as a missing label"),
        ("quality: {key: r, scale: 20}", "[4]", "a number"),
        ("quality: {key: r, choices: {A: 90}}", "C", "one of A"),
        ("heat: r", "-2", "a number"),
        ("published: r", "2019", "true or false"),
        (
            "quality: {key: r, scale: 20, min: 1, max: 5}",
            "44",
            "a number from 1 to 5: taken as a missing label",
        ),
        ("quality: {key: r, scale: 20, min: 1, max: 5}", "0", "a number from 1 to 5"),
        ("quality: {key: r, scale: 20, max: 5}", "5.5", "a number to 5"),
    ],
)
def test_a_value_that_is_no_label_is_a_missing_one(rule: str, text: str, expected: str) -> None:
    document = read(f"title: Rain\nr: {text}", parse_field_map(f"labels: {{{rule}}}"))
    assert document.labels == Labels()
    assert document.warnings[0].startswith("r: got ")
    assert expected in document.warnings[0]


@pytest.mark.parametrize(
    ("name", "value", "rule", "text"),
    [
        ("quality", 87, LabelRule("r", scale=20), "4"),
        ("quality", 87, LabelRule("r", scale=20, step=0.5), "4.5"),
        ("quality", 120, LabelRule("r", scale=20, max=5), "5"),
        ("quality", -7, LabelRule("r", scale=20, min=1), "1"),
        ("quality", 37, LabelRule("r", scale=9, offset=10), "3"),
        ("quality", 1200, LabelRule("r"), "1200"),
        ("quality", 74, LabelRule("r", choices={"A": 90, "B": 60}), "B"),
        ("quality", 75, LabelRule("r", choices={"A": 90, "B": 60}), "A"),
        ("heat", -1, LabelRule("r"), "-1"),
        ("heat", -1, LabelRule("r", scale=20), None),
        ("published", True, LabelRule("r"), "true"),
        ("published", True, LabelRule("r", invert=True), "false"),
        ("published", False, LabelRule("r", choices={"live": True, "held": False}), "held"),
        ("published", False, LabelRule("r", at_least=4), None),
        ("published", False, LabelRule(label="quality", at_least=4), None),
    ],
)
def test_labels_are_spelled_in_the_files_unit(
    name: str, value: int, rule: LabelRule, text: str | None
) -> None:
    assert spell_label(name, value, rule) == text
