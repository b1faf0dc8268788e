"""TOML and JSON front matter: read like YAML, and labels written to the byte."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scoring.errors import RecordError
from scoring.records.corpus import sources_of
from scoring.records.decode import decode_file
from scoring.records.file_heads import may_hold_record
from scoring.records.label_spelling import put_labels_back, spellings_of
from scoring.records.record import Labels, Record
from scoring.records.write_back import replace_labels, write_labels

YAML = """\
---
title: Rain
excerpt: It is wet
publishedDateTime: 2021-03-04T05:06:07Z
type: video
provider:
  name: Daily
  domain: daily.example
topics:
  - Sea
  - Rain
images:
  - url: a.png
    width: 5
related:
  - title: More rain
    quality: 84
    provider:
      name: Weekly
quality: 67
heat: -1
published: false
secured: hush
---
Body
"""
TOML = """\
+++
title = "Rain"  # a comment
excerpt = '''It is wet'''
publishedDateTime = 2021-03-04T05:06:07Z
type = 'video'
topics = [
  "Sea",
  "Rain",
]
quality = 67
heat = -1
published = false
secured = "hush"

[provider]
name = "Daily"
domain = "daily.example"

[[images]]
url = "a.png"
width = 5

[[related]]
title = "More rain"
quality = 84
[related.provider]
name = "Weekly"
+++
Body
"""
FIELDS = {
    "title": "Rain",
    "excerpt": "It is wet",
    "publishedDateTime": "2021-03-04T05:06:07Z",
    "type": "video",
    "provider": {"name": "Daily", "domain": "daily.example"},
    "topics": ["Sea", "Rain"],
    "images": [{"url": "a.png", "width": 5}],
    "related": [{"title": "More rain", "quality": 84, "provider": {"name": "Weekly"}}],
    "quality": 67,
    "heat": -1,
    "published": False,
    "secured": "hush",
}
JSON = json.dumps(FIELDS, indent=2)
FORMS = {
    "toml": TOML,
    "toml with its name": TOML.replace("+++\n", "+++ toml\n", 1),
    "toml between hyphens": TOML.replace("+++\n", "---toml\n", 1).replace("+++\n", "---\n"),
    "json": f"---json\n{JSON}\n---\nBody\n",
    "json on one line": f"---json\n{json.dumps(FIELDS)}\n---\nBody\n",
    "compact json": f"---json\n{json.dumps(FIELDS, separators=(',', ':'))}\n---\nBody\n",
    "json between semicolons": f";;;\n{JSON}\n;;;\nBody\n",
    "json without braces": f";;;\n{JSON[2:-2]}\n;;;\nBody\n",
    "an object": f"{JSON}\n\nBody\n",
    "an object on one line": f"{json.dumps(FIELDS)}\nBody\n",
}


def read(text: str) -> tuple[Record, Labels, tuple[str, ...]]:
    document = decode_file(text.encode(), "a.md")
    return document.record, document.labels, document.warnings


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_record_is_read_in_every_form(form: str, newline: str, mark: str) -> None:
    text = mark + FORMS[form].replace("\n", newline)
    assert read(text) == read(YAML)
    assert may_hold_record(text.encode()[:128])
    assert "hush" not in repr(read(text))


NEW = {"quality": 84, "heat": 104, "published": True}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_only_the_bytes_of_labels_change(form: str, newline: str) -> None:
    data = FORMS[form].replace("\n", newline).encode()
    new = replace_labels(data, NEW)
    expected = re.sub(rb'(^"?|[ ,{]")(quality)("?\s*[:=]\s*)67', rb"\1\2\g<3>84", data, flags=re.MULTILINE)
    expected = re.sub(rb'(heat"?\s*[:=]\s*)-1', rb"\g<1>104", expected)
    expected = re.sub(rb'(published"?\s*[:=]\s*)false', rb"\1true", expected)
    assert new == expected
    assert decode_file(new, "a.md").labels == Labels(84, 104, True)
    assert replace_labels(new, NEW) == new
    assert replace_labels(new, {"quality": 67, "heat": -1, "published": False}) == data


def without_labels(form: str) -> str:
    if "toml" in form:
        return re.sub(r"^(quality = 67|heat = .*|published = .*)\n", "", FORMS[form], flags=re.MULTILINE)
    text = re.sub(r',\s*"quality":\s*67', "", FORMS[form])
    return re.sub(r',\s*"(heat|published)":\s*(-1|false)', "", text)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_missing_labels_are_inserted_and_can_be_taken_out_again(form: str, newline: str) -> None:
    data = without_labels(form).replace("\n", newline).encode()
    assert decode_file(data, "a.md").labels == Labels()
    new = replace_labels(data, NEW)
    document = decode_file(new, "a.md")
    assert (document.labels, document.record) == (Labels(84, 104, True), decode_file(data, "a.md").record)
    assert put_labels_back(new, dict.fromkeys(NEW), "a.md").data == data
    added = len(new) - len(data)
    start = next(index for index, (old, now) in enumerate(zip(data, new, strict=False)) if old != now)
    assert any(new[:at] + new[at + added :] == data for at in range(start - added, start + 1))


def test_labels_are_inserted_in_the_form_of_the_file() -> None:
    toml = b"+++\ntitle = 'Rain'\n\n# about it\n[provider]\nname = 'Daily'\n+++\n"
    assert replace_labels(toml, {"quality": 5, "published": True}) == (
        b"+++\ntitle = 'Rain'\nquality = 5\npublished = true\n\n# about it\n[provider]\nname = 'Daily'\n+++\n"
    )
    for old, new in (
        ('{"title": "Rain"}', '{"title": "Rain", "quality": 5, "heat": 3}'),
        ('{"title":"Rain"}', '{"title":"Rain","quality":5,"heat":3}'),
        ('{\n\t"title": "Rain"\n}', '{\n\t"title": "Rain",\n\t"quality": 5,\n\t"heat": 3\n}'),
        ('{ "a" : 1, "title" : "Rain" }', '{ "a" : 1, "title" : "Rain", "quality" : 5, "heat" : 3 }'),
        ('{"title": "Rain", "quality": null}', '{"title": "Rain", "quality": 5, "heat": 3}'),
    ):
        data = f"---json\n{old}\n---\n".encode()
        assert replace_labels(data, {"quality": 5, "heat": 3}) == data.replace(old.encode(), new.encode())


@pytest.mark.parametrize("form", FORMS)
def test_a_diff_counts_lines_of_the_file_and_redacts(form: str) -> None:
    with open("a.md", "w", encoding="utf-8") as file:
        file.write(FORMS[form])
    diff = write_labels("a.md", {"quality": 84}, roots=["."], dry_run=True).diff
    line = next(
        n
        for n, text in enumerate(FORMS[form].split("\n"), start=1)
        if re.search(r'quality"?\s*[:=]\s*67', text)
    )
    assert f"@@ -{line} +{line} @@" in diff
    assert "hush" not in diff


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("title = Rain\n", "a.md:2: title: got a value that is not TOML, expected text in quotes"),
        ("title = 'a'\ntitle = 'b'\n", "a.md:3: title: got a repeated field, expected one value"),
        ("title = 'a'\nand more\n", "a.md:3: got a line that is no field, expected name = value"),
        ('title = "a\n', "a.md:2: title: got a quote that does not close"),
        ("title = 'a' b\n", "a.md:2: title: got text after a value"),
        ("title = 'a'\nimages = 5\n", "a.md:3: images: got '5', expected a list"),
        ("title = 'a'\n[provider]\nname = [1]\n", "a.md:4: provider.name: got a list, expected text"),
        (
            "title = 'a'\n[[related]]\ntitle = 'b'\n[[related]]\nquality = 'x'\n",
            "a.md:6: related[1].quality: got the text 'x', expected an integer",
        ),
        (
            "title = 'a'\n[[related]]\n[related.provider]\nname = 'b'\n"
            "[[related]]\n[related.provider]\nname = 5.5\ndomain = []\n",
            "a.md:9: related[1].provider.domain: got a list, expected text",
        ),
        ("", "a.md:2: got nothing, expected the fields of a record"),
        ("title = 'caf\udce9'\n", "a.md:2: got byte 0xe9, expected text in UTF-8"),
        ("title = " + "[" * 5000 + "\n", "a.md:2: "),
        ("title = " + "9" * 5000 + "\nx = 5\n", ""),
    ],
)
def test_faults_of_toml(block: str, message: str) -> None:
    data = f"+++\n{block}+++\n".encode(errors="surrogateescape")
    with pytest.raises(RecordError) as caught:
        decode_file(data, "a.md")
    assert str(caught.value).startswith(message or "a.md")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('---json\n{"title": "a",}\n---\n', "a.md:2: got JSON that does not parse ("),
        ('---json\n{"title": "a"\n\n"b": 1}\n---\n', "a.md:4: got JSON that does not parse ("),
        ('---json\n{"title": "a"} b\n---\n', "a.md:2: got JSON that does not parse (Extra data)"),
        ('---json\n{\n"title": [1]}\n---\n', "a.md:3: title: got a list, expected text"),
        ('---json\n{"title": "a",\n"title": "b"}\n---\n', "a.md:3: title: got a repeated field"),
        (
            '---json\n{"title": "a", "related": [\n{"title": "b"},\n{"title":\n5, "quality": "x"}]}\n---\n',
            "a.md:5: related[1].quality: got the text 'x', expected an integer",
        ),
        ("---json\n---\n", "a.md:2: got nothing, expected the fields of a record"),
        ("---json\n[1]\n---\n", "a.md:2: got a list, expected the fields of a record"),
        (
            '---json\n{"title": "a"}\n',
            "a.md:1: got front matter without a closing line, expected a second line '---'",
        ),
        (
            ';;;\n{"title": "a"}\n',
            "a.md:1: got front matter without a closing line, expected a second line ';;;'",
        ),
        ("+++\n", "a.md:1: got front matter without a closing line, expected a second line '+++'"),
        ('{"title": "a"\n\nBody', "a.md:3: got JSON that does not parse ("),
        ('{"title": "a"} b\n', "a.md:1: got text after the object on its line, expected the end of the line"),
        (
            '{"title": ' + "[" * 5000 + "]" * 5000 + "}",
            "a.md:1: got deeper nesting, expected at most 32 levels",
        ),
        ("{ title: a }\n", "a.md:1: got a first line that is not '---'"),
        ("{% raw %}\n", "a.md:1: got a first line that is not '---'"),
    ],
)
def test_faults_of_json(text: str, message: str) -> None:
    with pytest.raises(RecordError) as caught:
        decode_file(text.encode(), "a.md")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("title = 'a'\nquality = [5]\n", "a.md:3: quality: got a value that cannot be edited in place"),
        ('title = \'a\'\nquality = """5"""\n', "a.md:3: quality: got a value that cannot be edited in place"),
    ],
)
def test_labels_of_toml_that_cannot_be_edited(block: str, message: str) -> None:
    with pytest.raises(RecordError) as caught:
        replace_labels(f"+++\n{block}+++\n".encode(), {"quality": 84}, path="a.md")
    assert str(caught.value).startswith(message)


def test_a_label_in_the_text_of_another_field_is_left_alone() -> None:
    data = (
        b"+++\ntitle = '''a\nquality = 5\n[b]\n'''\nquality = 5\ntags = [\n[1],\n]\n[x]\nquality = 5\n+++\n"
    )
    new = replace_labels(data, {"quality": 84, "heat": 3})
    assert new == data.replace(b"'''\nquality = 5", b"'''\nquality = 84").replace(
        b"]\n[x]", b"]\nheat = 3\n[x]"
    )
    data = b'---json\n{"title": "a \\"quality\\": 5", "x": {"quality": 5}, "quality": 5}\n---\n'
    assert replace_labels(data, {"quality": 84}) == data.replace(b'}, "quality": 5', b'}, "quality": 84')


@pytest.mark.parametrize("value", ['"high"', '""', "0x1F", "1_0", "2016-01-02", "67.5", "true", "'67'"])
def test_unusable_and_odd_labels_of_toml_come_back(value: str) -> None:
    data = f"+++\ntitle = 'Rain'\nquality = {value} # so far\n+++\n".encode()
    labels = decode_file(data, "a.md").labels
    before = spellings_of(data, labels, "a.md")
    new = replace_labels(data, {"quality": 84})
    assert new == data.replace(value.encode(), b"84")
    assert put_labels_back(new, before, "a.md").data == data


@pytest.mark.parametrize("value", ['"high"', '""', "null", "67.5", "true", '"67"'])
def test_unusable_labels_of_json_come_back(value: str) -> None:
    data = f'---json\n{{"title": "Rain",\n"quality":{value}}}\n---\n'.encode()
    before = spellings_of(data, decode_file(data, "a.md").labels, "a.md")
    new = replace_labels(data, {"quality": 84})
    assert new == data.replace(value.encode(), b"84")
    assert put_labels_back(new, before, "a.md").data == data


def test_standard_input_that_begins_with_a_brace_is_json_lines() -> None:
    lines = b'{"title": "Rain"}\n{"title": "Sun"}\n'
    titles = [source.document(source.content()).record.title for source in sources_of("-", io.BytesIO(lines))]
    assert titles == ["Rain", "Sun"]
    (source,) = sources_of("-", io.BytesIO(TOML.encode()))
    assert source.document(source.content()).record.title == "Rain"


# Random documents: labels among other fields, with comments, blank lines, texts of several lines, tables.
TEXT = st.text(
    st.one_of(st.sampled_from("\"'\\#=[]{},: \t"), st.characters(exclude_categories=["Cs", "Cc"])),
    max_size=12,
)
KEY = st.sampled_from(["title", "excerpt", "webUrl", "removed", "x-y"])
LABEL_VALUE = st.sampled_from(["5", "-3", "true", "false", '"high"', '""', "67.5"])
LABELS = st.builds(Labels, st.integers(-99, 999), st.integers(-1, 9999), st.booleans())


def basic(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "")


TOML_VALUE = st.one_of(
    TEXT.map(basic),
    TEXT.map(lambda text: "'" + text.replace("'", "") + "'"),
    TEXT.map(lambda text: "'''\n" + text.replace("'", "") + "\nquality = 5\n[x]\n'''"),
    st.sampled_from(
        ["5", "1_000", "2021-03-04", "2021-03-04T05:06:07Z", "true", "[1, 2]", "[\n[1], # a\n]", "{a = 1}"]
    ),
)
TOML_LINE = st.one_of(
    st.builds(
        lambda key, value, end: f"{key} = {value}{end}", KEY, TOML_VALUE, st.sampled_from(["", " # a", "  "])
    ),
    st.builds(
        lambda name, value, end: f"{name} = {value}{end}",
        st.sampled_from(["quality", '"quality"', "heat", "published"]),
        LABEL_VALUE,
        st.sampled_from(["", "# a"]),
    ),
    st.sampled_from(["", "# quality = 5", "   "]),
)
TOML_TABLE = st.builds(
    lambda header, lines: "\n".join([header, *lines]),
    st.sampled_from(["[provider]", "[[related]]", "[a.b]"]),
    st.lists(TOML_LINE, max_size=2),
)
TOML_FILE = st.builds(
    lambda lines, tables, newline: ("+++\n" + "\n".join([*lines, *tables]) + "\n+++\nBody\n").replace(
        "\n", newline
    ),
    st.lists(TOML_LINE, max_size=6),
    st.lists(TOML_TABLE, max_size=2),
    st.sampled_from(["\n", "\r\n"]),
)
JSON_VALUE = st.recursive(
    st.one_of(TEXT.map(json.dumps), TEXT.map(basic), st.sampled_from(["5", "null", "true", "1e5"])),
    lambda value: st.one_of(
        st.lists(value, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(value, max_size=2).map(
            lambda items: "{" + ", ".join(f'"quality{n}": {v}' for n, v in enumerate(items)) + "}"
        ),
    ),
    max_leaves=5,
)
JSON_MEMBER = st.builds(
    lambda key, colon, value: f'"{key}"{colon}{value}',
    st.sampled_from(["title", "excerpt", "removed", "quality", "heat", "published"]),
    st.sampled_from([":", ": ", " :\n"]),
    JSON_VALUE,
)


def json_file(members: list[str], comma: str, ends: tuple[str, str, str]) -> str:
    opening, closing, space = ends
    braces = ("", "") if opening == ";;;\n" else ("{", "}")
    return f"{opening}{braces[0]}{space}{comma.join(members)}{space}{braces[1]}\n{closing}Body\n"


JSON_FILE = st.builds(
    json_file,
    st.lists(JSON_MEMBER, min_size=1, max_size=5),
    st.sampled_from([",", ", ", ",\n  ", "\n,"]),
    st.sampled_from(
        [("---json\n", "---\n", ""), ("---json\n", "---\n", "\n  "), (";;;\n", ";;;\n", ""), ("", "", "")]
    ),
)


def check_write(text: str, labels: Labels, without: Callable[[bytes], object]) -> None:
    data = text.encode()
    try:
        new = replace_labels(data, labels)
    except RecordError:
        return
    assert without(new) == without(data)
    assert replace_labels(new, labels) == new
    try:
        before = decode_file(data, "a.md")
    except RecordError:
        return
    after = decode_file(new, "a.md")
    assert (after.record, after.labels) == (before.record, labels)


def lines_without_labels(data: bytes) -> list[bytes]:
    """Lines but those of labels at the top, whose other bytes are compared with them."""
    lines = [
        re.sub(rb'^("?(?:quality|heat|published)"? = )[^\s#]+', rb"\1", line) for line in data.split(b"\n")
    ]
    return [line for line in lines if not re.fullmatch(rb"(?:quality|heat|published) = \r?", line)]


@given(TOML_FILE, LABELS)
@example("+++\n+++\n", Labels(1, 2, True))
@example("+++\n[x]\n+++\n", Labels(1, 2, True))
def test_labels_in_random_toml(text: str, labels: Labels) -> None:
    check_write(text, labels, lines_without_labels)


def json_without_labels(data: bytes) -> bytes:
    """Everything but labels and their values, and the commas and blanks about them."""
    return re.sub(
        rb'[,\s]*"(?:quality|heat|published)"\s*:\s*(?:-?\d[\d.e]*|true|false|null|"(?:[^"\\]|\\.)*")',
        b"",
        data,
    )


@given(JSON_FILE, LABELS)
@example('{"title": "a"}\nBody', Labels(1, 2, True))
def test_labels_in_random_json(text: str, labels: Labels) -> None:
    check_write(text, labels, json_without_labels)
