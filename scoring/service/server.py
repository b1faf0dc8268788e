"""Serving the application: its sockets, its processes, its signals."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from scoring.errors import ScoringError, SettingsError
from scoring.service.app import create_app
from scoring.service.keeper import ModelKeeper
from scoring.service.logs import set_up_logging
from scoring.service.metrics import FOLDER
from scoring.service.options import ServiceOptions
from scoring.service.protocol import Protocol
from scoring.service.tokens import Tokens

_LOG = logging.getLogger("scoring.service")
_BACKLOG = 1024
_SWITCH_SECONDS = 0.0005
"""How long a thread with much work may hold up the others: Python's own 5 ms would show in every answer."""


def run(options: ServiceOptions, *, host: str, port: int, workers: int = 1, log_level: str = "info") -> None:
    """Serve until told to stop.

    Parameters
    ----------
    options : ServiceOptions
        What is served.
    host, port : str, int
        Where to listen; port 0 is one that is free.
    workers : int
        Processes that serve; >= 1.
    log_level : str
        From which level up is logged.

    Raises
    ------
    ScoringError
        Before anything listens, if the model or the token file cannot be used, or the address is taken.
    """
    _check(options)
    config = uvicorn.Config(
        functools.partial(application, options, log_level),
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http=functools.partial(Protocol, options.bounds.head_seconds),  # type: ignore[arg-type]
        ws="none",
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(options.bounds.stop_seconds),
        backlog=_BACKLOG,
    )
    set_up_logging(log_level)
    with _bound(host, port) as listener:
        address = "{}:{}".format(*listener.getsockname())
        _LOG.info("listening", extra={"fields": {"address": address, "workers": workers}})
        if workers == 1:
            # uvicorn raises a signal anew that has stopped it: a stop that was asked for is no failure.
            signal.signal(signal.SIGTERM, lambda number, frame: None)
            uvicorn.Server(config).run(sockets=[listener])
        else:
            with _metrics_folder():
                Supervisor(config, sockets=[listener]).run()
    _LOG.info("stopped")


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind)
    except OSError as error:
        raise SettingsError(f"cannot listen at {host}:{port}: {error.strerror}") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_BACKLOG)  # who asks while the model is loaded waits, and is answered
        bound.set_inheritable(True)
    except OSError as error:
        bound.close()
        raise SettingsError(f"cannot listen at {host}:{port}: {error.strerror}") from None
    return bound


def application(options: ServiceOptions, log_level: str) -> FastAPI:
    """The application, in the process that serves it."""
    set_up_logging(log_level)
    sys.setswitchinterval(_SWITCH_SECONDS)
    app = create_app(options)
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        with _signals(app):
            async with inner(app) as state:
                gc.freeze()  # model and libraries stay: they need not be looked through again and again
                yield state

    app.router.lifespan_context = lifespan
    return app


@contextmanager
def _signals(app: FastAPI) -> Iterator[None]:
    """Take a SIGHUP, and tell of a stop before uvicorn waits for the answers to end."""
    loop = asyncio.get_running_loop()
    if hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, reload, app)
    for number in (signal.SIGTERM, signal.SIGINT):
        stop = signal.getsignal(number)

        def tell(number: int, frame: FrameType | None, stop: Any = stop) -> None:
            app.state.stopping.set()
            stop(number, frame)

        signal.signal(number, tell)
    yield


def _check(options: ServiceOptions) -> None:
    """See at once, and once for all processes, what would keep each of them from its start."""
    Tokens(options.token_file)
    keeper = ModelKeeper(options)
    try:
        keeper.load()
    finally:
        keeper.close()


@contextmanager
def _metrics_folder() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="scoring-metrics-") as folder:
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER]


def reload(app: FastAPI) -> None:
    """What a SIGHUP does: read the tokens anew, and look for the model at once."""
    try:
        app.state.tokens.reload()
    except ScoringError as error:
        _LOG.error("tokens not read", extra={"fields": {"cause": str(error)}})
    else:
        _LOG.warning("tokens read")
    app.state.keeper.ask()


class Supervisor(Multiprocess):
    """uvicorn's processes, which hand a SIGHUP on instead of starting anew."""

    def handle_hup(self) -> None:
        """Have each process do what it does on a SIGHUP."""
        for process in self.processes:
            if process.pid is not None:
                os.kill(process.pid, signal.SIGHUP)
