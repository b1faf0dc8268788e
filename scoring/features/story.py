"""Which records tell one story: so that none is learned from on one side and judged on the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from scoring.features.text import similar_pairs, words_of
from scoring.records.record import Coverage, Record

Groups = NDArray[np.intp]


def copies(records: Sequence[Record]) -> Groups:
    """Number of the group of each record; those of one group share an address, or nearly a title.

    Parameters
    ----------
    records : sequence of Record
        `n_records` records.

    Returns
    -------
    ndarray of int, shape (n_records,)
        From 0.
    """
    return _groups(len(records), [*_same_addresses(records), *_similar_titles(records)])


def stories(records: Sequence[Record]) -> Groups:
    """As :func:`copies`; those that list each other as coverage share a group too.

    Links join groups: two records may be of one story though neither lists the other.
    """
    places = _by_address(records)
    links = (
        (row, other)
        for row, record in enumerate(records)
        for entry in record.related
        for address in addresses_of(entry)
        for other in places.get(address, ())
    )
    return _groups(len(records), [*_same_addresses(records), *_similar_titles(records), *links])


def _groups(n_records: int, pairs: Iterable[tuple[int, int]]) -> Groups:
    """The connected parts of a graph."""
    ends = np.array(sorted(set(pairs)), dtype=np.intp).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(n_records, n_records))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.intp)


def addresses_of(one: Record | Coverage) -> set[str]:
    """Where a record, or one of its coverage, stands."""
    return {one.original_url, one.web_url} - {""}


def _by_address(records: Sequence[Record]) -> dict[str, list[int]]:
    places: defaultdict[str, list[int]] = defaultdict(list)
    for row, record in enumerate(records):
        for address in addresses_of(record):
            places[address].append(row)
    return places


def _same_addresses(records: Sequence[Record]) -> Iterator[tuple[int, int]]:
    for first, *rest in _by_address(records).values():
        yield from ((first, other) for other in rest)


def _similar_titles(records: Sequence[Record]) -> Iterator[tuple[int, int]]:
    """Pairs that join all records of nearly the same title: of equal ones each with the first alone."""
    rows: defaultdict[frozenset[str], list[int]] = defaultdict(list)
    for row, record in enumerate(records):
        rows[frozenset(words_of(record.title))].append(row)
    equal = [(first, other) for words, (first, *rest) in rows.items() if words for other in rest]
    firsts = [same[0] for same in rows.values()]
    yield from equal
    yield from ((firsts[one], firsts[other]) for one, other in similar_pairs([set(words) for words in rows]))
