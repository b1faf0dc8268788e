"""Read and append lines of the journal."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from scoring.errors import Fault, RecordError
from scoring.labels.journal_format import FORMAT, Line
from scoring.storage.home import create_file, prepare_home
from scoring.storage.regular_files import IrregularFileError, kind_of

WAIT_SECONDS = 30.0
"""Timeout for another process that writes labels with the same journal."""

_BLOCK_BYTES = 2**22
_PAUSE_SECONDS = 0.01
_MAX_GOT_CHARS = 60


class ReadLines(NamedTuple):
    """Lines of a part of a journal, with warnings about skipped lines."""

    lines: list[Line]
    n_lines: int
    warnings: list[str]


_DECODER = msgspec.json.Decoder(Line)
_ENCODER = msgspec.json.Encoder()


def read_lines(handle: int, path: str, *, begin: int = 0, line: int = 1) -> Iterator[tuple[int, ReadLines]]:
    """Read a journal block by block, to limit memory.

    Parameters
    ----------
    handle : int
        Descriptor of the open file.
    path : str
        Its path, for faults.
    begin : int
        Start offset; bytes.
    line : int
        Number of the line at that offset, from 1.

    Yields
    ------
    tuple of int and ReadLines
        End offset of the block, in bytes, and its lines. A last line without line end is yielded separately,
        with its start offset.

    Raises
    ------
    RecordError
        If a line has a newer format or an invalid field.
    """
    remainder = b""
    while data := os.pread(handle, _BLOCK_BYTES, begin + len(remainder)):
        block, newline, remainder = (remainder + data).rpartition(b"\n")
        if not newline:
            continue
        read_result = _decode_block(block, path, line)
        begin += len(block) + 1
        line += read_result.n_lines
        yield begin, read_result
    if remainder.strip():
        yield begin, _decode_block(remainder, path, line)


def encode_lines(lines: Iterable[Line]) -> bytes:
    """Encode lines for a journal."""
    return b"".join(_ENCODER.encode(line) + b"\n" for line in lines)


def append_lines(handle: int, lines: Sequence[Line], path: str, *, is_synced: bool = True) -> None:
    """Append lines to a locked journal, all or none.

    Parameters
    ----------
    handle : int
        Descriptor of the file, open for reading and appending.
    lines : sequence of JournalEntry, BatchDone or FieldMapLine
        Lines to append.
    path : str
        The file, for the error.
    is_synced : bool
        Whether to flush the lines to disk before returning.

    Raises
    ------
    RecordError
        If it cannot be written; the file is then unchanged.
    """
    if not lines:
        return
    data = encode_lines(lines)
    n_bytes = os.fstat(handle).st_size
    if n_bytes and os.pread(handle, 1, n_bytes - 1) != b"\n":  # end a truncated line
        data = b"\n" + data
    try:
        remaining = memoryview(data)
        while remaining:
            remaining = remaining[os.write(handle, remaining) :]
        if is_synced:
            os.fsync(handle)
    except OSError as error:
        os.ftruncate(handle, n_bytes)
        raise unwritable(path, error) from None


@contextmanager
def locked_file(path: Path) -> Iterator[int]:
    """Lock a journal against other writers; it is created if missing.

    Yields
    ------
    int
        Its descriptor, open for reading and appending.

    Raises
    ------
    RecordError
        If it cannot be opened for writing, or another process holds the lock too long.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while (handle := _try_lock(path)) is None:
        if time.monotonic() > deadline:
            got = "a journal that another process is using to write labels"
            raise RecordError(Fault(str(path), 0, "", got, "no other writer"))
        time.sleep(_PAUSE_SECONDS)
    try:
        yield handle
    finally:
        os.close(handle)  # releases the lock


def _try_lock(path: Path) -> int | None:
    """Open and lock the file; None while another process holds the lock."""
    try:
        if not path.parent.is_dir():
            prepare_home(path.parent)  # default folder of the journal
        create_file(path)
        if kind := kind_of(path):
            raise IrregularFileError(kind, path)
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise unwritable(str(path), error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Git replaces a merged file, and a lock on the replaced file is useless.
        locked, current = os.fstat(handle), os.stat(path)
        if (locked.st_dev, locked.st_ino) == (current.st_dev, current.st_ino):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def unwritable(path: str, error: OSError) -> RecordError:
    """Error for a journal that the system cannot write."""
    got = error.strerror or "a disk error"
    return RecordError(
        Fault(path, 0, "", got, "a journal that can be written (--journal FILE names another)")
    )


def _decode_block(block: bytes, path: str, line: int) -> ReadLines:
    n_lines = block.count(b"\n") + 1
    try:
        return ReadLines(_DECODER.decode_lines(block), n_lines, [])
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    lines: list[Line] = []
    warnings: list[str] = []
    for number, content in enumerate(block.split(b"\n"), start=line):
        if not content.strip():
            continue
        try:
            lines.append(_DECODER.decode(content))
        except msgspec.ValidationError as error:
            raise RecordError(_fault(str(error), content, path, number)) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            warnings.append(f"{path}:{number}: skipped: got a line that is not JSON (cut off by a crash?)")
    return ReadLines(lines, n_lines, warnings)


def _fault(message: str, content: bytes, path: str, number: int) -> Fault:
    """Convert a validation message of msgspec to a fault."""
    fields = msgspec.json.decode(content)
    if not isinstance(fields, dict):
        return Fault(path, number, "", "a line that is not a JSON object", "a journal entry")
    version = fields.get("format")
    if isinstance(version, int) and version > FORMAT:
        got = f"{version}, written by a newer version of scoring"
        return Fault(
            path, number, "format", got, f"{FORMAT} (update scoring, or name another file with --journal)"
        )
    expected_type, _, location = message.partition(" - at `$.")
    field = location.rstrip("`")
    got = repr(fields.get(field))[:_MAX_GOT_CHARS] if field in fields else "an invalid entry"
    return Fault(
        path,
        number,
        field,
        got,
        expected_type.removeprefix("Expected ").partition(", got ")[0].replace("`", ""),
    )
