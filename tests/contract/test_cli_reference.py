"""docs/cli.md equals the help of the commands."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_reference_is_up_to_date() -> None:
    reference = runpy.run_path(str(DOCS / "write_cli.py"))["reference"]
    assert (DOCS / "cli.md").read_text("utf-8") == reference(), "run `make docs`"
