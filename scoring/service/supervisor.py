"""Worker processes that share one port: started, watched, and started again where one dies."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess

from prometheus_client.multiprocess import mark_process_dead

from scoring.errors import ScoringError, ServiceError
from scoring.service.options import ServiceOptions
from scoring.service.process import LEFT_SECONDS, serve

_LOG = logging.getLogger("scoring.service")
_SPAWN = get_context("spawn")  # what is forked from a process with threads may hold their locks


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a supervisor waits for what.

    Parameters
    ----------
    first_seconds, most_seconds : float
        Before a worker that died is started again: the first time, doubled each time after, and at most.
    steady_seconds : float
        A worker that has served so long counts as new when it dies.
    n_failures : int
        So many deaths of each worker in a row, with none that serves, end the service.
    start_seconds, silent_seconds : float
        A worker that does not serve so long after its start, or whose event loop stands still for so long,
        is killed.
    """

    first_seconds: float = 0.5
    most_seconds: float = 30.0
    steady_seconds: float = 60.0
    n_failures: int = 5
    start_seconds: float = 120.0
    silent_seconds: float = 30.0


class Supervisor:
    """Keeps so many worker processes.

    Parameters
    ----------
    options : ServiceOptions
        What they serve.
    listener : socket.socket
        Where; it is closed when the stop begins.
    n_workers : int
        How many.
    log_level : str
        From which level up is logged.
    patience : Patience
        How long to wait for what.
    """

    def __init__(
        self,
        options: ServiceOptions,
        listener: socket.socket,
        n_workers: int,
        log_level: str,
        patience: Patience = Patience(),
    ) -> None:
        self._options, self._listener, self._log_level = options, listener, log_level
        self._patience = patience
        self._places = [_Place() for _ in range(n_workers)]
        self._stopping = asyncio.Event()
        self._signal: int | None = None
        self._is_cut_off = False

    def run(self) -> int:
        """Keep the workers until a signal.

        Returns
        -------
        int
            The signal; every worker has ended.

        Raises
        ------
        ServiceError
            If every worker died again and again.
        """
        try:
            asyncio.run(self._run())
        finally:
            for place in self._places:
                if place.worker is not None:
                    place.worker.kill()
        if self._signal is None:
            raise ServiceError(f"each worker ended {self._patience.n_failures} times in a row: see the log")
        if self._is_cut_off:
            raise SecondSignalError(self._signal)
        return self._signal

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])
        keeping = [asyncio.create_task(self._keep(place)) for place in self._places]
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([*keeping, stopping], return_when=asyncio.FIRST_COMPLETED)
        self._stopping.set()
        seconds = self._options.limits.stop_seconds + 2 * LEFT_SECONDS
        _, late = await asyncio.wait(keeping, timeout=seconds)
        if late:
            _LOG.error("workers cut off", extra={"fields": {"count": len(late)}})
            self._kill_all()
        await asyncio.gather(*keeping)

    async def _keep(self, place: _Place) -> None:
        """Have a worker in a place until the stop, or until it is no use."""
        patience = self._patience
        while not self._stopping.is_set():
            worker = place.worker = _Worker(self._options, self._listener, self._log_level)
            _LOG.info("worker started", extra={"fields": {"worker": worker.pid}})
            code, n_seconds = await self._end_of(worker)
            place.worker = None
            mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
            if self._stopping.is_set():
                return
            place.n_failures = 1 if n_seconds >= patience.steady_seconds else place.n_failures + 1
            delay = min(patience.first_seconds * 2 ** (place.n_failures - 1), patience.most_seconds)
            fields = {"worker": worker.pid, "cause": _cause(code), "again_in_seconds": delay}
            _LOG.error("worker ended", extra={"fields": fields})
            if self._is_hopeless():
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def _end_of(self, worker: _Worker) -> tuple[int, float]:
        """Wait for a worker's end, and kill it where it stands still.

        Returns
        -------
        int, float
            Its exit code, and how long it has served; seconds.
        """
        began, ended = asyncio.get_running_loop().time(), worker.watch()
        n_silent = 0.0
        while not ended.done():
            n_beats = worker.n_beats
            await asyncio.wait([ended], timeout=1.0)
            # Counted, since the clock goes on where this process stands still.
            n_silent = 0 if worker.n_beats > n_beats else n_silent + 1
            most = self._patience.silent_seconds if worker.n_beats else self._patience.start_seconds
            if n_silent > most and not self._stopping.is_set():
                _LOG.error("worker hangs", extra={"fields": {"worker": worker.pid, "seconds": n_silent}})
                worker.kill()
                n_silent = 0
        n_seconds = asyncio.get_running_loop().time() - began if worker.n_beats else 0.0
        return worker.close(), n_seconds

    def _is_hopeless(self) -> bool:
        is_serving = any(place.worker is not None and place.worker.n_beats for place in self._places)
        n_fewest = min(place.n_failures for place in self._places)
        return n_fewest >= self._patience.n_failures and not is_serving

    def _stop(self, number: int) -> None:
        """Have the workers drain; where that was asked for before, end them at once."""
        if self._signal is not None:
            self._is_cut_off = True
            self._kill_all()
            return
        self._signal = number
        self._stopping.set()
        self._listener.close()  # else the system would accept what nobody answers
        for place in self._places:
            if place.worker is not None:
                place.worker.send_signal(signal.SIGTERM)

    def _hang_up(self) -> None:
        for place in self._places:
            if place.worker is not None:
                place.worker.send_signal(signal.SIGHUP)

    def _kill_all(self) -> None:
        for place in self._places:
            if place.worker is not None:
                place.worker.kill()


class SecondSignalError(Exception):
    """A second signal has come: clear up, and end.

    Parameters
    ----------
    signal : int
        The first signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


@dataclass(slots=True)
class _Place:
    """Where a worker is, or will be again."""

    worker: _Worker | None = None
    n_failures: int = 0


class _Worker:
    """A process that serves, and the line over which it tells that it does."""

    def __init__(self, options: ServiceOptions, listener: socket.socket, log_level: str) -> None:
        self._line, theirs = socket.socketpair()
        self._line.setblocking(False)
        self._process: SpawnProcess = _SPAWN.Process(
            target=_work, args=(options, listener, log_level, theirs), name="worker"
        )
        with _held_back(signal.SIGHUP, signal.SIGINT):
            self._process.start()
        theirs.close()
        assert self._process.pid is not None  # noqa: S101 -- it was started
        self.pid: int = self._process.pid
        self.n_beats = 0

    def watch(self) -> asyncio.Future[None]:
        """Listen to it, and give what is done when it ends."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def end() -> None:
            loop.remove_reader(self._process.sentinel)
            ended.set_result(None)

        loop.add_reader(self._process.sentinel, end)
        loop.add_reader(self._line, self._hear)
        return ended

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        if self._process.is_alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def close(self) -> int:
        """Clear up after its end, and give its exit code."""
        asyncio.get_running_loop().remove_reader(self._line)
        self._line.close()
        self._process.join()
        code = self._process.exitcode
        self._process.close()
        return code or 0

    def _hear(self) -> None:
        try:
            heard = self._line.recv(4096)
        except BlockingIOError:
            return
        except ConnectionResetError:
            heard = b""
        if heard and not self.n_beats:
            _LOG.info("worker serves", extra={"fields": {"worker": self.pid}})
        self.n_beats += len(heard)
        if not heard:
            asyncio.get_running_loop().remove_reader(self._line)


def _work(options: ServiceOptions, listener: socket.socket, log_level: str, lifeline: socket.socket) -> None:
    """What a worker process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a keyboard, which reaches all: the supervisor decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    try:
        serve(options, listener, log_level, lifeline)
    except ScoringError as error:
        _LOG.error("worker failed", extra={"fields": {"cause": str(error)}})
        sys.exit(2)
    except Exception as error:
        # The trace without the message, which may quote a record.
        fields = {"error": type(error).__name__, "trace": traceback.format_tb(error.__traceback__)}
        _LOG.error("defect", extra={"fields": fields})
        sys.exit(70)


@contextmanager
def _held_back(*numbers: int) -> Iterator[None]:
    """Start processes to which these signals come only once they ask for them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cause(code: int) -> str:
    """An exit code in words."""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
