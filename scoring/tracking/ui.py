"""Serve MLflow's UI for a store."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from scoring.errors import TrackingError
from scoring.extras import require
from scoring.tracking.experiment_view import describe_view, runs_page
from scoring.tracking.store import Store, opened

if TYPE_CHECKING:
    from mlflow import MlflowClient

HOME_VARIABLE = "SCORING_UI_HOME"
"""Environment variable with the home, for MLflow's server."""

_END_SECONDS = 1.0
"""Time for MLflow's processes to exit before they are killed."""

_LOOK_SECONDS = 0.2


def serve_ui(
    store: Store,
    host: str = "127.0.0.1",
    port: int = 5000,
    on_up: Callable[[str], None] = lambda address: None,
    experiment: str | None = None,
) -> None:
    """Serve MLflow's UI for a store until SIGINT, SIGTERM or SIGHUP, which end all its processes.

    Parameters
    ----------
    store : Store
        The store.
    host, port : str, int
        Address to listen on.
    on_up : callable
        Called with the URL once the server answers, and then with that of the experiment's runs.
    experiment : str, optional
        Name of an experiment, which need not exist.

    Raises
    ------
    TrackingError
        If the store is itself a server, cannot be opened, the port is in use, or MLflow's server ends.
    """
    if store.tracking_uri.startswith(("http://", "https://")):
        raise TrackingError(f"{store}: is an MLflow server: open it in a browser")
    require("ui")
    _check_free(host, port)
    stop = _Stop()
    with stop.taking_signals():
        try:
            with opened(store, "open", writes=True) as client:
                runs = _runs_page(client, experiment)
        except KeyboardInterrupt:
            return
        stop.is_soft = True  # from here on, the server has to be ended first
        if stop.event.is_set():
            return
        # MLflow's app with artifact paths resolved in a moved home: see scoring.tracking.ui_app.
        command = [sys.executable, "-m", "mlflow", "ui", "--app-name", "scoring", "--workers", "1"]
        command += ["--host", host, "--port", str(port)]
        # A separate session, so that all its processes are ended together.
        with subprocess.Popen(command, env=_environment(store), start_new_session=True) as server:  # noqa: S603 -- no shell, constant arguments
            try:
                is_up = False
                while server.poll() is None and not stop.event.wait(_LOOK_SECONDS):
                    if not is_up and (is_up := _answers(host, port)):
                        for path in ("", *([runs] if runs else [])):
                            on_up(f"http://{host}:{port}{path}")
            finally:
                code = _end_all(server, stop)
    if not stop.event.is_set():
        raise TrackingError(f"{store}: MLflow's server ended with exit code {code}")


def _runs_page(client: MlflowClient, name: str | None) -> str | None:
    """Path of the page of an experiment's runs; None if there is no such experiment."""
    experiment = client.get_experiment_by_name(name) if name else None
    if experiment is None or experiment.lifecycle_stage == "deleted":
        return None
    describe_view(client, experiment)
    return runs_page(str(experiment.experiment_id))


class _Stop:
    """Signal handling: KeyboardInterrupt before the server starts, an event afterwards."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.at_once = threading.Event()
        self.is_soft = False

    @contextmanager
    def taking_signals(self) -> Iterator[None]:
        """Install handlers for signals that end a command; only in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        before = {number: signal.signal(number, self._take) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.event.is_set():
            self.at_once.set()
        self.event.set()
        if not self.is_soft:
            raise KeyboardInterrupt


def _check_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise TrackingError(
                f"{host}:{port}: cannot listen there: {error.strerror}: choose another --port"
            ) from error


def _environment(store: Store) -> dict[str, str]:
    # The address is passed in the environment, since arguments are visible to every user of the machine.
    # PATH includes this interpreter's folder, where MLflow finds its web server.
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return os.environ | {
        "MLFLOW_BACKEND_STORE_URI": store.tracking_uri,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # job queue for evaluating language models
        "PATH": folders,
        HOME_VARIABLE: str(store.home),
    }


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end_all(server: subprocess.Popen[bytes], stop: _Stop) -> int | None:
    """End the server with its child processes, and return its exit code."""
    code = server.poll()
    if os.name == "nt":
        server.terminate()
        return server.wait()
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
        for _ in range(round(_END_SECONDS / 0.05)):
            if stop.at_once.wait(0.05) or not _is_alive(server):
                break
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    return code


def _is_alive(server: subprocess.Popen[bytes]) -> bool:
    """Whether any process of the server's session is running."""
    server.poll()
    try:
        os.killpg(server.pid, 0)
    except ProcessLookupError:
        return False
    return True
