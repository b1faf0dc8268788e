"""Partition input files by bytes, and read the partitions."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from scoring.distributed.storage import Found, read_files, read_range
from scoring.errors import RecordError
from scoring.records.corpus import Source, holds_lines, lines_of, too_large
from scoring.records.file_heads import HEAD_BYTES, may_hold_record
from scoring.records.files import unreadable
from scoring.records.forms.front_matter import MAX_BYTES

_TAIL_BYTES = 2**16


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A file, or the lines of a file of records that begin in a byte range.

    Parameters
    ----------
    file : Found
        The file.
    start, stop : int
        Byte range, `stop` excluded.
    n_lines_before : int
        Lines of the file before the range, once they are counted: see :func:`number_lines`.
    """

    file: Found
    start: int
    stop: int
    n_lines_before: int = 0

    @property
    def is_last(self) -> bool:
        """Whether it is the last piece of the file."""
        return self.stop == self.file.n_bytes


class Partition(msgspec.Struct, frozen=True, array_like=True):
    """Unit of work: its number, from 0, and its pieces in order."""

    number: int
    pieces: tuple[Piece, ...]

    @property
    def sha256(self) -> str:
        """Hex digest of the names, ranges, sizes and stamps of its files."""
        return hashlib.sha256(msgspec.msgpack.encode(self.pieces)).hexdigest()


class Extent(msgspec.Struct, frozen=True, array_like=True):
    """Number of lines and records in a piece, including unusable records."""

    n_lines: int
    n_records: int


def plan(files: Iterable[Found], partition_bytes: int) -> list[Partition]:
    """Split files into partitions of about the same size, in order.

    Parameters
    ----------
    files : iterable of Found
        Input files.
    partition_bytes : int
        Minimum size of a partition, at least 1. A large file of lines is split into ranges of that size; any
        other file is one piece.

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


def _pieces(files: Iterable[Found], max_bytes: int) -> Iterator[Piece]:
    for file in files:
        if holds_lines(file.path) and file.n_bytes > max_bytes:
            for start in range(0, file.n_bytes, max_bytes):
                yield Piece(file, start, min(start + max_bytes, file.n_bytes))
        else:
            yield Piece(file, 0, file.n_bytes)


def number_lines(
    partitions: Sequence[Partition], count: Callable[[Iterable[Piece]], Iterator[int]]
) -> list[Partition]:
    """Number the lines of files that are split, so that a record has the same line as in the whole file.

    Parameters
    ----------
    partitions : sequence of Partition
        All partitions, in order.
    count : callable
        Counts the lines of pieces, in order: :func:`count_lines` of each.

    Returns
    -------
    list of Partition
        The same partitions, with the lines before each piece.
    """
    followed = [piece for partition in partitions for piece in partition.pieces if not piece.is_last]
    n_lines = dict(zip(map(_range_of, followed), count(followed), strict=True))
    url, n_before = "", 0
    numbered = []
    for partition in partitions:
        pieces = []
        for piece in partition.pieces:
            if piece.file.url != url:
                url, n_before = piece.file.url, 0
            pieces.append(msgspec.structs.replace(piece, n_lines_before=n_before))
            n_before += n_lines.get(_range_of(piece), 0)
        numbered.append(Partition(partition.number, tuple(pieces)))
    return numbered


def _range_of(piece: Piece) -> tuple[str, int]:
    return piece.file.url, piece.start


def count_lines(piece: Piece) -> int:
    """Count the lines that begin in a piece."""
    return n_lines_in(read_lines(piece))


def n_lines_in(data: bytes) -> int:
    return data.count(b"\n") + (bool(data) and not data.endswith(b"\n"))


def read(partition: Partition) -> Iterator[tuple[Iterable[Source], int]]:
    """Read the records of each piece of a partition.

    Parameters
    ----------
    partition : Partition

    Yields
    ------
    tuple of iterable of Source and int
        Records or their errors (lines count from the start of the piece), and number of lines in the piece.

    Raises
    ------
    ScoringError
        If a store cannot be read at the moment.
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
        # Reported once, for the first piece of the file.
        path = piece.file.path
        return [Source(path, error=unreadable(path, error))] if piece.start == 0 else [], 0
    return lines_of(io.BytesIO(data), piece.file.path), n_lines_in(data)


def read_lines(piece: Piece) -> bytes:
    """Read the complete lines that begin in a piece; the last one may end after it.

    A line above the size limit of a record is truncated after the limit.
    """
    url, n_bytes = piece.file.url, piece.file.n_bytes
    data = read_range(url, max(piece.start - 1, 0), piece.stop)
    if piece.start:  # the byte before shows whether a line begins at the start
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
