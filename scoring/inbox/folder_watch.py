"""A folder that is watched for good, whether it is moved, removed, replaced or mounted anew."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from watchfiles import Change, watch

from scoring.errors import shown

POLL_MS = 200
"""How often to see whether the folder is still the one that is watched, and whether to stop."""

UNWATCHED_SECONDS = 5.0
"""How often to look into a folder that the system cannot watch."""

_MAX_FAILED = 25
Identity = tuple[str, int, int]
State = tuple[int, int, int, int]


class Look(NamedTuple):
    """A moment to look at the folder, or to let it be.

    Parameters
    ----------
    is_due : bool
        Whether anything in it may differ from what it was.
    trouble : str
        Why the system does not watch the folder, which is there; empty where it does.
    """

    is_due: bool
    trouble: str = ""


def identity_of(folder: str) -> Identity | None:
    """What differs where another folder has a folder's path; None where there is none."""
    try:
        state = os.stat(folder)
    except OSError:
        return None
    return (os.path.realpath(folder), state.st_dev, state.st_ino) if stat.S_ISDIR(state.st_mode) else None


def looks(folder: str, stop: threading.Event) -> Iterator[Look]:
    """Moments to look at a folder: at first, whenever something in it changes, and where it is another one.

    The system watches a folder wherever it goes, not its path: so that is compared each time.

    Parameters
    ----------
    folder : str
        Its path; there need be none.
    stop : threading.Event
        Ends it when it is set.

    Yields
    ------
    Look
        Every :data:`POLL_MS` at least, also where nothing is due.
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
                is_due = not is_watched or any(_is_seen(path, folder) for _, path in changes)
                is_watched, n_failed = True, 0
                yield Look(is_due)
        except (OSError, UnicodeEncodeError, RuntimeError) as error:
            # The last is watchfiles' own, also of a change of a name that is no UTF-8: it begins anew
            # then, and may meet the next such change at once.
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


def _is_seen(path: str, folder: str) -> bool:
    """Whether a change is of something that is looked at: hidden entries of the folder are not."""
    return not any(part.startswith(".") for part in path[len(folder) :].split(os.sep))


def state_of(file: str | Path) -> State | None:
    """What differs where a file was written, or may be read now and could not; None where there is none."""
    try:
        state = os.stat(file)
    except OSError:  # a link to nothing is there, and so is what may not be looked at
        try:
            state = os.lstat(file)
        except FileNotFoundError:
            return None
        except OSError:
            return (0, 0, 0, 0)
    return state.st_mtime_ns, state.st_size, state.st_ino, state.st_ctime_ns
