"""Count the leads of records that list each other, to learn whether a story has one leader."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from scoring.features.story import addresses_of
from scoring.model.cascade import NOT_LEADING
from scoring.model.leaders import Leaders
from scoring.records.record import Document


def count_leaders(documents: Sequence[Document]) -> Leaders | None:
    """Count leads that list, and are listed by, another labelled record.

    Parameters
    ----------
    documents : sequence of Document
        Labelled documents; those without heat are left out.

    Returns
    -------
    Leaders or None
        None if there is no such lead.
    """
    known = [document for document in documents if document.labels.heat is not None]
    is_lead = [(document.labels.heat or 0) > NOT_LEADING for document in known]
    mutual = _listing_each_other(known)
    leads = [row for row, others in enumerate(mutual) if is_lead[row] and others]
    if not leads:
        return None
    n_sole = sum(not any(is_lead[other] for other in mutual[row]) for row in leads)
    published = [
        bool(document.labels.published) for document, leads_ in zip(known, is_lead, strict=True) if not leads_
    ]
    return Leaders(len(leads), n_sole, round(sum(published) / max(len(published), 1), 4))


def _listing_each_other(documents: Sequence[Document]) -> list[set[int]]:
    """Rows that each document lists and that list it."""
    rows_by_address: defaultdict[str, list[int]] = defaultdict(list)
    for row, document in enumerate(documents):
        for address in addresses_of(document.record):
            rows_by_address[address].append(row)
    listed = [
        {
            other
            for entry in document.record.related
            for address in addresses_of(entry)
            for other in rows_by_address.get(address, ())
        }
        - {row}
        for row, document in enumerate(documents)
    ]
    return [{other for other in others if row in listed[other]} for row, others in enumerate(listed)]
