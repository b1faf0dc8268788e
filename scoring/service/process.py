"""A serving process: start, signals and graceful shutdown."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from types import FrameType
from typing import Any, NamedTuple, NoReturn, TextIO, cast

import uvicorn

from scoring.errors import ScoringError, ServiceError
from scoring.service.access_log import set_up_logging
from scoring.service.app import Service, create_app
from scoring.service.http_protocol import Protocol
from scoring.service.options import ServiceOptions

_LOG = logging.getLogger("scoring.service")
BACKLOG = 1024
LEFT_SECONDS = 1.0
"""Time for background work (reading the inbox, loading a model) after all requests are answered."""

_SWITCH_SECONDS = 0.0005
"""Thread switch interval: Python's default of 5 ms would add to the time of every answer."""

_TICKS_PER_HEARTBEAT = 10  # uvicorn has ten ticks a second


class Watcher(NamedTuple):
    """Watcher of a service: receives its log, and every second the number of its requests."""

    log: TextIO
    on_second: Callable[[int], None]


class Server(uvicorn.Server):
    """uvicorn's server: a first signal drains it, a second one ends it at once.

    Parameters
    ----------
    app : Service
        The application.
    options : ServiceOptions
        Start options.
    lifeline : socket.socket or None
        Connection to the supervisor: this process sends a heartbeat byte every second, and stops if the
        connection closes. With a supervisor, the supervisor handles a second signal.
    watcher : Watcher or None
        Who watches it.
    """

    def __init__(
        self,
        app: Service,
        options: ServiceOptions,
        lifeline: socket.socket | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        config = uvicorn.Config(
            app,
            http=functools.partial(Protocol, options.limits),  # type: ignore[arg-type]
            ws="none",
            loop="uvloop" if sys.platform != "win32" else "asyncio",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=cast(int, options.limits.stop_seconds),  # any number does
            backlog=BACKLOG,
        )
        super().__init__(config)
        self.stop_signal: int | None = None
        self._app = app
        self._lifeline = lifeline
        self._watcher = watcher
        self._last_resort = _LastResort(options.limits.stop_seconds)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal, end at the second one."""
        if self.stop_signal is None and self.started:
            self.stop_signal = sig
            self.should_exit = True
            self._last_resort.arm(0 if sig == signal.SIGTERM else 128 + sig)
        elif self._lifeline is None or not self.started:
            end_at_once(sig)

    async def on_tick(self, counter: int) -> bool:
        """Send a heartbeat to the supervisor, or the number of requests to a watcher."""
        if self._lifeline is not None and counter % _TICKS_PER_HEARTBEAT == 0:
            with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                self._lifeline.send(b".")
        if self._watcher is not None and counter % _TICKS_PER_HEARTBEAT == 0:
            self._watcher.on_second(self.server_state.total_requests)
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and watch the connection to the supervisor."""
        await super().startup(sockets)
        self._last_resort.start()
        if self._lifeline is not None:
            self._lifeline.setblocking(False)
            asyncio.get_running_loop().add_reader(self._lifeline, self._on_lifeline)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the event streams, then wait for accepted requests."""
        self._app.begin_stop()
        await super().shutdown(sockets)
        self._last_resort.shorten()

    def _on_lifeline(self) -> None:
        """Stop because the supervisor has closed the connection by its end."""
        assert self._lifeline is not None  # noqa: S101 -- for the type alone
        asyncio.get_running_loop().remove_reader(self._lifeline)
        if self.stop_signal is None:
            _LOG.error("supervisor gone")
            self.handle_exit(signal.SIGTERM, None)


class _LastResort:
    """A thread that ends the process when the time to stop is over, whatever still runs."""

    def __init__(self, stop_seconds: float) -> None:
        self._seconds = stop_seconds + LEFT_SECONDS
        self._exit_code = 0
        self._is_stopping = threading.Event()
        self._is_drained = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="last-resort", daemon=True).start()

    def arm(self, exit_code: int) -> None:
        self._exit_code = exit_code
        self._is_stopping.set()

    def shorten(self) -> None:
        self._is_drained.set()

    def _run(self) -> None:
        self._is_stopping.wait()
        if self._is_drained.wait(self._seconds):
            threading.Event().wait(LEFT_SECONDS)
        else:
            _LOG.error("requests cut off")
        _LOG.warning("stopped with work undone")
        _flush()
        os._exit(self._exit_code)


def serve(
    options: ServiceOptions,
    listener: socket.socket,
    log_level: str,
    lifeline: socket.socket | None = None,
    watcher: Watcher | None = None,
) -> int:
    """Serve in this process until a signal.

    Parameters
    ----------
    options : ServiceOptions
        Start options.
    listener : socket.socket
        Listening socket; closed at the end.
    log_level : str
        Minimum level of log records.
    lifeline, watcher
        See :class:`Server`.

    Returns
    -------
    int
        The signal that stopped it.

    Raises
    ------
    ScoringError
        If it cannot start, or ends without a signal.
    """
    app = application(options, log_level, watcher.log if watcher else None)
    server = Server(app, options, lifeline, watcher)
    try:
        server.run(sockets=[listener])
    except SystemExit:
        raise app.start_error or ServiceError("the service ended: see the log") from None
    if server.stop_signal is None:
        raise ServiceError("the service ended unexpectedly: see the log")
    return server.stop_signal


def application(options: ServiceOptions, log_level: str, log: TextIO | None = None) -> Service:
    """Build the application in its serving process, and set up logging to a stream (stderr)."""
    set_up_logging(log_level, log)
    sys.setswitchinterval(_SWITCH_SECONDS)
    app = create_app(options)
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app_: Any) -> AsyncIterator[Any]:
        try:
            async with inner(app_) as state:
                gc.freeze()  # model and libraries stay alive: collections skip them
                with _reload_on_hangup(app):
                    yield state
        except Exception as error:
            app.start_error = error
            raise

    app.router.lifespan_context = lifespan
    return app


@contextmanager
def _reload_on_hangup(app: Service) -> Iterator[None]:
    """Handle SIGHUP from now on; it was blocked before."""
    if hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload, app)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])
    yield


def reload(app: Service) -> None:
    """Handle SIGHUP: read the tokens again, end streams of revoked tokens, and check for a new model."""
    try:
        app.state.tokens.reload()
    except ScoringError as error:
        _LOG.error("tokens not read", extra={"fields": {"cause": str(error)}})
    else:
        _LOG.warning(
            "tokens read",
            extra={"fields": {"streams_ended": app.request_middleware.end_streams(is_revoked=True)}},
        )
    app.state.manager.ask()


def end_at_once(number: int) -> NoReturn:
    """End this process by the default action of a signal."""
    _LOG.warning("ended at once", extra={"fields": {"signal": signal.Signals(number).name}})
    _flush()
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    signal.raise_signal(number)
    os._exit(128 + number)  # if the default action did not end the process


def _flush() -> None:
    for handler in logging.root.handlers:
        with suppress(OSError, ValueError):  # the reader of the log has closed it
            handler.flush()
