"""Group records by story, so that no story is in both training and test data."""

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
    """Group records that share a URL or have nearly the same title.

    Parameters
    ----------
    records : sequence of Record
        The `n_records` records.

    Returns
    -------
    ndarray of int, shape (n_records,)
        Group number of each record, from 0.
    """
    return _groups(len(records), [*_same_addresses(records), *_similar_titles(records)])


def stories(records: Sequence[Record]) -> Groups:
    """Group records as :func:`copies` does, and also those that list each other as coverage.

    Links are transitive: two records may belong to one story though neither lists the other.
    """
    links = _listed(records)
    return _groups(len(records), [*_same_addresses(records), *_similar_titles(records), *links])


def listed_pairs(records: Sequence[Record]) -> set[tuple[int, int]]:
    """Pairs of records of which one lists the other as coverage, the smaller index first."""
    return {(min(row, other), max(row, other)) for row, other in _listed(records) if row != other}


def _listed(records: Sequence[Record]) -> Iterator[tuple[int, int]]:
    """Each record with each record that it lists."""
    rows_by_address = _by_address(records)
    for row, record in enumerate(records):
        for entry in record.related:
            for address in addresses_of(entry):
                yield from ((row, other) for other in rows_by_address.get(address, ()))


def _groups(n_records: int, pairs: Iterable[tuple[int, int]]) -> Groups:
    """Connected components of a graph."""
    edges = np.array(sorted(set(pairs)), dtype=np.intp).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n_records, n_records))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.intp)


def addresses_of(record: Record | Coverage) -> set[str]:
    """Return the URLs of a record or of related coverage."""
    return {record.original_url, record.web_url} - {""}


def _by_address(records: Sequence[Record]) -> dict[str, list[int]]:
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row, record in enumerate(records):
        for address in addresses_of(record):
            rows[address].append(row)
    return rows


def _same_addresses(records: Sequence[Record]) -> Iterator[tuple[int, int]]:
    for first, *others in _by_address(records).values():
        yield from ((first, other) for other in others)


def _similar_titles(records: Sequence[Record]) -> Iterator[tuple[int, int]]:
    """Pairs that connect all records of nearly the same title; equal titles are linked to the first only."""
    rows: defaultdict[frozenset[str], list[int]] = defaultdict(list)
    for row, record in enumerate(records):
        rows[frozenset(words_of(record.title))].append(row)
    equal = [(first, other) for words, (first, *others) in rows.items() if words for other in others]
    firsts = [same[0] for same in rows.values()]
    yield from equal
    pairs = similar_pairs([set(words) for words in rows])
    yield from ((firsts[index], firsts[other]) for index, other in pairs)
