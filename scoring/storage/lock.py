"""A lock between processes in the home, with information about its holder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scoring.errors import ScoringError, naming
from scoring.storage.home import LOCK_MODE, create_file

if TYPE_CHECKING:
    from filelock import FileLock


@contextmanager
def only_one(
    folder: Path,
    task: str,
    *,
    now: datetime,
    wait_minutes: float = 0.0,
    on_wait: Callable[[str], None] = lambda holder: None,
) -> Iterator[None]:
    """Hold a lock during the block; the system releases it when the process ends.

    Parameters
    ----------
    folder : Path
        Folder of the lock; created if missing.
    task : str
        Name of the task and the lock.
    now : datetime
        Current time, aware UTC, shown to other processes.
    wait_minutes : float
        Timeout for another process; minutes, >= 0.
    on_wait : callable
        Called with a description of that process before it is waited for.

    Raises
    ------
    ScoringError
        If another process holds the lock; the message names it.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    # Locking truncates the lock file, so the holder is stored in a separate file.
    holder = folder / f"{task}.holder"
    try:
        lock = FileLock(folder / f"{task}.lock", timeout=0, mode=LOCK_MODE)
        if wait_minutes > 0 and not _is_free(lock):
            on_wait(_describe(holder))
        with lock.acquire(timeout=wait_minutes * 60):
            with naming(holder):
                create_file(holder)
                holder.write_text(
                    json.dumps({"pid": os.getpid(), "since": now.isoformat(timespec="seconds")})
                )
            try:
                yield
            finally:
                holder.unlink(missing_ok=True)
    except Timeout:
        raise ScoringError(
            f"{folder / task}.lock: held by {_describe(holder)}: only one process may {task}"
        ) from None


def _is_free(lock: FileLock) -> bool:
    from filelock import Timeout

    try:
        with lock:
            return True
    except Timeout:
        return False


def _describe(holder: Path) -> str:
    try:
        process = json.loads(holder.read_text())
        return f"process {process['pid']} since {process['since']}"
    except (OSError, ValueError):  # the holder has just started or ended
        return "another process"
