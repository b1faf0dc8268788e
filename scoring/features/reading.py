"""Features of the records of files, read in chunks on one or several processes."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import BinaryIO

from scoring.errors import RecordError
from scoring.features.as_of import AsOf
from scoring.features.cache import FeatureCache
from scoring.features.chunks import ExtractionTask, chunks_of, unpack
from scoring.features.extraction import Extracted
from scoring.features.sections import FIRST_TOPIC, SectionRule
from scoring.features.worker_processes import ChunkResults, is_large, process_chunks, process_in_parallel
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.files import STDIN, OnFault, expand
from scoring.records.unread_columns import log_unread_columns
from scoring.storage.remote_copies import process_copies
from scoring.storage.urls import is_remote

_AHEAD_BYTES = 2**25
"""Limit of submitted but unread data; with cached features it lasts until a model is loaded."""

_LOG = logging.getLogger(__name__)


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
    has_own_names: bool = True,
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
        Maximum number of processes, at least 1. They are forked (spawned on systems other than Linux, and
        for remote files) before progress is reported.
    cache : FeatureCache, optional
        Cache of features by content.
    stdin, on_fault, on_progress
        As for :func:`scoring.records.corpus.read_documents`.
    has_own_names : bool
        Whether a row with a ``path`` or ``id`` has that name, which may be the path of another record's file.

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
    chunks = chunks_of(files, stdin)
    copies = process_copies().folder if any(map(is_remote, files)) else None

    def task() -> ExtractionTask:
        maps = (field_maps() if callable(field_maps) else field_maps) or FieldMaps(paths)
        log_unread_columns(files, maps)
        return ExtractionTask(as_of, sections() if callable(sections) else sections, maps, cache)

    # Standard input may be slow: it is not read before the first record is requested.
    if n_processes > 1 and STDIN not in files and is_large(files):
        results = process_in_parallel(
            chunks,
            task,
            n_processes,
            ahead_bytes=_AHEAD_BYTES,
            is_task_known=not (callable(sections) or callable(field_maps)),
            copies=copies,
        )
        next(results)
    else:
        results = process_chunks(chunks, task, n_processes, copies)
    return _decoded_records(results, len(files), on_fault, on_progress, has_own_names)


def _decoded_records(
    results: ChunkResults,
    n_files: int,
    on_fault: OnFault,
    on_progress: Callable[[int, int], None] | None,
    has_own_names: bool,
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
                    yield unpack(result, source, has_own_name=has_own_names)
            n_done += chunk.n_files
            if on_progress is not None and chunk.n_files:
                on_progress(n_done, n_files)


@functools.cache
def _warn_once(complaint: str) -> None:
    """Log a warning of the cache once, not once per chunk."""
    _LOG.warning(complaint)
