"""Remove labels that scoring wrote, so that only people's labels are left."""

from __future__ import annotations

import hashlib
from collections.abc import Set

import msgspec

from scoring.records.ledger import Digests, digests_of
from scoring.records.record import Document


def with_people_labels(document: Document, own_labels: Set[str], digests: Digests | None = None) -> Document:
    """Return a document without the labels that scoring wrote.

    Parameters
    ----------
    document : Document
        The record as read.
    own_labels : set of str
        Names of the labels that scoring wrote: see :meth:`scoring.labels.journal.Journal.own_labels`.
    digests : Digests, optional
        Digests of the whole record, if the document is only a part of it.

    Returns
    -------
    Document
        The same document if people gave all three labels. Otherwise its digest is of the record's content and
        the remaining labels, so that it does not change when scoring fills in the others.
    """
    labels = msgspec.structs.replace(document.labels, **dict.fromkeys(own_labels))
    if None not in msgspec.structs.astuple(labels):
        return document
    record_sha256 = (digests or digests_of(document.record)).record
    digest = hashlib.sha256(record_sha256.encode() + msgspec.json.encode(labels)).hexdigest()
    return msgspec.structs.replace(document, labels=labels, sha256=digest)
