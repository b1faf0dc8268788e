"""Ledger of corrections: append-only, validated, and matched by the content of records."""

from __future__ import annotations

import json
import multiprocessing
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scoring.errors import HomeError, RecordError
from scoring.records.decode import decode_file, decode_json
from scoring.records.ledger import (
    Correction,
    Holding,
    append_corrections,
    content_sha256,
    digests_of,
    read_ledger,
    with_corrections,
)
from scoring.records.record import Coverage, Labels, Provider, Record
from scoring.records.write_back import replace_labels

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILE = b"""---
title: Orchard opens
type: article
publishedDateTime: 2026-02-28T08:00:00Z
provider:
  name: Wendlow
  domain: wendlow.example
topics:
- Tessaril
---
Body
"""
LINE: dict[str, Any] = {
    "at": "2026-03-01T12:00:00Z",
    "path": "a.md",
    "record_sha256": "a" * 64,
    "own_sha256": "b" * 64,
    "field": "quality",
    "predicted": 52,
    "value": 67,
    "model": "default@01234567",
}


def correction(**values: Any) -> Correction:
    digests = digests_of(decode_file(FILE, "a.md").record)
    common: dict[str, Any] = {
        "at": MOMENT,
        "path": "a.md",
        "record_sha256": digests.record,
        "own_sha256": digests.own,
        "field": "quality",
        "predicted": 52,
        "value": 67,
        "model": "default@01234567",
    }
    return Correction(**common | values)


def test_what_was_added_is_read(tmp_path: Path) -> None:
    ledger = tmp_path / "new" / "corrections.jsonl"
    first, second = correction(by="ann"), correction(field="published", predicted=True, value=False)
    append_corrections(ledger, [first])
    before = ledger.read_bytes()
    append_corrections(ledger, [second])
    assert ledger.read_bytes().startswith(before)
    assert read_ledger(ledger).corrections == (first, second)
    assert not read_ledger(tmp_path / "none.jsonl").corrections


def test_nothing_added_makes_no_file(tmp_path: Path) -> None:
    append_corrections(tmp_path / "corrections.jsonl", [])
    assert not (tmp_path / "corrections.jsonl").exists()


def test_a_line_has_no_text_of_the_record(tmp_path: Path) -> None:
    append_corrections(tmp_path / "l.jsonl", [correction()])
    assert json.loads((tmp_path / "l.jsonl").read_text("utf-8")).keys() == LINE.keys() | {"by", "format"}


def test_what_a_record_says_is_its_identity() -> None:
    document = decode_file(FILE, "a.md")
    labelled = decode_file(replace_labels(FILE, {"quality": 67, "heat": -1, "published": False}), "b.md")
    line = (
        b'{"topics": ["Tessaril"], "provider": {"domain": "wendlow.example", "name": "Wendlow"}, "quality": 3'
    )
    as_json = decode_json(
        line + b', "title": "Orchard opens", "publishedDateTime": "2026-02-28T09:00:00+01:00"}', "c.jsonl", 1
    )
    other = decode_file(FILE.replace(b"opens", b"closes"), "a.md")
    assert document.sha256 != labelled.sha256
    digests = [content_sha256(copy.record) for copy in (document, labelled, as_json, other)]
    assert digests[0] == digests[1] == digests[2] != digests[3]


def test_digests_that_ledgers_hold_stay_what_they_are() -> None:
    """A new field of records must not change digests: existing corrections would no longer match."""
    record = Record(
        title="Orchard opens",
        published_at=MOMENT,
        provider=Provider("Wendlow", "wendlow.example"),
        topics=("Tessaril",),
        related=(Coverage(title="Orchard to open", quality=52),),
    )
    digests = digests_of(record)
    assert digests.record == "d4fe338831b96b78b5472314b8999c758cc5541a7d7f6d05949f715081c163bf"
    assert digests.own == content_sha256(msgspec.structs.replace(record, related=()))


def test_the_last_correction_holds_whatever_the_order_of_the_lines(tmp_path: Path) -> None:
    ledger = tmp_path / "corrections.jsonl"
    late = correction(at=MOMENT + timedelta(hours=1), value=84)
    append_corrections(ledger, [late, correction(), correction(field="heat", value=-1)])
    holding = read_ledger(ledger).holding()
    heat = correction(field="heat", value=-1)
    assert holding == {(late.own_sha256, "quality"): late, (heat.record_sha256, "heat"): heat}


def test_what_was_taken_back_does_not_hold(tmp_path: Path) -> None:
    ledger = tmp_path / "corrections.jsonl"
    append_corrections(ledger, [correction(), correction(value=None)])
    assert read_ledger(ledger).holding() == {}
    append_corrections(ledger, [correction(value=70)])
    assert [correction.value for correction in read_ledger(ledger).holding().values()] == [70]


def test_a_document_gets_its_corrections() -> None:
    document = decode_file(replace_labels(FILE, {"quality": 52, "published": True}), "a.md")
    held = correction()
    holding = {(held.own_sha256, "quality"): held}
    after = with_corrections(document, holding)
    assert after.labels == Labels(quality=67, heat=None, published=True)
    assert after.sha256 != document.sha256
    assert with_corrections(after, holding) is after
    assert with_corrections(document, {}) is document


def test_a_quality_holds_whatever_coverage_comes_and_heat_for_the_coverage_of_then() -> None:
    document = decode_file(FILE, "a.md")
    quality, heat = correction(), correction(field="heat", value=-1)
    holding: Holding = {(entry.holds_for, entry.field): entry for entry in (quality, heat)}
    assert with_corrections(document, holding).labels == Labels(quality=67, heat=-1)
    covered = msgspec.structs.replace(
        document.record, related=(Coverage(title="Orchard to open", quality=9),)
    )
    later = msgspec.structs.replace(document, record=covered)
    assert with_corrections(later, holding).labels == Labels(quality=67)
    other = msgspec.structs.replace(
        document, record=msgspec.structs.replace(covered, excerpt="More is said.")
    )
    assert with_corrections(other, holding) is other


FAULTS = [
    ({"value": True}, "value: got True, expected int | null"),
    ({"value": "67"}, "value: got '67', expected bool | int | null"),
    ({"value": 10**9}, "value: got 1000000000, expected int <= 999999999"),
    ({"field": "heat", "value": -2}, "value: got -2, expected int >= -1"),
    ({"field": "published", "predicted": True, "value": 1}, "value: got 1, expected bool | null"),
    ({"predicted": None}, "predicted: got None, expected bool | int"),
    ({"field": "title"}, "field: got 'title', expected one of quality, heat, published"),
    (
        {"at": "2026-03-01T12:00:00"},
        "at: got '2026-03-01T12:00:00', expected a date with a zone, such as 2021-03-04T05:06:07Z",
    ),
    ({"own_sha256": "ab"}, "own_sha256: got 'ab', expected 64 hexadecimal digits"),
    ({"record_sha256": "ab"}, "record_sha256: got 'ab', expected 64 hexadecimal digits"),
    ({"title": "Rain"}, "title: got 'Rain', expected no such field"),
]


@pytest.mark.parametrize(("wrong", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_a_wrong_line_is_reported_with_its_place(wrong: dict[str, Any], message: str, tmp_path: Path) -> None:
    ledger = tmp_path / "corrections.jsonl"
    ledger.write_text(f"{json.dumps(LINE)}\n{json.dumps(LINE | wrong)}\n", "utf-8")
    with pytest.raises(RecordError) as caught:
        read_ledger(ledger)
    assert str(caught.value) == f"{ledger}:2: {message}"


def test_every_wrong_line_is_reported(tmp_path: Path) -> None:
    ledger = tmp_path / "corrections.jsonl"
    lines = [b"{", b"[1]", json.dumps(LINE).encode(), b"\xff", b'{"at": "2026-03-01T12:00:00Z"}']
    ledger.write_bytes(b"\n".join(lines))
    with pytest.raises(RecordError) as caught:
        read_ledger(ledger)
    assert [(fault.line, fault.got) for fault in caught.value.faults] == [
        (2, "a line that is not a JSON object"),
        (5, "nothing"),
    ]


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="got a folder, expected a file that can be read"):
        read_ledger(tmp_path)


WHOLE = json.dumps(LINE).encode()
TORN = {
    "cut off": WHOLE[:40],
    "cut in the middle of a character": '{"by": "é'.encode()[:-1],
    "its beginning lost": WHOLE[40:],
    "zeros, as a power cut leaves them": b"\0" * 512,
    "glued to the next": WHOLE[:40] + WHOLE,
}


@pytest.mark.parametrize("index", [0, 1, 2], ids=["first", "in the middle", "last"])
@pytest.mark.parametrize("torn", TORN.values(), ids=TORN)
def test_a_torn_line_is_reported_and_skipped(torn: bytes, index: int, tmp_path: Path) -> None:
    ledger = tmp_path / "corrections.jsonl"
    first, second = (correction(value=value, by="ann") for value in (60, 61))
    lines = [msgspec.json.encode(first), msgspec.json.encode(second)]
    lines.insert(index, torn)
    ledger.write_bytes(b"\n".join(lines))
    content = read_ledger(ledger)
    assert content.corrections == (first, second)
    (fault,) = content.torn
    assert str(fault) == (
        f"{ledger}:{index + 1}: got a line that is not JSON (cut off?), "
        "expected a correction; the line is skipped"
    )


@pytest.mark.parametrize("torn", TORN.values(), ids=TORN)
def test_what_is_added_after_a_torn_line_is_a_line_of_its_own(torn: bytes, tmp_path: Path) -> None:
    ledger = tmp_path / "corrections.jsonl"
    ledger.write_bytes(torn)
    append_corrections(ledger, [correction()])
    append_corrections(ledger, [correction(value=84)])
    content = read_ledger(ledger)
    assert [correction.value for correction in content.corrections] == [67, 84]
    assert [fault.line for fault in content.torn] == [1]
    assert ledger.read_bytes().startswith(torn + b"\n")


def test_a_full_disk_leaves_the_ledger_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = tmp_path / "corrections.jsonl"
    append_corrections(ledger, [correction()])
    before = ledger.read_bytes()

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        append_corrections(ledger, [correction(value=84)])
    assert ledger.read_bytes() == before


def add_many(ledger: Path, by: str) -> None:
    for index in range(25):
        append_corrections(
            ledger, [correction(by=by, value=index), correction(by=by, value=index, field="heat")]
        )


def test_processes_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    ledger = tmp_path / "corrections.jsonl"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=add_many, args=(ledger, name)) for name in ("ann", "bob")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    corrections = read_ledger(ledger).corrections
    assert [
        correction.value
        for correction in corrections
        if correction.by == "bob" and correction.field == "heat"
    ] == list(range(25))
    assert len(corrections) == 100
    assert all(
        first.by == second.by for first, second in zip(corrections[::2], corrections[1::2], strict=True)
    )


def test_lines_tell_their_format_and_those_of_before_are_read(tmp_path: Path) -> None:
    ledger = tmp_path / "corrections.jsonl"
    ledger.write_text(json.dumps(LINE) + "\n")
    append_corrections(ledger, [correction(by="ann")])
    first, second = map(json.loads, ledger.read_text("utf-8").splitlines())
    assert (first.get("format"), second["format"]) == (None, 1)
    assert [correction.model for correction in read_ledger(ledger).corrections] == ["default@01234567"] * 2


def test_a_line_of_a_newer_format_is_refused_whatever_else_it_has(tmp_path: Path) -> None:
    ledger = tmp_path / "corrections.jsonl"
    ledger.write_text("\n".join(map(json.dumps, (LINE, {"format": 2, "of": "the future"}))))
    with pytest.raises(HomeError) as caught:
        read_ledger(ledger)
    message = "format 2 is newer than this version of scoring supports (1): upgrade scoring"
    assert str(caught.value) == f"{ledger}:2: {message}"


@pytest.mark.parametrize("value", ["one", -1, 1.5, None])
def test_a_format_that_is_no_number_is_reported(tmp_path: Path, value: object) -> None:
    ledger = tmp_path / "corrections.jsonl"
    ledger.write_text(json.dumps(LINE | {"format": value}))
    with pytest.raises(RecordError) as caught:
        read_ledger(ledger)
    assert str(caught.value) == f"{ledger}:1: format: got {value!r}, expected an integer, the format version"


def test_a_new_ledger_is_its_owners(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        append_corrections(tmp_path / "home" / "corrections.jsonl", [correction()])
    finally:
        os.umask(before)
    made = [tmp_path / "home", *(tmp_path / "home").iterdir()]
    assert len(made) > 2
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []
