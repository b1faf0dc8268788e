"""Group records by story, so that no story is in both training and test data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from scoring.features.same_text import Groups, groups_of, same_texts
from scoring.records.record import Coverage, Record


def copies(records: Sequence[Record]) -> Groups:
    """Group records of the same text: they share a URL, or have nearly the same title.

    A recurring title, as that of a weekly roundup, does not suffice: see :mod:`scoring.features.same_text`.

    Parameters
    ----------
    records : sequence of Record
        The `n_records` records.

    Returns
    -------
    ndarray of int, shape (n_records,)
        Group number of each record, from 0.
    """
    return groups_of(len(records), [*_same_addresses(records), *same_texts(records)])


def stories(records: Sequence[Record]) -> Groups:
    """Group records as :func:`copies` does, and also those that list each other as coverage.

    Links are transitive: two records may belong to one story though neither lists the other.
    """
    links = _listed(records)
    return groups_of(len(records), [*_same_addresses(records), *same_texts(records), *links])


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
