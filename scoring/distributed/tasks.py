"""What a worker does with a partition: read it, score it or take its features, write the result."""

from __future__ import annotations

import gc
import hashlib
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec
from pyarrow import parquet

from scoring.distributed.output_dataset import DataSet, Done, Job
from scoring.distributed.partitions import Extent, Partition, read
from scoring.distributed.worker_model import scorer_of
from scoring.errors import Fault, RecordError, ScoringError
from scoring.features.as_of import AsOf
from scoring.features.cache import code_version
from scoring.features.extraction import GC_THRESHOLD, Extracted, extracted
from scoring.features.parquet_schema import FEATURE_SCHEMA, feature_tables
from scoring.model.score import Score
from scoring.model.score_schema import score_table
from scoring.records.record import Document


@dataclass
class Reading:
    """Reads the records of a partition, and keeps account of what it saw.

    Parameters
    ----------
    partition : Partition
        What is read.
    is_hashed : bool
        Whether the digests of records are asked for.

    Attributes
    ----------
    extents : list of Extent
        What each piece holds, as far as it was read.
    faults : list
        Which piece, and the faults of one record; lines count from the piece's first.
    """

    partition: Partition
    is_hashed: bool = False
    extents: list[Extent] = field(default_factory=list)
    faults: list[tuple[int, tuple[Fault, ...]]] = field(default_factory=list)

    def documents(self) -> Iterator[Document]:
        """The records that can be used."""
        for at, (sources, n_lines) in enumerate(read(self.partition)):
            n_records = 0
            for source in sources:
                n_records += 1
                try:
                    yield source.document(source.content(), is_hashed=self.is_hashed)
                except RecordError as error:
                    self.faults.append((at, error.faults))
            self.extents.append(Extent(n_lines, n_records))


@dataclass(frozen=True, slots=True)
class Work:
    """Makes a part of a data set of a partition; one that is done already is left as it is.

    Parameters
    ----------
    dataset : DataSet
        Where the part is written.
    job : Job
        What is made.
    as_of : datetime, timedelta or None
        As :func:`scoring.features.table.extract` takes it.
    """

    dataset: DataSet
    job: Job
    as_of: AsOf

    def __call__(self, partition: Partition) -> tuple[Done, bool]:
        """What was done, and whether it had been done before.

        Raises
        ------
        ScoringError
            If this worker has other code than the client, or a store cannot be used.
        """
        check_code(self.job.code_sha256)
        name = self.dataset.name_of(self.job, partition)
        if (done := self.dataset.finished(name, partition)) is not None:
            return done, True
        reading = Reading(partition)
        with _seldom_collected():
            n_rows, data = self._made(extracted(document, self.as_of) for document in reading.documents())
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

    def _made(self, records: Iterable[Extracted]) -> tuple[int, bytes]:
        """Rows and bytes of the part."""
        if self.job.kind == "features":
            return _feature_file(records)
        scores = scorer_of(self.job.model_sha256 or "").score_features(records)
        return _line_file(scores) if self.job.format == "jsonl" else _score_file(scores)


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Look for cycles as seldom as a process that only reads; another thread of the worker may as well."""
    before = gc.get_threshold()
    gc.set_threshold(GC_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def check_code(code_sha256: str) -> None:
    """Refuse to work where features are made by other code than the client's.

    Raises
    ------
    ScoringError
        If they are.
    """
    if code_version().hex() != code_sha256:
        raise ScoringError(
            "a worker has another version of scoring than this machine: install the same one everywhere"
        )


def _line_file(scores: Iterable[Score]) -> tuple[int, bytes]:
    lines = [msgspec.json.encode(score) for score in scores]
    return len(lines), b"".join(line + b"\n" for line in lines)


def _score_file(scores: Iterable[Score]) -> tuple[int, bytes]:
    table, buffer = score_table(scores), io.BytesIO()
    parquet.write_table(table, buffer)
    return table.num_rows, buffer.getvalue()


def _feature_file(records: Iterable[Extracted]) -> tuple[int, bytes]:
    n_rows, buffer = 0, io.BytesIO()
    with parquet.ParquetWriter(buffer, FEATURE_SCHEMA) as writer:
        for table in feature_tables(records):
            writer.write_table(table)
            n_rows += table.num_rows
    return n_rows, buffer.getvalue()
