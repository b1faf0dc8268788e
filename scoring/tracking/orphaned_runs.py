"""Tag runs with their process, and end runs whose process has died."""

from __future__ import annotations

import os
import socket
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

_HOST, _PID, _STARTED = "process.host", "process.pid", "process.started"


def process_tags() -> dict[str, str]:
    """Tags of this process (host, id and start time), to check later whether it still runs."""
    pid = os.getpid()
    return {_HOST: _host(), _PID: str(pid), _STARTED: _started(pid)}


def end_abandoned(client: MlflowClient, experiment: str) -> None:
    """Mark as killed the running runs of an experiment whose process on this machine has died.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment : str
        Id of the experiment.
    """
    filter_string = f"attributes.status = 'RUNNING' and tags.`{_HOST}` = '{_host()}'"
    for run in client.search_runs([experiment], filter_string):
        pid, started = run.data.tags.get(_PID, ""), run.data.tags.get(_STARTED, "")
        if pid.isdigit() and not is_alive(int(pid), started):
            client.set_terminated(run.info.run_id, "KILLED")


def is_alive(pid: int, started: str) -> bool:
    """Whether a process with this id and start time runs; True if unknown.

    Parameters
    ----------
    pid : int
        Id of the process, on this machine.
    started : str
        Start time from the run's tag; empty if unknown.

    Returns
    -------
    bool
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # a process of another user
    current_start = _started(pid)
    return not (current_start and started) or current_start == started


def _started(pid: int) -> str:
    """Start time of a process in clock ticks since boot; empty if unknown."""
    try:
        # The program name may contain anything; it ends at the last parenthesis.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[19]


def _host() -> str:
    """Id of the machine; each container counts as one, since it has its own process ids."""
    space = Path("/proc/self/ns/pid")
    parts = [socket.gethostname(), os.readlink(space) if space.is_symlink() else ""]
    machine = Path("/etc/machine-id")
    parts.append(machine.read_text() if machine.is_file() else "")
    return f"{parts[0]}-{sha256(' '.join(parts).encode()).hexdigest()[:8]}"
