"""Work by bytes: which files, or which bytes of a long one, are done together, and reading them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator

import msgspec

from scoring.distributed.storage import Found, read_files, read_range
from scoring.errors import RecordError
from scoring.records.corpus import (
    HEAD_BYTES,
    Source,
    holds_lines,
    lines_of,
    may_hold_record,
    too_large,
    unreadable,
)
from scoring.records.front_matter import MAX_BYTES

_TAIL_BYTES = 2**16


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A file, or some lines of one that holds a record a line: those that begin in a range of its bytes.

    Parameters
    ----------
    file : Found
        The file.
    start, stop : int
        The range, the latter excluded; bytes.
    """

    file: Found
    start: int
    stop: int

    @property
    def is_last(self) -> bool:
        """Whether the file ends with it."""
        return self.stop == self.file.n_bytes


class Partition(msgspec.Struct, frozen=True, array_like=True):
    """What is read, worked on and written at once: its number, from 0, and its pieces in their order."""

    number: int
    pieces: tuple[Piece, ...]

    @property
    def sha256(self) -> str:
        """Hex digest of what it names: other files, ranges, sizes or states of files give another."""
        return hashlib.sha256(msgspec.msgpack.encode(self.pieces)).hexdigest()


class Extent(msgspec.Struct, frozen=True, array_like=True):
    """What a piece turned out to hold: lines, and records, those that cannot be used included."""

    n_lines: int
    n_records: int


def plan(files: Iterable[Found], partition_bytes: int) -> list[Partition]:
    """Part files into work of about the same size, in their order.

    Parameters
    ----------
    files : iterable of Found
        What there is to read.
    partition_bytes : int
        Size of a partition: one is closed once it has so many; >= 1. A long file of lines is cut into
        ranges of that size, any other file is one piece.

    Returns
    -------
    list of Partition
    """
    partitions: list[Partition] = []
    pieces: list[Piece] = []
    n_bytes = 0
    for piece in _pieces(files, partition_bytes):
        pieces.append(piece)
        n_bytes += piece.stop - piece.start
        if n_bytes >= partition_bytes:
            partitions.append(Partition(len(partitions), tuple(pieces)))
            pieces, n_bytes = [], 0
    if pieces:
        partitions.append(Partition(len(partitions), tuple(pieces)))
    return partitions


def _pieces(files: Iterable[Found], most: int) -> Iterator[Piece]:
    for file in files:
        if holds_lines(file.path) and file.n_bytes > most:
            for start in range(0, file.n_bytes, most):
                yield Piece(file, start, min(start + most, file.n_bytes))
        else:
            yield Piece(file, 0, file.n_bytes)


def read(partition: Partition) -> Iterator[tuple[Iterable[Source], int]]:
    """The records of each piece of a partition.

    Parameters
    ----------
    partition : Partition

    Yields
    ------
    tuple of iterable of Source and int
        Records, or what is wrong with them (lines count from the piece's first), and the lines of the piece.

    Raises
    ------
    ScoringError
        If a store cannot be read just now.
    """
    small = [
        piece.file
        for piece in partition.pieces
        if not holds_lines(piece.file.path) and piece.file.n_bytes <= MAX_BYTES
    ]
    contents = dict(zip((file.url for file in small), read_files(small), strict=True))
    for piece in partition.pieces:
        if holds_lines(piece.file.path):
            yield _lines(piece)
        else:
            yield _whole(piece.file, contents.pop(piece.file.url, None)), 0


def _whole(file: Found, content: bytes | RecordError | None) -> list[Source]:
    if isinstance(content, bytes):
        is_record = not file.is_walked or may_hold_record(content[:HEAD_BYTES])
        return [Source(file.path, data=content)] if is_record else []
    return [Source(file.path, error=content or too_large(file.path, file.n_bytes))]


def _lines(piece: Piece) -> tuple[Iterable[Source], int]:
    try:
        data = read_lines(piece)
    except OSError as error:
        # Told once, by the first of its pieces.
        path = piece.file.path
        return [Source(path, error=unreadable(path, error))] if piece.start == 0 else [], 0
    n_lines = data.count(b"\n") + (bool(data) and not data.endswith(b"\n"))
    return lines_of(io.BytesIO(data), piece.file.path), n_lines


def read_lines(piece: Piece) -> bytes:
    """The lines that begin in a piece, whole: the last one may end after it.

    One that is longer than a record may be is cut behind the length at which that is seen.
    """
    url, n_bytes = piece.file.url, piece.file.n_bytes
    data = read_range(url, max(piece.start - 1, 0), piece.stop)
    if piece.start:  # the byte before tells whether a line begins right here
        _, end, data = data.partition(b"\n")
        if not end:
            return b""
    stop = piece.stop
    begins = data.rfind(b"\n") + 1
    parts = [data]
    n_last = len(data) - begins
    while data and stop < n_bytes and n_last <= MAX_BYTES and not parts[-1].endswith(b"\n"):
        more = read_range(url, stop, min(stop + _TAIL_BYTES, n_bytes))
        line, end, _ = more.partition(b"\n")
        parts.append(line + end)
        stop += len(more)
        n_last += len(line)
    return b"".join(parts)
