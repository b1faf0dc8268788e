"""Serve the application at an address, in one process or several."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scoring.errors import SettingsError
from scoring.service.access_log import set_up_logging
from scoring.service.auth import Tokens
from scoring.service.metrics import FOLDER
from scoring.service.model_manager import ModelManager
from scoring.service.options import ServiceOptions
from scoring.service.process import BACKLOG, Watcher, end_at_once, serve
from scoring.service.supervisor import SecondSignalError, Supervisor

_LOG = logging.getLogger("scoring.service")


def run(
    options: ServiceOptions,
    *,
    host: str,
    port: int,
    workers: int = 1,
    log_level: str = "info",
    on_listening: Callable[[str], None] = lambda address: None,
    watcher: Watcher | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Parameters
    ----------
    options : ServiceOptions
        Start options.
    host, port : str, int
        Address to listen at; port 0 for a free port.
    workers : int
        Number of worker processes; >= 1.
    log_level : str
        Minimum level of log records.
    on_listening : callable
        Called with the URL of the service once it accepts connections.
    watcher : Watcher or None
        Who watches the service on a terminal; only of a single worker process.

    Raises
    ------
    ScoringError
        Before the start, if the model or the token file cannot be used, or the address is in use; later, if
        the service ends without a signal.
    KeyboardInterrupt
        After a stop by SIGINT.
    """
    with _hang_up_pending():
        _run(options, host, port, workers, log_level, on_listening, watcher)


@contextmanager
def _hang_up_pending() -> Iterator[None]:
    """Keep SIGHUP pending until the service can handle it; afterwards signals are blocked as before."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(
    options: ServiceOptions,
    host: str,
    port: int,
    workers: int,
    log_level: str,
    on_listening: Callable[[str], None],
    watcher: Watcher | None,
) -> None:
    _check(options)
    set_up_logging(log_level, watcher.log if watcher else None)
    with _listen(host, port) as listener:
        address = "{}:{}".format(*listener.getsockname())
        _LOG.info("listening", extra={"fields": {"address": address, "workers": workers}})
        on_listening(_url(host, listener.getsockname()[1]))
        try:
            if workers == 1:
                number = serve(options, listener, log_level, watcher=watcher)
            else:
                with _metrics_folder():
                    number = Supervisor(options, listener, workers, log_level).run()
        except SecondSignalError as error:
            end_at_once(error.signal)
    _LOG.info("stopped")
    if number == signal.SIGINT:
        raise KeyboardInterrupt


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise SettingsError(
            f"cannot listen at {host}:{port}: {error.strerror}: --host takes an address of this machine"
        ) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)  # requests wait while the model is loaded
    except OSError as error:
        listener.close()
        remedy = "choose another --port, or --port 0 for a free one"
        if error.errno == errno.EADDRNOTAVAIL:
            remedy = "--host takes an address of this machine"
        raise SettingsError(f"cannot listen at {host}:{port}: {error.strerror}: {remedy}") from None
    return listener


def _check(options: ServiceOptions) -> None:
    """Check tokens and model once, before any process starts."""
    Tokens(options.token_file, is_shared=options.is_token_file_shared)
    manager = ModelManager(options)
    try:
        manager.load()
    finally:
        manager.close()


@contextmanager
def _metrics_folder() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="scoring-metrics-") as folder:
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER]
