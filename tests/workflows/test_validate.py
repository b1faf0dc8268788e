"""Validation reports every fault of every record."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from scoring.errors import Fault, RecordError
from scoring.workflows.validate import validate


def test_every_fault_of_every_record_is_reported(tmp_path: Path) -> None:
    good = b"---\ntitle: Rain\ntopics: [Rain]\nprovider: Daily\npublishedDateTime: 2021-03-04\n---\n"
    (tmp_path / "a.md").write_bytes(good)
    (tmp_path / "b.md").write_bytes(b"---\ntitle: Rain\nimages: high\nexcerpt: [a]\n---\n")
    (tmp_path / "c.md").write_bytes(b"---\ntitle: [\n---\n")
    progress: list[tuple[int, int]] = []
    result = validate(["."], on_progress=lambda done, n_files: progress.append((done, n_files)))
    assert (result.n_records, result.n_faulty) == (1, 2)
    assert result.faults[:2] == (
        Fault("./b.md", 3, "images", "'high'", "a list"),
        Fault("./b.md", 4, "excerpt", "a list", "text"),
    )
    assert result.faults[2].path == "./c.md"
    assert len(result.faults) == 3
    assert result.warnings == (
        "./a.md:1: publishedDateTime: '2021-03-04' has no time: taken as midnight UTC",
    )
    assert progress == [(1, 3), (2, 3), (3, 3)]


def test_standard_input_is_validated() -> None:
    result = validate(["-"], stdin=io.BytesIO(b'{"title": "Rain"}\n{"title": ""}\n'))
    assert (result.n_records, result.n_faulty) == (1, 1)
    assert result.faults == (Fault("-", 2, "title", "no text", "a title"),)
    assert result.warnings == ("-:1: no publishedDateTime", "-:1: no provider", "-:1: no topics")


def test_a_path_that_names_nothing_is_an_error() -> None:
    with pytest.raises(RecordError, match=r"lost\.md: got no such file"):
        validate(["lost.md"])


def test_keys_that_no_field_uses_are_counted(tmp_path: Path) -> None:
    fast = (
        b"---\ntitle: Rain\npublishedDateTime: 2021-03-04T05:06:07Z\n"
        b"topics:\n  - Sea\nprovider:\n  name: Daily\n"
        b"removed: true\nlink: a\nsecured: hush\n---\n"
    )
    (tmp_path / "a.md").write_bytes(fast)
    (tmp_path / "b.md").write_bytes(
        fast.replace(b"title: Rain", b"title: Rain # wet").replace(b"link: a", b"by: @a")
    )
    (tmp_path / "c.md").write_bytes(b"+++\ntitle = 'Rain'\nremoved = true\n[author]\nname = 'a'\n+++\n")
    (tmp_path / "d.jsonl").write_bytes(b'{"title": "Rain", "removed": 1}\n{"title": "", "removed": 1}\n')
    result = validate([".", "d.jsonl"])
    assert result.unread_keys == {"removed": 4, "link": 1, "by": 1, "author": 1}
    assert next(iter(result.unread_keys)) == "removed"
    assert "hush" not in repr(result)
