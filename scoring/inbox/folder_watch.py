"""Watch a folder for changes, also across its removal, replacement or remount."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from watchfiles import Change, watch

from scoring.errors import shown

POLL_MS = 200
"""Interval between checks of the folder's identity and of the stop event."""

UNWATCHED_SECONDS = 5.0
"""Polling interval of a folder without file events."""

_MAX_FAILED = 25
Identity = tuple[str, int, int]
State = tuple[int, int, int, int]


class Look(NamedTuple):
    """One tick of the watch.

    Parameters
    ----------
    is_due : bool
        Whether the folder may have changed.
    trouble : str
        Why an existing folder has no file events; empty if it has.
    names : frozenset of str or None
        Paths in the folder of what has changed, if that is known to be all.
    """

    is_due: bool
    trouble: str = ""
    names: frozenset[str] | None = None


def identity_of(folder: str) -> Identity | None:
    """Identity of the folder at a path (real path, device, inode); None if there is none."""
    try:
        state = os.stat(folder)
    except OSError:
        return None
    return (os.path.realpath(folder), state.st_dev, state.st_ino) if stat.S_ISDIR(state.st_mode) else None


def looks(folder: str, stop: threading.Event) -> Iterator[Look]:
    """Yield ticks: at the start, after each change in the folder, and when the folder was replaced.

    The system watches the folder itself, not its path, so its identity is compared at each tick.

    Parameters
    ----------
    folder : str
        Path of the folder; it need not exist.
    stop : threading.Event
        Ends the watch when set.

    Yields
    ------
    Look
        At least every :data:`POLL_MS`, also if nothing is due.
    """
    folder = os.path.abspath(folder)
    n_failed = 0
    while not stop.is_set():
        identity = identity_of(folder)
        if identity is None:
            yield Look(is_due=True)
            stop.wait(POLL_MS / 1000)
            continue
        is_watched = False
        try:
            for changes in _changes(folder, stop):
                if identity_of(folder) != identity or (Change.deleted, folder) in changes:
                    break
                names = _relevant_names((path for _, path in changes), folder) if is_watched else None
                is_watched, n_failed = True, 0
                yield Look(is_due=names is None or bool(names), names=names)
        except (OSError, UnicodeEncodeError, RuntimeError) as error:
            # watchfiles raises RuntimeError, also for a file name that is not UTF-8: the watch is
            # restarted then, and may meet the next such name at once.
            n_failed += not is_watched
            may_fail = _MAX_FAILED if isinstance(error, RuntimeError) else 1
            is_unwatched = n_failed > may_fail and identity_of(folder) is not None
            yield Look(is_due=True, trouble=shown(str(error)) if is_unwatched else "")
            stop.wait(UNWATCHED_SECONDS if is_unwatched else POLL_MS / 1000)


def _changes(folder: str, stop: threading.Event) -> Iterator[set[tuple[Change, str]]]:
    return watch(
        folder,
        watch_filter=None,
        stop_event=stop,
        rust_timeout=POLL_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
        ignore_permission_denied=True,
    )


def _relevant_names(paths: Iterable[str], folder: str) -> frozenset[str] | None:
    """Changed paths in the folder but for hidden ones; None if one is the folder itself, or elsewhere."""
    names = set()
    for path in paths:
        name = path.removeprefix(f"{folder.rstrip(os.sep)}{os.sep}")
        if not any(part.startswith(".") for part in path[len(folder) :].split(os.sep)):
            if name == path:
                return None
            names.add(name)
    return frozenset(names)


def state_of(file: str | Path) -> State | None:
    """State of a file, which changes with its content or permissions; None if it does not exist."""
    try:
        state = os.stat(file)
    except OSError:  # a broken link exists, and so does an inaccessible file
        try:
            state = os.lstat(file)
        except FileNotFoundError:
            return None
        except OSError:
            return (0, 0, 0, 0)
    return state.st_mtime_ns, state.st_size, state.st_ino, state.st_ctime_ns
