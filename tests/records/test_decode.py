"""Decoding one record from bytes: both decoders agree, and every error is a clear fault."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scoring.errors import Fault, RecordError
from scoring.records import decode
from scoring.records.decode import decode_file, decode_json
from scoring.records.forms.front_matter import find_front_matter, to_json
from scoring.records.forms.node import MAX_DEPTH
from scoring.records.forms.yaml_nodes import parse_nodes
from scoring.records.plain_json import decode_fast
from scoring.records.reader import read_record
from scoring.records.record import Coverage, Document, Image, Labels, Provider, Record

FULL = """\
---
category: news
title: "Rain &amp; wind: a \\"wet\\" week"
excerpt: ""
publishedDateTime: 2021-03-04T05:06:07-08:00
originalUrl: "https://example.com/rain?a=1&b=2"
webUrl: "https://example.org/rain"
type: article
quality: 67
heat: -1
published: false

provider:
  name: Weather Daily
  domain: example.com
  images:
    - url: "https://example.com/logo.png"
      width: 50
      height: 50

topics:
  - Weather
  - Rain

images:
  - url: "https://example.com/rain.png"
    width: 640
    height: 480
    isCached: true

related:
  - title: "More rain"
    excerpt: "It goes on &hellip;"
    publishedDateTime: 2021-03-05T00:00:00Z
    webUrl: "https://example.net/more"
    type: video
    provider:
      name: Example Net
      domain: example.net
    quality: 84

secured: "b3BhcXVl"
---

Body.
"""

RECORD = Record(
    title='Rain & wind: a "wet" week',
    published_at=datetime(2021, 3, 4, 13, 6, 7, tzinfo=UTC),
    original_url="https://example.com/rain?a=1&b=2",
    web_url="https://example.org/rain",
    provider=Provider("Weather Daily", "example.com", (Image("https://example.com/logo.png", 50, 50),)),
    topics=("Weather", "Rain"),
    images=(Image("https://example.com/rain.png", 640, 480, True),),
    related=(
        Coverage(
            title="More rain",
            excerpt="It goes on …",
            published_at=datetime(2021, 3, 5, tzinfo=UTC),
            web_url="https://example.net/more",
            type="video",
            provider=Provider("Example Net", "example.net"),
            quality=84,
        ),
    ),
)


def make(**fields: str) -> bytes:
    """A small record whose fields are given as YAML; an empty text omits a field."""
    base = {
        "title": "Rain",
        "publishedDateTime": "2021-03-04T05:06:07Z",
        "provider": "{name: Weather Daily, domain: example.com}",
        "topics": "[Weather]",
    }
    lines = [f"{name}: {value}" for name, value in (base | fields).items() if value]
    return ("---\n" + "\n".join(lines) + "\n---\n").encode()


def read(**fields: str) -> Document:
    return decode_file(make(**fields), "a.md")


def faults(data: bytes) -> list[str]:
    with pytest.raises(RecordError) as caught:
        decode_file(data, "a.md")
    return [str(fault) for fault in caught.value.faults]


def read_carefully(data: bytes) -> tuple[Record, Labels, tuple[str, ...]]:
    span = find_front_matter(data, "a.md")
    return read_record(parse_nodes(data[span.start : span.stop].decode(), "a.md"), "a.md")


def is_fast(data: bytes) -> bool:
    span = find_front_matter(data, "a.md")
    text = to_json(data[span.start : span.stop])
    return text is not None and decode_fast(text) is not None


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_full_record_is_read_fast_and_right(newline: str, mark: bytes) -> None:
    data = mark + FULL.replace("\n", newline).encode()
    document = decode_file(data, "a.md")
    assert document.record == RECORD
    assert document.labels == Labels(67, -1, False)
    assert document.sha256 == hashlib.sha256(data).hexdigest()
    assert (document.path, document.line, document.warnings) == ("a.md", 0, ())
    assert is_fast(data)
    assert read_carefully(data) == (document.record, document.labels, ())


def test_both_ways_agree_on_real_records(real_files: list[Path]) -> None:
    for file in real_files:
        data = file.read_bytes()
        document = decode_file(data, "a.md")
        assert is_fast(data), file.name
        assert read_carefully(data) == (document.record, document.labels, document.warnings), file.name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021-03-04T05:06:07Z", datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ('"2021-03-04T05:06:07Z"', datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ("2021-03-04T22:06:07-08:00", datetime(2021, 3, 5, 6, 6, 7, tzinfo=UTC)),
        ("2021-03-04T05:06:07+0530", datetime(2021, 3, 3, 23, 36, 7, tzinfo=UTC)),
        ("2021-03-04 05:06:07 +02:00", datetime(2021, 3, 4, 3, 6, 7, tzinfo=UTC)),
        ("2021-03-04T05:06:07.250Z", datetime(2021, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)),
        ("2021-03-04T05:06Z", datetime(2021, 3, 4, 5, 6, tzinfo=UTC)),
    ],
)
def test_dates_with_a_zone_become_utc(text: str, expected: datetime) -> None:
    document = read(publishedDateTime=text)
    assert document.record.published_at == expected
    assert document.record.published_at.tzinfo is UTC
    assert document.warnings == ()


@pytest.mark.parametrize(
    ("text", "expected", "warning"),
    [
        (
            "2021-03-04T05:06:07",
            datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC),
            "publishedDateTime: '2021-03-04T05:06:07' has no zone: taken as UTC",
        ),
        (
            "2021-03-04",
            datetime(2021, 3, 4, tzinfo=UTC),
            "publishedDateTime: '2021-03-04' has no time: taken as midnight UTC",
        ),
        ("", None, "no publishedDateTime"),
        ("~", None, "no publishedDateTime"),
    ],
)
def test_dates_that_lack_something_are_read_with_a_warning(
    text: str, expected: datetime | None, warning: str
) -> None:
    document = read(publishedDateTime=text)
    assert document.record.published_at == expected
    assert document.warnings == (warning,)


@pytest.mark.parametrize(
    ("text", "got", "expected"),
    [
        ("yesterday", "'yesterday'", "a date such as 2021-03-04T05:06:07Z"),
        ("2021-02-30", "'2021-02-30'", "a date such as 2021-03-04T05:06:07Z"),
        ("2021-03-04T25:00:00Z", "'2021-03-04T25:00:00Z'", "a date such as 2021-03-04T05:06:07Z"),
        ("1614834367", "'1614834367'", "a date such as 2021-03-04T05:06:07Z"),
        ("0001-01-01T00:00:00+14:00", "'0001-01-01T00:00:00+14:00'", "a date such as 2021-03-04T05:06:07Z"),
        ("9021-03-04T05:06:07Z", "'9021-03-04T05:06:07Z'", "a date from 1970 to 2199"),
        ("[2021]", "a list", "a date such as 2021-03-04T05:06:07Z"),
    ],
)
def test_absurd_dates_are_faults(text: str, got: str, expected: str) -> None:
    assert faults(make(publishedDateTime=text)) == [
        f"a.md:3: publishedDateTime: got {got}, expected {expected}"
    ]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("2021", "2021"),
        ("no", "no"),
        ("10:00", "10:00"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("2021-03-04", "2021-03-04"),
        ("true", "true"),
        ("3.10", "3.10"),
        (">\n  Rain\n  again\n", "Rain again\n"),
        ("|-\n  Rain\n  again", "Rain\nagain"),
        ("Rain # not this", "Rain"),
        ("Rain#this", "Rain#this"),
        ("'It''s rain'", "It's rain"),
        ('"Rain\\x21 \\U0001F327"', "Rain! 🌧"),
        ('"\\ud83c\\udf27"', "🌧"),
        ('"\\\\ud83c\\udf27"', None),
        ("'\\ud83c\\udf27'", "\\ud83c\\udf27"),
        ('"\\ud83c"', None),
        ("&a Rain", "Rain"),
        ("!!str 2021", "2021"),
        ('"Rain\n  again"', "Rain again"),
        ("Rain\n  again", "Rain again"),
        ("R&amp;D &lt;3", "R&D <3"),
        ("&quot;Rain", None),
        ("@rain", None),
        ("*rain", None),
        ("Rain: wind", None),
        ("'Rain", None),
    ],
)
def test_titles_stay_the_text_that_is_written(text: str, title: str | None) -> None:
    if title is None:
        assert len(faults(make(title=text))) == 1
    else:
        assert read(title=text).record.title == title


@pytest.mark.parametrize("name", ["quality", "heat"])
@pytest.mark.parametrize("text", ["high", "'67'", "67.0", "true", "1e2", "007", "+5", "0x1F", "1_0", "[67]"])
def test_only_a_plain_integer_is_an_integer(name: str, text: str) -> None:
    document = read(**{name: text})
    assert document.labels == Labels()
    (warning,) = document.warnings
    assert warning.startswith(f"{name}: got ")
    assert "expected an integer" in warning
    assert warning.endswith(": taken as a missing label")


MISSING = ": taken as a missing label"


def test_integers_have_bounds() -> None:
    assert read(heat="-2").warnings == (f"heat: got '-2', expected an integer of at least -1{MISSING}",)
    assert read(quality="9" * 60).warnings == (f"quality: got '{'9' * 39}…', expected an integer{MISSING}",)
    assert read(quality="1000000000").warnings == (
        f"quality: got '1000000000', expected an integer of at most 999,999,999{MISSING}",
    )
    assert read(quality="-3", heat="-1").labels == Labels(-3, -1, None)


def test_labels_may_be_absent_or_empty() -> None:
    assert read().labels == Labels()
    assert read(quality=" ", heat="~", published="null").labels == Labels()


@pytest.mark.parametrize("text", ["yes", "'true'", "1", "on"])
def test_only_true_and_false_are_truths(text: str) -> None:
    document = read(published=text)
    assert document.labels == Labels()
    assert document.warnings[0].endswith(f"expected true or false{MISSING}")


def test_faults_are_reported_in_the_order_of_the_file() -> None:
    data = b"""---
title: ""
quality: high
heat: -7
published: perhaps
related:
  - title: [Rain]
    quality: "84"
    images: none
  - Rain
images:
  - url: https://example.com/a.png
    width: -1
    height: wide
---
"""
    assert faults(data) == [
        "a.md:2: title: got no text, expected a title",
        "a.md:7: related[0].title: got a list, expected text",
        "a.md:8: related[0].quality: got the text '84', expected an integer",
        "a.md:9: related[0].images: got 'none', expected a list",
        "a.md:10: related[1]: got 'Rain', expected a mapping",
        "a.md:13: images[0].width: got '-1', expected an integer of at least 0",
        "a.md:14: images[0].height: got 'wide', expected an integer of at least 0",
    ]


def test_a_field_that_comes_twice_is_a_fault_where_it_is_used() -> None:
    assert faults(make(title="Rain\ntitle: Sun")) == [
        "a.md:3: title: got a repeated field, expected one value"
    ]
    twice = FULL.replace("    quality: 84\n", "    quality: 84\n    quality: 85\n").encode()
    assert faults(twice) == ["a.md:41: related[0].quality: got a repeated field, expected one value"]
    assert read(removed="true\nremoved: false").record.title == "Rain"


def test_forms_of_provider_topics_and_images() -> None:
    assert read(provider="Weather Daily").record.provider == Provider("Weather Daily")
    assert read(provider="{name: Weather Daily}").record.provider == Provider("Weather Daily")
    assert read(topics="Weather").record.topics == ("Weather",)
    assert read(images="[{url: a.png, width: 0}]").record.images == (Image("a.png"),)
    bare = read(provider="", topics="", images="", related="")
    assert (bare.record.images, bare.record.related) == ((), ())
    assert bare.warnings == ("no provider", "no topics")


def test_aliases_and_merge_keys_are_read() -> None:
    document = read(
        provider="&p {name: Weather Daily, domain: example.com}",
        related="[{title: More, provider: *p}, {<<: [{title: Less, type: video}, {title: No}], quality: 5}]",
    )
    first, second = document.record.related
    assert first.provider == document.record.provider
    assert (second.title, second.type, second.quality) == ("Less", "video", 5)


def test_hundreds_of_related_records_are_read() -> None:
    many = "".join(f'\n  - title: "Rain {number}"\n    quality: {number}' for number in range(500))
    record = read(related=many).record
    assert [related_record.quality for related_record in record.related] == list(range(500))


def test_yaml_bombs_and_deep_nests_are_refused_where_they_are_used() -> None:
    images = "&i [" + ",".join(["{url: a}"] * 1500) + "]"
    related = "[" + ",".join(["{images: *i}"] * 1500) + "]"
    assert "too many values after alias expansion" in faults(make(images=images, related=related))[0]
    laughs = "\n".join(["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)])
    assert read(type=f"article\n{laughs}").record.title == "Rain"
    for deep in ("[" * 5000 + "]" * 5000, "[" * 40 + "]" * 40, "\n " + "- " * 40 + "x"):
        assert read(other=deep).record.title == "Rain"
        assert "expected" in faults(make(provider=deep))[0]
    assert read(other="&a [*a]").record.title == "Rain"
    assert "alias inside its own anchor" in faults(make(topics="&a [*a]"))[0]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "a.md:1: got an empty file, expected front matter between two lines '---'"),
        (b"# Rain\n", "a.md:1: got a first line that is not '---', expected front matter"),
        (
            b"---\ntitle: Rain\n",
            "a.md:1: got front matter without a closing line, expected a second line '---'",
        ),
        (b"---\n---\n", "a.md:2: got nothing, expected the fields of a record"),
        (b"---\n# only a comment\n---\n", "a.md:2: got nothing, expected the fields of a record"),
        (b"---\n- Rain\n---\n", "a.md:2: got a list, expected the fields of a record"),
        (b"---\nRain\n---\n", "a.md:2: got 'Rain', expected the fields of a record"),
        (b"---\ntitle: Rain\nexcerpt: caf\xe9\n---\n", "a.md:3: got byte 0xe9, expected text in UTF-8"),
        (b"---\ntitle: Rain\nexcerpt: a\x00b\n---\n", "a.md:3: excerpt: got a control character"),
        (b"---\ntitle: Rain\n\tx: 1\n---\n", "a.md:3: title: got a tab in the indentation"),
        (b"---\ntitle: [Rain\n---\n", "a.md:2: title: got a bracket that does not close"),
        (b"---\ntitle: Rain\n--- x\ntitle: Sun\n---\n", "a.md:3: got a second document"),
        (b"---\ntitle: !mine Rain\n---\n", "a.md:2: title: got a custom tag, expected a plain value"),
        (b"---\n? [a]\n: b\n---\n", "a.md:2: got a key that is not text, expected text"),
        (b"---\ntitle: Rain\n<<: 5\n---\n", "a.md:3: got a merge key without a mapping, expected a mapping"),
    ],
)
def test_what_is_no_record_is_reported(data: bytes, text: str) -> None:
    (fault,) = faults(data)
    assert text in fault


def test_a_file_that_is_too_large_is_refused_with_its_size() -> None:
    data = b"---\n" + b"#" * 50_000_000
    assert faults(data) == ["a.md: got 50,000,004 bytes, expected at most 50,000,000 bytes"]


def test_the_opaque_field_never_shows() -> None:
    for value in ("[hush]", "{hush: 1}", "'hush'\nsecured: hush"):
        assert "hush" not in repr(read(secured=value))
    assert "hush" not in "".join(faults(make(secured="hush", excerpt="[high]")))
    line = b'{"title": "Rain", "secured": "hu\\"sh", "excerpt": ["high"]}'
    with pytest.raises(RecordError) as caught:
        decode_json(line, "a.jsonl", 1)
    assert "hu" not in str(caught.value).replace("a.jsonl", "")


def to_line(**fields: object) -> bytes:
    base = {
        "title": "Rain &amp; wind",
        "publishedDateTime": "2021-03-04T05:06:07Z",
        "provider": {"name": "Weather Daily", "domain": "example.com"},
        "topics": ["Weather"],
    }
    return json.dumps({**base, **fields}).encode() + b"\n"


def test_json_is_typed_as_front_matter_is() -> None:
    document = decode_json(to_line(secured="x", quality=67), "a.jsonl", 3)
    assert document.record.title == "Rain & wind"
    assert document.labels == Labels(67)
    assert document.line == 3
    assert document.sha256 == hashlib.sha256(to_line(secured="x", quality=67).strip()).hexdigest()
    assert decode_json(to_line(title=2021, provider="Weather Daily"), "a.jsonl", 1).record.title == "2021"
    assert decode_json(to_line(publishedDateTime="2021-03-04"), "a.jsonl", 1).warnings == (
        "publishedDateTime: the text '2021-03-04' has no time: taken as midnight UTC",
    )


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"{", "a.jsonl:3: got JSON that does not parse ("),
        (b"[1]", "a.jsonl:3: got a list, expected the fields of a record"),
        (b"5", "a.jsonl:3: got '5', expected the fields of a record"),
        (b"null", "a.jsonl:3: got nothing, expected the fields of a record"),
        (b'{"title": "caf\xe9"}', "a.jsonl:3: got byte 0xe9, expected text in UTF-8"),
        (b'{"title": "Rain", "title": "Sun"}', "a.jsonl:3: title: got a repeated field, expected one value"),
        (b'{"title": ' + b"[" * 100_000, "a.jsonl:3: got deeper nesting, expected at most 32 levels"),
        (b'{"title": ' + b"[" * 40 + b"]" * 40 + b"}", "a.jsonl:3: title: got a list, expected text"),
        (b'{"title": "\\ud800"}', "a.jsonl:3: title: got half of a character, expected text in Unicode"),
        (b'{"title": "\xe9", "topics": ["\\ud800"]}', "a.jsonl:3: got byte 0xe9, expected text in UTF-8"),
    ],
)
def test_faults_of_json_name_the_line(line: bytes, text: str) -> None:
    with pytest.raises(RecordError) as caught:
        decode_json(line, "a.jsonl", 3)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (b"NaN", "'NaN'"),
        (b"1e999", "'1e999'"),
        (b"67.0", "'67.0'"),
        (b"true", "'true'"),
        (b'"67"', "the text '67'"),
        (b'""', "the text ''"),
        (b"9" * 6000, f"'{'9' * 39}…'"),
    ],
)
def test_a_label_of_json_that_cannot_be_used_is_missing(value: bytes, got: str) -> None:
    document = decode_json(b'{"title": "Rain", "quality": %s}' % value, "a.jsonl", 3)
    assert document.labels == Labels()
    assert document.warnings[0] == f"quality: got {got}, expected an integer{MISSING}"


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_json_that_nests_deeply_in_an_unused_field_is_read(opening: str, closing: str) -> None:
    line = '{"title":"Rain","topics":["Sea"],"provider":{"name":"x"},"other":%s1%s}'
    for levels in (MAX_DEPTH - 2, MAX_DEPTH + 1, 3 * MAX_DEPTH):
        data = (line % (opening * levels, closing * levels)).encode()
        assert decode_json(data, "a.jsonl", 1).record.title == "Rain"


@pytest.mark.parametrize("title", ["[Draft] rain", "rain ]:[", "{{{ rain", "[" * 50])
def test_brackets_of_a_text_are_no_levels(title: str) -> None:
    line = json.dumps({"title": title, "topics": ["Sea"], "provider": {"name": "x"}})
    assert decode_json(line.encode(), "a.jsonl", 1).record.title == title


Values = tuple[Record, Labels, tuple[str, ...]]


def strictly(line: bytes) -> Values:
    return read_record(decode.parse_json(line, "a.jsonl", 1), "a.jsonl")


def as_a_line(line: bytes) -> Values:
    document = decode_json(line, "a.jsonl", 1)
    return document.record, document.labels, document.warnings


def result_of(read: Callable[[bytes], Values], line: bytes) -> Values | tuple[Fault, ...]:
    """Values of a line, or its faults."""
    try:
        return read(line)
    except RecordError as error:
        return tuple(error.faults)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"publishedDateTime": "2021-03-04T05:06:07"},
        {"publishedDateTime": "2021-03-04T05:06:07.1234567Z"},  # one digit more than a datetime has
        {"publishedDateTime": "2021-03-04T05:06:07.9999999Z"},
        {"publishedDateTime": "2021-03-04T22:06:07-08:00"},
        {"provider": {"name": "", "domain": "example.com"}},
        {"provider": {}},
        {"topics": ["Weather", ""]},
        {"related": [{"title": "Sun", "type": ""}]},
        {"related": [{"title": "Sun", "publishedDateTime": "2021-03-04T05:06:07"}]},
        {"related": [{"title": "Sun", "publishedDateTime": "2021-03-04T05:06:07.9999999Z"}]},
        {"related": [{"title": "Sun &amp; sea"}, {"excerpt": "Sun &amp; sea"}]},
        {"related": [{"title": "Sun", "publishedDateTime": "2021-03-04T22:06:07-08:00"}]},
    ],
)
def test_both_ways_agree_on_json(fields: dict[str, object]) -> None:
    line = to_line(**fields)
    expected, actual = (result_of(read, line) for read in (strictly, as_a_line))
    assert actual == expected


def test_times_have_the_zone_utc() -> None:
    west = "2021-03-04T22:06:07-08:00"
    record = decode_json(
        to_line(publishedDateTime=west, related=[{"publishedDateTime": west}]), "a.jsonl", 1
    ).record
    for time in (record.published_at, record.related[0].published_at):
        assert time is not None
        assert time.tzinfo is UTC
        assert time.isoformat() == "2021-03-05T06:06:07+00:00"


@pytest.mark.parametrize("text", ['"', "\\", '\\"', '"\\', '\\\\"', 'a", "quality": 5, "b": "'])
def test_quotes_and_backslashes_of_the_opaque_field_do_not_end_it(text: str) -> None:
    document = decode_json(to_line(secured=text, quality=67), "a.jsonl", 1)
    assert document.labels == Labels(67)


def test_the_opaque_field_is_not_parsed_whatever_it_is() -> None:
    node = decode.parse_json(b'{"title": "Rain", "secured": ["hush"]}', "a.jsonl", 1)
    assert isinstance(node.value, dict)
    assert list(node.value) == ["title"]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ("link: a\ntags: [b]\n", "'link', 'tags'"),
        ("quality: 5\ntype: post\nlink: a\nsecured: hush\n", "'link'"),
        ("".join(f"k{n}: 1\n" for n in range(20)), ", ".join(f"'k{n}'" for n in range(12)) + ", 8 more"),
        ("k" * 100 + ": 1\n", f"'{'k' * 39}…'"),
        ("excerpt: It is wet\nlink: a\n", ""),
        ("topics: [a]\nlink: a\n", ""),
        ("", ""),
    ],
)
def test_a_record_of_which_only_the_title_is_read_has_a_warning(more: str, named: str) -> None:
    warnings = decode_file(f"---\ntitle: Rain\n{more}---\n".encode(), "a.md").warnings
    expected = [f"only the title was read: no field uses {named}"] if named else []
    assert [warning for warning in warnings if warning.startswith("only")] == expected


def test_both_ways_list_the_same_unread_keys() -> None:
    data = FULL.replace("category: news", "link: a\ncategory: news").encode()
    fast, strict = (
        decode_file(text, "a.md", with_unread_keys=True).unread_keys
        for text in (data, data.replace(b"link: a", b"link: a # note"))
    )
    assert fast == strict == ("link",)
    assert decode_file(data, "a.md").unread_keys == ()
    assert decode_json(to_line(link="a", secured="x"), "a.jsonl", 1, with_unread_keys=True).unread_keys == (
        "link",
    )


def test_nesting_is_a_problem_from_the_33rd_level_on() -> None:
    node = decode.parse_json(b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}", "a.jsonl", 1)
    assert isinstance(node.value, dict)
    node, n_lists = node.value["a"], 0
    while node.problem is None:
        assert isinstance(node.value, list)
        (node,), n_lists = node.value, n_lists + 1
    assert n_lists == MAX_DEPTH
