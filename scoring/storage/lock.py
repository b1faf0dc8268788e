"""One at a time: a lock in the home that tells who holds it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from scoring.errors import ScoringError, naming
from scoring.storage.home import LOCK_MODE, create_file


@contextmanager
def only_one(folder: Path, task: str, *, now: datetime, wait_minutes: float = 0.0) -> Iterator[None]:
    """Hold a lock for as long as the block lasts; the system frees it whatever ends the process.

    Parameters
    ----------
    folder : Path
        Where the lock lies; made where it is not there.
    task : str
        What is done, as the name of the lock.
    now : datetime
        When it begins, aware UTC: what others are told.
    wait_minutes : float
        How long to wait for another process; minutes, >= 0.

    Raises
    ------
    ScoringError
        If another process holds the lock; the message tells who.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    # Taking the lock empties its own file, so who holds it stands beside it.
    holder = folder / f"{task}.holder"
    try:
        with FileLock(folder / f"{task}.lock", timeout=wait_minutes * 60, mode=LOCK_MODE):
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
        raise ScoringError(f"{folder / task}.lock: held by {_told(holder)}: only one may {task}") from None


def _told(holder: Path) -> str:
    try:
        who = json.loads(holder.read_text())
        return f"process {who['pid']} since {who['since']}"
    except (OSError, ValueError):  # it has just begun, or just ended
        return "another process"
