"""Supervisor of worker processes that share one port: starts, monitors and restarts them."""

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
_SPAWN = get_context("spawn")  # a fork of a process with threads may inherit held locks


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Delays and limits for restarting workers.

    Parameters
    ----------
    first_seconds, most_seconds : float
        Delay before a dead worker is restarted: initial value, doubled after each failure, and maximum.
    steady_seconds : float
        Serving time after which the failures of a worker are reset.
    n_failures : int
        Consecutive failures of every worker, with none serving, after which the service ends.
    start_seconds, silent_seconds : float
        A worker is killed if it does not serve within ``start_seconds``, or its event loop is blocked for
        ``silent_seconds``.
    """

    first_seconds: float = 0.5
    most_seconds: float = 30.0
    steady_seconds: float = 60.0
    n_failures: int = 5
    start_seconds: float = 120.0
    silent_seconds: float = 30.0


class Supervisor:
    """Keeps a number of worker processes running.

    Parameters
    ----------
    options : ServiceOptions
        Start options.
    listener : socket.socket
        Listening socket; closed when the stop begins.
    n_workers : int
        Number of workers.
    log_level : str
        Minimum level of log records.
    policy : RestartPolicy
        Delays and limits for restarting workers.
    """

    def __init__(
        self,
        options: ServiceOptions,
        listener: socket.socket,
        n_workers: int,
        log_level: str,
        policy: RestartPolicy = RestartPolicy(),
    ) -> None:
        self._options, self._listener, self._log_level = options, listener, log_level
        self._policy = policy
        self._slots = [_WorkerSlot() for _ in range(n_workers)]
        self._stopping = asyncio.Event()
        self._signal: int | None = None
        self._is_cut_off = False

    def run(self) -> int:
        """Keep the workers running until a signal.

        Returns
        -------
        int
            The signal, after all workers have ended.

        Raises
        ------
        ServiceError
            If every worker failed repeatedly.
        """
        try:
            asyncio.run(self._run())
        finally:
            for slot in self._slots:
                if slot.worker is not None:
                    slot.worker.kill()
        if self._signal is None:
            raise ServiceError(f"each worker ended {self._policy.n_failures} times in a row: see the log")
        if self._is_cut_off:
            raise SecondSignalError(self._signal)
        return self._signal

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])
        keepers = [asyncio.create_task(self._keep(slot)) for slot in self._slots]
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([*keepers, stopping], return_when=asyncio.FIRST_COMPLETED)
        self._stopping.set()
        seconds = self._options.limits.stop_seconds + 2 * LEFT_SECONDS
        _, late = await asyncio.wait(keepers, timeout=seconds)
        if late:
            _LOG.error("workers cut off", extra={"fields": {"count": len(late)}})
            self._kill_all()
        await asyncio.gather(*keepers)

    async def _keep(self, slot: _WorkerSlot) -> None:
        """Run a worker in a slot, restarting it until the stop, or until all workers fail."""
        policy = self._policy
        while not self._stopping.is_set():
            worker = slot.worker = _Worker(self._options, self._listener, self._log_level)
            _LOG.info("worker started", extra={"fields": {"worker": worker.pid}})
            code, n_seconds = await self._wait_for_end(worker)
            slot.worker = None
            mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
            if self._stopping.is_set():
                return
            slot.n_failures = 1 if n_seconds >= policy.steady_seconds else slot.n_failures + 1
            delay = min(policy.first_seconds * 2 ** (slot.n_failures - 1), policy.most_seconds)
            fields = {"worker": worker.pid, "cause": _cause(code), "again_in_seconds": delay}
            _LOG.error("worker ended", extra={"fields": fields})
            if self._is_hopeless():
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def _wait_for_end(self, worker: _Worker) -> tuple[int, float]:
        """Wait for a worker's end, and kill it if it hangs.

        Returns
        -------
        int, float
            Exit code, and serving time in seconds.
        """
        began, ended = asyncio.get_running_loop().time(), worker.watch()
        n_silent = 0.0
        while not ended.done():
            n_heartbeats = worker.n_heartbeats
            await asyncio.wait([ended], timeout=1.0)
            # Counted, since the clock goes on while this process is suspended.
            n_silent = 0 if worker.n_heartbeats > n_heartbeats else n_silent + 1
            max_silent = self._policy.silent_seconds if worker.n_heartbeats else self._policy.start_seconds
            if n_silent > max_silent and not self._stopping.is_set():
                _LOG.error("worker hangs", extra={"fields": {"worker": worker.pid, "seconds": n_silent}})
                worker.kill()
                n_silent = 0
        n_seconds = asyncio.get_running_loop().time() - began if worker.n_heartbeats else 0.0
        return worker.close(), n_seconds

    def _is_hopeless(self) -> bool:
        is_serving = any(slot.worker is not None and slot.worker.n_heartbeats for slot in self._slots)
        n_fewest = min(slot.n_failures for slot in self._slots)
        return n_fewest >= self._policy.n_failures and not is_serving

    def _stop(self, number: int) -> None:
        """Drain the workers at the first signal, kill them at the second one."""
        if self._signal is not None:
            self._is_cut_off = True
            self._kill_all()
            return
        self._signal = number
        self._stopping.set()
        self._listener.close()  # otherwise the system would accept connections that nobody answers
        for slot in self._slots:
            if slot.worker is not None:
                slot.worker.send_signal(signal.SIGTERM)

    def _on_hangup(self) -> None:
        for slot in self._slots:
            if slot.worker is not None:
                slot.worker.send_signal(signal.SIGHUP)

    def _kill_all(self) -> None:
        for slot in self._slots:
            if slot.worker is not None:
                slot.worker.kill()


class SecondSignalError(Exception):
    """A second signal was received: clean up, and end at once.

    Parameters
    ----------
    signal : int
        The first signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


@dataclass(slots=True)
class _WorkerSlot:
    """A worker, if it is running, and its consecutive failures."""

    worker: _Worker | None = None
    n_failures: int = 0


class _Worker:
    """A worker process, and the connection for its heartbeats."""

    def __init__(self, options: ServiceOptions, listener: socket.socket, log_level: str) -> None:
        self._connection, lifeline = socket.socketpair()
        self._connection.setblocking(False)
        self._process: SpawnProcess = _SPAWN.Process(
            target=_run_worker, args=(options, listener, log_level, lifeline), name="worker"
        )
        with _blocked_signals(signal.SIGHUP, signal.SIGINT):
            self._process.start()
        lifeline.close()
        assert self._process.pid is not None  # noqa: S101 -- it was started
        self.pid: int = self._process.pid
        self.n_heartbeats = 0

    def watch(self) -> asyncio.Future[None]:
        """Monitor the worker; the returned future is done when it ends."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def end() -> None:
            loop.remove_reader(self._process.sentinel)
            ended.set_result(None)

        loop.add_reader(self._process.sentinel, end)
        loop.add_reader(self._connection, self._on_heartbeat)
        return ended

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is still running."""
        if self._process.is_alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def close(self) -> int:
        """Clean up after its end, and return its exit code."""
        asyncio.get_running_loop().remove_reader(self._connection)
        self._connection.close()
        self._process.join()
        code = self._process.exitcode
        self._process.close()
        return code or 0

    def _on_heartbeat(self) -> None:
        try:
            data = self._connection.recv(4096)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if data and not self.n_heartbeats:
            _LOG.info("worker serves", extra={"fields": {"worker": self.pid}})
        self.n_heartbeats += len(data)
        if not data:
            asyncio.get_running_loop().remove_reader(self._connection)


def _run_worker(
    options: ServiceOptions, listener: socket.socket, log_level: str, lifeline: socket.socket
) -> None:
    """Main function of a worker process."""
    # A terminal sends SIGINT to all processes of the group: the supervisor decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    try:
        serve(options, listener, log_level, lifeline)
    except ScoringError as error:
        _LOG.error("worker failed", extra={"fields": {"cause": str(error)}})
        sys.exit(2)
    except Exception as error:
        # The traceback without the message, which may quote a record.
        fields = {"error": type(error).__name__, "trace": traceback.format_tb(error.__traceback__)}
        _LOG.error("defect", extra={"fields": fields})
        sys.exit(70)


@contextmanager
def _blocked_signals(*numbers: int) -> Iterator[None]:
    """Block signals, so that started processes inherit the block until they lift it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cause(code: int) -> str:
    """Text of an exit code."""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
