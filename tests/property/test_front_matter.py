"""Random front matter: both readers agree, and an edit of labels changes nothing else."""

from __future__ import annotations

import json
import re

from hypothesis import example, given
from hypothesis import strategies as st

from scoring.errors import RecordError
from scoring.records.decode import decode_file
from scoring.records.forms.front_matter import find_front_matter, to_json
from scoring.records.forms.yaml_nodes import parse_nodes
from scoring.records.plain_json import decode_fast
from scoring.records.reader import read_record
from scoring.records.record import Labels
from scoring.records.write_back import replace_labels

# Characters that mean something to YAML, HTML or a parser of either, among letters of many scripts.
SPECIAL = st.sampled_from([*":#-?*&!|>%@`'\"\\{}[],~= \t.0123456789", "é", "雨", "🌧", "\x85", "\u2028"])
TEXT = st.text(st.one_of(SPECIAL, st.characters(exclude_categories=["Cs"])), max_size=20)
LINE_TEXT = TEXT.map(lambda text: re.sub(r"[\r\n]", " ", text))


def single_quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def double_quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


WORDS = """
Rain|2021|no|10:00|1.0|null|Null|~|true|-1|0x1F|1e5|C# Daily|a: b|1_0||-|67|Rain # wet|R&amp;D
a  b|5.|007|+5|-0|.5|y|.inf|'|*
2021-03-04T05:06:07Z|2021-03-04T05:06:07+02:00|2021-03-04T05:06:07|2021-03-04|0001-01-01T00:00:00Z
"""
WORD = st.sampled_from(re.split(r"[|\n]", WORDS.strip()))
VALUE = st.one_of(
    WORD, WORD, LINE_TEXT, LINE_TEXT.map(single_quoted), TEXT.map(double_quoted), LINE_TEXT.map(double_quoted)
)
KEY = st.sampled_from(
    ["title", "excerpt", "type", "webUrl", "publishedDateTime", "quality", "heat", "removed"]
)
COMMENT = st.sampled_from(["", "", "", "  # so far", " "])
FIELD = st.builds(lambda key, value, comment: f"{key}: {value}{comment}", KEY, VALUE, COMMENT)
ITEM = st.lists(FIELD, min_size=1, max_size=4).map(lambda lines: "  - " + "\n    ".join(lines))
PART = st.one_of(
    FIELD,
    FIELD,
    st.sampled_from(["", "# a note", "published: true", "secured: 'x'"]),
    st.lists(ITEM, max_size=3).map(lambda items: "\n".join(["related:", *items])),
    st.lists(VALUE, max_size=3).map(
        lambda values: "\n".join(["topics:", *(f"- {value}" for value in values)])
    ),
    st.builds(lambda name, domain: f"provider:\n  name: {name}\n  domain: {domain}", VALUE, VALUE),
)


def build(parts: list[str], newline: str, mark: bytes) -> bytes:
    text = "\n".join(["---", "title: Rain", *parts, "---", "Body: 'x", ""])
    return mark + text.replace("\n", newline).encode()


FILE = st.builds(
    build,
    st.lists(PART, max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
)
LABELS = st.builds(Labels, st.integers(-99, 999), st.integers(-1, 9999), st.booleans())


# What a record needs to be read fast; what follows is drawn.
HEAD = """\
title: Rain
publishedDateTime: 2021-03-04T05:06:07Z
provider:
  name: Daily
  domain: example.com
topics:
  - Rain
"""
MORE = st.lists(
    st.one_of(
        st.builds(lambda value: f"excerpt: {value}", VALUE),
        st.builds(lambda value: f"webUrl: {value}", VALUE),
        st.builds(lambda value: f"category: {value}", VALUE),
        st.builds(lambda value: f"quality: {value}", WORD),
        st.builds(lambda value: f"published: {value}", WORD),
        st.builds(lambda value: f"images:\n  - url: {value}\n    width: 5", VALUE),
        st.lists(ITEM, min_size=1, max_size=3).map(lambda items: "\n".join(["related:", *items])),
    ),
    min_size=1,
    max_size=3,
)


@given(MORE)
@example(["excerpt: 'a\\'"])
@example(['excerpt: "a\\\\" b "'])
@example(["excerpt:\n  again"])
def test_what_the_fast_way_takes_the_careful_way_reads_alike(lines: list[str]) -> None:
    block = "\n".join([HEAD + lines[0], *lines[1:], ""])
    as_json = to_json(block.encode())
    fast = decode_fast(as_json) if as_json is not None else None
    if fast is not None:
        assert fast == read_record(parse_nodes(block, "a.md"), "a.md")


CLEAR_ITEM = st.builds(
    lambda title, excerpt, quality: f'  - title: "{title}"\n    excerpt: {excerpt}\n    quality: {quality}',
    st.sampled_from(["Rain", "R&amp;D", '\\u00e9 \\"x\\"', "雨"]),
    st.text("ab :#'&;é雨🌧", max_size=12).map(single_quoted),
    st.integers(0, 200),
)


@given(st.lists(CLEAR_ITEM, min_size=1, max_size=5))
def test_the_fast_way_takes_every_document_of_the_plain_form(items: list[str]) -> None:
    block = "\n".join([HEAD + "related:", *items, ""])
    as_json = to_json(block.encode())
    assert as_json is not None
    fast = decode_fast(as_json)
    assert fast is not None
    assert fast == read_record(parse_nodes(block, "a.md"), "a.md")
    assert len(fast[0].related) == len(items)


def without_labels(data: bytes) -> list[bytes]:
    return [
        line for line in data.splitlines(keepends=True) if not re.match(rb"(quality|heat|published):", line)
    ]


@given(FILE, LABELS)
def test_new_labels_change_their_lines_alone(data: bytes, labels: Labels) -> None:
    try:
        new = replace_labels(data, labels)
    except RecordError:
        # Only what could not be read at all, or could be read in two ways, may be refused.
        span = find_front_matter(data, "a.md")
        assert to_json(data[span.start : span.stop]) is None
        return
    assert without_labels(new) == without_labels(data)
    assert replace_labels(new, labels) == new
    span = find_front_matter(new, "a.md")
    root = parse_nodes(new[span.start : span.stop].decode(), "a.md").value
    assert isinstance(root, dict)
    assert [root[name].value for name in ("quality", "heat", "published")] == [
        str(labels.quality),
        str(labels.heat),
        str(labels.published).lower(),
    ]


@given(LABELS, LABELS)
def test_labels_can_be_put_back(old: Labels, new: Labels) -> None:
    data = replace_labels(b"---\r\ntitle: Rain # wet\r\ntype: video\r\n---\r\nBody", old)
    changed = replace_labels(data, new)
    assert decode_file(changed, "a.md").labels == new
    assert replace_labels(changed, old) == data
