"""Files of one record: whether their labels differ, and which of these people gave."""

from __future__ import annotations

import os
from typing import NamedTuple

import msgspec

from scoring.errors import shown
from scoring.labels.journal import RecordKeys
from scoring.progress import Reporter
from scoring.records.label_positions import LABELS
from scoring.records.ledger import content_sha256
from scoring.records.record import Labels, Record


class GivenLabels(NamedTuple):
    """Labels that people gave to a file, as far as the journal does not tell so already."""

    keys: RecordKeys
    labels: dict[str, int | bool]


class _Copy(msgspec.Struct, gc=False):
    """What is held of the first file of a record."""

    path: str
    record_sha256: str  # with its coverage
    labels: Labels
    given: GivenLabels | None


class Copies:
    """Finds files of the same record among those that are written.

    Parameters
    ----------
    reporter : Reporter
        Told of two files that have different labels.
    max_records : int, optional
        How many records are held; the oldest are forgotten. Without it all are.
    """

    def __init__(self, reporter: Reporter, *, max_records: int | None = None) -> None:
        self._reporter, self._max_records = reporter, max_records
        self._first: dict[str, _Copy] = {}

    def compare(self, path: str, record: Record, labels: Labels, given: GivenLabels) -> list[GivenLabels]:
        """Compare a file with the first file of its record, if that was another one.

        Parameters
        ----------
        path : str
            The file.
        record : Record
            What it says.
        labels : Labels
            What it has after the write.
        given : GivenLabels
            Those of them that people gave.

        Returns
        -------
        list of GivenLabels
            Labels of either file that the journal has to tell as people's, since it cannot tell the two files
            apart where one of them is moved.
        """
        key = given.keys.record
        copy = _Copy(path, content_sha256(record)[:32], labels, given if given.labels else None)
        first = self._first.get(key)
        if first is None or first.path == path or not os.path.lexists(first.path):
            self._first[key] = copy
            if self._max_records is not None and len(self._first) > self._max_records:
                del self._first[next(iter(self._first))]
            return []
        if differing := _differing(copy, first):
            self._reporter.note(
                f"{shown(path)}: the same record as {shown(first.path)}, with different labels: {differing}"
            )
        apart = [each.given for each in (first, copy) if each.given is not None]
        first.given = None
        return apart


def _differing(one: _Copy, other: _Copy) -> str:
    """Labels that differ, as ``quality 60 here, 50 there``; but for those that hang on other coverage."""
    names = LABELS if one.record_sha256 == other.record_sha256 else ("quality",)
    pairs = [(name, getattr(one.labels, name), getattr(other.labels, name)) for name in names]
    return "; ".join(
        f"{name} {mine} here, {theirs} there".lower() for name, mine, theirs in pairs if mine != theirs
    )
