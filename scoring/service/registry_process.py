"""Asking the store in a process of its own: MLflow's import would halt the requests for seconds."""

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
    """A process that asks the store; one question at a time, from any thread.

    Parameters
    ----------
    is_kept : bool
        Keep it for the next question, where the store is asked again and again; else it ends with the answer.
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
            If the store has no such model, cannot be reached, or the process is ended.
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
        """End the process, whatever it does; who waits for it gets an error."""
        if (process := self._process) is not None:
            with suppress(ValueError):  # it has ended in this moment
                process.kill()
        with self._lock:
            self._end()

    def _start(self) -> Connection:
        # Spawned: what is forked from a process with threads may hold their locks.
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=_answer, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()  # else its end would not be seen from here
        self._connection = ours
        return ours

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.join()
            self._process.close()
        self._connection = self._process = None


def _answer(questions: Connection) -> None:
    # Signals of the keyboard reach all processes; this one ends with who asks.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        try:
            spec, settings = questions.recv()
        except EOFError:
            return
        try:
            questions.send(look_up(spec, settings))
        except ScoringError as error:
            questions.send(error)
