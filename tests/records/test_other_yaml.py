"""The values of a record are those that a second implementation of YAML finds: ruamel.yaml, all Python."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from scoring.errors import RecordError
from scoring.records.decode import decode_file
from scoring.records.front_matter import find_front_matter
from scoring.records.record import archive_name
from scoring.records.synthetic.generate import write_sample
from tests.property.test_front_matter import HEAD, MORE

YAML_1_2 = YAML(typ="safe", pure=True)
YAML_1_2.allow_duplicate_keys = True


def theirs(data: bytes) -> dict[str, Any]:
    span = find_front_matter(data, "a.md")
    loaded = YAML_1_2.load(io.BytesIO(data[span.start : span.stop]))
    assert isinstance(loaded, dict)
    return loaded


def same(ours: Any, other: Any, name: str = "") -> bool:
    """Whether a value of a record is what another parser makes of the same place."""
    if isinstance(ours, msgspec.Struct):
        if isinstance(other, str) and hasattr(ours, "name"):
            other = {"name": other}  # a provider may be its name alone
        fields = other if isinstance(other, Mapping) else {}
        return all(
            same(getattr(ours, field), fields.get(archive_name(field)), field)
            for field in ours.__struct_fields__
        )
    if isinstance(ours, tuple):
        items = [other] if isinstance(other, str) and other else other or []
        return len(ours) == len(items) and all(same(one, each) for one, each in zip(ours, items, strict=True))
    if isinstance(ours, datetime):
        return bool(ours == moment(other))
    if other is None:
        return ours in (None, "", False, "news", "article")
    if isinstance(ours, str) and isinstance(other, str):
        return ours == (html.unescape(other) if name in ("title", "excerpt") else other)
    if name in ("width", "height"):
        return bool((ours or 0) == other)
    return bool(
        ours == other or (ours == "" and other == "") or (ours in ("news", "article") and other == "")
    )


def moment(other: Any) -> datetime | None:
    if isinstance(other, str):
        other = datetime.fromisoformat(re.sub(" (?=[Zz+-])", "", other.upper()))
    if isinstance(other, date) and not isinstance(other, datetime):
        other = datetime(other.year, other.month, other.day, tzinfo=UTC)
    if not isinstance(other, datetime):
        return None
    return other.replace(tzinfo=UTC) if other.tzinfo is None else other.astimezone(UTC)


def check(data: bytes) -> None:
    document = decode_file(data, "a.md")
    found = theirs(data)
    assert same(document.record, found)
    assert same(document.labels, found)


def test_documents_of_the_sample(tmp_path: Path) -> None:
    write_sample(tmp_path / "news", n_records=150, seed=6)
    for file in (tmp_path / "news").iterdir():
        check(file.read_bytes())


@pytest.mark.slow
def test_real_records(real_files: list[Path]) -> None:
    for file in real_files:
        check(file.read_bytes())


@settings(max_examples=300)
@given(MORE)
def test_documents_made_at_random(lines: list[str]) -> None:
    """Where a record is read at all, and the other parser finds no fault in its document."""
    data = "\n".join(["---", HEAD + lines[0], *lines[1:], "---", ""]).encode()
    try:
        document = decode_file(data, "a.md")
        found = theirs(data)
    except (RecordError, YAMLError, ValueError):  # no YAML to one of them, or a date of the 13th month
        return
    texts = [document.record.title, document.record.excerpt, document.record.web_url]
    others = [found.get(name) for name in ("title", "excerpt", "webUrl")]
    for ours, other in zip(texts, others, strict=True):
        # What YAML 1.2 takes for another type is text here, as it is written.
        if isinstance(other, str):
            assert html.unescape(ours) == html.unescape(other)
