"""Worker task: read a partition, compute scores or features, and write the result."""

from __future__ import annotations

import gc
import hashlib
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from scoring.distributed.output_dataset import DataSet, Done, Job
from scoring.distributed.partitions import Extent, Partition, Piece, read
from scoring.distributed.worker_model import scorer_of
from scoring.errors import Fault, RecordError, ScoringError
from scoring.features.as_of import AsOf
from scoring.features.cache import code_version
from scoring.features.extraction import Extracted, extracted
from scoring.features.sections import SectionRule
from scoring.features.worker_processes import GC_THRESHOLD
from scoring.model.score import Score
from scoring.records.record import Document


@dataclass
class Reading:
    """Reads the records of a partition, and collects extents and faults.

    Parameters
    ----------
    partition : Partition
        The partition.
    is_hashed : bool
        Whether to compute digests of records.
    reads_body : bool
        Whether to read the text below the front matter.

    Attributes
    ----------
    extents : list of Extent
        Extents of the pieces read so far.
    faults : list
        Index of the piece and faults of one record; lines count from the start of the piece.
    """

    partition: Partition
    is_hashed: bool = False
    reads_body: bool = True
    extents: list[Extent] = field(default_factory=list)
    faults: list[tuple[int, tuple[Fault, ...]]] = field(default_factory=list)

    def documents(self) -> Iterator[Document]:
        """Yield the usable records."""
        for index, (sources, n_lines) in enumerate(read(self.partition)):
            piece = self.partition.pieces[index]
            n_records = 0
            for source in sources:
                n_records += 1
                try:
                    document = source.document(
                        source.content(),
                        is_hashed=self.is_hashed,
                        field_map=piece.file.field_map,
                        reads_body=self.reads_body,
                    )
                except RecordError as error:
                    self.faults.append((index, error.faults))
                else:
                    yield in_file(document, piece)
            self.extents.append(Extent(n_lines, n_records))


def in_file(document: Document, piece: Piece) -> Document:
    """The document of a line with its number in the file, not in the piece."""
    if not document.line or not piece.n_lines_before:
        return document
    return msgspec.structs.replace(document, line=document.line + piece.n_lines_before)


@dataclass(frozen=True, slots=True)
class Work:
    """Processes a partition to a part of a data set, unless it is finished already.

    Parameters
    ----------
    dataset : DataSet
        Output data set.
    job : Job
        The job.
    as_of : datetime, timedelta or None
        As for :func:`scoring.features.table.extract`.
    sections : SectionRule
        How the section of a record is found.
    """

    dataset: DataSet
    job: Job
    as_of: AsOf
    sections: SectionRule

    def __call__(self, partition: Partition) -> tuple[Done, bool]:
        """Process a partition; return its entry, and whether it was finished before.

        Raises
        ------
        ScoringError
            If this worker has a different code version than the client, or a store cannot be used.
        """
        check_code(self.job.code_sha256)
        name = self.dataset.name_of(self.job, partition)
        if (done := self.dataset.finished(name, partition)) is not None:
            return done, True
        is_scored = self.job.kind != "features"
        reads_body = not is_scored or scorer_of(self.job.model_sha256 or "").reads_bodies
        reading = Reading(partition, reads_body=reads_body)
        with _rare_garbage_collection():
            n_rows, data = self._render(
                extracted(document, self.as_of, self.sections) for document in reading.documents()
            )
        done = Done(
            name=name,
            partition_sha256=partition.sha256,
            n_rows=n_rows,
            n_faulty=len(reading.faults),
            n_bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            extents=tuple(reading.extents),
            faults=tuple(reading.faults),
        )
        self.dataset.finish(done, data)
        return done, False

    def _render(self, records: Iterable[Extracted]) -> tuple[int, bytes]:
        """Number of rows and content of the part."""
        if self.job.kind == "features":
            return _feature_file(records)
        scores = scorer_of(self.job.model_sha256 or "").score_features(records)
        return _line_file(scores) if self.job.format == "jsonl" else _score_file(scores)


@contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    """Collect garbage rarely, since records have no cycles; affects all threads of the worker."""
    before = gc.get_threshold()
    gc.set_threshold(GC_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def check_code(code_sha256: str) -> None:
    """Check that this worker computes features with the same code as the client.

    Raises
    ------
    ScoringError
        If the code differs.
    """
    if code_version().hex() != code_sha256:
        raise ScoringError(
            "a worker has another version of scoring than this machine: install the same version everywhere"
        )


def _line_file(scores: Iterable[Score]) -> tuple[int, bytes]:
    lines = [msgspec.json.encode(score) for score in scores]
    return len(lines), b"".join(line + b"\n" for line in lines)


def _score_file(scores: Iterable[Score]) -> tuple[int, bytes]:
    from pyarrow import parquet

    from scoring.model.score_schema import score_table

    table, buffer = score_table(scores), io.BytesIO()
    parquet.write_table(table, buffer)
    return table.num_rows, buffer.getvalue()


def _feature_file(records: Iterable[Extracted]) -> tuple[int, bytes]:
    from pyarrow import parquet

    from scoring.features.parquet_schema import FEATURE_SCHEMA, feature_tables, of_one_schema

    buffer, tables = io.BytesIO(), of_one_schema(feature_tables(records))
    with parquet.ParquetWriter(buffer, tables[0].schema if tables else FEATURE_SCHEMA) as writer:
        for table in tables:
            writer.write_table(table)
    return sum(table.num_rows for table in tables), buffer.getvalue()
