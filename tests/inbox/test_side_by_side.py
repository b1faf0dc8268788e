"""A record beside its coverage: who is in it, in which order, with whose labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.errors import RecordError
from scoring.inbox import side_by_side as side_by_side_module
from scoring.inbox.inbox import Inbox
from scoring.inbox.side_by_side import MAX_RECORDS, side_by_side

OWN = """---
title: A kite over the mill
publishedDateTime: 2021-05-02T10:00:00Z
provider:
  name: The Quay
originalUrl: https://quay.example/kite
excerpt: It rose at noon.
related:
- title: Kite seen
  originalUrl: https://mill.example/kite
  provider:
    name: Mill News
  quality: 31
  excerpt: A kite was seen.
- title: The kite again
  originalUrl: https://quay.example/again
  quality: 99
---
"""
AGAIN = """---
title: The kite again
publishedDateTime: 2021-05-03T10:00:00Z
originalUrl: https://quay.example/again
quality: 70
related:
- title: A kite over the mill
  originalUrl: https://quay.example/kite
---
"""


@pytest.fixture
def inbox(tmp_path: Path, saved: SavedModel) -> Inbox:
    (tmp_path / "inbox").mkdir()
    for name, text in (("own.md", OWN), ("again.md", AGAIN), ("bad.md", "---\ntitle: [\n---\n")):
        (tmp_path / "inbox" / name).write_text(text, "utf-8")
    inbox = Inbox(tmp_path / "inbox", tmp_path / "corrections.jsonl")
    inbox.refresh(saved)
    return inbox


def test_listed_records_and_those_of_the_story_stand_beside_the_record_once(inbox: Inbox) -> None:
    compared = side_by_side(inbox, "own.md")
    own, *others = compared.records
    score = inbox.row("own.md").score
    assert score is not None
    assert (own.path, own.excerpt, own.predicted) == (
        "own.md",
        "It rose at noon.",
        ("quality", "heat", "published"),
    )
    assert (own.labels.quality, own.labels.heat) == (score.quality, score.heat)
    assert compared.n_left_out == 0
    by_title = {record.title: record for record in others}
    assert by_title.keys() == {"Kite seen", "The kite again"}
    seen, again = by_title["Kite seen"], by_title["The kite again"]
    assert (seen.path, seen.provider, seen.labels.quality, seen.labels.heat) == ("", "Mill News", 31, None)
    assert (seen.url, seen.excerpt) == ("https://mill.example/kite", "A kite was seen.")
    assert (again.path, again.labels.quality, again.predicted) == ("again.md", 70, ("heat", "published"))
    assert again.is_leading == (again.labels.heat is not None and again.labels.heat > -1)


def test_what_there_is_no_room_for_is_counted(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side_module, "MAX_RECORDS", 1)
    compared = side_by_side(inbox, "own.md")
    assert (len(compared.records), compared.n_left_out) == (2, 1)


@pytest.mark.parametrize("path", ["bad.md", "none.md"])
def test_a_file_that_cannot_be_used_is_refused(inbox: Inbox, path: str) -> None:
    with pytest.raises(RecordError, match=path):
        side_by_side(inbox, path)


def test_what_is_left_out_is_counted_once(tmp_path: Path, saved: SavedModel) -> None:
    (tmp_path / "inbox").mkdir()
    listed = "".join(f"- title: Kite {n}\n  originalUrl: https://mill.example/{n}\n" for n in range(60))
    (tmp_path / "inbox" / "own.md").write_text(OWN.partition("related:")[0] + f"related:\n{listed}---\n")
    for number in range(30):
        text = AGAIN.replace("https://quay.example/again", f"https://mill.example/{number}")
        (tmp_path / "inbox" / f"{number}.md").write_text(text)
    inbox = Inbox(tmp_path / "inbox", tmp_path / "corrections.jsonl")
    inbox.refresh(saved)
    compared = side_by_side(inbox, "own.md")
    assert (len(compared.records), compared.n_left_out) == (1 + MAX_RECORDS, 60 - MAX_RECORDS)
