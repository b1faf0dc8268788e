"""Rows and details of records: facts, scores, and the lead of the story."""

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
from scoring.inbox.outlook import Outlook, outlooks
from scoring.inbox.sections import RowSection, sections_of
from scoring.model.cascade import NOT_LEADING
from scoring.model.leaders import Addresses, Leaders, is_listing_lead, not_leading, outranked
from scoring.model.score import Score
from scoring.records.ledger import Correction, digests_of
from scoring.records.record import Coverage, Document, Labels, Provider, Record

_MAX_COVERAGE = 12  # related records in the details


class Leader(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Lead of a story: a record of the inbox (with its path), or a related record."""

    title: str
    provider: str = ""
    quality: int | None = None
    path: str = ""


class CoverageEntry(Leader, frozen=True, kw_only=True, omit_defaults=True):
    """A related record in the details: with its address, and its time of publication (aware UTC)."""

    url: str = ""
    published_at: datetime | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record in a list.

    Parameters
    ----------
    path : str
        File, relative to the folder.
    record_sha256, own_sha256 : str
        Digests with and without coverage: see :func:`scoring.records.ledger.content_sha256`.
    title, url, provider, type : str
        Fields of the record; the provider's name, else its domain.
    topics : tuple of str
        Topics, as the record has them.
    section : str
        Section by the model's own rule; empty if the rule names none.
    is_section_known : bool
        Whether the model has learned from records of that section.
    scale : str
        Scale of quality and heat: see :class:`scoring.inbox.sections.RowSection`.
    published_at : datetime or None
        Time of publication, aware UTC.
    coverage_count : int
        Number of related records.
    labels : Labels
        Labels in the file.
    score, doubt : Score, DecisionUncertainty
        Scores and their uncertainty; None if the file cannot be used.
    outlook : Outlook or None
        How a young record is likely to change; None if nothing that is decided does.
    leader : Leader or None
        Lead of the story, if it is known and is another record.
    story : str
        Key of the story: the path of one of its records.
    story_count : int
        Number of records of the story.
    corrected : tuple of str
        Labels that curators have corrected.
    fault : str
        Why the file cannot be used; empty if it can.
    """

    path: str
    record_sha256: str = ""
    own_sha256: str = ""
    title: str = ""
    url: str = ""
    provider: str = ""
    type: str = ""
    topics: tuple[str, ...] = ()
    section: str = ""
    is_section_known: bool = True
    scale: str = ""
    published_at: datetime | None = None
    coverage_count: int = 0
    labels: Labels = Labels()
    score: Score | None = None
    doubt: DecisionUncertainty | None = None
    outlook: Outlook | None = None
    leader: Leader | None = None
    story: str = ""
    story_count: int = 1
    corrected: tuple[str, ...] = ()
    fault: str = ""


class RecordDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Details of a record: explained scores, and context for a decision.

    Parameters
    ----------
    explanation : Explanation
        Scores, feature contributions and counterfactuals.
    excerpt : str
        Excerpt of the record.
    image : str
        Address of its first image; empty if it has none.
    coverage : tuple of CoverageEntry
        Related records with the highest quality.
    corrections : tuple of Correction
        Corrections of its labels, oldest first.
    """

    explanation: Explanation
    excerpt: str
    image: str
    coverage: tuple[CoverageEntry, ...]
    corrections: tuple[Correction, ...]


class Scored(NamedTuple):
    """A row without its story, and the input for the story: outline, the lead's URLs, own and listed URLs."""

    row: Row
    outline: Record
    leader_urls: tuple[str, ...]
    addresses: Addresses


def score_rows(documents: Sequence[Document], saved: SavedModel, now: datetime | None = None) -> list[Scored]:
    """Score documents and build their rows; :func:`put_together` adds the stories.

    Parameters
    ----------
    documents : sequence of Document
        Records; their labels are displayed but not used.
    saved : SavedModel
        The model.
    now : datetime, optional
        Current time, aware UTC, for the outlook of young records; without it they have none.
    """
    features = [extracted(document, None, saved.scorer.sections) for document in documents]
    scores = list(saved.scorer.score_features(features))
    table = assemble([item.row for item in features])
    uncertainties = decision_uncertainty(saved, table, scores)
    sections = sections_of(saved, table)
    scored = [
        _scored(document, score, uncertainty, section, Addresses.of(item))
        for document, score, uncertainty, section, item in zip(
            documents, scores, uncertainties, sections, features, strict=True
        )
    ]
    if now is None:
        return scored
    published_at = [document.record.published_at for document in documents]
    changes = outlooks(saved, table, scores, uncertainties, published_at, now)
    return [
        item._replace(row=msgspec.structs.replace(item.row, outlook=outlook)) if outlook else item
        for item, outlook in zip(scored, changes, strict=True)
    ]


def put_together(scored: Sequence[Scored], leaders: Leaders | None = None) -> list[Row]:
    """Group scored records into stories; return the rows with story and lead.

    Parameters
    ----------
    scored : sequence of Scored
        All records to group.
    leaders : Leaders, optional
        Whether records that list each other have one leader; by default they have several.

    Returns
    -------
    list of Row
        Rows in the same order.
    """
    if leaders is not None and leaders.is_rule:
        scored = _with_one_leader(scored, leaders)
    groups = stories([item.outline for item in scored]).tolist()
    members: dict[int, list[Row]] = {}
    for group, item in zip(groups, scored, strict=True):
        members.setdefault(group, []).append(item.row)
    first_path = {group: min(row.path for row in rows) for group, rows in members.items()}
    hottest = {group: _hottest(rows) for group, rows in members.items()}
    paths = {url: item.row.path for item in scored for url in addresses_of(item.outline)}
    return [
        msgspec.structs.replace(
            item.row,
            story=first_path[group],
            story_count=len(members[group]),
            leader=_leader_within(item, hottest[group], paths),
        )
        for group, item in zip(groups, scored, strict=True)
    ]


def _with_one_leader(scored: Sequence[Scored], leaders: Leaders) -> list[Scored]:
    """Of the predicted leads that list each other, let the most probable one lead."""
    result = list(scored)
    scores = {row: item.row.score for row, item in enumerate(scored) if item.row.score is not None}
    leads = {
        row: scored[row].addresses
        for row, score in scores.items()
        if is_listing_lead(score, scored[row].addresses)
    }
    for row, leader in outranked(scores, leads).items():
        changed = msgspec.structs.replace(
            scored[row].row,
            score=not_leading(scores[row], scores[leader], leaders),
            leader=_leader_of(scored[leader].row),
        )
        leader_urls = tuple(addresses_of(scored[leader].outline))
        result[row] = scored[row]._replace(row=changed, leader_urls=leader_urls)
    return result


def _hottest(rows: Sequence[Row]) -> Row:
    """The lead with the highest expected heat, or with the highest lead probability if scales differ.

    For a model without heat, the record with the highest probability of being published, or quality.
    """
    has_one_scale = len({row.scale for row in rows}) == 1

    def rank(row: Row) -> tuple[bool, float]:
        if row.score is None:
            return False, 0.0
        if row.score.heat is None:
            sort_value = row.score.published_probability if row.score.quality is None else row.score.quality
        else:
            sort_value = row.score.heat_expected if has_one_scale else row.score.lead_probability
        return is_leading(row.score), sort_value or 0.0

    return max(rows, key=rank)


def is_leading(score: Score) -> bool:
    """Whether a record leads its story, as far as the model knows: one without heat names no other leader."""
    return score.heat is None or score.heat > NOT_LEADING


def _leader_within(scored: Scored, hottest: Row, paths: Mapping[str, str]) -> Leader | None:
    """Lead of a record's story: the best related record, else the hottest lead in the same story."""
    row = scored.row
    if row.score is None or is_leading(row.score):
        return None
    if row.leader is not None:
        path = next((paths[url] for url in scored.leader_urls if url in paths), "")
        return msgspec.structs.replace(row.leader, path=path if path != row.path else "")
    if hottest.score is None or not is_leading(hottest.score):
        return None
    return _leader_of(hottest)


def _leader_of(row: Row) -> Leader:
    """A scored row as the lead of another one."""
    quality = row.score.quality if row.score else None
    return Leader(title=row.title, provider=row.provider, quality=quality, path=row.path)


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
        Corrections of all records; those of this record are selected.
    """
    record = document.record
    digests = digests_of(record)
    known = sorted(known_coverage(record, None), key=lambda entry: -(entry.quality or 0))
    return RecordDetails(
        explanation=explain(saved.scorer, document),
        excerpt=record.excerpt,
        image=next((image.url for image in record.images if image.url), ""),
        coverage=tuple(_coverage_entry(entry) for entry in known[:_MAX_COVERAGE]),
        corrections=tuple(
            correction for correction in corrections if correction.holds_for == digests.of(correction.field)
        ),
    )


def _scored(
    document: Document,
    score: Score,
    uncertainty: DecisionUncertainty,
    section: RowSection,
    addresses: Addresses,
) -> Scored:
    record = document.record
    best = None if is_leading(score) else best_of(known_coverage(record, None))
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
        section=section.name,
        is_section_known=section.is_known,
        scale=section.scale,
        published_at=record.published_at,
        coverage_count=len(record.related),
        labels=document.labels,
        score=score,
        doubt=uncertainty,
        leader=_leader(best) if best else None,
    )
    return Scored(row, _outline(record), tuple(addresses_of(best)) if best else (), addresses)


def _leader(entry: Coverage) -> Leader:
    provider = entry.provider.name or entry.provider.domain
    return Leader(title=entry.title, provider=provider, quality=entry.quality)


def _coverage_entry(entry: Coverage) -> CoverageEntry:
    lead = msgspec.structs.asdict(_leader(entry))
    return CoverageEntry(**lead, url=entry.original_url or entry.web_url, published_at=entry.published_at)


def _outline(record: Record) -> Record:
    """Copy of a record with only the fields that identify its story; shared URLs are interned."""
    related = tuple(
        Coverage(web_url=intern(coverage.web_url), original_url=intern(coverage.original_url))
        for coverage in record.related
    )
    return Record(
        title=record.title,
        excerpt=record.excerpt,
        published_at=record.published_at,
        original_url=intern(record.original_url),
        web_url=intern(record.web_url),
        provider=Provider(intern(record.provider.name), intern(record.provider.domain)),
        related=related,
    )
