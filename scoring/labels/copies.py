"""Find files of the same record, compare their labels, and collect those given by people."""

from __future__ import annotations

import os
from typing import NamedTuple

import msgspec

from scoring.errors import shown
from scoring.labels.journal import RecordKeys
from scoring.progress import Reporter
from scoring.records.forms.label_positions import LABELS
from scoring.records.ledger import content_sha256
from scoring.records.record import Labels, Record
from scoring.storage.urls import is_remote


class GivenLabels(NamedTuple):
    """Labels of a file that people gave and that the journal does not have yet."""

    keys: RecordKeys
    labels: dict[str, int | bool]


class _Copy(msgspec.Struct, gc=False):
    """The first file of a record, as remembered."""

    path: str
    record_sha256: str  # with its coverage
    labels: Labels
    given: GivenLabels | None


class Copies:
    """Finds files of the same record during a write.

    Parameters
    ----------
    reporter : Reporter
        Notified of two files with different labels.
    max_records : int, optional
        Maximum number of records remembered, the oldest dropped first. Default is no limit.
    """

    def __init__(self, reporter: Reporter, *, max_records: int | None = None) -> None:
        self._reporter, self._max_records = reporter, max_records
        self._first: dict[str, _Copy] = {}

    def compare(self, path: str, record: Record, labels: Labels, given: GivenLabels) -> list[GivenLabels]:
        """Compare a file with the first file of its record, if that is a different one.

        Parameters
        ----------
        path : str
            The file.
        record : Record
            Its record.
        labels : Labels
            Its labels after the write.
        given : GivenLabels
            Those given by people.

        Returns
        -------
        list of GivenLabels
            Labels of both files to enter in the journal as given by people, since it cannot distinguish the
            two files if one of them is moved.
        """
        key = given.keys.record
        copy = _Copy(path, content_sha256(record)[:32], labels, given if given.labels else None)
        first = self._first.get(key)
        is_gone = first is not None and not is_remote(first.path) and not os.path.lexists(first.path)
        if first is None or first.path == path or is_gone:
            self._first[key] = copy
            if self._max_records is not None and len(self._first) > self._max_records:
                del self._first[next(iter(self._first))]
            return []
        if differing := _differing(copy, first):
            self._reporter.note(
                f"{shown(path)}: the same record as {shown(first.path)}, with different labels: {differing}"
            )
        to_enter = [entry.given for entry in (first, copy) if entry.given is not None]
        first.given = None
        return to_enter


def _differing(copy: _Copy, other: _Copy) -> str:
    """Describe differing labels (``quality 60 here, 50 there``), only quality if the coverage differs."""
    names = LABELS if copy.record_sha256 == other.record_sha256 else ("quality",)
    pairs = [(name, getattr(copy.labels, name), getattr(other.labels, name)) for name in names]
    return "; ".join(
        f"{name} {mine} here, {theirs} there".lower() for name, mine, theirs in pairs if mine != theirs
    )
