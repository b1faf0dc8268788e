"""Entries of the journal in memory, and whose a label is by them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET

from scoring.labels.label_view import LabelView

Owner = Literal["scoring", "people", "changed"]
"""Whose a label is; ``changed`` is one that scoring or people wrote and somebody has changed since."""


class Batch:
    """A group of files written together."""

    __slots__ = ("is_done", "not_written", "order")

    def __init__(self, order: tuple[datetime, str, int]) -> None:
        self.order = order
        self.is_done = False
        self.not_written: frozenset[int] = frozenset()


class Entry(msgspec.Struct, gc=False):
    """An entry in memory: values of the labels in order, then the owner and the digest of the field map.

    `file` is 0 if there is none, and the field map is None in entries of earlier versions.
    """

    batch: Batch
    item: int
    file: int
    values: tuple[Any, ...]


Index = dict[int, Entry | tuple[Entry, ...]]
"""Entries by key; usually one entry, kept without a tuple to save memory."""


def is_own(index: int, view: LabelView, by_file: Sequence[Entry], others: Sequence[Sequence[Entry]]) -> bool:
    """Whether a label is scoring's own, by the entries of its file, else of the record's other files."""
    if (owner := owner_of(index, view, by_file)) is not None:
        return owner == "scoring"
    owners = {owner_of(index, view, entries) for entries in others}
    return "scoring" in owners and "people" not in owners


def owner_of(index: int, view: LabelView, entries: Sequence[Entry]) -> Owner | None:
    """Owner of a label's value by the newest entry for it, which comes first; None without an entry."""
    for entry in entries:
        *labels, owner, field_map = entry.values
        values, positions = view.by(field_map)
        position = positions[index]
        if position is None or labels[position] is UNSET or entry.item in entry.batch.not_written:
            continue
        if not entry.batch.is_done and not _are_all_written(labels, values):
            continue
        found: Owner = owner
        return found if labels[position] == values[position] else "changed"
    return None


def _are_all_written(written: Sequence[Any], values: tuple[Any, ...]) -> bool:
    pairs = zip(written, values, strict=True)
    return all(entered is UNSET or entered == value for entered, value in pairs)


def newest_first(entries: Sequence[Entry], ignoring: str, until: datetime | None) -> list[Entry]:
    """The entries before a time and not of an ignored write, newest first."""
    counted = [
        entry
        for entry in entries
        if entry.batch.order[1] != ignoring and (until is None or entry.batch.order[0] < until)
    ]
    return sorted(counted, key=lambda entry: entry.batch.order, reverse=True)


def entries_of(index: Index, key: int) -> tuple[Entry, ...]:
    """Entries of a key."""
    entries = index.get(key, ())
    return entries if isinstance(entries, tuple) else (entries,)


def add_entry(index: Index, key: int, new: Entry) -> None:
    """Add an entry to those of a key, unless it is there."""
    if index.setdefault(key, new) is new:
        return
    before = entries_of(index, key)
    # A merged journal may have the same line twice.
    if not any(existing.batch is new.batch and existing.item == new.item for existing in before):
        index[key] = (*before, new)


def key_of(digest: str) -> int:
    """Key of a digest in hex; 0 if it is empty."""
    return int(digest or "0", 16)
