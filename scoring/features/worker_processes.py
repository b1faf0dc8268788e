"""Processes that extract the features of chunks, in order."""

from __future__ import annotations

import functools
import gc
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import accumulate
from multiprocessing import get_context, parent_process
from threading import Thread

from scoring.errors import ScoringError
from scoring.features.chunks import CHUNK_BYTES, Chunk, ExtractionTask, Results, size_of
from scoring.storage.remote_copies import process_copies

PARALLEL_BYTES = 4 * CHUNK_BYTES
"""Minimum size of the input for more than one process."""

GC_THRESHOLD = 100_000
"""Threshold of garbage collection: records have no cycles, and collecting costs a tenth of the time."""

ChunkResults = Generator[tuple[Chunk, Results], None, None]
"""Chunks with their results, in order."""


def is_large(files: Iterable[str]) -> bool:
    """Whether the files are large enough for several processes, as far as their sizes are known."""
    return any(n_bytes >= PARALLEL_BYTES for n_bytes in accumulate(map(size_of, files)))


def process_chunks(
    chunks: Iterator[Chunk],
    make_task: Callable[[], ExtractionTask],
    n_processes: int,
    copies: str | None = None,
) -> ChunkResults:
    """Yield chunks with their results, in order: from this process at first, then from worker processes."""
    n_bytes, task = 0, make_task()
    for chunk in chunks:
        yield chunk, task.results(chunk)
        n_bytes += chunk.n_bytes
        if n_processes > 1 and n_bytes >= PARALLEL_BYTES:
            yield from process_in_parallel(
                chunks, make_task, n_processes, ahead_bytes=n_processes * CHUNK_BYTES, copies=copies
            )


def process_in_parallel(
    chunks: Iterator[Chunk],
    make_task: Callable[[], ExtractionTask],
    n_processes: int,
    *,
    ahead_bytes: int,
    is_task_known: bool = True,
    copies: str | None = None,
) -> ChunkResults:
    """Yield chunks with their results from worker processes; an empty first chunk signals their start.

    ``copies`` is the folder with the local copies of remote files; None if there are none.
    """
    waiting: deque[tuple[Chunk, Future[Results]]] = deque()
    n_bytes = 0

    @functools.cache
    def task() -> ExtractionTask:
        made = make_task()
        return made._replace(cache=replace(made.cache, is_held=True)) if made.cache is not None else made

    def hand_out() -> None:
        nonlocal n_bytes
        while n_bytes < ahead_bytes or len(waiting) <= n_processes:
            if (chunk := next(chunks, None)) is None:
                return
            waiting.append((chunk, pool.submit(task().results, chunk)))
            n_bytes += chunk.n_held

    with _pool(n_processes, copies) as pool:
        try:
            if is_task_known:
                hand_out()
            else:
                pool.submit(int)  # forks all processes, before the caller starts a thread
            yield Chunk((), 0, 0), Results([])
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


def _pool(n_processes: int, copies: str | None) -> ProcessPoolExecutor:
    # A forked process has all imports; at this point no thread can hold a lock, unless remote files were
    # read: the thread that reads them keeps running.
    method = "fork" if sys.platform == "linux" and copies is None else "spawn"
    return ProcessPoolExecutor(
        n_processes, get_context(method), initializer=_start_worker, initargs=(copies,)
    )


def _start_worker(remote_copies: str | None) -> None:
    """Prepare a worker process, which reads the remote files that its parent has copied."""
    process_copies().folder = remote_copies
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
