"""One leader per story: among the records of a batch that list each other, the most probable lead leads."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import NamedTuple, Protocol

import msgspec

from scoring.features.extraction import Extracted
from scoring.model.cascade import NOT_LEADING
from scoring.model.score import Score

MIN_SOLE_RATIO = 0.95
"""Minimum share of leads without another lead in their story for which the rule holds."""


class Leaders(msgspec.Struct, frozen=True):
    """Counts that show whether the stories of an archive have one leader each.

    Parameters
    ----------
    n_leads_ : int
        Number of leads that list, and are listed by, another labelled record.
    n_sole_ : int
        Number of these leads for which no such record is a lead too.
    published_ratio_ : float
        Share of published records among the records that do not lead; 0 to 1.
    """

    n_leads_: int
    n_sole_: int
    published_ratio_: float

    @property
    def is_rule(self) -> bool:
        """Whether the labels show one leader per story, by Laplace's rule of succession."""
        return (self.n_sole_ + 1) / (self.n_leads_ + 2) >= MIN_SOLE_RATIO


class Addresses(NamedTuple):
    """Addresses of a record and of the records that it lists, as integers."""

    own: tuple[int, ...]
    listed: tuple[int, ...]

    @classmethod
    def of(cls, record: Extracted) -> Addresses:
        """Addresses of a record whose features have been extracted."""
        return cls(record.own_addresses, record.listed_addresses)


class _FeatureScorer(Protocol):
    def score_features(
        self, records: Iterable[Extracted], executor: Executor | None = None
    ) -> Iterator[Score]: ...


def scored_with_one_leader(
    scorer: _FeatureScorer,
    records: Iterable[Extracted],
    leaders: Leaders | None,
    executor: Executor | None = None,
) -> Iterator[Score]:
    """Score records by their features, in order; if the rule holds, only after all have been read.

    Parameters
    ----------
    scorer : Scorer
        Scorer of single records.
    records : iterable of Extracted
        Records of the batch.
    leaders : Leaders or None
        Counts of the training labels; None if there are none.
    executor : Executor, optional
        See :meth:`scoring.model.scorer.Scorer.score_features`.

    Yields
    ------
    Score
    """
    if leaders is None or not leaders.is_rule:
        yield from scorer.score_features(records, executor)
        return
    waiting: deque[Addresses] = deque()

    def noted() -> Iterator[Extracted]:
        for record in records:
            waiting.append(Addresses.of(record))
            yield record

    scores: list[Score] = []
    leads: dict[int, Addresses] = {}
    for score in scorer.score_features(noted(), executor):
        addresses = waiting.popleft()
        if is_listing_lead(score, addresses):
            leads[len(scores)] = addresses
        scores.append(score)
    for row, leader in outranked(scores, leads).items():
        scores[row] = not_leading(scores[row], scores[leader], leaders)
    yield from scores


def is_listing_lead(score: Score, addresses: Addresses) -> bool:
    """Whether a record is a predicted lead that lists coverage, so that another record may lead instead."""
    return score.heat is not None and score.heat > NOT_LEADING and bool(addresses.listed)


def outranked(
    scores: Sequence[Score] | Mapping[int, Score], leads: Mapping[int, Addresses]
) -> dict[int, int]:
    """Find the predicted leads that list, and are listed by, a more probable lead.

    Parameters
    ----------
    scores : sequence of Score, or mapping of int to Score
        Scores of the batch, by row.
    leads : mapping of int to Addresses
        Addresses of the predicted leads, by row.

    Returns
    -------
    dict of int to int
        Row of the record that leads instead, by row of each such lead. If two leads are equally probable, the
        lead of higher quality leads, then the first of the batch.
    """
    rows_by_address: defaultdict[int, list[int]] = defaultdict(list)
    for row, addresses in leads.items():
        for address in addresses.own:
            rows_by_address[address].append(row)
    lost: dict[int, int] = {}
    won: set[int] = set()
    for row in sorted(leads, key=lambda row: (*_rank(scores[row]), row)):
        if row in lost:
            continue
        won.add(row)
        own = set(leads[row].own)
        others = {other for address in leads[row].listed for other in rows_by_address.get(address, ())}
        for other in others - won - lost.keys():
            if own & set(leads[other].listed):
                lost[other] = row
    return lost


def _rank(score: Score) -> tuple[float, int]:
    """Sort key: the highest lead probability first, then the highest quality, if the model has it."""
    return -(score.lead_probability or 0.0), -(score.quality or 0)


def not_leading(score: Score, leader: Score, leaders: Leaders) -> Score:
    """Change the score of a record whose story is led by another record of the batch."""
    likely = f"is more likely to lead ({leader.lead_probability:.0%})"
    reason = f"does not lead: {leader.path} lists it and {likely}"
    changed = msgspec.structs.replace(score, heat=int(NOT_LEADING), warnings=(*score.warnings, reason))
    if score.published is None:  # the model does not decide
        return changed
    ratio = leaders.published_ratio_
    return msgspec.structs.replace(changed, published=ratio >= 0.5, published_probability=round(ratio, 4))
