"""Check with numpydoc that every public name is documented in full: parameters, results, types.

usage: python -m docs.check_docstrings

Public are the names in the ``__all__`` of packages, and the public methods of their classes. The exit code is
1 if anything is missing.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from typing import Any

from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

PACKAGES = (
    "scoring",
    "scoring.sklearn",
    "scoring.tracking",
    "scoring.plots",
    "scoring.report",
    "scoring.cli",
)
SKIPPED = {
    "ES01": "one line may say it all",
    "SA01": "a type in the text leads to what belongs to it",
    "EX01": "examples stand where a call is not obvious",
    "GL01": "summaries begin on the first line, as in all of this code",
    "SS05": "the check takes any first word with an s at its end for a third person",
    "SS06": "the check takes a summary of one line followed by its own blank line for two",
    "GL02": "docstrings of one line end on that line",
    "RT02": "returned values have no names",
}


def main() -> int:
    """Print what is missing."""
    findings = [finding for package in PACKAGES for finding in findings_of(package)]
    print(*findings, sep="\n", end="\n" if findings else "")
    return 1 if findings else 0


def findings_of(package: str) -> Iterator[str]:
    """What is missing in the docstrings of a package's public names."""
    module = importlib.import_module(package)
    for name in module.__all__:
        value = getattr(module, name)
        if not (inspect.isclass(value) or inspect.isroutine(value)):
            continue  # a constant
        yield from findings_of_object(value, f"{value.__module__}.{value.__qualname__}")
        if inspect.isclass(value):
            for method, member in vars(value).items():
                if not method.startswith("_") and inspect.isroutine(member):
                    yield from findings_of_object(member, f"{value.__module__}.{value.__qualname__}.{method}")


def findings_of_object(value: Any, address: str) -> Iterator[str]:
    """What is missing in one docstring; fields of a class may be its parameters or its attributes."""
    result = validate(address)
    fields = _fields(value) if inspect.isclass(value) else []
    for code, message in result["errors"]:
        # Records, results and settings: their fields are checked below.
        if code in SKIPPED or (fields and code in ("PR01", "PR02", "PR03")):
            continue
        # A summary in the imperative says what a method without parameters returns.
        if code == "RT01" and not inspect.signature(value).parameters.keys() - {"self"}:
            continue
        yield f"{result['file']}:{result['file_line']}: {address}: {code} {message}"
    if fields:
        text = inspect.getdoc(value) or ""
        document = NumpyDocString(text)
        described = [part.name for kind in ("Parameters", "Attributes") for part in document[kind]]
        names = {name.strip() for part in described for name in part.split(",")}
        missing = [name for name in fields if name not in names and f"``{name}``" not in text]
        if missing:
            line = f"{result['file']}:{result['file_line']}"
            yield f"{line}: {address}: fields not described: {', '.join(missing)}"


def _fields(value: type) -> list[str]:
    """Public fields that a Struct, a dataclass or a NamedTuple adds to its base; empty for another class."""
    kinds = ("__struct_fields__", "_fields", "__dataclass_fields__")
    names = next((list(getattr(value, kind)) for kind in kinds if hasattr(value, kind)), [])
    return [name for name in names if not name.startswith("_") and name in value.__annotations__]


if __name__ == "__main__":
    sys.exit(main())
