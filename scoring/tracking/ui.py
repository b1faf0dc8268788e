"""MLflow's own pages on a store."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from scoring.errors import TrackingError
from scoring.tracking.store import Store, opened

HOME_VARIABLE = "SCORING_UI_HOME"
"""Environment variable that tells MLflow's server the home."""


def serve_ui(store: Store, host: str = "127.0.0.1", port: int = 5000) -> None:
    """Serve MLflow's pages on the store until interrupted.

    Raises
    ------
    TrackingError
        If the store is itself a server, cannot be opened, or the port is taken.
    """
    if store.tracking_uri.startswith(("http://", "https://")):
        raise TrackingError(f"{store}: has its own pages, open them in a browser")
    with opened(store, "open", writes=True):
        pass
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT after an earlier server is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise TrackingError(f"{host}:{port}: cannot listen there: {error.strerror}") from error
    # The address goes by the environment, since arguments are visible to every user of the machine;
    # PATH has this interpreter's folder, where MLflow looks for its web server.
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    env = os.environ | {
        "MLFLOW_BACKEND_STORE_URI": store.tracking_uri,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # its queue for evaluating language models
        "PATH": folders,
        HOME_VARIABLE: str(store.home),
    }
    # The app is MLflow's own, told where a home that was moved has its files: see scoring.tracking.ui_app.
    command = [sys.executable, "-m", "mlflow", "ui", "--app-name", "scoring", "--workers", "1"]
    command += ["--host", host, "--port", str(port)]
    with subprocess.Popen(command, env=env) as server:  # noqa: S603 -- no shell, words of our own
        try:
            code = server.wait()
        except KeyboardInterrupt:
            server.terminate()
            return
    if code:
        raise TrackingError(f"{store}: MLflow's server ended with exit code {code}")
