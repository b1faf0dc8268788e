"""Serving the application at an address, in one process or several."""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from scoring.errors import SettingsError
from scoring.service.access_log import set_up_logging
from scoring.service.auth import Tokens
from scoring.service.metrics import FOLDER
from scoring.service.model_manager import ModelManager
from scoring.service.options import ServiceOptions
from scoring.service.process import BACKLOG, end_at_once, serve
from scoring.service.supervisor import SecondSignalError, Supervisor

_LOG = logging.getLogger("scoring.service")


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
        Before anything listens, if the model or the token file cannot be used, or the address is taken;
        later, if it ends without having been told to.
    KeyboardInterrupt
        After a stop by SIGINT.
    """
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])  # one that comes early is taken later
    _check(options)
    set_up_logging(log_level)
    with _bound(host, port) as listener:
        address = "{}:{}".format(*listener.getsockname())
        _LOG.info("listening", extra={"fields": {"address": address, "workers": workers}})
        try:
            if workers == 1:
                number = serve(options, listener, log_level)
            else:
                with _metrics_folder():
                    number = Supervisor(options, listener, workers, log_level).run()
        except SecondSignalError as error:
            end_at_once(error.signal)
    _LOG.info("stopped")
    if number == signal.SIGINT:
        raise KeyboardInterrupt


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind)
    except OSError as error:
        raise SettingsError(f"cannot listen at {host}:{port}: {error.strerror}") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)  # who asks while the model is loaded waits, and is answered
    except OSError as error:
        bound.close()
        raise SettingsError(f"cannot listen at {host}:{port}: {error.strerror}") from None
    return bound


def _check(options: ServiceOptions) -> None:
    """See at once, and once for all processes, what would keep each of them from its start."""
    Tokens(options.token_file, is_shared=options.is_token_file_shared)
    keeper = ModelManager(options)
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
