"""Field maps: what a file may say, and that each fault is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoring.errors import FieldMapError
from scoring.records.field_maps.field_map import OWN_LAYOUT, FieldSource, LabelRule
from scoring.records.field_maps.map_file import parse_field_map, read_field_map
from scoring.records.mapped_labels import as_written
from scoring.records.record import MAX_INTEGER, Labels
from scoring.records.survey.map_text import entry_text
from scoring.records.survey.presets import PRESETS, preset_text


def test_an_empty_map_is_the_own_layout() -> None:
    assert parse_field_map("").is_own_layout
    assert parse_field_map("section: folder") == parse_field_map("{section: folder, files: []}")


def test_fields_and_labels_that_are_not_named_are_empty() -> None:
    field_map = parse_field_map("fields: {title: name}\nlabels: {}")
    assert field_map.fields == {"title": (FieldSource(name="name"),)}
    assert field_map.labels == {}


def test_every_form_of_a_source() -> None:
    field_map = parse_field_map(
        """
        fields:
          title: [headline, {file: name}]
          published_at: {key: day, formats: ["%d.%m.%Y", unix], zone: Europe/Berlin}
          provider.name: {value: Gulls Daily}
          provider.domain: {host: link}
          topics: {key: tags, separator: ","}
          images: {key: pictures, item: src}
          excerpt: {body: first paragraph}
        labels:
          quality: {key: rating, scale: 20, offset: -5, step: 0.5, min: 1, max: 5}
          heat: heat
          published: {label: quality, at_least: 70}
        """
    )
    assert field_map.fields == {
        "title": (FieldSource(name="headline"), FieldSource("file", "name")),
        "published_at": (FieldSource("key", "day", ("%d.%m.%Y", "unix"), "Europe/Berlin"),),
        "provider.name": (FieldSource("value", "Gulls Daily"),),
        "provider.domain": (FieldSource("host", "link"),),
        "topics": (FieldSource(name="tags", separator=","),),
        "images": (FieldSource(name="pictures", item="src"),),
        "excerpt": (FieldSource("body", "first paragraph"),),
    }
    assert field_map.labels == {
        "quality": LabelRule("rating", scale=20, offset=-5, step=0.5, min=1, max=5),
        "heat": LabelRule("heat"),
        "published": LabelRule(label="quality", at_least=70),
    }
    assert field_map.keys == {"headline", "day", "link", "tags", "pictures", "rating", "heat"}
    for name, sources in field_map.fields.items():
        again = parse_field_map(f"fields: {{{name}: {entry_text(sources)}}}")
        assert again.fields[name] == sources
    for name, rule in field_map.labels.items():
        assert parse_field_map(f"labels: {{{name}: {entry_text(rule)}}}").labels[name] == rule


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "title: name",
            "m.yaml:1: got no entry of this name ('title'), expected one of fields, labels, files or section",
        ),
        (
            "fields:\n  titel: name",
            "m.yaml:2: fields: got no entry of this name ('titel'), expected one of title, ",
        ),
        ("fields: [title]", "m.yaml:1: fields: got a list, expected a mapping with title, "),
        (
            "fields:\n  title: {}",
            "m.yaml:2: fields.title: got a mapping, expected exactly one of key, value, host, ",
        ),
        ("fields: {title: {key: a, value: b}}", "fields.title: got a mapping, expected exactly one of"),
        ("fields: {title: {file: size}}", "fields.title.file: got 'size', expected date or name"),
        ("fields: {excerpt: {body: all}}", "fields.excerpt.body: got 'all', expected first paragraph"),
        ("fields: {title: a, title: b}", "fields.title: got a repeated entry, expected one value"),
        (
            "fields: {published_at: {key: d, zone: Mars}}",
            ".zone: got 'Mars', expected a time zone such as Europe/Berlin",
        ),
        (
            "labels: {score: a}",
            "labels: got no entry of this name ('score'), expected one of quality, heat or published",
        ),
        ("labels: {quality: {scale: 2}}", "labels.quality: got a mapping, expected either key or label"),
        ("labels: {quality: {key: a, scale: x}}", "labels.quality.scale: got 'x', expected a number"),
        (
            "labels: {quality: {key: a, scale: 0}}",
            "labels.quality.scale: got '0', expected a number other than 0",
        ),
        (
            "labels: {quality: {key: a, invert: true}}",
            "labels.quality.invert: got 'true', expected no such entry",
        ),
        ("labels: {published: {key: a, step: 2}}", "labels.published.step: got '2', expected no such entry"),
        (
            "labels: {published: {key: a, invert: 1}}",
            "labels.published.invert: got '1', expected true or false",
        ),
        (
            "labels: {published: {label: rank, at_least: 1}}",
            "labels.published.label: got 'rank', expected quality or heat",
        ),
        (
            "labels: {quality: {key: a, choices: []}}",
            "labels.quality.choices: got a list, expected texts with",
        ),
        (
            "labels: {quality: {key: a, choices: {A: x}}}",
            "labels.quality.choices.A: got 'x', expected a number",
        ),
        (
            "fields: {title: title}\nlabels:\n  quality: {key: title, scale: 20}",
            "m.yaml:3: labels.quality.key: got the key of title ('title'), expected a key of its own, since "
            "a written quality would destroy the field",
        ),
        (
            "fields:\n  topics: extra.tags\nlabels:\n  published: extra",
            "m.yaml:4: labels.published: got the key of topics ('extra')",
        ),
        ("fields: {provider.domain: {host: a}}\nlabels: {heat: a}", "got the key of provider.domain ('a')"),
        ("labels: {heat: publishedDateTime}", "got the key of published_at ('publishedDateTime')"),
        ("fields:\n  title: [a, heat]", "m.yaml:2: labels.heat: got the key of title ('heat')"),
        (
            "labels:\n  quality: a\n  heat: {key: a}",
            "m.yaml:3: labels.heat.key: got the key of labels.quality ('a'), expected a key of its own",
        ),
        (
            "labels:\n  quality:\n    key: a\n    scale: 1e-320",
            "m.yaml:4: labels.quality.scale: got '1e-320', expected a number of at least 1e-09 in size",
        ),
        ("labels: {quality: {key: a, offset: 1e-12}}", ".offset: got '1e-12', expected a number of at least"),
        ("labels: {quality: {key: a, scale: nan}}", ".scale: got 'nan', expected a number of at most 999,99"),
        ("labels: {quality: {key: a, offset: -2e9}}", ".offset: got '-2e9', expected a number of at most"),
        ("labels: {quality: {key: a, max: .inf}}", ".max: got '.inf', expected a number"),
        ("labels: {quality: {key: a, max: inf}}", ".max: got 'inf', expected a number of at most"),
        ("labels: {quality: {key: a, step: 0}}", ".step: got '0', expected a number other than 0"),
        ("labels: {quality: {key: a, step: -1}}", ".step: got '-1', expected a number above 0"),
        ("labels: {quality: {key: a, min: 5, max: 1}}", ".min: got '5', expected at most max, 1"),
        ("labels: {quality: {key: a, choices: {A: inf}}}", ".choices.A: got 'inf', expected a number of at"),
        (
            "labels: {heat: {key: a, choices: {A: -2}}}",
            ".choices.A: got '-2', expected a heat of at least -1",
        ),
        (
            "fields: {published_at: {key: date, formats: ['%Y-%m-%d %Y']}}",
            "fields.published_at.formats: got '%Y-%m-%d %Y', expected a date format",
        ),
        ("fields: {published_at: {key: date, formats: soon}}", "formats: got 'soon', expected a date format"),
        ("section: sea", "section: got 'sea', expected topic, folder or field NAME with category, type or"),
        ("files: {a: b}", "files: got a mapping, expected a text"),
        ("fields: {title: 'a", "m.yaml:1"),
    ],
)
def test_each_fault_is_named(text: str, fault: str) -> None:
    with pytest.raises(FieldMapError) as raised:
        parse_field_map(text, "m.yaml")
    assert fault in str(raised.value)


def test_labels_that_are_not_written_may_share_the_key_of_another() -> None:
    labels = parse_field_map("labels: {quality: rating, published: {key: rating, at_least: 4}}").labels
    assert labels["published"] == LabelRule("rating", at_least=4)
    smallest = parse_field_map("labels: {quality: {key: a, scale: -1e-9, offset: 0, step: 1e-9, max: -1}}")
    assert as_written(Labels(quality=MAX_INTEGER), smallest) == Labels()


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(FieldMapError) as raised:
        parse_field_map("section: sea\nfields: {titel: a}\nlabels: {score: b}")
    assert [fault.line for fault in raised.value.faults] == [1, 2, 3]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(FieldMapError, match=r"none\.yaml: got No such file or directory"):
        read_field_map(str(tmp_path / "none.yaml"))
    (tmp_path / "odd.yaml").write_bytes(b"fields: \xff")
    with pytest.raises(FieldMapError, match="not UTF-8"):
        read_field_map(str(tmp_path / "odd.yaml"))


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_field_maps(name: str) -> None:
    assert "title" in parse_field_map(preset_text(name)).fields


def test_the_own_layout_has_a_preset() -> None:
    assert parse_field_map(preset_text("scoring")) == OWN_LAYOUT


def test_other_presets_are_not_there() -> None:
    with pytest.raises(KeyError):
        preset_text("../field_map")
