"""docs/architecture.svg is drawn from the code, and docs/architecture.md names modules that exist."""

from __future__ import annotations

import importlib
import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "architecture.md").read_text("utf-8")
NAMES = sorted(
    {
        name
        for row in re.findall(r"^\| .* \| (`.*`) \|$", PAGE, re.MULTILINE)
        for name in re.findall(r"`([\w.]+)`", row)
        if name[0].islower()
    }
)


def test_picture_is_up_to_date() -> None:
    picture = runpy.run_path(str(DOCS / "write_architecture.py"))["picture"]
    assert (DOCS / "architecture.svg").read_text("utf-8") == picture(), "run `make docs`"


@pytest.mark.parametrize("name", NAMES)
def test_what_the_walk_names_is_there(name: str) -> None:
    parts = ["scoring", *name.split(".")]
    for n_module in range(len(parts), 1, -1):
        try:
            value = importlib.import_module(".".join(parts[:n_module]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[n_module:]:
            value = getattr(value, attribute)
        return
    pytest.fail(f"{name}: no such module")
