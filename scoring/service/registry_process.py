"""Registry queries in a separate process: importing MLflow would block requests for seconds."""

from __future__ import annotations

import signal
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from threading import Lock

from scoring.deployment.champion_cache import RegistryEntry
from scoring.deployment.resolve_model import look_up
from scoring.errors import ScoringError, TrackingError
from scoring.settings import Settings


class RegistryProcess:
    """A process that queries the registry; one query at a time, from any thread.

    Parameters
    ----------
    is_kept : bool
        Keep the process for the next query, for a store that is polled; otherwise it ends after the answer.
    """

    def __init__(self, *, is_kept: bool) -> None:
        self._is_kept = is_kept
        self._lock = Lock()
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None

    def ask(self, spec: str | None, settings: Settings) -> RegistryEntry | None:
        """See :func:`scoring.deployment.resolve_model.look_up`.

        Raises
        ------
        TrackingError
            If the store has no such model or cannot be reached, or the process has ended.
        """
        with self._lock:
            connection = self._connection or self._start()
            try:
                connection.send((spec, settings))
                answer: RegistryEntry | ScoringError | None = connection.recv()
            except (EOFError, OSError):
                self._end()
                raise TrackingError("the process that queries the store has ended") from None
            if not self._is_kept:
                self._end()
        if isinstance(answer, ScoringError):
            raise answer
        return answer

    def close(self) -> None:
        """End the process, even during a query; the caller of that query gets an error."""
        if (process := self._process) is not None:
            with suppress(ValueError, AttributeError):  # it has just ended, or another thread closes it
                process.kill()
        with self._lock:
            self._end()

    def _start(self) -> Connection:
        # Spawned: a fork of a process with threads may inherit held locks.
        context = get_context("spawn")
        parent_end, child_end = context.Pipe()
        process = context.Process(target=_answer_queries, args=(child_end,), daemon=True)
        process.start()
        self._process = process
        child_end.close()  # otherwise the end of the child would not close the pipe
        self._connection = parent_end
        return parent_end

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.join()
            self._process.close()
        self._connection = self._process = None


def _answer_queries(connection: Connection) -> None:
    # Terminal signals reach all processes of the group; this one ends with its parent.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        try:
            spec, settings = connection.recv()
        except EOFError:
            return
        try:
            connection.send(look_up(spec, settings))
        except ScoringError as error:
            connection.send(error)
