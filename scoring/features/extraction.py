"""From where records are to what a model needs of them, chunk by chunk, on as many processes as there are."""

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

import msgspec

from scoring.errors import RecordError, ScoringError, shown
from scoring.features.as_of import AsOf, known_coverage, moment_of
from scoring.features.cache import FeatureCache
from scoring.features.table import FeatureTable, Row, assemble, extract, extract_known
from scoring.records.corpus import STDIN, OnFault, Source, expand, sources_of
from scoring.records.record import Document

CHUNK_BYTES = 2**21
"""Size of what is handed out at once, and of what a process holds."""

PARALLEL_BYTES = 4 * CHUNK_BYTES
"""Size from which more processes pay for their start."""

_AHEAD_BYTES = 2**25
"""Bound of what is handed out and not yet asked for: with kept features it lasts until a model is loaded."""

_ROW_BYTES = 2**12
"""What the features of a record take, roughly."""

GC_THRESHOLD = 100_000
"""How much a process makes before it looks for cycles: records have none, and looking costs a tenth."""


class Extracted(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What scoring needs of a record: where it is, its features, and what to say of it.

    Parameters
    ----------
    path : str
        Its file; ``-`` is standard input.
    row : tuple
        See :func:`scoring.features.table.extract`.
    n_unscored : int
        Related records that are known, but not their quality.
    warnings : tuple of str
        What had to be assumed to read it.
    """

    path: str
    row: Row
    n_unscored: int
    warnings: tuple[str, ...]


def extracted(document: Document, as_of: AsOf = None) -> Extracted:
    """Features of a document as of a moment or an age: see :func:`scoring.features.table.extract`."""
    record = document.record
    moment = moment_of(record, as_of)
    known = known_coverage(record, moment)
    n_unscored = sum(entry.quality is None for entry in known)
    return Extracted(document.path, extract_known(record, known, moment), n_unscored, document.warnings)


def tables_of(
    documents: Sequence[Document], moments: Sequence[Sequence[datetime | None]]
) -> tuple[FeatureTable, ...]:
    """Features of documents, looked at several times.

    Parameters
    ----------
    documents : sequence of Document
        `n_records` of them.
    moments : sequence of sequence of datetime or None
        For each look the moment of each document: aware UTC, None for as it stands.

    Returns
    -------
    tuple of FeatureTable
        One a look, each with `n_records` rows.
    """
    return tuple(
        assemble([extract(document.record, moment) for document, moment in zip(documents, look, strict=True)])
        for look in moments
    )


def read_features(
    paths: Sequence[str],
    *,
    as_of: AsOf = None,
    n_processes: int = 1,
    cache: FeatureCache | None = None,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    on_progress: Callable[[int, int], None] | None = None,
) -> Generator[Extracted, None, None]:
    """Features of the records that paths name, in their order; a bounded number of them is held.

    Where the files are known to be worth more than one process, these begin at once: whoever asks for the
    first record later finds it done.

    Parameters
    ----------
    paths : sequence of str
        As :func:`scoring.records.corpus.read_documents` takes them.
    as_of : datetime, timedelta or None
        As :func:`scoring.features.table.extract` takes it.
    n_processes : int
        How many work where there is enough to do; >= 1. They are forked (started anew where the system
        cannot) before this process has begun to report.
    cache : FeatureCache, optional
        Where features of the same content are kept.
    stdin, on_fault, on_progress
        As :func:`scoring.records.corpus.read_documents` takes them.

    Returns
    -------
    generator of Extracted
        While it is gone through, a ScoringError if one of the processes is ended from outside. Where not
        all are asked for, its processes end once it is closed.

    Raises
    ------
    RecordError
        If a path does not exist or names no record.
    """
    files = expand(paths, on_fault=on_fault)
    chunks, work = _chunks(files, stdin), _Work(as_of, cache)
    # Standard input may come slowly: it is not waited for before somebody asks.
    if n_processes > 1 and STDIN not in files and _is_much(files):
        worked = _worked_apart(chunks, work, n_processes, ahead_bytes=_AHEAD_BYTES)
        next(worked)
    else:
        worked = _worked(chunks, work, n_processes)
    return _usable(worked, len(files), on_fault, on_progress)


def _usable(
    worked: _Worked,
    n_files: int,
    on_fault: OnFault,
    on_progress: Callable[[int, int], None] | None,
) -> Generator[Extracted, None, None]:
    n_done = 0
    with closing(worked):
        for chunk, results in worked:
            for complaint in results.complaints:
                _say_once(complaint)
            for source, result in zip(chunk.sources, results.of, strict=True):
                if isinstance(result, RecordError):
                    on_fault(result)
                else:
                    yield _unpacked(result, shown(source.path))
            n_done += chunk.n_files
            if on_progress is not None and chunk.n_files:
                on_progress(n_done, n_files)


class _Chunk(NamedTuple):
    sources: tuple[Source, ...]
    n_files: int  # that end in it
    n_bytes: int

    @property
    def n_held(self) -> int:
        """Bytes that it takes until its results are asked for: its lines, and then their features."""
        return sum(len(source.data or b"") + _ROW_BYTES for source in self.sources)


_Packed = bytes  # of an Extracted, without its path: shorter ways from process to process, and to the cache


class _Results(NamedTuple):
    of: list[_Packed | RecordError]  # each source of the chunk
    complaints: tuple[str, ...] = ()  # of the cache


_Worked = Generator[tuple[_Chunk, _Results], None, None]


class _Work(NamedTuple):
    """What is done with a chunk, in whichever process."""

    as_of: AsOf
    cache: FeatureCache | None

    def results(self, chunk: _Chunk) -> _Results:
        contents = [_content(source) for source in chunk.sources]
        keys = [b"" if isinstance(content, RecordError) else self._key(content) for content in contents]
        kept = self.cache.get(keys) if self.cache else {}
        results: list[_Packed | RecordError] = []
        new: dict[bytes, _Packed] = {}
        for source, content, key in zip(chunk.sources, contents, keys, strict=True):
            if isinstance(content, RecordError):
                results.append(content)
            elif (found := kept.get(key)) is not None and _is_usable(found):
                results.append(found)
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

    def _key(self, content: bytes) -> bytes:
        return self.cache.key(content, repr(self.as_of)) if self.cache else b""

    def _extract(self, source: Source, content: bytes) -> _Packed | RecordError:
        try:
            found = extracted(source.document(content, is_hashed=False), self.as_of)
            return _ENCODER.encode(msgspec.structs.replace(found, path=""))
        except RecordError as error:
            return error


@functools.cache
def _say_once(complaint: str) -> None:
    """Log that features are computed that could have been kept: once, however many chunks there are."""
    _LOG.warning(complaint)


_LOG = logging.getLogger(__name__)
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Extracted)


def _content(source: Source) -> bytes | RecordError:
    try:
        return source.content()
    except RecordError as error:
        return error


def _unpacked(packed: _Packed, path: str) -> Extracted:
    """The features of a record, which is found at a path."""
    return msgspec.structs.replace(_DECODER.decode(packed), path=path)


def _is_usable(kept: _Packed) -> bool:
    try:
        _DECODER.decode(kept)
    except msgspec.DecodeError:  # another program's, or damaged: made again
        return False
    return True


def _is_much(files: Iterable[str]) -> bool:
    """Whether the files, as far as their size is known, are worth more than one process."""
    return any(n_bytes >= PARALLEL_BYTES for n_bytes in accumulate(map(_size, files)))


def _size(file: str) -> int:
    """Bytes of a file; 0 where they are not known."""
    try:
        return os.stat(file).st_size
    except OSError:
        return 0


def _chunks(files: Sequence[str], stdin: BinaryIO | None) -> Iterator[_Chunk]:
    """Records by bytes, not by their number: half of the files may hold nearly all of the bytes."""
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


def _worked(chunks: Iterator[_Chunk], work: _Work, n_processes: int) -> _Worked:
    """Chunks with their results: here while there is little, then on other processes, in the same order."""
    n_here = 0
    for chunk in chunks:
        yield chunk, work.results(chunk)
        n_here += chunk.n_bytes
        if n_processes > 1 and n_here >= PARALLEL_BYTES:
            yield from _worked_apart(chunks, work, n_processes, ahead_bytes=n_processes * CHUNK_BYTES)


def _worked_apart(chunks: Iterator[_Chunk], work: _Work, n_processes: int, *, ahead_bytes: int) -> _Worked:
    """Chunks with their results from other processes; the first is empty, and says that these have begun."""
    waiting: deque[tuple[_Chunk, Future[_Results]]] = deque()
    n_bytes = 0
    if work.cache is not None:
        work = work._replace(cache=replace(work.cache, is_held=True))

    def hand_out() -> None:
        nonlocal n_bytes
        while n_bytes < ahead_bytes or len(waiting) <= n_processes:
            if (chunk := next(chunks, None)) is None:
                return
            waiting.append((chunk, pool.submit(work.results, chunk)))
            n_bytes += chunk.n_held

    with _pool(n_processes) as pool:
        try:
            hand_out()
            yield _Chunk((), 0, 0), _Results([])
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
                n_bytes -= first.n_held
                hand_out()
        except BrokenProcessPool:
            raise ScoringError("a process that reads records was ended from outside (memory?)") from None
        finally:
            for _, future in waiting:
                future.cancel()


def _pool(n_processes: int) -> ProcessPoolExecutor:
    # Forked, a process has all that is imported here; as yet no thread is at work that could hold a lock.
    method = "fork" if sys.platform == "linux" else "spawn"
    return ProcessPoolExecutor(n_processes, get_context(method), initializer=_begin)


def _begin() -> None:
    # An interrupt of the keyboard reaches all processes; it is for the one that hands out the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # what was forked is not this process's to look through, nor to copy by looking
    gc.set_threshold(GC_THRESHOLD)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process that is killed ends none of those that it has started: they would wait for work for ever."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
