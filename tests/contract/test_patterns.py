"""Regular expressions avoid possessive quantifiers and atomic groups.

Python 3.11.0 to 3.11.4 matches these wrongly.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import scoring

ROOT = Path(__file__).parents[2]
SOURCES = [
    path for folder in ("scoring", "tests", "docs", "experiments") for path in (ROOT / folder).rglob("*.py")
]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(scoring.__path__, "scoring.")
    if not module.name.endswith("__main__")
)


def constructs(pattern: str | bytes, flags: int = 0) -> set[str]:
    """Names of all constructs of a pattern."""
    parser: Any = importlib.import_module("re._parser")

    def names(part: Any) -> Iterator[str]:
        if isinstance(part, parser.SubPattern):
            for operation, argument in part.data:
                yield str(operation)
                yield from names(argument)
        elif isinstance(part, list | tuple):
            for item in part:
                yield from names(item)

    return set(names(parser.parse(pattern, flags)))


def is_wrong_somewhere(pattern: str | bytes, flags: int = 0) -> bool:
    return not constructs(pattern, flags).isdisjoint({"POSSESSIVE_REPEAT", "ATOMIC_GROUP"})


def patterns(value: Any) -> Iterator[re.Pattern[Any]]:
    """Patterns of a module, also in containers and bound methods."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(getattr(value, "__self__", None), re.Pattern):
        yield value.__self__
    elif isinstance(value, dict):
        for item in list(value.values()):
            yield from patterns(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from patterns(item)


@pytest.mark.parametrize(
    ("pattern", "is_wrong"),
    [
        (r"a*+", True),
        (rb"(?:ab)?+", True),
        (r"x(?:(?>a|b)|c)", True),
        (r"(?=a{2,3}+)", True),
        (r"(a|b++)*", True),
        (r"[*+]+(?:a|)b*?", False),
        (r"a\++", False),
    ],
)
def test_what_is_looked_for_would_be_found(pattern: str | bytes, is_wrong: bool) -> None:
    assert is_wrong_somewhere(pattern) == is_wrong


def test_no_module_of_the_package_has_such_a_pattern() -> None:
    compiled = {
        f"{name}.{key}": pattern
        for name in MODULES
        for key, value in vars(importlib.import_module(name)).items()
        for pattern in patterns(value)
    }
    assert {
        "scoring.records.forms.front_matter._LINE",
        "scoring.artifact.lightgbm_validation._FORMS",
    } <= compiled.keys()
    assert [
        name
        for name, compiled_pattern in compiled.items()
        if is_wrong_somewhere(compiled_pattern.pattern, compiled_pattern.flags)
    ] == []


def test_no_call_spells_one() -> None:
    """Literal patterns in calls; composed patterns are found in their modules."""
    spelled = {
        f"{path.relative_to(ROOT)}:{call.lineno}": call
        for path in SOURCES
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("re.")
        if call.args and isinstance(call.args[0], ast.Constant)
    }
    assert len(spelled) > 50
    wrong = [
        location
        for location, call in spelled.items()
        if is_wrong_somewhere(ast.literal_eval(call.args[0]), re.VERBOSE * ("VERBOSE" in ast.unparse(call)))
    ]
    assert wrong == []
