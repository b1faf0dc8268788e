"""Records of the same text, by title, excerpt, provider and time.

Nearly the same title tells that two records have the same text, unless the title recurs: a provider has
given it to several texts, as to the editions of a weekly roundup. Records of a recurring title have the same
text only if their excerpts are nearly the same too. Where one has no excerpt, its provider, time and URL
decide.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from scoring.features.text import similar_links, words_of
from scoring.records.record import Record

Groups = NDArray[np.intp]

MIN_TEXTS = 3
"""Different texts that one provider has given a recurring title; two may be a text and its new edition."""

SAME_TEXT_GAP = timedelta(hours=12)
"""Largest gap between records of one text and a recurring title, if one has no excerpt: less than a day."""

_NO_DATE = datetime.min.replace(tzinfo=UTC)


def same_texts(records: Sequence[Record]) -> Iterator[tuple[int, int]]:
    """Links that connect the records of each text, at most two a record.

    Parameters
    ----------
    records : sequence of Record
        The records; a record without a title has a text of its own.
    """
    for rows in _rows_by_title(records):
        texts = groups_of(len(rows), _same_excerpts([records[row] for row in rows]))
        providers = [_provider_of(records[row]) for row in rows]
        counts = Counter(provider for provider, _ in set(zip(providers, texts.tolist(), strict=True)))
        is_recurring = max(counts.values()) >= MIN_TEXTS
        first_rows: dict[int, int] = {}
        for row, text in zip(rows, texts.tolist(), strict=True):
            first = first_rows.setdefault(text if is_recurring else 0, row)
            if first != row:
                yield first, row


def groups_of(n_records: int, links: Iterable[tuple[int, int]]) -> Groups:
    """Number of the connected component of each record, shape (n_records,)."""
    edges = np.array(sorted(set(links)), dtype=np.intp).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n_records, n_records))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.intp)


def _rows_by_title(records: Sequence[Record]) -> Iterator[list[int]]:
    """Records whose titles are connected by being nearly the same, two or more."""
    rows: defaultdict[frozenset[str], list[int]] = defaultdict(list)
    for row, record in enumerate(records):
        if words := frozenset(words_of(record.title)):
            rows[words].append(row)
    titles = groups_of(len(rows), similar_links([*rows]))
    together: defaultdict[int, list[int]] = defaultdict(list)
    for title, title_rows in zip(titles.tolist(), rows.values(), strict=True):
        together[title] += title_rows
    return (sorted(title_rows) for title_rows in together.values() if len(title_rows) > 1)


def _same_excerpts(records: Sequence[Record]) -> Iterator[tuple[int, int]]:
    """Links between records of one title with nearly the same excerpt, or the same at another length."""
    if len(records) < MIN_TEXTS:  # too few for a recurring title
        return
    rows: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, record in enumerate(records):
        rows[tuple(words_of(record.excerpt))].append(row)
    rows.pop((), None)
    excerpts = sorted(rows)
    firsts = [rows[words][0] for words in excerpts]
    for same in rows.values():
        yield from ((same[0], other) for other in same[1:])
    for earlier, later in similar_links([frozenset(words) for words in excerpts]):
        yield firsts[earlier], firsts[later]
    beginnings: list[int] = []  # excerpts that the current one may begin with, each with the one before
    for index, words in enumerate(excerpts):
        while beginnings and words[: len(excerpts[beginnings[-1]])] != excerpts[beginnings[-1]]:
            beginnings.pop()
        if beginnings:
            yield firsts[beginnings[-1]], firsts[index]
        beginnings.append(index)
    yield from _without_excerpt(records)


def _without_excerpt(records: Sequence[Record]) -> Iterator[tuple[int, int]]:
    """Links between successive records of one title and provider of which one has no excerpt.

    They are linked if a few hours lie between them, or if the later one has neither an excerpt nor a URL.
    """
    by_provider: defaultdict[str, list[int]] = defaultdict(list)
    for row, record in enumerate(records):
        by_provider[_provider_of(record)].append(row)
    for rows in by_provider.values():
        rows.sort(key=lambda row: (records[row].published_at or _NO_DATE, row))
        for row, following in pairwise(rows):
            first, second = records[row], records[following]
            gap = (second.published_at or _NO_DATE) - (first.published_at or _NO_DATE)
            is_near = not (first.excerpt and second.excerpt) and gap <= SAME_TEXT_GAP
            if is_near or not (second.excerpt or second.url):
                yield row, following


def _provider_of(record: Record) -> str:
    return record.provider.domain or record.provider.name
