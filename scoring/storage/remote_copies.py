"""Local copies of remote files, for code that reads local files.

Files are copied in batches, whose files are requested concurrently, so memory use does not depend on the
size of an archive. A copy is reused only if the store still reports the same version of the file. It is
replaced in one step, like a file of a local folder that another program writes: threads and calls that read
the same URLs see one version or the other, never a part.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import weakref
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from threading import RLock
from uuid import uuid4

from scoring.storage.remote import (
    RemoteFile,
    as_system_error,
    list_files,
    one_line_errors,
    opened,
    read_together,
)
from scoring.storage.remote_writes import replace_if_same

_BATCH_BYTES = 2**24
_BATCH_FILES = 256
_COPIED_ALONE_BYTES = 2**22  # larger files are copied one by one, in parts


class RemoteCopies:
    """Copies of remote files in a folder; its methods may be called from several threads.

    Parameters
    ----------
    folder : str, optional
        Folder with the copies of another process, which are only read. Default: a temporary folder, which is
        made for the first copy, and removed with the object or at the end of the process.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder
        self._versions: dict[str, tuple[int, str]] = {}
        self._errors: dict[str, OSError] = {}
        self._lock = RLock()

    def copy_files(self, files: Iterable[RemoteFile], *, max_bytes: int | None = None) -> None:
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
            if self._has(file):
                continue
            if max_bytes is not None and file.n_bytes > max_bytes:
                self._put_sparse(file)
            elif file.n_bytes > _COPIED_ALONE_BYTES:
                self._copy_alone(file)
            else:
                batch.append(file)
                n_bytes += file.n_bytes
                if len(batch) >= _BATCH_FILES or n_bytes >= _BATCH_BYTES:
                    self._copy_together(batch)
                    batch, n_bytes = [], 0
        self._copy_together(batch)

    def copy_heads(self, files: Iterable[RemoteFile], n_bytes: int) -> None:
        """Copy the first bytes of files of one store, unless there is a whole copy; see :meth:`copy_files`.

        A file whose whole copy is that of another version is copied whole.
        """
        wanted = [file for file in files if not self._has(file)]
        self.copy_files(file for file in wanted if os.path.exists(self._file_of(file.url)))
        wanted = [file for file in wanted if not os.path.exists(self._file_of(file.url))]
        for start in range(0, len(wanted), _BATCH_FILES):
            batch = wanted[start : start + _BATCH_FILES]
            fs, _ = opened(batch[0].url)
            with one_line_errors(batch[0].url):
                names = [fs._strip_protocol(file.url) for file in batch]
                ends = [min(n_bytes, file.n_bytes) for file in batch]
                heads = fs.cat_ranges(names, [0] * len(batch), ends, on_error="return")
            for file, head in zip(batch, heads, strict=True):
                if isinstance(head, bytes):
                    self._put(file, head, is_head=True)
                else:
                    self._put_error(file.url, as_system_error(head, file.url))

    def refresh(self, url: str, *, is_optional: bool = False) -> None:
        """Copy a file, unless the store still reports the version of the copy.

        If the file does not exist, opening its copy raises an error; with ``is_optional``, there is just no
        copy.

        Raises
        ------
        ScoringError
            If the store cannot be read.
        """
        kind, files = list_files(url)
        if kind == "file":
            self.copy_files(files)
        elif is_optional:
            self.forget(url)
        else:
            code = errno.ENOENT if kind == "nothing" else errno.EISDIR
            self._put_error(url, OSError(code, os.strerror(code), url))

    def copy_of(self, url: str) -> str:
        """Return the local copy of a file; a file that has no copy yet is copied.

        Raises
        ------
        OSError
            If it does not exist or may not be read.
        ScoringError
            If the store cannot be read.
        """
        if (copy := self._existing(url)) is None:
            self.refresh(url)
            copy = self._existing(url)
        # If another thread has forgotten it meanwhile, opening this path is the error of a file that is gone.
        return self._file_of(url) if copy is None else copy

    def has_copy(self, url: str) -> bool:
        """Whether a file was copied, or could not be read."""
        return url in self._errors or (self.folder is not None and self._existing(url) is not None)

    def forget(self, url: str) -> None:
        """Remove the copy of a file, if there is one."""
        with self._lock:
            self._versions.pop(url, None)
            self._errors.pop(url, None)
            if self.folder is not None:
                for is_head in (False, True):
                    Path(self._file_of(url, is_head=is_head)).unlink(missing_ok=True)

    def forget_missing(self, folder: str, files: Collection[str]) -> None:
        """Remove the copies of files that are no longer in the listing of their folder."""
        below = f"{folder.rstrip('/')}/"
        with self._lock:
            for url in [url for url in self._versions if url.startswith(below) and url not in files]:
                self.forget(url)

    def replace(self, url: str, old: bytes, new: bytes) -> bool:
        """Replace a remote file if its content is `old`, and forget its copy; False if it is not."""
        try:
            return replace_if_same(url, old, new)
        finally:
            self.forget(url)

    def _has(self, file: RemoteFile) -> bool:
        """Whether there is a copy of this version of a file."""
        return bool(file.stamp) and self._versions.get(file.url) == (file.n_bytes, file.stamp)

    def _existing(self, url: str) -> str | None:
        """Path of the copy of a file, or of its head; raises the error of a file that could not be read."""
        if (error := self._errors.get(url)) is not None:
            raise error
        paths = (self._file_of(url, is_head=is_head) for is_head in (False, True))
        return next(filter(os.path.exists, paths), None)

    def _file_of(self, url: str, *, is_head: bool = False) -> str:
        """Path of the copy of a file, or of its head, whether or not it exists."""
        with self._lock:
            if self.folder is None:
                import tempfile

                self.folder = tempfile.mkdtemp(prefix="scoring-")
                weakref.finalize(self, _remove_copies, self.folder, os.getpid())
        name = hashlib.sha256(url.encode(errors="surrogatepass")).hexdigest()
        return os.path.join(self.folder, f"{name}.head" if is_head else name)

    def _put(self, file: RemoteFile, data: bytes, *, is_head: bool = False) -> None:
        """Keep the content of a file, or its first bytes."""
        temporary = self._temporary()
        temporary.write_bytes(data)
        self._keep(file, temporary, is_head=is_head)

    def _put_sparse(self, file: RemoteFile) -> None:
        temporary = self._temporary()
        temporary.touch()
        os.truncate(temporary, file.n_bytes)
        self._keep(file, temporary)

    def _temporary(self) -> Path:
        return Path(self._file_of(uuid4().hex)).with_suffix(".part")

    def _keep(self, file: RemoteFile, temporary: Path, *, is_head: bool = False) -> None:
        """Make a complete file the copy of a remote one."""
        with self._lock:
            temporary.replace(self._file_of(file.url, is_head=is_head))
            self._errors.pop(file.url, None)
            if not is_head:
                self._versions[file.url] = file.n_bytes, file.stamp
                Path(self._file_of(file.url, is_head=True)).unlink(missing_ok=True)

    def _put_error(self, url: str, error: OSError) -> None:
        """Keep the error of a file that cannot be read, instead of a copy."""
        with self._lock:
            self.forget(url)
            self._errors[url] = error

    def _copy_alone(self, file: RemoteFile) -> None:
        fs, path = opened(file.url)
        temporary = self._temporary()
        with one_line_errors(file.url):
            try:
                fs.get_file(path, str(temporary))
            except (FileNotFoundError, PermissionError) as error:
                temporary.unlink(missing_ok=True)
                self._put_error(file.url, as_system_error(error, file.url))
            else:
                self._keep(file, temporary)

    def _copy_together(self, files: Sequence[RemoteFile]) -> None:
        for file, content in zip(files, read_together([file.url for file in files]), strict=True):
            if isinstance(content, OSError):
                self._put_error(file.url, content)
            else:
                self._put(file, content)


def _remove_copies(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not a forked process
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def process_copies() -> RemoteCopies:
    """Copies of this process, which its calls share: they belong to it, and are removed when it ends."""
    return RemoteCopies()
