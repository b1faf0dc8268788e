"""docs/api.md equals the docstrings, has every public name, and its links lead somewhere."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import scoring
import scoring.sklearn

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "api.md").read_text("utf-8")


def slug(title: str) -> str:
    """Anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_reference_is_up_to_date() -> None:
    reference = runpy.run_path(str(DOCS / "write_api.py"))["reference"]
    assert reference() == PAGE, "run `make docs`"


def test_every_public_name_has_a_heading() -> None:
    titles = set(re.findall(r"^### (?:class )?(\S+)$", PAGE, re.MULTILINE))
    names = {f"scoring.{name}" for name in scoring.__all__ if name != "__version__"}
    assert names <= titles
    assert {f"scoring.sklearn.{name}" for name in scoring.sklearn.__all__} <= titles


def test_links_lead_somewhere() -> None:
    anchors = [slug(title) for title in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)]
    assert len(set(anchors)) == len(anchors)
    links = re.findall(r"\]\(([^)]*)\)", PAGE)
    assert {link[1:] for link in links if link.startswith("#")} <= set(anchors)
    assert [link for link in links if not link.startswith("#") and not (DOCS / link).exists()] == []


def test_no_markup_of_docstrings_is_left() -> None:
    prose = re.sub(r"^```python\n.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r":\w+:`|``|^\.\. ", prose, re.MULTILINE) == []
