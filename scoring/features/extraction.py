"""Parallel extraction of features from record files, in chunks."""

from __future__ import annotations

import functools
import gc
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from itertools import accumulate
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import BinaryIO, NamedTuple
from zlib import crc32

import msgspec

from scoring.errors import RecordError, ScoringError, shown
from scoring.features.as_of import AsOf, known_coverage, moment_of
from scoring.features.cache import FeatureCache
from scoring.features.sections import FIRST_TOPIC, SectionRule
from scoring.features.table import FeatureTable, Row, assemble, extract, extract_known
from scoring.records.corpus import Source, sources_of
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.files import STDIN, OnFault, expand
from scoring.records.record import Coverage, Document, Record

CHUNK_BYTES = 2**21
"""Size of a chunk, and of the data in memory per process."""

PARALLEL_BYTES = 4 * CHUNK_BYTES
"""Minimum size of the input for more than one process."""

_AHEAD_BYTES = 2**25
"""Limit of submitted but unread data; with cached features it lasts until a model is loaded."""

_ROW_BYTES = 2**12
"""Approximate size of a record's features."""

GC_THRESHOLD = 100_000
"""Threshold of garbage collection: records have no cycles, and collecting costs a tenth of the time."""


class Extracted(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Input of scoring for one record: path, features and warnings.

    Parameters
    ----------
    path : str
        Its file; ``-`` is standard input.
    row : tuple
        Features: see :func:`scoring.features.table.extract`.
    n_unscored : int
        Number of known related records without quality.
    warnings : tuple of str
        Assumptions made when it was read.
    own_addresses, listed_addresses : tuple of int
        Its addresses and those of its known coverage, as numbers (CRC-32).
    """

    path: str
    row: Row
    n_unscored: int
    warnings: tuple[str, ...]
    own_addresses: tuple[int, ...] = ()
    listed_addresses: tuple[int, ...] = ()


def extracted(document: Document, as_of: AsOf, sections: SectionRule) -> Extracted:
    """Extract the features of a document: see :func:`scoring.features.table.extract`."""
    record = sections.placed(document.record, document.path)
    moment = moment_of(record, as_of)
    known = known_coverage(record, moment)
    n_unscored = sum(entry.quality is None for entry in known)
    return Extracted(
        document.path,
        extract_known(record, known, moment),
        n_unscored,
        document.warnings,
        _numbers_of([record]) if known else (),
        _numbers_of(known),
    )


def _numbers_of(records: Iterable[Record | Coverage]) -> tuple[int, ...]:
    """Addresses as numbers."""
    return tuple(
        crc32(address.encode("utf-8", "surrogatepass"))
        for record in records
        for address in (record.original_url, record.web_url)
        if address
    )


def tables_of(
    documents: Sequence[Document], moments: Sequence[Sequence[datetime | None]], sections: SectionRule
) -> tuple[FeatureTable, ...]:
    """Extract the features of documents at several times.

    Parameters
    ----------
    documents : sequence of Document
        `n_records` documents.
    moments : sequence of sequence of datetime or None
        For each table, the time of each document: aware UTC, or None for the document as it is.
    sections : SectionRule
        How the section of each document is found.

    Returns
    -------
    tuple of FeatureTable
        One table per sequence of times, each with `n_records` rows.
    """
    records = [sections.placed(document.record, document.path) for document in documents]
    return tuple(
        assemble([extract(record, time) for record, time in zip(records, times, strict=True)])
        for times in moments
    )


def read_features(
    paths: Sequence[str],
    *,
    as_of: AsOf = None,
    sections: SectionRule | Callable[[], SectionRule] = FIRST_TOPIC,
    field_maps: FieldMaps | Callable[[], FieldMaps] | None = None,
    n_processes: int = 1,
    cache: FeatureCache | None = None,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    on_progress: Callable[[int, int], None] | None = None,
) -> Generator[Extracted, None, None]:
    """Extract the features of the records of some paths, in order and with bounded memory.

    If the files are large enough for several processes, these start at once, before the first record is
    requested.

    Parameters
    ----------
    paths : sequence of str
        As for :func:`scoring.records.corpus.read_documents`.
    as_of : datetime, timedelta or None
        As for :func:`scoring.features.table.extract`.
    sections : SectionRule or callable
        How the section of each record is found; a callable is called when the first record is requested.
    field_maps : FieldMaps or callable, optional
        Field maps of the files, called likewise; default: those of their archives.
    n_processes : int
        Maximum number of processes, at least 1. They are forked (spawned on systems other than Linux) before
        progress is reported.
    cache : FeatureCache, optional
        Cache of features by content.
    stdin, on_fault, on_progress
        As for :func:`scoring.records.corpus.read_documents`.

    Returns
    -------
    generator of Extracted
        It raises ScoringError if a worker process is killed. Close it to end the processes early.

    Raises
    ------
    RecordError
        If a path does not exist or contains no record.
    """
    files = expand(paths, on_fault=on_fault)
    chunks = _chunks(files, stdin)

    def task() -> _ExtractionTask:
        return _ExtractionTask(
            as_of,
            sections() if callable(sections) else sections,
            (field_maps() if callable(field_maps) else field_maps) or FieldMaps(paths),
            cache,
        )

    # Standard input may be slow: it is not read before the first record is requested.
    if n_processes > 1 and STDIN not in files and _is_large(files):
        results = _process_in_parallel(
            chunks,
            task,
            n_processes,
            ahead_bytes=_AHEAD_BYTES,
            is_task_known=not (callable(sections) or callable(field_maps)),
        )
        next(results)
    else:
        results = _process_chunks(chunks, task, n_processes)
    return _decoded_records(results, len(files), on_fault, on_progress)


def _decoded_records(
    results: _ChunkResults,
    n_files: int,
    on_fault: OnFault,
    on_progress: Callable[[int, int], None] | None,
) -> Generator[Extracted, None, None]:
    n_done = 0
    with closing(results):
        for chunk, chunk_results in results:
            for warning in chunk_results.complaints:
                _warn_once(warning)
            for source, result in zip(chunk.sources, chunk_results.of, strict=True):
                if isinstance(result, RecordError):
                    on_fault(result)
                else:
                    yield _unpack(result, shown(source.path))
            n_done += chunk.n_files
            if on_progress is not None and chunk.n_files:
                on_progress(n_done, n_files)


class _Chunk(NamedTuple):
    sources: tuple[Source, ...]
    n_files: int  # files that end in the chunk
    n_bytes: int

    @property
    def n_held(self) -> int:
        """Bytes in memory until the results are read: lines, then features."""
        return sum(len(source.data or b"") + _ROW_BYTES for source in self.sources)


_Packed = bytes  # an encoded Extracted without its path, for processes and cache


class _Results(NamedTuple):
    of: list[_Packed | RecordError]  # one per source of the chunk
    complaints: tuple[str, ...] = ()  # from the cache


_ChunkResults = Generator[tuple[_Chunk, _Results], None, None]


class _ExtractionTask(NamedTuple):
    """Extraction task of a chunk, for any process."""

    as_of: AsOf
    sections: SectionRule
    field_maps: FieldMaps
    cache: FeatureCache | None

    def results(self, chunk: _Chunk) -> _Results:
        contents = [_content(source) for source in chunk.sources]
        keys = self._keys(chunk.sources, contents)
        kept = self.cache.get(keys) if self.cache else {}
        results: list[_Packed | RecordError] = []
        new: dict[bytes, _Packed] = {}
        for source, content, key in zip(chunk.sources, contents, keys, strict=True):
            if isinstance(content, RecordError):
                results.append(content)
            elif (packed := kept.get(key)) is not None and _is_decodable(packed):
                results.append(packed)
            else:
                results.append(result := self._extract(source, content))
                if isinstance(result, _Packed):
                    new[key] = result
        if self.cache and new:
            self.cache.put(new)
        complaints = tuple(self.cache.complaints) if self.cache else ()
        if self.cache:
            self.cache.complaints.clear()
        return _Results(results, complaints)

    def _keys(self, sources: Sequence[Source], contents: Sequence[bytes | RecordError]) -> list[bytes]:
        """Cache key of each content that could be read; empty for others, or without a cache."""
        if self.cache is None:
            return [b""] * len(contents)
        circumstances = repr((self.as_of, self.sections))
        keys = []
        for source, content in zip(sources, contents, strict=True):
            folder = os.path.dirname(source.path) if self.sections.by == "folder" else ""
            if isinstance(content, RecordError):
                keys.append(b"")
            else:
                field_map = self.field_maps.of(source.path)
                layout = "" if field_map is None else repr((field_map, source.path))
                layout += source.kind + ("" if self.field_maps.reads_bodies else "no body")
                keys.append(self.cache.key(content, circumstances + folder + layout))
        return keys

    def _extract(self, source: Source, content: bytes) -> _Packed | RecordError:
        try:
            field_map = self.field_maps.of(source.path)
            reads_body = self.field_maps.reads_bodies
            document = source.document(content, is_hashed=False, field_map=field_map, reads_body=reads_body)
            features = extracted(document, self.as_of, self.sections)
            return _ENCODER.encode(msgspec.structs.replace(features, path=""))
        except RecordError as error:
            return error


@functools.cache
def _warn_once(complaint: str) -> None:
    """Log a warning of the cache once, not once per chunk."""
    _LOG.warning(complaint)


_LOG = logging.getLogger(__name__)
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Extracted)


def _content(source: Source) -> bytes | RecordError:
    try:
        return source.content()
    except RecordError as error:
        return error


def _unpack(packed: _Packed, path: str) -> Extracted:
    """Decode the features of a record, and add its path."""
    return msgspec.structs.replace(_DECODER.decode(packed), path=path)


def _is_decodable(kept: _Packed) -> bool:
    try:
        _DECODER.decode(kept)
    except msgspec.DecodeError:  # foreign or damaged: recomputed
        return False
    return True


def _is_large(files: Iterable[str]) -> bool:
    """Whether the files are large enough for several processes, as far as their sizes are known."""
    return any(n_bytes >= PARALLEL_BYTES for n_bytes in accumulate(map(_size, files)))


def _size(file: str) -> int:
    """Size of a file in bytes; 0 if unknown."""
    try:
        return os.stat(file).st_size
    except OSError:
        return 0


def _chunks(files: Sequence[str], stdin: BinaryIO | None) -> Iterator[_Chunk]:
    """Split records into chunks by bytes, not by number, since sizes differ widely."""
    sources: list[Source] = []
    n_bytes = n_files = 0
    for file in files:
        for source in sources_of(file, stdin):
            sources.append(source)
            is_file = source.data is None and source.error is None
            n_bytes += _size(source.path) if is_file else len(source.data or b"")
            if n_bytes >= CHUNK_BYTES and not is_file:
                yield _Chunk(tuple(sources), n_files, n_bytes)
                sources, n_bytes, n_files = [], 0, 0
        n_files += 1
        if n_bytes >= CHUNK_BYTES:
            yield _Chunk(tuple(sources), n_files, n_bytes)
            sources, n_bytes, n_files = [], 0, 0
    if n_files:
        yield _Chunk(tuple(sources), n_files, n_bytes)


def _process_chunks(
    chunks: Iterator[_Chunk], make_task: Callable[[], _ExtractionTask], n_processes: int
) -> _ChunkResults:
    """Yield chunks with their results, in order: from this process at first, then from worker processes."""
    n_bytes, task = 0, make_task()
    for chunk in chunks:
        yield chunk, task.results(chunk)
        n_bytes += chunk.n_bytes
        if n_processes > 1 and n_bytes >= PARALLEL_BYTES:
            yield from _process_in_parallel(
                chunks, make_task, n_processes, ahead_bytes=n_processes * CHUNK_BYTES
            )


def _process_in_parallel(
    chunks: Iterator[_Chunk],
    make_task: Callable[[], _ExtractionTask],
    n_processes: int,
    *,
    ahead_bytes: int,
    is_task_known: bool = True,
) -> _ChunkResults:
    """Yield chunks with their results from worker processes; an empty first chunk signals their start."""
    waiting: deque[tuple[_Chunk, Future[_Results]]] = deque()
    n_bytes = 0

    @functools.cache
    def task() -> _ExtractionTask:
        made = make_task()
        return made._replace(cache=replace(made.cache, is_held=True)) if made.cache is not None else made

    def hand_out() -> None:
        nonlocal n_bytes
        while n_bytes < ahead_bytes or len(waiting) <= n_processes:
            if (chunk := next(chunks, None)) is None:
                return
            waiting.append((chunk, pool.submit(task().results, chunk)))
            n_bytes += chunk.n_held

    with _pool(n_processes) as pool:
        try:
            if is_task_known:
                hand_out()
            else:
                pool.submit(int)  # forks all processes, before the caller starts a thread
            yield _Chunk((), 0, 0), _Results([])
            hand_out()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
                n_bytes -= first.n_held
                hand_out()
        except BrokenProcessPool:
            raise ScoringError("a worker process that reads records was killed (out of memory?)") from None
        finally:
            # Not `future.cancel`: Python 3.11.2 then waits for ever for futures that were never started.
            pool.shutdown(cancel_futures=True)


def _pool(n_processes: int) -> ProcessPoolExecutor:
    # A forked process has all imports; at this point no thread can hold a lock.
    method = "fork" if sys.platform == "linux" else "spawn"
    return ProcessPoolExecutor(n_processes, get_context(method), initializer=_initialize_worker)


def _initialize_worker() -> None:
    # A keyboard interrupt reaches all processes; only the parent handles it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # scanning the parent's objects would copy their memory
    gc.set_threshold(GC_THRESHOLD)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Exit when the parent process ends; without this, workers of a killed parent would wait forever."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
