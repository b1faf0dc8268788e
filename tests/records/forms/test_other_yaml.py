"""Values of records compared with a second YAML implementation: ruamel.yaml in pure Python."""

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
from scoring.records.forms.front_matter import find_front_matter
from scoring.records.record import archive_name
from scoring.records.synthetic.generate import write_sample
from tests.property.test_front_matter import HEAD, MORE

YAML_1_2 = YAML(typ="safe", pure=True)
YAML_1_2.allow_duplicate_keys = True


def ruamel_values(data: bytes) -> dict[str, Any]:
    span = find_front_matter(data, "a.md")
    loaded = YAML_1_2.load(io.BytesIO(data[span.start : span.stop]))
    assert isinstance(loaded, dict)
    return loaded


def same(first: Any, second: Any, name: str = "") -> bool:
    """Whether a value of a record equals the value of another parser."""
    if isinstance(first, msgspec.Struct):
        if isinstance(second, str) and hasattr(first, "name"):
            second = {"name": second}  # a provider may be its name alone
        fields = second if isinstance(second, Mapping) else {}
        return all(
            same(getattr(first, field), fields.get(archive_name(field)), field)
            for field in first.__struct_fields__
        )
    if isinstance(first, tuple):
        items = [second] if isinstance(second, str) and second else second or []
        return len(first) == len(items) and all(
            same(first_item, second_item) for first_item, second_item in zip(first, items, strict=True)
        )
    if isinstance(first, datetime):
        return bool(first == moment(second))
    if second is None:
        return first in (None, "", False, "news", "article")
    if isinstance(first, str) and isinstance(second, str):
        return first == (html.unescape(second) if name in ("title", "excerpt") else second)
    if name in ("width", "height"):
        return bool((first or 0) == second)
    return bool(
        first == second or (first == "" and second == "") or (first in ("news", "article") and second == "")
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
    expected = ruamel_values(data)
    assert same(document.record, expected)
    assert same(document.labels, expected)


def test_documents_of_the_sample(tmp_path: Path) -> None:
    write_sample(tmp_path / "news", n_records=150, seed=6)
    for file in (tmp_path / "news").iterdir():
        check(file.read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("step", [10, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_real_records(real_files: list[Path], step: int) -> None:
    for file in real_files[::step]:
        check(file.read_bytes())


@settings(max_examples=300)
@given(MORE)
def test_documents_made_at_random(lines: list[str]) -> None:
    """Documents that both parsers accept."""
    data = "\n".join(["---", HEAD + lines[0], *lines[1:], "---", ""]).encode()
    try:
        document = decode_file(data, "a.md")
        values = ruamel_values(data)
    except (RecordError, YAMLError, ValueError):  # no YAML to one of them, or a date of the 13th month
        return
    texts = [document.record.title, document.record.excerpt, document.record.web_url]
    others = [values.get(name) for name in ("title", "excerpt", "webUrl")]
    for text, other in zip(texts, others, strict=True):
        # What YAML 1.2 takes for another type is text here, as it is written.
        if isinstance(other, str):
            assert html.unescape(text) == html.unescape(other)
