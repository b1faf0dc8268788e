"""Documents of every part of YAML: read as other parsers do, or refused; writing labels changes no more."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from scoring.errors import RecordError
from scoring.records.decode import decode_file
from scoring.records.forms.front_matter import find_front_matter, to_json
from scoring.records.forms.node import Node
from scoring.records.forms.yaml_nodes import parse_nodes
from scoring.records.write_back import replace_labels

REFUSED = object()
UNREAD = object()
"""A value that is kept and not interpreted: equal to any other."""


def documents() -> Iterator[Any]:
    category = ""
    for number, line in enumerate((Path(__file__).parent / "yaml_documents.txt").read_text().splitlines()):
        if line.startswith("## "):
            category = line.removeprefix("## ")
        elif line.startswith('"'):
            yield pytest.param(json.loads(line), id=f"{category} {number + 1}")


DOCUMENTS = list(documents())


def check_faults(error: RecordError) -> None:
    assert error.faults
    assert all(fault.expected for fault in error.faults)


def by_scoring(text: str) -> Any:
    try:
        return plain(parse_nodes(text, "a.md"))
    except RecordError as error:
        check_faults(error)
        return REFUSED


def plain(node: Node) -> Any:
    if node.problem is not None:
        return UNREAD
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value or ""


def by_pyyaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 -- it makes text, lists and mappings only
    except (yaml.YAMLError, TypeError, ValueError, AttributeError):
        return REFUSED


def by_ruamel(text: str) -> Any:
    loader = YAML(typ="base", pure=True)
    loader.allow_duplicate_keys = True
    try:
        return loader.load(io.StringIO(text))
    except Exception:  # it raises what it likes
        return REFUSED


def same(ours: Any, theirs: Any) -> bool:
    if ours is UNREAD:
        return True
    if isinstance(ours, dict) and isinstance(theirs, dict):
        texts = {key: value for key, value in theirs.items() if isinstance(key, str)}
        merged = texts.pop("<<", None)  # the base loaders leave it as it is
        if merged is not None and not isinstance(ours.get("<<"), str):
            parts = (
                [merged] if isinstance(merged, dict) else [part for part in merged if isinstance(part, dict)]
            )
            for part in parts:
                texts = {**part, **texts}
        elif merged is not None:
            texts["<<"] = merged
        return ours.keys() == texts.keys() and all(same(ours[key], texts[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if theirs is None and ours in ("null", "~"):
        return True
    return bool(ours == (theirs or "")) and type(ours) is type(theirs or "")


def test_there_are_enough() -> None:
    assert len(DOCUMENTS) >= 150


def has_unread(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(has_unread, value.values() if isinstance(value, dict) else value))
    return value is UNREAD


@pytest.mark.parametrize("text", DOCUMENTS)
def test_values_are_those_of_other_parsers(text: str) -> None:
    ours, others = by_scoring(text), [by_pyyaml(text), by_ruamel(text)]
    if ours is REFUSED:
        return
    if text in READ_ALONE:
        assert ours == READ_ALONE[text]
        return
    read = [theirs for theirs in others if theirs is not REFUSED]
    assert any(same(ours, theirs) for theirs in read) or (not read and has_unread(ours)), (ours, others)


# Documents that are valid YAML 1.2, or read as JSON reads them, and that the other parsers do not take.
READ_ALONE = {
    "title: a\tb\n": {"title": "a\tb"},
    "title: a\t\n": {"title": "a"},
    "a: &x 1\nb: &x 2\nc: *x\n": {"a": "1", "b": "2", "c": "2"},
    'title: "\\ud83d\\ude00"\n': {"title": "\U0001f600"},
}


def test_no_document_is_refused_alone() -> None:
    refused = {
        text
        for (text,) in (document.values for document in DOCUMENTS)
        if by_scoring(text) is REFUSED and REFUSED not in (by_pyyaml(text), by_ruamel(text))
    }
    assert refused == set()


@pytest.mark.parametrize("text", DOCUMENTS)
def test_the_fast_reader_takes_the_same_values(text: str) -> None:
    as_json = to_json(text.encode())
    if as_json is not None:
        fast = json.loads(bytes(as_json), parse_int=str, parse_float=str)
        assert same(by_scoring(text), _texts(fast))


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return json.dumps(value) if isinstance(value, bool) else value


@pytest.mark.parametrize("text", DOCUMENTS)
@pytest.mark.parametrize("label", ["", "quality: 5  # so far\n", 'quality: ""\n'])
def test_a_write_of_labels_changes_nothing_else(text: str, label: str) -> None:
    newline = "" if text.endswith("\n") else "\n"
    data = f"---\n{text}{newline}{label}---\nBody\n".encode()
    span = find_front_matter(data, "a.md")
    if span.stop != len(data) - len("---\nBody\n"):
        assert "\n---" in text or "\n..." in text
        return  # the document has a line that ends the front matter
    try:
        new = replace_labels(data, {"quality": 84}, path="a.md")
    except RecordError as error:
        check_faults(error)
        return
    if label:
        value = label.split()[1].encode()
        assert new == data.replace(b"quality: " + value, b"quality: 84")
    else:
        assert re.sub(rb"^ *quality: 84\r?\n", b"", new, count=1, flags=re.MULTILINE) == data
    assert replace_labels(new, {"quality": 84}) == new


@pytest.mark.parametrize("text", DOCUMENTS)
def test_a_record_is_read_or_refused(text: str) -> None:
    for block in (
        text,
        f"title: Rain\n{text}",
        f"{text}title: Rain\n",
        f"other:\n  {text.strip()}\ntitle: Rain\n",
    ):
        try:
            document = decode_file(f"---\n{block}---\nBody\n".encode(), "a.md")
        except RecordError as error:
            check_faults(error)
        else:
            assert document.record.title
