"""Write a new file that replaces the one at its path in one step, whatever is there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

from scoring.errors import naming
from scoring.storage.remote_output import output_file
from scoring.storage.urls import name_of, url_of


@contextmanager
def open_replacement(path: Path, *, mode: int | None = None) -> Iterator[IO[bytes]]:
    """Open a temporary file that replaces ``path`` if the block succeeds, and is deleted if it fails.

    A reader of ``path`` sees the old content or the new, never a part, also after a power failure. Missing
    folders are created. An existing path that is not a regular file (a FIFO, a device such as
    ``/dev/stdout``) is written to directly. The file of a URL is written locally, and put there at the end.

    Parameters
    ----------
    path : Path
        File to write.
    mode : int, optional
        Permissions. Default: those of the existing file, or what the umask permits.

    Yields
    ------
    file
        Binary file to write to.

    Raises
    ------
    OSError
        If ``path`` cannot be written; it has ``path`` as its file name.
    ScoringError
        If a store cannot be written.
    """
    if url_of(path) is not None:
        with output_file(path) as local, open(local, "wb") as file:
            yield file
        return
    path = Path(name_of(path))
    with naming(path), _opened(path, mode) as file:
        yield file


@contextmanager
def _opened(path: Path, mode: int | None) -> Iterator[IO[bytes]]:
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = stat.S_IMODE(path.stat().st_mode) if mode is None and path.exists() else mode
    temporary = path.with_name(f".{path.name[:100]}.{uuid4().hex}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if kept is None else kept)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with open(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if kept is not None:  # the umask may have removed some
            temporary.chmod(kept)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
