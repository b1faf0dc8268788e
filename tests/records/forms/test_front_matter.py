"""Front matter: its position, and the forms that the fast decoder accepts."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import ryml

from scoring.errors import RecordError
from scoring.records.decode import decode_file
from scoring.records.forms.front_matter import find_front_matter, has_front_matter, to_json
from scoring.records.write_back import replace_labels


@pytest.mark.parametrize(
    ("data", "block"),
    [
        (b"---\na: 1\n---\nbody\n---\n", b"a: 1\n"),
        (b"\xef\xbb\xbf--- \r\na: 1\r\n---\t\r\nbody", b"a: 1\r\n"),
        (b"---\na: 1\n---", b"a: 1\n"),
        (b"---\n---\n", b""),
        (b"---\na: |\n  ---\n---\n", b"a: |\n  ---\n"),
        (b"---\na: 1\n---x\n---\n", b"a: 1\n---x\n"),
        (b"---\na: 1\n...\nbody\n", b"a: 1\n"),
        (b"---\na: 1\n... \r\nbody\n---\n", b"a: 1\n"),
        (b"---\na: 1\n...x\n---\n...\n", b"a: 1\n...x\n"),
        (b"---\n...\n", b""),
        (b"---yaml\na: 1\n---\n", b"a: 1\n"),
        (b"--- yml\t\r\na: 1\r\n---\r\n", b"a: 1\r\n"),
        (b"--- # a note\na: 1\n---\n", b"a: 1\n"),
        (b"---yaml # " + b"a note " * 50 + b"\na: 1\n---\n", b"a: 1\n"),
    ],
)
def test_the_block_ends_at_the_first_line_of_three_hyphens(data: bytes, block: bytes) -> None:
    span = find_front_matter(data, "a.md")
    assert data[span.start : span.stop] == block
    assert has_front_matter(data[:100])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"----\na: 1\n---\n",
        b" ---\na: 1\n---\n",
        b"a: 1\n---\n",
        b"---#a\na: 1\n---\n",
        b"---yamls\n---\n",
    ],
)
def test_other_beginnings_are_no_front_matter(data: bytes) -> None:
    assert not has_front_matter(data)
    with pytest.raises(RecordError, match="expected front matter between two lines"):
        find_front_matter(data, "a.md")


def test_carriage_returns_alone_end_no_line() -> None:
    with pytest.raises(RecordError, match=r"a\.md:1: got lines that end with carriage returns only"):
        find_front_matter(b"---\ra: 1\r---\r", "a.md")


@pytest.mark.parametrize(
    ("data", "new"),
    [
        (b"--- # a\na: 1\n...\nquality: 5\n", b"--- # a\na: 1\nquality: 84\n...\nquality: 5\n"),
        (b"---yaml\r\nquality: 5\r\n---\r\n", b"---yaml\r\nquality: 84\r\n---\r\n"),
    ],
)
def test_labels_are_written_between_any_opening_and_closing(data: bytes, new: bytes) -> None:
    assert replace_labels(data, {"quality": 84}) == new


@pytest.mark.parametrize(
    "block",
    [
        "title: Rain\n",
        "title: 'It''s rain'\n",
        'title: "A \\"wet\\" \\u00e9 week \\\\ end"\n',
        "title: Rain's end, C# (really) 50% off\n\n\ntype: video\n",
        "topics:\n- Rain\n- Sun\ntype: video\n",
        "topics:\n    - Rain\ntype: video\n",
        "images:\n  - url: a.png\n    width: 5\n  - url: b.png\ntype: video\n",
        "images:\n  - provider:\n      name: Rain\n    url: b.png\n",
    ],
)
def test_the_plain_form_is_taken(block: str) -> None:
    assert to_json(block.encode()) is not None
    assert to_json(block.replace("\n", "\r\n").encode()) is not None


@pytest.mark.parametrize(
    "block",
    [
        "",
        "title: Rain",
        "title: Rain\rtype: video\n",
        "title: &a Rain\n",
        "title: *a\n",
        "title: !!str Rain\n",
        "<<: Rain\n",
        "title: Rain # wet\n",
        "# wet\ntitle: Rain\n",
        "title: [Rain]\n",
        "title: {a: b}\n",
        "title: |\n  Rain\n",
        "title: >-\n  Rain\n",
        "title: Rain\n  again\n",
        'title: "Rain\n  again"\n',
        "title: 'Rain\n  again'\n",
        'title: "Rain\\x41"\n',
        'title: "Rain\\ud83c"\n',
        'title: "Rain\\\n',
        'title: "Rain\\"\n',
        'title: "Rain" x\n',
        'title: "Rain\\\\\\" x\n',
        "title: 'Rain'' x\n",
        "title: 'Rain' x'\n",
        'title: "Rain\\\\"\n',
        'title: "Rain\\\\" x "\n',
        "title: Rain: wind\n",
        "title: Rain \n",
        "title:Rain\n",
        "title: Rain\npublishedDateTime:2021-03-04 05:06:07\n",
        "Rain\n",
        "title:\tRain\n",
        "title: Ra\tin\n",
        "title: Ra\x00in\n",
        "title: 'Ra\x85in'\n",
        "title: 'Ra\u2028in'\n",
        "title: '\ufeffRain'\n",
        "title: Null\n",
        "title: ~\n",
        "title: - Rain\n",
        '"title": Rain\n',
        "? title\n: Rain\n",
        "title: Rain\ntitle: Sun\n",
        "title: Rain\n...\n",
        "--- x\n",
        "title: Rain\n  type: video\n",
        "a:\n  b:\n c: 1\n",
        "a:\n  b: 1\n c: 1\n",
        " title: Rain\n",
        "- title: Rain\n",
        "title: Rain\n- Sun\n",
        "- - Rain\n",
        "images:\n  - url: a.png\n    url: b.png\n",
        "images:\n  - url: a.png\n  - url: a.png\n    url: b.png\n",
        "images:\n  - url: a.png\n   width: 5\n",
        "images:\n  - url: a.png\n     width: 5\n",
        "topics:\n  - Rain\ntitle: Rain\n  - Sun\n",
        "topics:\n  - Rain\ntitle: Rain\n  - Rain\n",
        "topics:\n  - Rain\ntitle: Rain\ntopics:\n  - Rain\ntitle: Rain\n",
        "".join(f"{' ' * depth}a:\n" for depth in range(40)),
    ],
)
def test_any_other_form_is_left_to_the_careful_way(block: str) -> None:
    assert to_json(block.encode()) is None


@pytest.mark.parametrize("n_items", [1, 100, 5000])
def test_json_of_very_short_lines_has_room(n_items: int) -> None:
    converted = to_json(b"topics:\n" + b"- x\n" * n_items)
    assert converted is not None
    assert len(converted) > 2 * 4 * n_items
    assert json.loads(bytes(converted)) == {"topics": ["x"] * n_items}


class NewError(Exception):
    """An error type that no parser raises."""


def raises(error: Exception) -> Callable[..., object]:
    def stop(*_: object) -> object:
        raise error

    return stop


@pytest.mark.parametrize("error", [NewError(), RuntimeError("no"), IndexError(), ValueError(), MemoryError()])
@pytest.mark.parametrize("step", ["parse_in_arena", "emit_json_in_place"])
def test_whatever_the_fast_parser_raises_the_careful_way_reads_the_document(
    step: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"---\ntitle: Rain\npublishedDateTime: 2021-03-04T05:06:07Z\nquality: 5\n---\nBody"
    expected = decode_file(data, "a.md")
    monkeypatch.setattr(ryml, step, raises(error))
    assert to_json(b"title: Rain\n") is None
    assert decode_file(data, "a.md") == expected
    assert replace_labels(data, {"quality": 84}) == data.replace(b"quality: 5", b"quality: 84")


def test_so_it_does_where_the_parser_finds_no_yaml(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The check of the form may accept invalid YAML."""
    parse = ryml.parse_in_arena
    monkeypatch.setattr(ryml, "parse_in_arena", lambda block: parse(b"title: Rain\nmore:1 2:3\n"))
    with pytest.raises(ryml.ExceptionParse):
        ryml.parse_in_arena(b"")
    assert decode_file(b"---\ntitle: Rain\n---\n", "a.md").record.title == "Rain"
    capfd.readouterr()  # the parser tells on its own


@pytest.mark.parametrize(
    "value",
    [
        "a " * 12_000 + "b",
        "'" + "it''s " * 12_000 + "'",
        '"' + 'a \\"b\\" ' * 12_000 + '"',
    ],
    ids=["plain", "single quotes", "double quotes"],
)
def test_a_text_of_any_length_is_read(value: str) -> None:
    document = decode_file(f"---\ntitle: Rain\nexcerpt: {value}\n---\n".encode(), "a.md")
    text = value.replace("''", "'").replace('\\"', '"')
    assert document.record.excerpt == (text if text == value else text[1:-1])
