"""Missed labels: recent corrections of a ledger with the largest errors of the model."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from scoring.records.ledger import Correction, Ledger

WEEK = timedelta(days=7)

_MAX_LISTED = 50


class MissedLabel(msgspec.Struct, frozen=True, kw_only=True):
    """A label that the model got wrong, and who corrected it.

    Parameters
    ----------
    path : str
        File of the record, as it was when the label was corrected.
    title : str
        Title of the record; empty if the inbox does not have it any more.
    field : str
        ``quality``, ``heat`` or ``published``.
    predicted, value : int or bool
        What the model said, and what the person set.
    at : datetime
        Time of the correction, aware UTC.
    by, reason, note : str
        The person, and why; empty if not given.
    """

    path: str
    title: str
    field: str
    predicted: bool | int
    value: bool | int
    at: datetime
    by: str
    reason: str
    note: str


class MissedLabels(msgspec.Struct, frozen=True, kw_only=True):
    """Corrections since a moment: the number of them, and those with the largest errors by label."""

    since: datetime
    n_corrections: int
    labels: tuple[MissedLabel, ...]


def missed_labels(ledger: Ledger, titles: dict[str, str], since: datetime) -> MissedLabels:
    """List the corrections in force since a moment.

    Parameters
    ----------
    ledger : Ledger
        The ledger.
    titles : dict of str to str
        Titles of the records that can be opened, by path.
    since : datetime
        Earliest correction, aware UTC.

    Returns
    -------
    MissedLabels
        Publication first, then the labels in points, the largest error first; of equal errors the latest.
    """
    recent = [entry for entry in ledger.holding().values() if entry.at >= since and _error(entry)]
    recent.sort(key=lambda entry: (entry.field != "published", -_error(entry), -entry.at.timestamp()))
    return MissedLabels(
        since=since,
        n_corrections=len(recent),
        labels=tuple(_missed(recent[:_MAX_LISTED], titles)),
    )


def _missed(corrections: Iterable[Correction], titles: dict[str, str]) -> Iterable[MissedLabel]:
    for entry in corrections:
        assert entry.value is not None  # noqa: S101 -- withdrawn ones are not in force
        yield MissedLabel(
            path=entry.path,
            title=titles.get(entry.path, ""),
            field=entry.field,
            predicted=entry.predicted,
            value=entry.value,
            at=entry.at,
            by=entry.by,
            reason=entry.reason,
            note=entry.note,
        )


def _error(entry: Correction) -> int:
    """Distance between the predicted and the correct label, in points; 1 for publication."""
    return abs(int(entry.value or 0) - int(entry.predicted))
