"""Plain JSON is decoded straight into the types, unless it is ambiguous or nests deeply."""

from __future__ import annotations

import json

import pytest

from scoring.records import plain_json
from scoring.records.decode import decode_json
from scoring.records.forms.node import MAX_DEPTH


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\n", " :\t")])
@pytest.mark.parametrize("is_ascii", [False, True])
def test_json_is_clear_cut_in_any_style_unless_a_key_comes_twice(
    separators: tuple[str, str], is_ascii: bool
) -> None:
    value = {"a": 'b":é\\', "b": [1.5, None, {"c": "", 'd"': {"a": 1}}], "c": "d"}
    text = json.dumps(value, separators=separators, ensure_ascii=is_ascii)
    comma, colon = separators
    assert plain_json.is_unambiguous_json(text.encode())
    for twice in (
        text.replace('"a"', f'"a"{colon}"x"{comma}"a"'),  # the outermost and the innermost
        text.replace('"a"', f'"a"{colon}2{comma}"\\u0061"', 1),
        text.replace('"c"', f'"c"{colon}{{"x"{colon}"\\":"}}{comma}"c"', 1),
        text.replace('"a"', f'"a"{colon}[]{comma}"\\u0022:\\u0022"{colon}1{comma}"a"', 1),
    ):
        assert json.loads(twice)
        assert not plain_json.is_unambiguous_json(twice.encode())


@pytest.mark.parametrize("title", ["Rain", 2021])  # the second is left to the strict path
def test_the_deepest_levels_are_read(title: object) -> None:
    line = '{"title": %s, "topics": ["Sea"], "provider": {"name": "x"}, "other": %s1%s}'
    for n_lists in (MAX_DEPTH - 1, MAX_DEPTH):  # in the fields of the record, which are a level too
        data = (line % (json.dumps(title), "[" * n_lists, "]" * n_lists)).encode()
        assert plain_json._is_shallow(data) is (n_lists < MAX_DEPTH)
        assert decode_json(data, "a.jsonl", 1).record.title == str(title)
