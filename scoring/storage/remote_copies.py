"""Local copies of remote files, for code that reads local files.

Files are copied in batches, whose files are requested concurrently, so memory use does not depend on the
size of an archive. The copies stay in a temporary folder until the process ends; a copy is reused only if the
store still reports the same version of the file.
"""

from __future__ import annotations

import atexit
import errno
import hashlib
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from scoring.storage.remote import (
    RemoteFile,
    as_system_error,
    list_files,
    one_line_errors,
    opened,
    read_together,
    replace_if_same,
)

_BATCH_BYTES = 2**24
_BATCH_FILES = 256
_COPIED_ALONE_BYTES = 2**22  # larger files are copied one by one, in parts


class _Copies:
    """Local copies of this process; worker processes use those of their parent."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.versions: dict[str, tuple[int, str]] = {}
        self.errors: dict[str, OSError] = {}

    def file_of(self, url: str) -> str:
        """Path of the copy of a file, whether or not it exists."""
        if self.folder is None:
            import tempfile

            self.folder = tempfile.mkdtemp(prefix="scoring-")
            atexit.register(_remove_copies, self.folder, os.getpid())
        return os.path.join(self.folder, hashlib.sha256(url.encode(errors="surrogatepass")).hexdigest())

    def put(self, url: str, data: bytes) -> None:
        """Keep the content of a file."""
        with open(self.file_of(url), "wb") as file:
            file.write(data)

    def forget(self, url: str) -> None:
        """Remove the copy of a file, if there is one."""
        self.versions.pop(url, None)
        self.errors.pop(url, None)
        if self.folder is not None:
            Path(self.file_of(url)).unlink(missing_ok=True)

    def has(self, file: RemoteFile) -> bool:
        """Whether there is a copy of this version of a file."""
        return bool(file.stamp) and self.versions.get(file.url) == (file.n_bytes, file.stamp)


_COPIES = _Copies()


def _remove_copies(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not a forked process
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


def copies_folder() -> str | None:
    """Folder of the copies for :func:`use_copies`; None if no remote file was read yet."""
    return _COPIES.folder


def use_copies(folder: str | None) -> None:
    """In a worker process, use the copies of the parent process."""
    _COPIES.folder = folder


def copy_files(files: Iterable[RemoteFile], *, max_bytes: int | None = None) -> None:
    """Copy files of one store to local files, small ones together.

    If a file no longer exists or may not be read, opening its copy raises the error.

    Parameters
    ----------
    files : iterable of RemoteFile
        Files of one listing.
    max_bytes : int, optional
        Larger files are not read: their copies are sparse files of the same size, which is then reported.

    Raises
    ------
    ScoringError
        If the store cannot be read.
    """
    batch: list[RemoteFile] = []
    n_bytes = 0
    for file in files:
        if _COPIES.has(file):
            continue
        _COPIES.forget(file.url)
        if max_bytes is not None and file.n_bytes > max_bytes:
            _COPIES.put(file.url, b"")
            os.truncate(_COPIES.file_of(file.url), file.n_bytes)
        elif file.n_bytes > _COPIED_ALONE_BYTES:
            _copy_alone(file)
        else:
            batch.append(file)
            n_bytes += file.n_bytes
            if len(batch) >= _BATCH_FILES or n_bytes >= _BATCH_BYTES:
                _copy_together(batch)
                batch, n_bytes = [], 0
    _copy_together(batch)


def _copy_alone(file: RemoteFile) -> None:
    fs, path = opened(file.url)
    with one_line_errors(file.url):
        try:
            fs.get_file(path, _COPIES.file_of(file.url))
        except (FileNotFoundError, PermissionError) as error:
            _COPIES.forget(file.url)
            _COPIES.errors[file.url] = as_system_error(error, file.url)
        else:
            _COPIES.versions[file.url] = file.n_bytes, file.stamp


def _copy_together(files: Sequence[RemoteFile]) -> None:
    for file, content in zip(files, read_together([file.url for file in files]), strict=True):
        if isinstance(content, OSError):
            _COPIES.errors[file.url] = content
        else:
            _COPIES.put(file.url, content)
            _COPIES.versions[file.url] = file.n_bytes, file.stamp


def copy_heads(files: Iterable[RemoteFile], n_bytes: int) -> None:
    """Copy the first bytes of files of one store, unless there is a whole copy; see :func:`copy_files`."""
    wanted = [file for file in files if not _COPIES.has(file)]
    for start in range(0, len(wanted), _BATCH_FILES):
        batch = wanted[start : start + _BATCH_FILES]
        fs, _ = opened(batch[0].url)
        with one_line_errors(batch[0].url):
            names = [fs._strip_protocol(file.url) for file in batch]
            heads = fs.cat_ranges(
                names, [0] * len(batch), [min(n_bytes, file.n_bytes) for file in batch], on_error="return"
            )
        for file, head in zip(batch, heads, strict=True):
            _COPIES.forget(file.url)
            if isinstance(head, bytes):
                _COPIES.put(file.url, head)
            else:
                _COPIES.errors[file.url] = as_system_error(head, file.url)


def forget_missing(folder: str, files: Collection[str]) -> None:
    """Remove the copies of files that are no longer in the listing of their folder."""
    below = f"{folder.rstrip('/')}/"
    for url in [url for url in _COPIES.versions if url.startswith(below) and url not in files]:
        _COPIES.forget(url)


def copy_of(url: str) -> str:
    """Return the local copy of a file; a file that has no copy yet is copied.

    Raises
    ------
    OSError
        If it does not exist or may not be read.
    ScoringError
        If the store cannot be read.
    """
    file = _COPIES.file_of(url)
    if (error := _COPIES.errors.get(url)) is not None:
        raise error
    if not os.path.exists(file):
        refresh(url)
        if (error := _COPIES.errors.get(url)) is not None:
            raise error
    return file


def has_copy(url: str) -> bool:
    """Whether a file was copied, or could not be read."""
    is_there = _COPIES.folder is not None and os.path.exists(_COPIES.file_of(url))
    return is_there or url in _COPIES.errors


def refresh(url: str, *, is_optional: bool = False) -> None:
    """Copy a file, unless the store still reports the version of the copy.

    If the file does not exist, opening its copy raises an error; with ``is_optional``, there is just no copy.

    Raises
    ------
    ScoringError
        If the store cannot be read.
    """
    kind, files = list_files(url)
    if kind == "file":
        copy_files(files)
        return
    _COPIES.forget(url)
    if not is_optional:
        code = errno.ENOENT if kind == "nothing" else errno.EISDIR
        _COPIES.errors[url] = OSError(code, os.strerror(code), url)


def replace_remote(url: str, old: bytes, new: bytes) -> bool:
    """Replace a remote file, and forget its copy: see :func:`scoring.storage.remote.replace_if_same`."""
    try:
        return replace_if_same(url, old, new)
    finally:
        _COPIES.forget(url)
