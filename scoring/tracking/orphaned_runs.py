"""Which process writes a run, and what becomes of the runs of processes that are no more."""

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
    """This process, for those who later ask whether it still runs: machine, id, and moment of its start."""
    pid = os.getpid()
    return {_HOST: _host(), _PID: str(pid), _STARTED: _started(pid)}


def end_abandoned(client: MlflowClient, experiment: str) -> None:
    """Mark as killed the experiment's runs that a process of this machine left running when it died.

    Parameters
    ----------
    client : MlflowClient
        Of the store.
    experiment : str
        Id of the experiment.
    """
    sought = f"attributes.status = 'RUNNING' and tags.`{_HOST}` = '{_host()}'"
    for run in client.search_runs([experiment], sought):
        pid, started = run.data.tags.get(_PID, ""), run.data.tags.get(_STARTED, "")
        if pid.isdigit() and not is_alive(int(pid), started):
            client.set_terminated(run.info.run_id, "KILLED")


def is_alive(pid: int, started: str) -> bool:
    """Whether the process runs that had this id and began at this moment; in doubt it does.

    Parameters
    ----------
    pid : int
        Id of the process, on this machine.
    started : str
        As its tag has it; empty where the system does not tell.

    Returns
    -------
    bool
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    now = _started(pid)
    return not (now and started) or now == started


def _started(pid: int) -> str:
    """Clock ticks from the start of the machine to that of the process; empty where it is not told."""
    try:
        # The name of the program, which may hold anything, ends at the last parenthesis.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[19]


def _host() -> str:
    """The machine; containers are machines of their own, since each counts its processes for itself."""
    space = Path("/proc/self/ns/pid")
    parts = [socket.gethostname(), os.readlink(space) if space.is_symlink() else ""]
    machine = Path("/etc/machine-id")
    parts.append(machine.read_text() if machine.is_file() else "")
    return f"{parts[0]}-{sha256(' '.join(parts).encode()).hexdigest()[:8]}"
