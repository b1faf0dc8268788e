"""A document with the labels of people alone: those that scoring itself has written are left out."""

from __future__ import annotations

import hashlib
from collections.abc import Set

import msgspec

from scoring.records.ledger import Digests, digests_of
from scoring.records.record import Document


def with_people_labels(document: Document, own_labels: Set[str], digests: Digests | None = None) -> Document:
    """A document without the labels that scoring has written.

    Parameters
    ----------
    document : Document
        The record as it was read.
    own_labels : set of str
        Names of the labels that scoring has written: see :meth:`scoring.labels.journal.Journal.own_labels`.
    digests : Digests, optional
        Those of the whole record, where the document does not have all of it.

    Returns
    -------
    Document
        The same one where people gave all three labels. Else its digest is of what the record says and of the
        labels that are left, so that data are the same before and after scoring fills in the others.
    """
    labels = msgspec.structs.replace(document.labels, **dict.fromkeys(own_labels))
    if None not in msgspec.structs.astuple(labels):
        return document
    record_sha256 = (digests or digests_of(document.record)).record
    digest = hashlib.sha256(record_sha256.encode() + msgspec.json.encode(labels)).hexdigest()
    return msgspec.structs.replace(document, labels=labels, sha256=digest)
