"""Outputs at URLs: written to temporary local files, and uploaded when they are complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scoring.storage.remote_writes import put_remote, require_bucket, require_writable
from scoring.storage.urls import name_of, url_of


@contextmanager
def output_folder(path: Path) -> Iterator[Path]:
    """Write a folder of results; at a URL, all files are uploaded if the block succeeds.

    Yields
    ------
    Path
        Folder to write to.

    Raises
    ------
    ScoringError
        If a URL cannot be written to.
    """
    with _written(path, "output", _put_folder) as folder:
        yield folder


def _put_folder(folder: Path, url: str) -> None:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            put_remote(file, f"{url.rstrip('/')}/{file.relative_to(folder).as_posix()}")


@contextmanager
def output_file(path: Path) -> Iterator[Path]:
    """Write a file; at a URL, it is uploaded in one step if the block succeeds.

    Yields
    ------
    Path
        File to write.

    Raises
    ------
    ScoringError
        If a URL cannot be written to.
    """
    with _written(path, path.name or "output", put_remote) as file:
        yield file


@contextmanager
def _written(path: Path, name: str, put: Callable[[Path, str], object]) -> Iterator[Path]:
    """Yield a local path; of a URL a temporary one of this name, which is uploaded if the block succeeds."""
    url = url_of(path)
    if url is None:
        yield Path(name_of(path))
        return
    import tempfile

    require_writable(url)
    require_bucket(url)
    with tempfile.TemporaryDirectory(prefix="scoring-") as temporary:
        local = Path(temporary) / name
        yield local
        put(local, url)


def check_output(path: Path | None) -> None:
    """Check before any work that an output can be written to, if it is a URL.

    Raises
    ------
    ScoringError
        If it is that of a web server, has credentials, its bucket does not exist, or the package of its store
        is not installed.
    """
    if path is not None and (url := url_of(path)) is not None:
        require_writable(url)
        require_bucket(url)
