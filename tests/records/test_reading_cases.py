"""Front matter as real archives have it: what is read, and which fault the rest has."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scoring.errors import RecordError
from scoring.records.decode import decode_file, decode_json
from scoring.records.forms import languages, yaml_nodes
from scoring.records.forms.front_matter import to_json
from scoring.records.forms.yaml_nodes import parse_nodes
from scoring.records.plain_json import decode_fast
from scoring.records.reader import read_record
from scoring.records.record import Labels
from scoring.records.write_back import replace_labels


def faults(block: str) -> list[str]:
    with pytest.raises(RecordError) as caught:
        decode_file(f"---\n{block}---\n".encode(), "a.md")
    return [str(fault) for fault in caught.value.faults]


UNUSED = [
    "{{title}}",
    "{{ title }}",
    "{{ title }} and more",
    "{% if draft %}yes{% endif %}",
    "[{{a}}, {b: {{c}}}]",
    "!mine 5",
    "!!python/object:os.system [5]",
    "!include other.yaml",
    "!<broken 5",
    "!un!known 5",
    "*nothing",
    "*.md",
    "**bold**",
    "&anchor-alone",
    "& more",
    "&a [*a]",
    "@mention",
    "`code`",
    "%percent",
    "a: b: c",
    "Rain: wind",
    '"C:\\path"',
    '"half \\ud83d"',
    '"rest" of it',
    "'It's rain'",
    '"open',
    "'open",
    "[open, list",
    "{open: map",
    "[list] more",
    "- item",
    "? key",
    ", comma",
    "] bracket",
    "| text",
    ">x",
    "|0\n  text",
    "\n\t- tab",
    "\n  ? [a]\n  : b",
    "\n  <<: 5",
    "\n  a: 1\n b: 2",
    "\n  - a\n - b",
    "\n  b: 1\n  b: 2",
    "[" * 40 + "]" * 40,
    "[" * 2000 + "]" * 2000,
    "\n  " + "- " * 1500 + "x",
    "bell \a here",
    "nul \0 here",
]


@pytest.mark.parametrize("value", UNUSED)
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_an_unused_field_never_refuses_a_record(value: str, place: str) -> None:
    lines = ["title: Rain", "type: video", "topics:\n  - Sea", "quality: 5"]
    lines.insert({"first": 0, "middle": 2, "last": 4}[place], f"aliases: {value}")
    data = ("---\n" + "\n".join(lines) + "\n---\nBody\n").encode()
    document = decode_file(data, "a.md")
    assert (document.record.title, document.record.type, document.record.topics) == (
        "Rain",
        "video",
        ("Sea",),
    )
    assert document.labels == Labels(5)
    new = replace_labels(data, {"quality": 84, "heat": 3})
    assert new.replace(b"heat: 3\n", b"") == data.replace(b"quality: 5", b"quality: 84")
    assert decode_file(new, "a.md").record == document.record


def test_an_unused_field_that_is_not_yaml_is_named_in_a_warning() -> None:
    document = decode_file(b"---\ntitle: Rain\nby: @me\n---\n", "a.md")
    mend = "expected text: put the value in quotes: not read"
    assert document.warnings[0] == f"by: got a value that begins with '@', {mend}"


@pytest.mark.parametrize("value", UNUSED)
def test_the_same_in_a_used_field_is_a_fault_of_that_field_or_its_text(value: str) -> None:
    block = f"type: video\nprovider: {value}\ntitle: Rain\n"
    try:
        document = decode_file(f"---\n{block}---\n".encode(), "a.md")
    except RecordError as error:
        for fault in error.faults:
            assert fault.field.startswith("provider"), str(fault)
            assert 3 <= fault.line < 3 + block.count("\n")
            assert fault.expected
            assert not any(
                word in str(fault) for word in ("token", "context", "while", "scalar", "occurrence")
            )
    else:
        assert document.record.title == "Rain"


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (
            "title: Day 1: rain\n",
            "a.md:2: title: got a colon and a blank in an unquoted value, "
            "expected text: put the value in quotes",
        ),
        (
            'title: "Rain\nrelated:\n' + "  - title: Sun\n" * 400,
            "a.md:2: title: got a quote that does not close, expected a closing quote",
        ),
        (
            'type: video\ntitle: "Rain\nexcerpt: "Wet"\n',
            "a.md:3: title: got a quote that does not close, expected a closing quote",
        ),
        (
            "title: 'Rain\ncategory: 'news'\n",
            "a.md:2: title: got a quote that does not close, expected a closing quote",
        ),
        (
            'title: "Rain\ncategory: news\nexcerpt: Wet"\n',
            "a.md:2: title: got a quote that does not close, expected a closing quote",
        ),
        (
            "title: Rain\nprovider:\n\tname: Daily\n",
            "a.md:4: provider: got a tab in the indentation (in 'name'), expected blanks",
        ),
        (
            "title: Rain\nrelated:\n  - title: Sun\n    excerpt: Sun: bright\n",
            "a.md:5: related: got a colon and a blank in an unquoted value (in 'excerpt'), "
            "expected text: put the value in quotes",
        ),
        ("title:Rain\ntype: video\n", "a.md:2: title: got no blank after the colon, expected 'name: value'"),
        (
            "title: Rain\npublishedDateTime:2021-03-04\n",
            "a.md:3: publishedDateTime: got no blank after the colon, expected 'name: value'",
        ),
        (
            "title: Rain\nand sun\n",
            "a.md:3: got a line that is no field, expected 'name: value', or the value above in quotes",
        ),
        (
            "title: {{page.title}}\n",
            "a.md:2: title: got a key that is not text, expected text: put the value in quotes",
        ),
        (
            'title: "\\ud83d"\n',
            "a.md:2: title: got half of a character, expected text in Unicode",
        ),
        (
            'title: "a\\qb"\n',
            "a.md:2: title: got a backslash in double quotes, expected two backslashes, or single quotes",
        ),
        ("title: Rain\n--- # again\ntitle: Sun\n", "a.md:3: got a second document, expected one document"),
        (
            "title: *rain\n",
            "a.md:2: title: got an alias without an anchor, "
            "expected its anchor '&rain' above, or the value in quotes",
        ),
    ],
)
def test_faults_name_field_line_and_mend(block: str, expected: str) -> None:
    assert faults(block)[0] == expected


def test_every_field_that_is_not_yaml_is_reported_at_once() -> None:
    assert [fault.split(":")[1] for fault in faults("title: @a\ntype: video\nexcerpt: b: c\nx: `d`\n")] == [
        "2",
        "4",
    ]


def test_of_a_text_that_is_refused_as_a_whole_few_faults_are_named() -> None:
    assert len(faults("".join(f"x{number}: @\n" for number in range(100)) + "title: Rain\n")) == 3


def test_repeated_anchors_are_read_the_last_one_counts() -> None:
    document = decode_file(b"---\nx: &a Sun\ntitle: &a Rain\nexcerpt: *a\n---\n", "a.md")
    assert document.record.excerpt == "Rain"


def test_an_anchor_of_the_opaque_field_is_not_known() -> None:
    assert "hush" not in str(faults("secured: &s hush\ntitle: *s\n"))
    assert "an alias without an anchor" in faults("secured: &s [hush]\ntitle: *s\n")[0]


@pytest.mark.parametrize("text", ["Rain \U0001f327", "\U0001f600\U0001f601", "\U0001d11e clef"])
def test_surrogate_pairs_are_read_as_in_json(text: str) -> None:
    escaped = text.encode("utf-16-be").hex("-", 2).split("-")
    spelled = "".join(f"\\u{unit}" for unit in escaped)
    from_yaml = decode_file(f'---\ntitle: "{spelled}"\nquality: 5\n---\n'.encode(), "a.md")
    from_json = decode_json(f'{{"title": "{spelled}"}}'.encode(), "a.jsonl", 1)
    assert from_yaml.record.title == from_json.record.title == text
    data = f"---\ntitle: \"{spelled}\"\nexcerpt: '{spelled}'\nquality: 5 # so far\n---\n".encode()
    assert decode_file(data, "a.md").record.excerpt == spelled
    assert replace_labels(data, {"quality": 84}) == data.replace(b"quality: 5", b"quality: 84")


LABEL_VALUES = [
    "high",
    '""',
    "'67'",
    "67.5",
    "true",
    "[5]",
    "{a: 1}",
    "2016-01-02",
    "@x",
    "!n 5",
    "*a",
    "1e3",
]


@pytest.mark.parametrize("value", LABEL_VALUES)
@pytest.mark.parametrize("name", ["quality", "heat", "published"])
def test_a_label_that_cannot_be_used_is_missing_with_a_warning(name: str, value: str) -> None:
    if name == "published" and value == "true":
        return
    document = decode_file(f"---\ntitle: Rain\n{name}: {value}\n---\n".encode(), "a.md")
    assert document.labels == Labels()
    assert document.warnings[0].startswith(f"{name}: got ")
    assert document.warnings[0].endswith(": taken as a missing label")


def test_a_repeated_label_is_missing() -> None:
    document = decode_file(b"---\ntitle: Rain\nquality: 5\nquality: 6\n---\n", "a.md")
    assert document.labels == Labels()
    assert document.warnings[0] == (
        "quality: got a repeated field, expected one value: taken as a missing label"
    )


@pytest.mark.parametrize("value", ['""', "high", "'67'", "2016-01-02"])
def test_a_label_that_cannot_be_used_is_replaced(value: str) -> None:
    data = f"---\ntitle: Rain\nquality: {value}  # so far\n---\n".encode()
    assert replace_labels(data, {"quality": 84}) == b"---\ntitle: Rain\nquality: 84  # so far\n---\n"


FRACTIONS = st.one_of(
    st.just(""),
    st.text("0123456789", min_size=1, max_size=14).map(lambda digits: f".{digits}"),
    st.sampled_from([".9999994", ".9999995", ".9999999", ".999999999999", ".0000000000001", ".0000005"]),
)
DATES = st.builds(
    lambda day, mark, time, fraction, zone: f"{day}{mark}{time}{fraction}{zone}",
    st.sampled_from(["2021-12-31", "2021-03-04", "1970-01-01", "2199-12-31", "1969-12-31", "2021-02-30"]),
    st.sampled_from("Tt "),
    st.sampled_from(["23:59:59", "00:00:00", "24:00:00", "12:30:60", "05:06"]),
    FRACTIONS,
    st.sampled_from(["Z", "z", "+00:00", "-08:00", "+0530", "+24:00", " +02:00", "-23:59", ""]),
)


@given(DATES)
def test_both_readers_agree_on_every_date(date: str) -> None:
    block = f"title: Rain\npublishedDateTime: {date}\nprovider:\n  name: Daily\ntopics:\n  - Sea\n"
    as_json = to_json(block.encode())
    fast = decode_fast(as_json) if as_json is not None else None
    if fast is not None:
        assert fast == read_record(parse_nodes(block, "a.md"), "a.md")


def test_a_fraction_of_a_second_is_truncated() -> None:
    for digits in range(6, 20):
        data = f"---\ntitle: Rain\npublishedDateTime: 2021-12-31T23:59:59.{'9' * digits}Z\n---\n".encode()
        moment = decode_file(data, "a.md").record.published_at
        assert moment is not None
        assert moment.isoformat() == "2021-12-31T23:59:59.999999+00:00"


def _fail(*_: object, **__: object) -> object:
    raise ZeroDivisionError("no parser raises this")


@pytest.mark.parametrize(
    "break_parser",
    [
        lambda patch: patch.setattr(yaml, "parse", _fail),
        lambda patch: patch.setattr(languages, "build_nodes", _fail),
        lambda patch: patch.setattr(yaml_nodes, "entry_at", _fail),
    ],
)
def test_whatever_a_parser_raises_is_a_fault_of_its_file(
    break_parser: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    break_parser(monkeypatch)
    assert "ZeroDivisionError" in faults("title: Rain # wet\nx: @\n")[0]
