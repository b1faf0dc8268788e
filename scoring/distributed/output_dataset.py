"""Resumable output data set of a distributed job, in one file per partition.

The folder has one file per partition (``part-000000.jsonl``) and files with names that readers of data sets
ignore: ``_job.json``, written first, describes the job; ``_done/part-000000.json`` is written after each
partition; ``_faults.jsonl``; and ``_manifest.json`` is written last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from scoring.distributed.partitions import Extent, Partition
from scoring.distributed.storage import read_file, replace_file, sizes
from scoring.errors import Fault, ScoringError, shown

SCHEMA = "scoring data set"
SCHEMA_VERSION = 1
JOB, FAULTS, MANIFEST = "_job.json", "_faults.jsonl", "_manifest.json"

Kind = Literal["scores", "features"]
Format = Literal["jsonl", "parquet"]


class Job(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Description of a job; a partial data set can be continued only by the same job.

    Parameters
    ----------
    kind : str
        ``scores`` or ``features``.
    format : str
        ``jsonl`` or ``parquet``.
    model, model_sha256 : str or None
        Name and digest of the model that scores.
    code_sha256 : str
        Digest of the code that makes features.
    as_of : str
        Time at which records are scored; empty for the records as they are.
    partition_bytes, n_partitions : int
        Size and number of input partitions.
    inputs_sha256 : str
        Digest of all partitions: names, sizes, stamps and ranges of the files.
    """

    schema: str = SCHEMA
    schema_version: int = SCHEMA_VERSION
    kind: Kind
    format: Format
    model: str | None = None
    model_sha256: str | None = None
    code_sha256: str
    as_of: str
    partition_bytes: int
    n_partitions: int
    inputs_sha256: str


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A finished partition.

    Parameters
    ----------
    name : str
        Name of its file in the data set.
    partition_sha256 : str
        See :attr:`scoring.distributed.partitions.Partition.sha256`.
    n_rows, n_faulty : int
        Number of processed records, and of unusable records.
    n_bytes, sha256
        Size of the file, and hex digest of its content.
    extents : tuple of Extent
        Extents of its pieces.
    faults : tuple
        Index of the piece and faults of one record; lines count from the start of the piece.
    """

    name: str
    partition_sha256: str
    n_rows: int
    n_faulty: int
    n_bytes: int
    sha256: str
    extents: tuple[Extent, ...]
    faults: tuple[tuple[int, tuple[Fault, ...]], ...]


@dataclass(frozen=True, slots=True)
class DataSet:
    """A folder at an absolute path or an address."""

    url: str

    def begin(self, job: Job) -> None:
        """Start the data set, or continue one of the same job.

        Raises
        ------
        ScoringError
            If the folder has other contents.
        """
        content = read_file(self._at(JOB))
        if content is None:
            if others := sorted(sizes(self.url)):
                raise ScoringError(f"{self.url}: got {others[0]} there, expected a new or empty folder")
            replace_file(self._at(JOB), msgspec.json.format(msgspec.json.encode(job)))
            return
        try:
            existing = msgspec.json.decode(content, type=Job)
        except msgspec.DecodeError as error:
            raise ScoringError(
                f"{self._at(JOB)}: got {shown(str(error))}, expected a job of this version"
            ) from None
        different = [
            f"{name}: {_shown(getattr(existing, name))}, now {_shown(getattr(job, name))}"
            for name in Job.__struct_fields__
            if getattr(existing, name) != getattr(job, name)
        ]
        if different:
            raise ScoringError(
                f"{self.url}: got a data set of another job ({'; '.join(different)}), "
                "expected the same one, or a new or empty folder"
            )

    def name_of(self, job: Job, partition: Partition) -> str:
        """Return the file name of a partition."""
        return f"part-{partition.number:06d}.{job.format}"

    def finished(self, name: str, partition: Partition) -> Done | None:
        """Return the entry of a finished partition, if its file is unchanged."""
        content = read_file(self._at(_sidecar(name)))
        try:
            done = msgspec.json.decode(content, type=Done) if content is not None else None
        except msgspec.DecodeError:  # damaged: repeat the partition
            return None
        if done is None or done.partition_sha256 != partition.sha256:
            return None
        data = read_file(self._at(name))
        is_whole = data is not None and len(data) == done.n_bytes
        return done if is_whole and hashlib.sha256(data or b"").hexdigest() == done.sha256 else None

    def finish(self, done: Done, data: bytes) -> None:
        """Write the file of a partition, then its entry."""
        replace_file(self._at(done.name), data)
        replace_file(self._at(_sidecar(done.name)), msgspec.json.encode(done))

    def close(
        self, job: Job, partitions: Sequence[Partition], parts: Sequence[Done], faults: bytes, n_faulty: int
    ) -> None:
        """Write the faults and the manifest, after checking that every part exists.

        Raises
        ------
        ScoringError
            If parts are missing, for example since the workers write to another machine.
        """
        written = sizes(self.url)
        missing = [done.name for done in parts if written.get(done.name) != done.n_bytes]
        if missing:
            raise ScoringError(
                f"{self.url}: got no {missing[0]} there ({len(missing)} of {len(parts)} are missing), "
                "expected what the workers wrote: is the folder the same one for all machines?"
            )
        replace_file(self._at(FAULTS), faults)
        manifest = msgspec.to_builtins(job) | {
            "n_records": sum(done.n_rows for done in parts),
            "n_faulty": n_faulty,
            "inputs": _inputs(partitions),
            "partitions": [
                _entry(partition, done) for partition, done in zip(partitions, parts, strict=True)
            ],
        }
        replace_file(self._at(MANIFEST), msgspec.json.format(msgspec.json.encode(manifest), indent=1))

    def _at(self, name: str) -> str:
        return f"{self.url.rstrip('/')}/{name}"


def _sidecar(name: str) -> str:
    return f"_done/{name.partition('.')[0]}.json"


def _shown(value: object) -> str:
    """Shorten a value for messages: the beginning of a digest."""
    text = str(value)
    return text[:12] if len(text) == 2 * hashlib.sha256().digest_size else text


def _inputs(partitions: Sequence[Partition]) -> list[dict[str, Any]]:
    """Distinct input files with their sizes."""
    files = {piece.file.url: piece.file for partition in partitions for piece in partition.pieces}
    return [{"path": file.path, "n_bytes": file.n_bytes} for file in files.values()]


def _entry(partition: Partition, done: Done) -> dict[str, Any]:
    """Manifest entry of a partition."""
    return {
        "name": done.name,
        "inputs": [[piece.file.path, piece.start, piece.stop] for piece in partition.pieces],
        "inputs_sha256": done.partition_sha256,
        "n_records": done.n_rows,
        "n_faulty": done.n_faulty,
        "n_bytes": done.n_bytes,
        "sha256": done.sha256,
    }
