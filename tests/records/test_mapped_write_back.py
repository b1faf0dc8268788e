"""Labels written back in the keys and units of a field map: no other byte changes."""

from __future__ import annotations

import pytest

from scoring.errors import RecordError
from scoring.records.decode import decode_file
from scoring.records.field_maps.field_map import FieldMap, LabelRule
from scoring.records.field_maps.map_file import parse_field_map
from scoring.records.label_spelling import put_labels_back, spellings_of
from scoring.records.mapped_labels import as_written
from scoring.records.record import Labels
from scoring.records.write_back import replace_labels

RATING = parse_field_map(
    """
    fields: {title: title}
    labels:
      quality: {key: my-rating, scale: 20, step: 0.5, min: 1, max: 5}
      published: {key: draft, invert: true}
    """
)
GRADE = parse_field_map("fields: {title: title}\nlabels: {quality: {key: grade, choices: {A: 90, B: 60}}}")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("---\ntitle: Rain\nmy-rating: 2  # so far\ndraft: true\n---\nBody", "4.5  # so far"),
        ("---\r\ntitle: Rain\r\nmy-rating: 2\r\ndraft: true\r\n---\r\n", "4.5"),
        ('---\n{"title": "Rain", "my-rating": 2, "draft": true}\n---\n', "4.5"),
        ("---\ntitle: [Rain\nmy-rating: 2\ndraft: true\n---\n", "4.5"),
        ("+++\ntitle = 'Rain'\nmy-rating = 2 # so far\ndraft = true\n[extra]\nmy-rating = 1\n+++\n", "4.5"),
        ('{\n  "title": "Rain",\n  "my-rating": 2,\n  "draft": true\n}\n\nBody', "4.5"),
    ],
    ids=["yaml", "carriage returns", "braces", "odd yaml", "toml", "json"],
)
def test_the_value_alone_changes(before: str, after: str) -> None:
    if "[Rain" in before:
        before = before.replace("[Rain", "'Rain'")
    data = before.encode()
    new = replace_labels(data, Labels(quality=87, published=True), field_map=RATING)
    expected = before.replace("2  # so far", after).replace("rating: 2\r", f"rating: {after}\r")
    expected = expected.replace("rating: 2\n", f"rating: {after}\n").replace(
        "rating = 2", f"rating = {after}"
    )
    expected = expected.replace('rating": 2', f'rating": {after}')
    expected = expected.replace("draft: true", "draft: false").replace("draft = true", "draft = false")
    assert new.decode() == expected.replace('draft": true', 'draft": false')
    assert replace_labels(new, Labels(quality=87, published=True), field_map=RATING) == new
    labels = decode_file(new, "a.md", field_map=RATING).labels
    assert labels == as_written(Labels(quality=87, published=True), RATING) == Labels(90, None, True)
    spellings = spellings_of(data, decode_file(data, "a.md", field_map=RATING).labels, "a.md", RATING)
    assert put_labels_back(new, spellings, "a.md", RATING).data == data


def test_a_missing_label_is_inserted_by_its_key() -> None:
    data = b"---\ntitle: Rain\n---\n"
    new = replace_labels(data, Labels(quality=61, published=False), field_map=RATING)
    assert new == b"---\ntitle: Rain\nmy-rating: 3\ndraft: true\n---\n"
    assert put_labels_back(new, {"quality": None, "published": None}, "a.md", RATING).data == data


@pytest.mark.parametrize("source", ["B", "'B'", '"B"'])
def test_a_choice_is_a_text(source: str) -> None:
    data = f"---\ntitle: Rain\ngrade: {source}\n---\n".encode()
    assert replace_labels(data, Labels(quality=70), field_map=GRADE) == data
    new = replace_labels(data, Labels(quality=80), field_map=GRADE)
    assert new == b'---\ntitle: Rain\ngrade: "A"\n---\n'
    assert decode_file(new, "a.md", field_map=GRADE).labels.quality == 90
    before = spellings_of(data, Labels(quality=60), "a.md", GRADE)
    assert put_labels_back(new, before, "a.md", GRADE).data == data


@pytest.mark.parametrize("source", ["très bon", "'très bon'", "★★", '"\\u2605\u2605"', "good (so far)"])
def test_of_texts_with_the_same_points_the_one_that_was_there_comes_back(source: str) -> None:
    choices = "{génial: 100, très bon: 100, ★★: 100, good (so far): 100, moyen: 40}"
    several = parse_field_map(
        f"fields: {{title: title}}\nlabels: {{quality: {{key: s, choices: {choices}}}}}"
    )
    data = f"---\ntitle: Rain\ns: {source}\n---\n".encode()
    before = spellings_of(data, decode_file(data, "a.md", field_map=several).labels, "a.md", several)
    new = replace_labels(data, Labels(quality=40), field_map=several)
    assert put_labels_back(new, before, "a.md", several).data == data


def test_a_label_that_the_map_does_not_write() -> None:
    assert as_written(Labels(80, 90, True), RATING) == Labels(80, None, True)
    nested = FieldMap({}, {"quality": LabelRule("extra.rating")})
    assert as_written(Labels(80, 90, True), nested) == Labels()
    follows = FieldMap({}, {"published": LabelRule("rating", at_least=4)})
    assert as_written(Labels(80, 90, True), follows) == Labels()
    assert as_written(Labels(80, 90, True), None) == Labels(80, 90, True)
    with pytest.raises(ValueError, match="does not write heat"):
        replace_labels(b"---\ntitle: Rain\n---\n", Labels(heat=4), field_map=RATING)


def test_a_repeated_label_is_refused_by_its_key() -> None:
    data = b"---\ntitle: Rain\nmy-rating: 2\nmy-rating: 3\n---\n"
    with pytest.raises(RecordError, match="my-rating: got a repeated field"):
        replace_labels(data, Labels(quality=80), path="a.md", field_map=RATING)
