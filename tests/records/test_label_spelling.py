"""The spelling of labels before a write is restored to the byte."""

from __future__ import annotations

from typing import Any

import pytest

from scoring.errors import RecordError
from scoring.records.decode import decode_file
from scoring.records.label_spelling import Spelling, put_labels_back, spellings_of, spellings_to_keep
from scoring.records.write_back import edit_labels, replace_labels

NEW = {"quality": 84, "heat": -1, "published": False}


def spelled(data: bytes) -> dict[str, Spelling]:
    return spellings_of(data, decode_file(data, "a.md").labels, "a.md")


@pytest.mark.parametrize(
    "block",
    [
        "title: Rain",
        "title: Rain\ntype: article",
        "title: Rain\ntype: article\nexcerpt: Wet",
        "title: Rain\nquality: 5\nheat: 3\npublished: true",
        "title: Rain\nquality: 5  # so far\nheat: 3",
        "title: Rain\nquality:\nheat: \npublished: null",
        "title: Rain\nquality: ~\nheat: Null\npublished: True",
        "title: Rain\nquality: -5\npublished: FALSE",
        "title: Rain\nquality:   5   # far off\n",
        "title: Rain\nquality:\n  5\nheat: 3",
        "title: Rain\nquality: # why\n  5\nheat: 3",
        "  title: Rain\n  type: article\n  quality: 7",
        '"title": Rain\n"quality": 5',
        "{title: Rain, quality: 5, heat: , published: true}",
        "type: video\ntitle: Rain",
        "title: Rain\nquality: ''\nheat: high\npublished: '67'",
        'title: Rain\nquality: ""\nheat: 67.5\npublished: 2016',
        'title: Rain\nquality: très bon (so far)\nheat: \'★★\'\npublished: "é\\u00e9 \\""',
        f"title: Rain\nquality: {'very ' * 39}good\nheat: 'half [so far]'\npublished: Ω",
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_labels_that_were_written_come_back_to_the_byte(block: str, newline: str) -> None:
    data = f"---\n{block.rstrip()}\n---\nBody: quality: 1\n".replace("\n", newline).encode()
    before = spelled(data)
    written = replace_labels(data, NEW)
    assert decode_file(written, "a.md").labels.quality == 84
    back = put_labels_back(written, {name: before.get(name) for name in NEW}, "a.md")
    assert back.data == data
    if written != data:
        assert back.diff.startswith("--- a.md\n+++ a.md\n@@ ")


def test_a_line_that_goes_away_is_one_line_of_the_diff() -> None:
    data = b"---\ntitle: Rain\ntype: article\nexcerpt: Wet\n---\n"
    written = replace_labels(data, {"quality": 84, "heat": 3})
    diff = put_labels_back(written, {"quality": None, "heat": None}, "a.md").diff
    assert diff == "--- a.md\n+++ a.md\n@@ -4,2 +3,0 @@\n-quality: 84\n-heat: 3\n"


@pytest.mark.parametrize(
    ("data", "before", "message"),
    [
        (b"---\ntitle: Rain\n---\n", {"quality": 5}, "quality: got no such label"),
        (b"---\ntitle: Rain\nquality: 5  # ok\n---\n", {"quality": None}, "got a label that shares its line"),
        (b"---\n{title: Rain, quality: 5}\n---\n", {"quality": None}, "got a label that shares its line"),
        (b"---\ntitle: Rain\nquality: 5\n---\n", {"quality": " 5\ntitle: Sun"}, "got YAML that this edit"),
        (b"---\ntitle: Rain\nquality: 5\n---\n", {"quality": " [high"}, "got YAML that this edit"),
        (b"---\ntitle: Rain\nquality: 5\n---\n", {"quality": " 5\nlayout: odd"}, "got YAML that this edit"),
        (b"---\n{title: Rain, quality: 5}\n---\n", {"quality": " 5, layout: odd"}, "got YAML that this edit"),
    ],
)
def test_what_cannot_be_put_back_is_refused(data: bytes, before: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        put_labels_back(data, before, "a.md")


def test_where_a_comment_stands_between_the_value_alone_is_kept() -> None:
    assert spelled(b"---\ntitle: Rain\nquality: # why\n  5\n---\n") == {"quality": 5}


@pytest.mark.parametrize("value", ["very " * 41, "'a\n  b'", "# why\n  05"])
def test_a_label_that_could_not_be_put_back_is_not_replaced(value: str) -> None:
    data = f"---\ntitle: Rain\nquality: {value}\n---\n".encode()
    _, _, text, layout = edit_labels(data, {"quality": 84}, "a.md")
    labels = decode_file(data, "a.md").labels
    with pytest.raises(RecordError, match=r"a.md:[34]: quality: got a value that could not be put back"):
        spellings_to_keep(text, layout, labels, "a.md")
    assert spellings_to_keep(text, layout, labels, "a.md", replaced=["heat"])
