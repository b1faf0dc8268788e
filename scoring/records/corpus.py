"""Many records: finding their files, reading them one after the other, and the digest of them all."""

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

#: Called with the error of each record that cannot be used.
OnFault = Callable[[RecordError], None]

STDIN = "-"
"""The path that stands for standard input."""

HEAD_BYTES = 128
"""How much of a file tells whether it may hold a record."""

_MORE_BYTES = 2**16  # beyond the size that a file is said to have: mostly there are none
_GLOB_CHARACTERS = frozenset("*?[")


class Source(NamedTuple):
    """Where a record is: a whole file, or a line of one.

    ``line`` is from 1, and 0 for a whole file; ``data`` is what was read from there already; ``error`` is
    what there is instead of a record.
    """

    path: str
    line: int = 0
    data: bytes | None = None
    error: RecordError | None = None

    def content(self) -> bytes:
        """The bytes of the record.

        Raises
        ------
        RecordError
            If there are none.
        """
        if self.error is not None:
            raise self.error
        return read_bytes(self.path) if self.data is None else self.data

    def document(self, content: bytes, *, is_hashed: bool = True) -> Document:
        """The record that its bytes hold; the hash of a file's may be left out, which few need.

        Raises
        ------
        RecordError
            With every fault of the record.
        """
        if self.line:
            return decode_json(content, self.path, self.line)
        return decode_file(content, self.path, is_hashed=is_hashed)


def expand(paths: Sequence[str], *, on_fault: OnFault | None = None) -> list[str]:
    """Find the files that paths name.

    A folder is walked for ``*.md``, sorted; its hidden entries are left out, and so are links that lead
    out of it. A Markdown file of a walked folder that has no front matter at all (a ``README.md``) is no
    record and is left out; one that is named itself, or by a glob, is not. What is named ``*.md`` in a
    folder and is no regular file (a FIFO, a socket, a device, a folder) stays among the files: reading it is
    a fault. A FIFO of another name that is named itself, as ``<(command)`` does, is read like standard input.

    Parameters
    ----------
    paths : sequence of str
        Folders, files, globs, and ``-`` for standard input, in any mix.
    on_fault : callable, optional
        Called for each file that a glob matches and that is left out, since it is no regular file.

    Returns
    -------
    list of str
        Each file once, in the order of the paths.

    Raises
    ------
    RecordError
        If a path does not exist or names no record, with a fault for each such path.
    """
    found: dict[str, str] = {}
    folders: dict[str, str] = {}
    faults: list[Fault] = []
    for path in paths:
        try:
            for file, is_link in _expand_one(path, on_fault):
                found.setdefault(identify(file, folders, is_link=is_link), file)
        except RecordError as error:
            faults += error.faults
    if faults:
        raise RecordError(*faults)
    return list(found.values())


def shown_names(paths: Sequence[str]) -> dict[str, list[str]]:
    """The files that paths name, by what stands for each in documents and scores; mostly one for each.

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
    """The files of a folder that :func:`expand` finds there, one after the other; none is no fault.

    Parameters
    ----------
    folder : str
        The folder.
    on_fault : callable, optional
        Called with the error of each folder below it that cannot be read, and is left out.

    Raises
    ------
    RecordError
        If the folder cannot be read, or without `on_fault` one below it.
    """
    return (file for file, _ in _records_within(folder, on_fault))


def read_documents(
    paths: Sequence[str],
    *,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[Document]:
    """Read the records that paths name, one at a time.

    Parameters
    ----------
    paths : sequence of str
        As :func:`expand` takes them. A file whose name ends in ``.jsonl`` or ``.ndjson`` holds a record
        a line; any other is one Markdown file. Standard input may be either: its first bytes tell.
    stdin : binary file, optional
        What ``-`` reads; the process's standard input if not given.
    on_fault : callable
        Called with the error of each record that cannot be used; the others go on.
    on_progress : callable, optional
        Called with the files done and the files in all.

    Yields
    ------
    Document
        In the order of the paths, each file once.

    Raises
    ------
    RecordError
        Before the first record, if a path does not exist or names no record.
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
    """Digest of a set of records, whatever their paths and their order.

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
    """Files, each with whether it is a link."""
    if path == STDIN:
        return [(path, False)]
    if os.path.isdir(path):
        files = list(_records_within(path))
        if not files:
            raise RecordError(Fault(path, 0, "", "a folder without a record", "*.md files with front matter"))
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
    """What is named ``*.md``, each with whether it is a link, and a regular file."""

    def tell(error: OSError) -> None:
        if on_fault is None or error.filename == folder:
            raise unreadable(str(error.filename), error)
        if not isinstance(error, FileNotFoundError):  # what goes meanwhile is not there
            on_fault(unreadable(str(error.filename), error))

    home = os.path.realpath(folder)
    for base, folders, names in os.walk(folder, onerror=tell):
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
            elif os.path.commonpath([home, os.path.realpath(file)]) == home:
                yield file, True, kind_of(file) is None


def _links_and_others(folder: str) -> tuple[set[str], set[str]]:
    """The names of a folder's links, and of what else is no regular file.

    Its listing tells: asking for each file takes longer.
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
    """One name for a file, however it is reached; ``folders`` holds those that were resolved before."""
    if file == STDIN:
        return file
    if is_link:
        return os.path.realpath(file)
    folder, name = os.path.split(file)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    return os.path.join(folders[folder], name)


def _may_hold_record(file: str) -> bool:
    """False for a file that is no record; one that cannot be opened was meant to be one."""
    try:
        descriptor, _ = open_regular(file)
        try:
            return may_hold_record(os.read(descriptor, HEAD_BYTES))
        finally:
            os.close(descriptor)
    except OSError:
        return True


def may_hold_record(head: bytes) -> bool:
    """False for a file that is no record, by its first :data:`HEAD_BYTES`.

    One that is empty, has blank lines before its ``---``, or is in UTF-16, was meant to be a record: reading
    it tells what is wrong.
    """
    if is_utf16(head):
        return True
    head = head.removeprefix(codecs.BOM_UTF8).lstrip()
    return not head or has_front_matter(head)


def sources_of(file: str, stdin: BinaryIO | None = None) -> Iterator[Source]:
    """Where each record of a file that :func:`expand` found is, so that each record's fault is its own."""
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
    """Read a file whole, if it is of a size to be read.

    Raises
    ------
    RecordError
        If it cannot be read, or is larger than a record may be.
    """
    try:
        descriptor, size = open_regular(file)
        try:
            if size > MAX_BYTES:
                raise too_large(str(file), size)
            parts = [os.read(descriptor, size + 1)]
            n_bytes = len(parts[0])
            while more := os.read(descriptor, _MORE_BYTES):  # it has grown since
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
    """The fault of a file that is larger than a record may be."""
    return RecordError(Fault(file, 0, "", f"{n_bytes:,} bytes", f"at most {MAX_BYTES:,} bytes"))


def holds_lines(file: str) -> bool:
    """Whether a file holds a record a line, by its name."""
    return file.endswith((".jsonl", ".ndjson"))


def _stream_sources(stream: BinaryIO, file: str) -> Iterator[Source]:
    try:
        first = stream.readline(MAX_BYTES + 1)
        if has_front_matter(first):
            yield Source(file, data=first + stream.read(MAX_BYTES + 1))
        else:
            yield from _line_sources(stream, file, first)
    except OSError as error:  # closed, or of a disk that fails
        yield Source(file, error=unreadable(file, error))


def _line_sources(stream: BinaryIO, file: str, first: bytes = b"") -> Iterator[Source]:
    is_empty = True
    for source in lines_of(stream, file, first=first):
        is_empty = False
        yield source
    if is_empty:
        yield Source(file, error=without_record(file))


def lines_of(stream: BinaryIO, file: str, *, first: bytes = b"") -> Iterator[Source]:
    """Each line of a stream that is to hold a record, numbered from 1; blank ones are left out.

    Parameters
    ----------
    stream : binary file
        What is read, line by line.
    file : str
        Its path, for the faults.
    first : bytes
        What was read of it already: its first line.

    Yields
    ------
    Source
        One that is too long is cut, so that it is a fault.
    """
    number = 0
    line = first or stream.readline(MAX_BYTES + 1)
    while line:
        number += 1
        if line.removeprefix(codecs.BOM_UTF8).strip():
            yield Source(file, number, line)
        while len(line) > MAX_BYTES and not line.endswith(b"\n"):  # the rest of a line that is too long
            line = stream.readline(MAX_BYTES + 1)
        line = stream.readline(MAX_BYTES + 1)


def without_record(file: str) -> RecordError:
    """The fault of a file that is to hold records and has none."""
    return RecordError(Fault(file, 0, "", "no record", "a record a line, or one in front matter"))


def unreadable(file: str, error: OSError) -> RecordError:
    """The fault of a file that the system does not let be read."""
    if isinstance(error, IrregularFileError):
        return irregular(file, str(error.strerror))
    got = error.strerror or "an error of the disk"
    return RecordError(Fault(file, 0, "", got, "a file that can be read"))


def irregular(file: str, kind: str) -> RecordError:
    """The fault of something that is no regular file, and of which nothing is read."""
    return RecordError(Fault(file, 0, "", kind, "a regular file"))
