"""docs/promises.md names tests that are there, and every counted one as it is counted."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text("utf-8")
ROWS = re.findall(r"^\| (?!promise|---)(.+?) \| `(tests/[\w/]+\.py)::(\w+)` \| (.+?) \|$", PAGE, re.MULTILINE)
# What a constant of the test's own module counts, as the page tells it.
COUNTS = {
    "tests/records/test_replacing.py::N_KILLS": "{} kills over 12 files",
    "tests/model/test_tree_text.py::N_MUTATIONS": "{:,} damaged texts",
    "tests/model/test_hostile.py::N_MUTATIONS": "{} manifests",
    "tests/model/test_replacing.py::N_KILLS": "2 ways, {} kills each",
    "tests/integration/test_train_killed.py::N_KILLS": "{} kills; by hand 100",
    "tests/fuzz/test_corpus.py::SECONDS": "5 targets, {} s each: some 100,000 inputs",
    "tests/records/test_limits.py::FILES": "{} files",
    "tests/records/test_limits.py::LINES": "{} lines",
    "tests/workflows/test_odd_archives.py::ARCHIVES": "{} archives",
}


def test_every_row_of_the_page_is_read() -> None:
    assert len(ROWS) == len(re.findall(r"^\| (?!promise|---)", PAGE, re.MULTILINE)) > 40


@pytest.mark.parametrize(("promise", "file", "test"), [row[:3] for row in ROWS], ids=lambda value: value)
def test_test_of_a_promise_is_there(promise: str, file: str, test: str) -> None:
    functions = [
        node.name
        for node in ast.parse((ROOT / file).read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
    ]
    assert test in functions, promise


@pytest.mark.parametrize("place", COUNTS)
def test_cases_are_as_many_as_the_page_tells(place: str) -> None:
    file, _, name = place.partition("::")
    values = {
        ast.unparse(target): node.value
        for node in ast.parse((ROOT / file).read_text("utf-8")).body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
    value = values[name]
    count = len(value.keys) if isinstance(value, ast.Dict) else ast.literal_eval(value)
    assert COUNTS[place].format(count) in [cases for _, where, _, cases in ROWS if where == file]
