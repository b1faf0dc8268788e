"""What is shown of a record in a list, and on its receipt: facts, scores, and who leads its story."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from sys import intern
from typing import NamedTuple

import msgspec

from scoring.artifact.saved_model import SavedModel
from scoring.explanation.attribution import explain
from scoring.explanation.results import Explanation
from scoring.features.as_of import known_coverage
from scoring.features.coverage import best_of
from scoring.features.extraction import extracted
from scoring.features.story import addresses_of, stories
from scoring.features.table import assemble
from scoring.inbox.decision_uncertainty import DecisionUncertainty, decision_uncertainty
from scoring.model.cascade import NOT_LEADING
from scoring.model.score import Score
from scoring.records.ledger import Correction, digests_of
from scoring.records.record import Coverage, Document, Labels, Record

_MAX_COVERAGE = 12  # related records of a receipt


class Leader(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who leads a story: a record of the inbox, by its path, or one of the coverage."""

    title: str
    provider: str = ""
    quality: int | None = None
    path: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a list shows of one record.

    Parameters
    ----------
    path : str
        Its file, within the folder.
    record_sha256, own_sha256 : str
        With its coverage and without: see :func:`scoring.records.ledger.content_sha256`.
    title, url, provider, type : str
        As the record has them; the provider by its name, else its domain.
    topics : tuple of str
        The section first.
    published_at : datetime or None
        Aware UTC.
    coverage_count : int
        Related records.
    labels : Labels
        What the file holds.
    score, doubt : Score, Doubt
        What the model says; None where the file cannot be used.
    leader : Leader or None
        Who leads the story where this record does not, as far as that is known.
    story : str
        What the records of one story share: the path of one of them.
    story_count : int
        Records of the story.
    corrected : tuple of str
        Labels that people have corrected.
    fault : str
        Why the file cannot be used; empty where it can.
    """

    path: str
    record_sha256: str = ""
    own_sha256: str = ""
    title: str = ""
    url: str = ""
    provider: str = ""
    type: str = ""
    topics: tuple[str, ...] = ()
    published_at: datetime | None = None
    coverage_count: int = 0
    labels: Labels = Labels()
    score: Score | None = None
    doubt: DecisionUncertainty | None = None
    leader: Leader | None = None
    story: str = ""
    story_count: int = 1
    corrected: tuple[str, ...] = ()
    fault: str = ""


class RecordDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A record's scores with their reasons, and what one needs to judge it.

    Parameters
    ----------
    explanation : Explanation
        Scores, reasons, and what would change them.
    excerpt : str
        As the record has it.
    coverage : tuple of Leader
        The best of the related records.
    corrections : tuple of Correction
        What people have said of its labels, the earliest first.
    """

    explanation: Explanation
    excerpt: str
    coverage: tuple[Leader, ...]
    corrections: tuple[Correction, ...]


class Scored(NamedTuple):
    """A row by itself, and what its story needs: the record's outline, and the addresses of who leads."""

    row: Row
    outline: Record
    leader_urls: tuple[str, ...]


def score_rows(documents: Sequence[Document], saved: SavedModel) -> list[Scored]:
    """Score documents, and tell what a list shows of each; stories are for :func:`put_together`.

    Parameters
    ----------
    documents : sequence of Document
        Records; their labels are shown and not looked at.
    saved : SavedModel
        The model.
    """
    features = [extracted(document) for document in documents]
    scores = list(saved.scorer.score_features(features))
    table = assemble([one.row for one in features])
    found = zip(documents, scores, decision_uncertainty(saved, table, scores), strict=True)
    return [_scored(document, score, doubt) for document, score, doubt in found]


def put_together(scored: Sequence[Scored]) -> list[Row]:
    """The rows with their stories: who belongs together, and who leads.

    Parameters
    ----------
    scored : sequence of Scored
        All records among which stories are looked for.

    Returns
    -------
    list of Row
        In the same order.
    """
    groups = stories([one.outline for one in scored]).tolist()
    members: dict[int, list[Row]] = {}
    for group, one in zip(groups, scored, strict=True):
        members.setdefault(group, []).append(one.row)
    first = {group: min(row.path for row in rows) for group, rows in members.items()}
    hottest = {group: max(rows, key=_lead_rank) for group, rows in members.items()}
    paths = {url: one.row.path for one in scored for url in addresses_of(one.outline)}
    return [
        msgspec.structs.replace(
            one.row,
            story=first[group],
            story_count=len(members[group]),
            leader=_leader_within(one, hottest[group], paths),
        )
        for group, one in zip(groups, scored, strict=True)
    ]


def _lead_rank(row: Row) -> tuple[bool, float]:
    return (
        row.score is not None and row.score.heat > NOT_LEADING,
        row.score.heat_expected if row.score else 0,
    )


def _leader_within(one: Scored, hottest: Row, paths: Mapping[str, str]) -> Leader | None:
    """Who leads a record's story: the best of its coverage, else the hottest lead of the same story."""
    row = one.row
    if row.score is None or row.score.heat > NOT_LEADING:
        return None
    if row.leader is not None:
        path = next((paths[url] for url in one.leader_urls if url in paths), "")
        return msgspec.structs.replace(row.leader, path=path if path != row.path else "")
    if hottest.score is None or hottest.score.heat <= NOT_LEADING:
        return None
    return Leader(
        title=hottest.title, provider=hottest.provider, quality=hottest.score.quality, path=hottest.path
    )


def record_details(
    document: Document, saved: SavedModel, corrections: Sequence[Correction] = ()
) -> RecordDetails:
    """Explain the scores of one document.

    Parameters
    ----------
    document : Document
        The record.
    saved : SavedModel
        The model.
    corrections : sequence of Correction
        What people have said of the labels of any records; those of this one are told.
    """
    record = document.record
    digests = digests_of(record)
    known = sorted(known_coverage(record, None), key=lambda entry: -(entry.quality or 0))
    return RecordDetails(
        explanation=explain(saved.scorer, document),
        excerpt=record.excerpt,
        coverage=tuple(_leader(entry) for entry in known[:_MAX_COVERAGE]),
        corrections=tuple(each for each in corrections if each.holds_for == digests.of(each.field)),
    )


def _scored(document: Document, score: Score, doubt: DecisionUncertainty) -> Scored:
    record = document.record
    best = best_of(known_coverage(record, None)) if score.heat <= NOT_LEADING else None
    digests = digests_of(record)
    row = Row(
        path=document.path,
        record_sha256=digests.record,
        own_sha256=digests.own,
        title=record.title,
        url=record.url,
        provider=record.provider.name or record.provider.domain,
        type=record.type,
        topics=record.topics,
        published_at=record.published_at,
        coverage_count=len(record.related),
        labels=document.labels,
        score=score,
        doubt=doubt,
        leader=_leader(best) if best else None,
    )
    return Scored(row, _outline(record), tuple(addresses_of(best)) if best else ())


def _leader(entry: Coverage) -> Leader:
    provider = entry.provider.name or entry.provider.domain
    return Leader(title=entry.title, provider=provider, quality=entry.quality)


def _outline(record: Record) -> Record:
    """A record of which only what tells its story is left; addresses that records share are held once."""
    related = tuple(
        Coverage(web_url=intern(each.web_url), original_url=intern(each.original_url))
        for each in record.related
    )
    return Record(
        title=record.title,
        original_url=intern(record.original_url),
        web_url=intern(record.web_url),
        related=related,
    )
