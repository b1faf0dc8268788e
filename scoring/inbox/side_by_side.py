"""A record beside its coverage: the related records that it lists, and the others of its story."""

from __future__ import annotations

from datetime import datetime

import msgspec

from scoring.errors import Fault, RecordError
from scoring.features.as_of import known_coverage
from scoring.features.story import addresses_of
from scoring.inbox.inbox import Inbox
from scoring.inbox.rows import Row
from scoring.model.cascade import NOT_LEADING
from scoring.model.targets import TARGETS
from scoring.records.record import Coverage, Document, Labels

MAX_RECORDS = 24
"""Records beside the first one, at most."""


class ComparedRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the records that are compared.

    Parameters
    ----------
    title, provider, url, excerpt : str
        Fields of the record.
    published_at : datetime or None
        Time of publication, aware UTC.
    labels : Labels
        Its labels: of a record of the inbox those in the file, else those of the model; of a related record
        the quality that is listed.
    predicted : tuple of str
        Labels that are the model's.
    is_leading : bool
        Whether it leads the story.
    path : str
        File of a record of the inbox; empty for one that is only listed.
    """

    title: str
    provider: str = ""
    url: str = ""
    excerpt: str = ""
    published_at: datetime | None = None
    labels: Labels = Labels()
    predicted: tuple[str, ...] = ()
    is_leading: bool = False
    path: str = ""


class SideBySide(msgspec.Struct, frozen=True):
    """A record and its coverage.

    Parameters
    ----------
    records : list of ComparedRecord
        The record first, then the leader of its story, then the others, the best first.
    n_left_out : int
        Records of the coverage that are not among them: see :data:`MAX_RECORDS`.
    """

    records: list[ComparedRecord]
    n_left_out: int


def side_by_side(inbox: Inbox, path: str) -> SideBySide:
    """Put a record of an inbox beside its coverage.

    Parameters
    ----------
    inbox : Inbox
        The inbox.
    path : str
        File of the record.

    Returns
    -------
    SideBySide

    Raises
    ------
    RecordError
        If the inbox has no such record, or it cannot be used.
    """
    row, (_, document) = inbox.row(path), inbox.read(path)
    if row.score is None:
        raise RecordError(Fault(path, 0, "", "a file that cannot be used", "a scored record"))
    story = [other for other in inbox.since(0).rows if other.story == row.story and other.path != path]
    others: list[ComparedRecord] = []
    addresses = addresses_of(document.record)
    for place, other in enumerate(sorted(story, key=lambda other: _rank(_labels_of(other)[0]), reverse=True)):
        addresses.add(other.url)
        if place >= MAX_RECORDS:  # only counted
            continue
        try:
            _, other_document = inbox.read(other.path)
        except RecordError:  # the file is gone; the next refresh removes its row
            continue
        addresses |= addresses_of(other_document.record)
        others.append(_of_row(other, other_document))
    coverage = known_coverage(document.record, None)
    listed = [_of_coverage(entry, row) for entry in coverage if addresses.isdisjoint(addresses_of(entry))]
    others += listed
    leader = row.leader.path if row.leader is not None else ""
    others.sort(key=lambda other: _rank(other.labels), reverse=True)
    others.sort(key=lambda other: (leader != "" and other.path == leader, other.is_leading), reverse=True)
    shown = others[:MAX_RECORDS]
    return SideBySide([_of_row(row, document), *shown], len(story) + len(listed) - len(shown))


def _rank(labels: Labels) -> tuple[bool, float]:
    """Order of records: leads first, then by quality."""
    return _leads(labels), -1.0 if labels.quality is None else float(labels.quality)


def _leads(labels: Labels) -> bool:
    return labels.heat is not None and labels.heat > NOT_LEADING


def _labels_of(row: Row) -> tuple[Labels, tuple[str, ...]]:
    """Labels in the file, else those of the model, and the names of the latter."""
    values = {name: getattr(row.labels, name) for name in TARGETS}
    predicted = tuple(
        name for name in TARGETS if values[name] is None and getattr(row.score, name, None) is not None
    )
    return Labels(**values | {name: getattr(row.score, name) for name in predicted}), predicted


def _of_row(row: Row, document: Document) -> ComparedRecord:
    labels, predicted = _labels_of(row)
    return ComparedRecord(
        title=row.title,
        provider=row.provider,
        url=row.url,
        excerpt=document.record.excerpt,
        published_at=row.published_at,
        labels=labels,
        predicted=predicted,
        is_leading=_leads(labels),
        path=row.path,
    )


def _of_coverage(entry: Coverage, row: Row) -> ComparedRecord:
    leader = row.leader
    is_leader = leader is not None and (leader.title, leader.quality) == (entry.title, entry.quality)
    return ComparedRecord(
        title=entry.title,
        provider=entry.provider.name or entry.provider.domain,
        url=entry.original_url or entry.web_url,
        excerpt=entry.excerpt,
        published_at=entry.published_at,
        labels=Labels(quality=entry.quality),
        is_leading=is_leader,
    )
