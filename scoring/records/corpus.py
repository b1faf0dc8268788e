"""Find, read and hash the records of files, folders, globs and streams."""

from __future__ import annotations

import codecs
import glob
import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from scoring.errors import Fault, RecordError, shown
from scoring.records.decode import decode_file, decode_json
from scoring.records.front_matter import MAX_BYTES, has_front_matter, is_utf16
from scoring.records.record import Document
from scoring.storage.regular_files import IrregularFileError, kind_of, open_regular

#: Callback for the error of each unusable record.
OnFault = Callable[[RecordError], None]

STDIN = "-"
"""Path that means standard input."""

HEAD_BYTES = 128
"""Bytes read from the start of a file to see whether it may hold a record."""

_MORE_BYTES = 2**16  # read in steps if a file has grown beyond its reported size
_GLOB_CHARACTERS = frozenset("*?[")


class Source(NamedTuple):
    """Location of a record: a file, or one line of it.

    ``line`` starts at 1 and is 0 for a whole file. ``data`` holds the bytes if they were read already;
    ``error`` replaces the record if it cannot be read.
    """

    path: str
    line: int = 0
    data: bytes | None = None
    error: RecordError | None = None

    def content(self) -> bytes:
        """Return the bytes of the record.

        Raises
        ------
        RecordError
            If the record cannot be read.
        """
        if self.error is not None:
            raise self.error
        return read_bytes(self.path) if self.data is None else self.data

    def document(self, content: bytes, *, is_hashed: bool = True) -> Document:
        """Decode the record from its bytes; ``is_hashed=False`` skips the hash of a file.

        Raises
        ------
        RecordError
            With every fault of the record.
        """
        if self.line:
            return decode_json(content, self.path, self.line)
        return decode_file(content, self.path, is_hashed=is_hashed)


def expand(paths: Sequence[str], *, on_fault: OnFault | None = None) -> list[str]:
    """Expand paths to record files.

    A folder is walked for ``*.md``, sorted. Hidden entries and links that lead out of the folder are skipped.
    A Markdown file without front matter (a ``README.md``) is skipped in a folder, but kept if it is named
    explicitly or by a glob. An entry ``*.md`` of a folder that is not a regular file (a FIFO, a socket, a
    device, a folder) is kept, and reading it is a fault. A FIFO with another name that is named explicitly,
    as ``<(command)`` does, is read like standard input.

    Parameters
    ----------
    paths : sequence of str
        Folders, files, globs, and ``-`` for standard input, in any mix.
    on_fault : callable, optional
        Called for each match of a glob that is skipped because it is not a regular file.

    Returns
    -------
    list of str
        Each file once, in the order of the paths.

    Raises
    ------
    RecordError
        If a path does not exist or contains no record; one fault per path.
    """
    files_by_identity: dict[str, str] = {}
    folders: dict[str, str] = {}
    faults: list[Fault] = []
    for path in paths:
        try:
            for file, is_link in _expand_one(path, on_fault):
                files_by_identity.setdefault(identify(file, folders, is_link=is_link), file)
        except RecordError as error:
            faults += error.faults
    if faults:
        raise RecordError(*faults)
    return list(files_by_identity.values())


def shown_names(paths: Sequence[str]) -> dict[str, list[str]]:
    """Map each displayed path, as documents and scores have it, to its files (usually one).

    Raises
    ------
    RecordError
        As :func:`expand` does.
    """
    names: dict[str, list[str]] = {}
    for file in expand(paths):
        names.setdefault(shown(file), []).append(file)
    return names


def files_within(folder: str, on_fault: OnFault | None = None) -> Iterator[str]:
    """Yield the files that :func:`expand` finds in a folder; an empty folder is not a fault.

    Parameters
    ----------
    folder : str
        The folder.
    on_fault : callable, optional
        Called with the error of each unreadable subfolder, which is then skipped.

    Raises
    ------
    RecordError
        If the folder cannot be read, or a subfolder cannot be read and there is no `on_fault`.
    """
    return (file for file, _ in _records_within(folder, on_fault))


def read_documents(
    paths: Sequence[str],
    *,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[Document]:
    """Read the records of the given paths, one at a time.

    Parameters
    ----------
    paths : sequence of str
        As for :func:`expand`. A file named ``*.jsonl`` or ``*.ndjson`` has one record per line; any other
        file is Markdown. The format of standard input is detected from its first bytes.
    stdin : binary file, optional
        Stream for ``-``; default is the process's standard input.
    on_fault : callable
        Called with the error of each unusable record, which is then skipped.
    on_progress : callable, optional
        Called with the number of files done and the total.

    Yields
    ------
    Document
        In the order of the paths, each file once.

    Raises
    ------
    RecordError
        Before the first record, if a path does not exist or contains no record.
    """
    files = expand(paths, on_fault=on_fault)
    for n_done, file in enumerate(files, start=1):
        for source in sources_of(file, stdin):
            try:
                document = source.document(source.content())
            except RecordError as error:
                on_fault(error)
            else:
                yield document
        if on_progress is not None:
            on_progress(n_done, len(files))


def data_sha256(digests: Iterable[str]) -> str:
    """Hash a set of records, independent of paths and order.

    Parameters
    ----------
    digests : iterable of str
        ``sha256`` of each :class:`~scoring.records.record.Document`.

    Examples
    --------
    >>> data_sha256(["b" * 64, "a" * 64]) == data_sha256(["a" * 64, "b" * 64])
    True
    """
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def _expand_one(path: str, on_fault: OnFault | None) -> list[tuple[str, bool]]:
    """Expand one path to pairs of file and whether it is a link."""
    if path == STDIN:
        return [(path, False)]
    if os.path.isdir(path):
        files = list(_records_within(path))
        if not files:
            raise RecordError(Fault(path, 0, "", "a folder without records", "*.md files with front matter"))
        return files
    if os.path.exists(path):
        return [(path, os.path.islink(path))]
    if _GLOB_CHARACTERS.isdisjoint(path):
        raise RecordError(Fault(path, 0, "", "no such file or folder", "a file, a folder, a glob or -"))
    matches = []
    for match in sorted(glob.glob(path, recursive=True)):
        kind = kind_of(match)
        if kind is None or match.endswith(".md"):
            matches.append(match)
        elif kind != "a folder" and on_fault is not None:
            on_fault(irregular(match, kind))
    if not matches:
        raise RecordError(Fault(path, 0, "", "a glob that matches no file", "at least one file"))
    return [(match, os.path.islink(match)) for match in matches]


def _records_within(folder: str, on_fault: OnFault | None = None) -> Iterator[tuple[str, bool]]:
    for file, is_link, is_regular in _walk(folder, on_fault):
        if not is_regular or _may_hold_record(file):
            yield file, is_link


def _walk(folder: str, on_fault: OnFault | None = None) -> Iterator[tuple[str, bool, bool]]:
    """Yield entries named ``*.md`` with whether each is a link and whether it is a regular file."""

    def report(error: OSError) -> None:
        if on_fault is None or error.filename == folder:
            raise unreadable(str(error.filename), error)
        if not isinstance(error, FileNotFoundError):  # deleted during the walk: not a fault
            on_fault(unreadable(str(error.filename), error))

    root = os.path.realpath(folder)
    for base, folders, names in os.walk(folder, onerror=report):
        names += [name for name in folders if name.endswith(".md")]
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.endswith(".md"))
        links, others = _links_and_others(base)
        for name in sorted(names):
            file = os.path.join(base, name)
            if name.startswith(".") or not name.endswith(".md"):
                continue
            is_link = name in links
            if not is_link:
                yield file, False, name not in others
            elif os.path.commonpath([root, os.path.realpath(file)]) == root:
                yield file, True, kind_of(file) is None


def _links_and_others(folder: str) -> tuple[set[str], set[str]]:
    """Names of a folder's links, and of its other entries that are not regular files.

    One listing is faster than one ``stat`` per file.
    """
    links, others = set(), set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    links.add(entry.name)
                elif not entry.is_file(follow_symlinks=False):
                    others.add(entry.name)
            return links, others
    except OSError as error:
        raise unreadable(folder, error) from None


def identify(file: str, folders: dict[str, str], *, is_link: bool) -> str:
    """Return one name for a file, however it is reached; ``folders`` caches resolved folders."""
    if file == STDIN:
        return file
    if is_link:
        return os.path.realpath(file)
    folder, name = os.path.split(file)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    return os.path.join(folders[folder], name)


def _may_hold_record(file: str) -> bool:
    """Whether a file may hold a record; an unreadable file counts, so that it is reported."""
    try:
        descriptor, _ = open_regular(file)
        try:
            return may_hold_record(os.read(descriptor, HEAD_BYTES))
        finally:
            os.close(descriptor)
    except OSError:
        return True


def may_hold_record(head: bytes) -> bool:
    """Whether a file may hold a record, by its first :data:`HEAD_BYTES`.

    A file that is empty, in UTF-16, or has blank lines before its ``---`` counts as a record, so that reading
    it reports the fault.
    """
    if is_utf16(head):
        return True
    head = head.removeprefix(codecs.BOM_UTF8).lstrip()
    return not head or has_front_matter(head)


def sources_of(file: str, stdin: BinaryIO | None = None) -> Iterator[Source]:
    """Yield a source per record of a file, so that each record has its own faults."""
    is_fifo = file != STDIN and not file.endswith(".md") and kind_of(file) == "a FIFO"
    if file == STDIN:
        yield from _stream_sources(stdin or sys.stdin.buffer, file)
    elif is_fifo or holds_lines(file):
        try:
            with open(file if is_fifo else open_regular(file)[0], "rb") as handle:
                yield from _stream_sources(handle, file) if is_fifo else _line_sources(handle, file)
        except OSError as error:
            yield Source(file, error=unreadable(file, error))
    else:
        yield Source(file)


def read_bytes(file: str | Path) -> bytes:
    """Read a whole file, up to the size limit.

    Raises
    ------
    RecordError
        If it cannot be read or is too large.
    """
    try:
        descriptor, size = open_regular(file)
        try:
            if size > MAX_BYTES:
                raise too_large(str(file), size)
            parts = [os.read(descriptor, size + 1)]
            n_bytes = len(parts[0])
            while more := os.read(descriptor, _MORE_BYTES):  # the file has grown meanwhile
                n_bytes += len(more)
                if n_bytes > MAX_BYTES:
                    raise too_large(str(file), n_bytes)
                parts.append(more)
            return b"".join(parts)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(str(file), error) from None


def too_large(file: str, n_bytes: int) -> RecordError:
    """Error for a file above the size limit."""
    return RecordError(Fault(file, 0, "", f"{n_bytes:,} bytes", f"at most {MAX_BYTES:,} bytes"))


def holds_lines(file: str) -> bool:
    """Whether a file has one record per line, by its extension."""
    return file.endswith((".jsonl", ".ndjson"))


def _stream_sources(stream: BinaryIO, file: str) -> Iterator[Source]:
    try:
        first = stream.readline(MAX_BYTES + 1)
        if has_front_matter(first):
            yield Source(file, data=first + stream.read(MAX_BYTES + 1))
        else:
            yield from _line_sources(stream, file, first)
    except OSError as error:  # a closed stream or a failing disk
        yield Source(file, error=unreadable(file, error))


def _line_sources(stream: BinaryIO, file: str, first: bytes = b"") -> Iterator[Source]:
    is_empty = True
    for source in lines_of(stream, file, first=first):
        is_empty = False
        yield source
    if is_empty:
        yield Source(file, error=without_record(file))


def lines_of(stream: BinaryIO, file: str, *, first: bytes = b"") -> Iterator[Source]:
    """Yield a source per non-blank line of a stream, numbered from 1.

    Parameters
    ----------
    stream : binary file
        The stream.
    file : str
        Its path, for faults.
    first : bytes
        First line, if it was read already.

    Yields
    ------
    Source
        A line above the size limit is truncated, which makes it a fault.
    """
    number = 0
    line = first or stream.readline(MAX_BYTES + 1)
    while line:
        number += 1
        if line.removeprefix(codecs.BOM_UTF8).strip():
            yield Source(file, number, line)
        while len(line) > MAX_BYTES and not line.endswith(b"\n"):  # skip the rest of a truncated line
            line = stream.readline(MAX_BYTES + 1)
        line = stream.readline(MAX_BYTES + 1)


def without_record(file: str) -> RecordError:
    """Error for a file of records without any."""
    return RecordError(Fault(file, 0, "", "no record", "one record per line, or front matter"))


def unreadable(file: str, error: OSError) -> RecordError:
    """Error for a file that the system cannot read."""
    if isinstance(error, IrregularFileError):
        return irregular(file, str(error.strerror))
    got = error.strerror or "a disk error"
    return RecordError(Fault(file, 0, "", got, "a file that can be read"))


def irregular(file: str, kind: str) -> RecordError:
    """Error for an entry that is not a regular file; it is not read."""
    return RecordError(Fault(file, 0, "", kind, "a regular file"))
