"""docs/promises.md names existing tests, with the number of their cases."""

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
    "tests/storage/test_atomic_file.py::N_KILLS": "{} kills over 12 files",
    "tests/artifact/test_lightgbm_validation.py::N_MUTATIONS": "{:,} damaged texts",
    "tests/model/test_hostile.py::N_MUTATIONS": "{} manifests",
    "tests/storage/test_atomic_folder.py::N_KILLS": "2 ways, {} kills each",
    "tests/integration/test_train_killed.py::N_KILLS": "{} kills; by hand 100",
    "tests/records/test_limits.py::FILES": "{} files",
    "tests/records/test_limits.py::LINES": "{} lines",
    "tests/workflows/test_explained_limits.py::KINDS": "{} kinds",
    "tests/workflows/test_odd_archives.py::ARCHIVES": "{} archives",
}
# Likewise the cases that stand in the test's own marks.
MARKED = {
    "tests/artifact/test_zip_export.py::test_odd_names": "{} names",
    "tests/artifact/test_lightgbm_validation.py::test_what_might_end_the_process_is_refused": "{} kinds",
    "tests/storage/test_atomic_file.py::test_read_only": "{} sets of permissions",
    "tests/storage/test_atomic_file.py::test_trap_in_the_place_of_the_temporary_file": "{} kinds",
    "tests/records/test_write_back.py::test_a_file_changed_meanwhile_is_read_once_more": "1 and {} changes",
    "tests/workflows/test_odd_archives.py::test_a_handful_is_refused_in_one_line": "{} archives",
}


def body(file: str) -> list[ast.stmt]:
    return ast.parse((ROOT / file).read_text("utf-8")).body


def test_every_row_of_the_page_is_read() -> None:
    assert len(ROWS) == len(re.findall(r"^\| (?!promise|---)", PAGE, re.MULTILINE)) > 40


@pytest.mark.parametrize(("promise", "file", "test"), [row[:3] for row in ROWS], ids=lambda value: value)
def test_test_of_a_promise_is_there(promise: str, file: str, test: str) -> None:
    functions = [node.name for node in body(file) if isinstance(node, ast.FunctionDef)]
    assert test in functions, promise


@pytest.mark.parametrize("case_id", COUNTS)
def test_cases_are_as_many_as_the_page_says(case_id: str) -> None:
    file, _, name = case_id.partition("::")
    values = {
        ast.unparse(target): node.value
        for node in body(file)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
    value = values[name]
    count = len(value.keys) if isinstance(value, ast.Dict) else ast.literal_eval(value)
    assert COUNTS[case_id].format(count) in [cases for _, where, _, cases in ROWS if where == file]


@pytest.mark.parametrize("case_id", MARKED)
def test_marks_have_as_many_cases_as_the_page_says(case_id: str) -> None:
    file, _, name = case_id.partition("::")
    (test,) = (node for node in body(file) if isinstance(node, ast.FunctionDef) and node.name == name)
    count = 1
    for mark in test.decorator_list:
        assert isinstance(mark, ast.Call)
        cases = mark.args[1]
        assert isinstance(cases, ast.List)
        # `*("a", "b")` among them is two.
        count *= sum(
            len(case.value.elts) if isinstance(case, ast.Starred) and isinstance(case.value, ast.Tuple) else 1
            for case in cases.elts
        )
    (described,) = (cases for _, *where, cases in ROWS if where == [file, name])
    assert described == MARKED[case_id].format(count)
