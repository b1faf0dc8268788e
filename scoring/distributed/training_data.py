"""Labelled records on the workers: they stay there, what comes back is a glance at each, and features."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np

from scoring.distributed.cluster import Cluster
from scoring.distributed.fault_log import FaultLines
from scoring.distributed.partitions import Extent, Partition
from scoring.distributed.tasks import Reading, check_code
from scoring.errors import Fault
from scoring.features.cache import code_version
from scoring.features.extraction import tables_of
from scoring.features.table import FeatureTable, concatenated
from scoring.progress import Reporter
from scoring.records.corpus import OnFault
from scoring.records.ledger import Digests, digests_of
from scoring.records.record import Coverage, Document, Record

Moments = Sequence[Sequence[datetime | None]]
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[Document])


#: What becomes of a document's labels, with the digests of its whole record where they are needed.
Relabel = Callable[[Document, Digests | None], Document]


class _Glance(NamedTuple):
    documents: list[Document]
    digests: list[Digests | None]
    extents: tuple[Extent, ...]
    faults: tuple[tuple[int, tuple[Fault, ...]], ...]


class _Held(NamedTuple):
    """What a worker keeps of a partition; the documents packed, since Dask counts bytes rightly."""

    packed: bytes
    extents: tuple[Extent, ...]
    faults: tuple[tuple[int, tuple[Fault, ...]], ...]


def _hold(partition: Partition, code_sha256: str) -> _Held:
    check_code(code_sha256)
    reading = Reading(partition, is_hashed=True)
    packed = _ENCODER.encode(list(reading.documents()))
    return _Held(packed, tuple(reading.extents), tuple(reading.faults))


def _glance(held: _Held, has_links: bool, has_digests: bool) -> _Glance:
    whole = _DECODER.decode(held.packed)
    digests = [
        digests_of(document.record) if _needs_digests(document, has_digests=has_digests) else None
        for document in whole
    ]
    documents = [slim(document, has_links=has_links) for document in whole]
    return _Glance(documents, digests, held.extents, held.faults)


def _needs_digests(document: Document, *, has_digests: bool) -> bool:
    """Whether it has labels, and these may become others or are not all there."""
    labels = msgspec.structs.astuple(document.labels)
    return labels != (None, None, None) and (has_digests or None in labels)


def _tables(held: _Held, rows: Sequence[int], moments: Moments) -> tuple[FeatureTable, ...]:
    documents = _DECODER.decode(held.packed)
    return tables_of([documents[row] for row in rows], moments)


def _whole(held: _Held, row: int) -> Document:
    return _DECODER.decode(held.packed)[row]


def slim(document: Document, *, has_links: bool) -> Document:
    """A document with what tells when its record was published, and which others are its copies.

    Parameters
    ----------
    document : Document
        Whole.
    has_links : bool
        Whether to keep the addresses of its coverage too, which tell its story.
    """
    record = document.record
    related = tuple(
        Coverage(
            published_at=one.published_at,
            web_url=one.web_url if has_links else "",
            original_url=one.original_url if has_links else "",
        )
        for one in record.related
    )
    kept = Record(
        title=record.title,
        published_at=record.published_at,
        original_url=record.original_url,
        web_url=record.web_url,
        topics=record.topics,
        related=related,
    )
    return msgspec.structs.replace(document, record=kept)


@dataclass(frozen=True, slots=True)
class ClusterArchive:
    """Documents that the workers hold; one that is lost with its worker is read again by another.

    Parameters
    ----------
    cluster : Cluster
        The workers.
    held : list of Future
        What they hold of each partition.
    places : dict
        Partition and row of each document, by its path and digest.
    """

    cluster: Cluster
    held: list[Any]
    places: dict[tuple[str, str], tuple[int, int]]

    def tables(self, documents: Sequence[Document], moments: Moments) -> tuple[FeatureTable, ...]:
        """As :func:`scoring.features.extraction.tables_of` gives them, by the workers."""
        wanted: dict[int, list[int]] = defaultdict(list)  # of each partition, which of the documents
        for index, document in enumerate(documents):
            wanted[self._place(document)[0]].append(index)
        futures = [
            self.cluster.client.submit(
                _tables,
                self.held[number],
                [self._place(documents[index])[1] for index in indices],
                [[look[index] for index in indices] for look in moments],
                pure=False,
            )
            for number, indices in wanted.items()
        ]
        parts = [self.cluster.result(future) for future in futures]
        if not parts:
            return tables_of([], moments)
        back = np.argsort(np.concatenate(list(wanted.values())))
        return tuple(concatenated(look).take(back) for look in zip(*parts, strict=True))

    def whole(self, documents: Sequence[Document]) -> Sequence[Document]:
        """The documents, each fetched when it is asked for."""
        return _Fetched(self, documents)

    def fetch(self, document: Document) -> Document:
        """One document, whole."""
        number, row = self._place(document)
        found: Document = self.cluster.result(
            self.cluster.client.submit(_whole, self.held[number], row, pure=False)
        )
        return msgspec.structs.replace(found, labels=document.labels, sha256=document.sha256)

    def _place(self, document: Document) -> tuple[int, int]:
        return self.places[document.path, document.sha256]


class _Fetched(Sequence[Document]):
    def __init__(self, archive: ClusterArchive, documents: Sequence[Document]) -> None:
        self._archive, self._documents = archive, documents

    def __len__(self) -> int:
        return len(self._documents)

    def __getitem__(self, index: Any) -> Any:
        found = self._documents[index]
        return _Fetched(self._archive, found) if isinstance(index, slice) else self._archive.fetch(found)


def read_archive(
    cluster: Cluster,
    partitions: Sequence[Partition],
    *,
    has_links: bool,
    has_digests: bool,
    relabel: Relabel,
    on_fault: OnFault,
    reporter: Reporter,
) -> tuple[list[Document], ClusterArchive]:
    """Have the workers read records and hold them.

    Parameters
    ----------
    cluster : Cluster
        The workers; together they need the memory for all of the records, or disks to spill them to.
    partitions : sequence of Partition
        What is read.
    has_links : bool
        See :func:`slim`.
    has_digests : bool
        Whether `relabel` needs digests of all labelled records, not only of those that lack a label.
    relabel : callable
        Called with each document, slim, in their order; gives it with the labels that count.
    on_fault : callable
        Called with the error of each record that cannot be used, in their order.
    reporter : Reporter
        Told how far the reading is.

    Returns
    -------
    tuple of list of Document and ClusterArchive
        The documents, slim, in their order (of one from a line, the line counts from its piece's first), and
        what makes features of them.
    """
    client, code = cluster.client, code_version().hex()
    held = [client.submit(_hold, partition, code, pure=False, retries=2) for partition in partitions]
    archive = ClusterArchive(cluster, held, {})
    documents: list[Document] = []
    lines = FaultLines()
    for number, glance in enumerate(_glances(cluster, held, has_links, has_digests)):
        for error in lines.faults(partitions[number], glance.extents, glance.faults):
            on_fault(error)
        relabelled = map(relabel, glance.documents, glance.digests)
        for row, document in enumerate(relabelled):
            archive.places.setdefault((document.path, document.sha256), (number, row))
            documents.append(document)
        reporter.step("reading", number + 1, len(partitions))
    return documents, archive


def _glances(cluster: Cluster, held: Sequence[Any], has_links: bool, has_digests: bool) -> Iterator[_Glance]:
    futures = [cluster.client.submit(_glance, one, has_links, has_digests, pure=False) for one in held]
    for future in futures:
        yield cluster.result(future)
