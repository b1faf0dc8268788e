"""Labelled records in the memory of workers; only reduced documents and features are transferred."""

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
from scoring.features.sections import SectionRule
from scoring.features.table import FeatureTable, concatenated
from scoring.progress import Reporter
from scoring.records.files import OnFault
from scoring.records.ledger import Digests, digests_of
from scoring.records.record import Coverage, Document, Provider, Record

Moments = Sequence[Sequence[datetime | None]]
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[Document])


#: Function that replaces the labels of a document, given digests of its whole record if needed.
Relabel = Callable[[Document, Digests | None], Document]


class _PartSummary(NamedTuple):
    documents: list[Document]
    digests: list[Digests | None]
    extents: tuple[Extent, ...]
    faults: tuple[tuple[int, tuple[Fault, ...]], ...]


class _LoadedPartition(NamedTuple):
    """Partition in the memory of a worker; documents are encoded, so that Dask knows their size."""

    packed: bytes
    extents: tuple[Extent, ...]
    faults: tuple[tuple[int, tuple[Fault, ...]], ...]


def _load(partition: Partition, code_sha256: str) -> _LoadedPartition:
    check_code(code_sha256)
    reading = Reading(partition, is_hashed=True)
    packed = _ENCODER.encode(list(reading.documents()))
    return _LoadedPartition(packed, tuple(reading.extents), tuple(reading.faults))


def _summarize(partition: _LoadedPartition, has_links: bool, has_digests: bool) -> _PartSummary:
    whole = _DECODER.decode(partition.packed)
    digests = [
        digests_of(document.record) if _needs_digests(document, has_digests=has_digests) else None
        for document in whole
    ]
    documents = [slim(document, has_links=has_links) for document in whole]
    return _PartSummary(documents, digests, partition.extents, partition.faults)


def _needs_digests(document: Document, *, has_digests: bool) -> bool:
    """Whether a document has labels that may be replaced or are incomplete."""
    labels = msgspec.structs.astuple(document.labels)
    return labels != (None, None, None) and (has_digests or None in labels)


def _tables(
    partition: _LoadedPartition, rows: Sequence[int], moments: Moments, sections: SectionRule
) -> tuple[FeatureTable, ...]:
    documents = _DECODER.decode(partition.packed)
    return tables_of([documents[row] for row in rows], moments, sections)


def _whole(partition: _LoadedPartition, row: int) -> Document:
    return _DECODER.decode(partition.packed)[row]


def slim(document: Document, *, has_links: bool) -> Document:
    """Reduce a document to the fields for splitting by date and grouping copies.

    Parameters
    ----------
    document : Document
        The whole document.
    has_links : bool
        Whether to keep the URLs of its coverage too, for grouping by story.
    """
    record = document.record
    related = tuple(
        Coverage(
            published_at=entry.published_at,
            web_url=entry.web_url if has_links else "",
            original_url=entry.original_url if has_links else "",
        )
        for entry in record.related
    )
    kept = Record(
        title=record.title,
        excerpt=record.excerpt,
        published_at=record.published_at,
        original_url=record.original_url,
        web_url=record.web_url,
        provider=Provider(record.provider.name, record.provider.domain),
        topics=record.topics,
        related=related,
    )
    return msgspec.structs.replace(document, record=kept)


@dataclass(frozen=True, slots=True)
class ClusterArchive:
    """Documents in the memory of workers; those of a lost worker are read again by another one.

    Parameters
    ----------
    cluster : Cluster
        The workers.
    loaded : list of Future
        Data of each partition on the workers.
    positions : dict
        Partition and row of each document, by its path and digest.
    """

    cluster: Cluster
    loaded: list[Any]
    positions: dict[tuple[str, str], tuple[int, int]]

    def tables(
        self, documents: Sequence[Document], moments: Moments, sections: SectionRule
    ) -> tuple[FeatureTable, ...]:
        """As :func:`scoring.features.extraction.tables_of`, computed by the workers."""
        wanted: dict[int, list[int]] = defaultdict(list)  # indices of documents by partition
        for index, document in enumerate(documents):
            wanted[self._position(document)[0]].append(index)
        futures = [
            self.cluster.client.submit(
                _tables,
                self.loaded[number],
                [self._position(documents[index])[1] for index in indices],
                [[times[index] for index in indices] for times in moments],
                sections,
                pure=False,
            )
            for number, indices in wanted.items()
        ]
        parts = [self.cluster.result(future) for future in futures]
        if not parts:
            return tables_of([], moments, sections)
        order = np.argsort(np.concatenate(list(wanted.values())))
        return tuple(concatenated(tables).take(order) for tables in zip(*parts, strict=True))

    def whole(self, documents: Sequence[Document]) -> Sequence[Document]:
        """Return the whole documents as a sequence that fetches each on access."""
        return _Fetched(self, documents)

    def fetch(self, document: Document) -> Document:
        """Fetch one whole document."""
        number, row = self._position(document)
        whole: Document = self.cluster.result(
            self.cluster.client.submit(_whole, self.loaded[number], row, pure=False)
        )
        return msgspec.structs.replace(whole, labels=document.labels, sha256=document.sha256)

    def _position(self, document: Document) -> tuple[int, int]:
        return self.positions[document.path, document.sha256]


class _Fetched(Sequence[Document]):
    def __init__(self, archive: ClusterArchive, documents: Sequence[Document]) -> None:
        self._archive, self._documents = archive, documents

    def __len__(self) -> int:
        return len(self._documents)

    def __getitem__(self, index: Any) -> Any:
        selected = self._documents[index]
        return (
            _Fetched(self._archive, selected) if isinstance(index, slice) else self._archive.fetch(selected)
        )


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
    """Read records into the memory of the workers.

    Parameters
    ----------
    cluster : Cluster
        The workers; together they need the memory for all of the records, or disks to spill them to.
    partitions : sequence of Partition
        The partitions.
    has_links : bool
        See :func:`slim`.
    has_digests : bool
        Whether `relabel` needs digests of all labelled records, not only of those with a missing label.
    relabel : callable
        Called with each reduced document in order; returns it with its final labels.
    on_fault : callable
        Called with the error of each unusable record, in order.
    reporter : Reporter
        Notified of progress.

    Returns
    -------
    tuple of list of Document and ClusterArchive
        The reduced documents in order (line numbers count from the start of the piece), and the archive that
        computes their features.
    """
    client, code = cluster.client, code_version().hex()
    loaded = [client.submit(_load, partition, code, pure=False, retries=2) for partition in partitions]
    archive = ClusterArchive(cluster, loaded, {})
    documents: list[Document] = []
    lines = FaultLines()
    for number, summary in enumerate(_summaries(cluster, loaded, has_links, has_digests)):
        for error in lines.faults(partitions[number], summary.extents, summary.faults):
            on_fault(error)
        relabelled = map(relabel, summary.documents, summary.digests)
        for row, document in enumerate(relabelled):
            archive.positions.setdefault((document.path, document.sha256), (number, row))
            documents.append(document)
        reporter.step("reading", number + 1, len(partitions))
    return documents, archive


def _summaries(
    cluster: Cluster, loaded: Sequence[Any], has_links: bool, has_digests: bool
) -> Iterator[_PartSummary]:
    futures = [cluster.client.submit(_summarize, part, has_links, has_digests, pure=False) for part in loaded]
    for future in futures:
        yield cluster.result(future)
