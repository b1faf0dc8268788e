"""Model format 1: a model saved in that format still loads and gives the same scores."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from scoring.artifact.manifest import Manifest
from scoring.artifact.model_folder import FILES, FORMAT_VERSION, read_files
from scoring.artifact.saved_model import load_model
from scoring.drift.reference_windows import ReferenceLimits
from scoring.model.conformal import ResidualDistribution
from scoring.model.rubric import Rubric
from scoring.records.decode import decode_json

ROOT = Path(__file__).parents[2]
SAVED = Path(__file__).parent / "format_1"
DOCUMENTED_ONCE: dict[Any, str] = {
    ReferenceLimits: "limits.",
    Rubric: "rubric.",
    ResidualDistribution: "errors.",
}
DOC = (ROOT / "docs" / "model-format.md").read_text("utf-8")


def test_old_folder_gives_the_scores_that_it_gave() -> None:
    scorer = load_model(SAVED / "model").scorer
    lines = (SAVED / "records.jsonl").read_bytes().splitlines()
    documents = [decode_json(line, "records.jsonl", number) for number, line in enumerate(lines, start=1)]
    expected = [json.loads(line) for line in (SAVED / "scores.jsonl").read_text().splitlines()]
    assert [msgspec.to_builtins(score) for score in scorer.score(documents)] == [
        fields | {"path": f"records.jsonl:{number}", "warnings": tuple(fields["warnings"])}
        for number, fields in enumerate(expected, start=1)
    ]


def test_old_folder_is_of_the_version_that_is_written() -> None:
    assert (
        json.loads((SAVED / "model" / "manifest.json").read_text())["format_version"] == FORMAT_VERSION == 1
    )
    assert read_files(SAVED / "model").sha256[:8] == "4c522e9f"


def inner_types(kind: Any) -> Iterator[Any]:
    """A type, and those of its items."""
    yield kind
    for inner in getattr(kind, "__args__", ()):
        yield from inner_types(inner)


def fields_of(kind: Any, way: str = "") -> set[str]:
    """Paths of all fields of a struct, including nested ones."""
    ways = set()
    for field in msgspec.structs.fields(kind):
        here = f"{way}{field.encode_name}"
        ways.add(here)
        for inner in inner_types(field.type):
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                # These stand in several places, and are documented once.
                ways |= fields_of(inner, DOCUMENTED_ONCE.get(inner, f"{here}."))
    return ways


def test_every_file_and_field_is_documented() -> None:
    """A new or removed field needs a new version of the format, or documentation."""
    assert set(re.findall(r"^\| `([\w.]+\.(?:txt|json))` \|", DOC, re.MULTILINE)) == set(FILES)
    documented = set(re.findall(r"^\| `([a-z0-9_.]+)` \| ", DOC, re.MULTILINE)) - set(FILES)
    named = {way for way in fields_of(Manifest) if not way.startswith("training.config.")}
    assert documented == named
