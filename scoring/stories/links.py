"""Links between records of an archive: copies, and records of the same story.

A LightGBM classifier of pairs says how probable it is that one record is on the list of the other. It was
fitted on the lists of an archive that has some (:mod:`scoring.training.links`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.story import addresses_of
from scoring.features.table import Floats
from scoring.model.booster import Booster
from scoring.records.record import Record
from scoring.stories.title_index import BLOCK, Pairs, Rows, TitleIndex


class LinkRule(msgspec.Struct, frozen=True):
    """What was learned about links, besides the booster.

    Parameters
    ----------
    words_ : dict of str to float
        Weight of a word that two titles share: logarithm of the link rate of such pairs, divided by that of
        all pairs.
    window_hours_ : float
        Largest gap between linked records.
    threshold_ : float
        Smallest probability of a link; 0 to 1.
    coverage_threshold_ : float
        Smallest probability of derived coverage; 0 to 1. At it the rule that a record leads unless a related
        one has a higher quality was right most often.
    copy_similarity_ : float
        Smallest similarity of the titles of copies; 0 to 1, above 1 if only equal addresses are copies.
    copy_gap_hours_ : float
        Largest gap between copies.
    n_links_ : int
        Listed pairs that it was fitted on.
    precision_, recall_ : float
        Precision and recall of links on the latest of these records, by a draft fitted on the earlier ones.
    """

    words_: dict[str, float]
    window_hours_: float
    threshold_: float
    coverage_threshold_: float
    copy_similarity_: float
    copy_gap_hours_: float
    n_links_: int
    precision_: float
    recall_: float


@dataclass(frozen=True, slots=True)
class LinkModel:
    """The learned links: rule and booster."""

    rule: LinkRule
    booster: Booster


@dataclass(frozen=True, slots=True)
class Links:
    """Links between records; each array has the shape (n_links,).

    Parameters
    ----------
    later, earlier : ndarray of int
        Numbers of the records, from 0 in the order in which they were added.
    probability : ndarray of float
        Probability of being listed; 0 to 1.
    is_copy : ndarray of bool
        Whether they are copies: the same address, or nearly the same title within a short time.
    """

    later: Rows
    earlier: Rows
    probability: Floats
    is_copy: NDArray[np.bool_]

    def take(self, mask: NDArray[np.bool_]) -> Links:
        """Links of a mask of shape (n_links,)."""
        return Links(self.later[mask], self.earlier[mask], self.probability[mask], self.is_copy[mask])


def joined(parts: Sequence[Links]) -> Links:
    """The links of all parts."""
    rows = np.zeros(0, dtype=np.intp)
    return Links(
        np.concatenate([rows, *(part.later for part in parts)]),
        np.concatenate([rows, *(part.earlier for part in parts)]),
        np.concatenate([np.zeros(0), *(part.probability for part in parts)]),
        np.concatenate([np.zeros(0, dtype=bool), *(part.is_copy for part in parts)]),
    )


class Linker:
    """Finds the earlier records that each new record is linked with.

    Parameters
    ----------
    model : LinkModel
        Learned links.
    threshold : float, optional
        Smallest probability of a link; that of the rule if not given.
    """

    def __init__(self, model: LinkModel, threshold: float | None = None) -> None:
        self.model = model
        self.threshold = model.rule.threshold_ if threshold is None else threshold
        self._index = TitleIndex(model.rule.window_hours_, model.rule.words_)
        self._by_address: dict[str, int] = {}

    def add(self, records: Sequence[Record]) -> Iterator[Links]:
        """Add dated records in the order of publication, and yield their links with earlier ones, by block.

        Earlier records are not compared again, and no link depends on a later record.

        Raises
        ------
        ValueError
            If a record has no date, or is earlier than one that was added before.
        """
        for start in range(0, len(records), BLOCK):
            block = records[start : start + BLOCK]
            first = self._index.n_records
            (pairs,) = self._index.add(block)
            yield _with_pairs(self._links(pairs), self._same_addresses(block, first))

    def _links(self, pairs: Pairs) -> Links:
        rule = self.model.rule
        probability = self.model.booster.predict(pairs.X)
        is_copy = (pairs.feature("title_similarity") >= rule.copy_similarity_) & (
            pairs.feature("gap_hours") <= rule.copy_gap_hours_
        )
        is_link = (probability >= self.threshold) | is_copy
        return Links(pairs.later, pairs.earlier, probability, is_copy).take(is_link)

    def _same_addresses(self, block: Sequence[Record], first: int) -> list[tuple[int, int]]:
        """Pairs of a record with the first earlier one of the same address."""
        same = set()
        for number, record in enumerate(block, start=first):
            for address in addresses_of(record):
                if (other := self._by_address.setdefault(address, number)) != number:
                    same.add((number, other))
        return sorted(same)


def _with_pairs(links: Links, copies: Sequence[tuple[int, int]]) -> Links:
    """The links, and these copies too."""
    known = {pair: row for row, pair in enumerate(zip(links.later, links.earlier, strict=True))}
    rows = [known[pair] for pair in copies if pair in known]
    links.is_copy[rows] = True
    new = np.array([pair for pair in copies if pair not in known], dtype=np.intp).reshape(-1, 2)
    added = Links(new[:, 0], new[:, 1], np.ones(len(new)), np.ones(len(new), dtype=bool))
    return joined([links, added])
