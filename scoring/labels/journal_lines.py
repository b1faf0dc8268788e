"""The lines of a journal: what is written, and how a file of them is read and added to.

A journal is a file of JSON lines that is only ever added to. It holds digests and labels, no text and no
path. It means the same in any order of its lines, however often each stands there: two journals are merged
by putting their lines together (``merge=union`` in Git).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from scoring.errors import Fault, RecordError
from scoring.records.record import Heat, Points
from scoring.storage.home import create_file, prepare_home
from scoring.storage.regular_files import IrregularFileError, kind_of

FORMAT = 1
"""Version of the lines; a higher one is refused."""

WAIT_SECONDS = 30.0
"""How long to wait for another process that is writing labels under the same journal."""

_BLOCK_BYTES = 2**22
_PAUSE_SECONDS = 0.01
_MAX_GOT_CHARS = 60

_Digest = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
_Name = Annotated[str, Meta(min_length=1, max_length=80)]
_Spelling = Annotated[str, Meta(pattern=r"^[ \t\r\n]{0,20}[A-Za-z0-9+._~-]{0,30}\Z")]


class JournalLabels(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Labels of a file after a write: those that the write set or confirmed; None for one that it removed."""

    quality: Points | UnsetType | None = UNSET
    heat: Heat | UnsetType | None = UNSET
    published: bool | UnsetType | None = UNSET


class LabelsBefore(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """What stood in a file before a write; a label that is left out was absent.

    A text is all that followed the label's colon, where that was another than a blank and the value: see
    :func:`scoring.records.label_spelling.spellings_of`.
    """

    quality: bool | Points | _Spelling | UnsetType = UNSET
    heat: bool | Points | _Spelling | UnsetType = UNSET
    published: bool | Points | _Spelling | UnsetType = UNSET


class JournalEntry(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="labels",
    tag_field="kind",
    gc=False,
):
    """Labels that are about to be written into one file.

    Parameters
    ----------
    format : int
        Version of the line.
    at : datetime
        When, aware UTC; the same for all entries of a batch.
    write_id : str
        The write that it belongs to.
    batch, item : int
        Which files of the write are written together, and which of them this is; from 0.
    command : str
        ``score``, ``watch``, ``desk`` or ``restore``.
    owner : str
        ``scoring`` where a model said so, ``people`` where somebody decided it.
    record : str
        First 32 digits of the digest of what the record says, its coverage left out: see
        :func:`scoring.records.ledger.content_sha256`.
    file : str
        Likewise of where the file is, and of the record's address and date; empty where it has none of them.
    labels : JournalLabels
        What stands there after the write.
    before : LabelsBefore
        What stood there before, of the same labels.
    model : str
        Name and version of the model; empty where it was none.
    """

    format: Literal[1] = 1
    at: Annotated[datetime, Meta(tz=True)]
    write_id: _Name
    batch: Annotated[int, Meta(ge=0)] = 0
    item: Annotated[int, Meta(ge=0)] = 0
    command: Literal["score", "watch", "desk", "restore"]
    owner: Literal["scoring", "people"]
    record: _Digest
    file: Annotated[str, Meta(pattern="^([0-9a-f]{32})?$")] = ""
    labels: JournalLabels
    before: LabelsBefore = LabelsBefore()
    model: str = ""


class BatchDone(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="done",
    tag_field="kind",
    gc=False,
):
    """The files of a batch are written.

    A batch without this line was cut off by a kill: any of its files may have been written, or not.

    Parameters
    ----------
    format : int
        Version of the line.
    write_id : str
        The write.
    batch : int
        The batch.
    not_written : tuple of int
        Items of the batch that were not written after all.
    """

    format: Literal[1] = 1
    write_id: _Name
    batch: Annotated[int, Meta(ge=0)] = 0
    not_written: tuple[int, ...] = ()


Line = JournalEntry | BatchDone


class ReadLines(NamedTuple):
    """Lines of a part of a journal, and what had to be skipped."""

    lines: list[Line]
    n_lines: int
    warnings: list[str]


_DECODER = msgspec.json.Decoder(Line)
_ENCODER = msgspec.json.Encoder()


def read_lines(handle: int, path: str, *, begin: int = 0, line: int = 1) -> Iterator[tuple[int, ReadLines]]:
    """Read a journal block by block, so that no more than a block of it is held.

    Parameters
    ----------
    handle : int
        Descriptor of the open file.
    path : str
        Its path, for the faults.
    begin : int
        Where to begin; bytes.
    line : int
        Number of the line that begins there, from 1.

    Yields
    ------
    tuple of int and ReadLines
        Where the block ends, in bytes, and its lines. A last line without its end is not part of a block: it
        comes last, with the place where it begins.

    Raises
    ------
    RecordError
        If a line is of a newer format, or has a field that cannot be.
    """
    rest = b""
    while data := os.pread(handle, _BLOCK_BYTES, begin + len(rest)):
        block, newline, rest = (rest + data).rpartition(b"\n")
        if not newline:
            continue
        read = _decode_block(block, path, line)
        begin += len(block) + 1
        line += read.n_lines
        yield begin, read
    if rest.strip():
        yield begin, _decode_block(rest, path, line)


def encode_lines(lines: Iterable[Line]) -> bytes:
    """Lines as they stand in a journal."""
    return b"".join(_ENCODER.encode(line) + b"\n" for line in lines)


def append_lines(handle: int, lines: Sequence[Line], path: str, *, is_synced: bool = True) -> None:
    """Add lines to a journal that is locked, all or none of them.

    Parameters
    ----------
    handle : int
        Descriptor of the file, open for reading and appending.
    lines : sequence of JournalEntry or BatchDone
        What to add.
    path : str
        The file, for the error.
    is_synced : bool
        Whether the lines have to be on the disk before this returns.

    Raises
    ------
    RecordError
        If it cannot be written; it is as it was then.
    """
    if not lines:
        return
    data = encode_lines(lines)
    n_bytes = os.fstat(handle).st_size
    if n_bytes and os.pread(handle, 1, n_bytes - 1) != b"\n":  # a line that was cut off
        data = b"\n" + data
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        if is_synced:
            os.fsync(handle)
    except OSError as error:
        os.ftruncate(handle, n_bytes)
        raise unwritable(path, error) from None


@contextmanager
def locked_file(path: Path) -> Iterator[int]:
    """A journal, made where it is not there, that no other process writes to meanwhile.

    Yields
    ------
    int
        Its descriptor, open for reading and appending.

    Raises
    ------
    RecordError
        If it cannot be opened for writing, or another process holds it for too long.
    """
    ends = time.monotonic() + WAIT_SECONDS
    while (handle := _try_lock(path)) is None:
        if time.monotonic() > ends:
            got = "a journal that another process is using to write labels"
            raise RecordError(Fault(str(path), 0, "", got, "no other writer"))
        time.sleep(_PAUSE_SECONDS)
    try:
        yield handle
    finally:
        os.close(handle)  # which frees the lock


def _try_lock(path: Path) -> int | None:
    """The file, opened and locked; None while another process has it."""
    try:
        if not path.parent.is_dir():
            prepare_home(path.parent)  # the journal is kept there unless it is named
        create_file(path)
        if kind := kind_of(path):
            raise IrregularFileError(kind, path)
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise unwritable(str(path), error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Git replaces a file that it merges: a lock on what has no name any more protects nothing.
        mine, there = os.fstat(handle), os.stat(path)
        if (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def unwritable(path: str, error: OSError) -> RecordError:
    """The error of a journal that the system does not let be written."""
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
    found: list[Line] = []
    warnings: list[str] = []
    for number, content in enumerate(block.split(b"\n"), start=line):
        if not content.strip():
            continue
        try:
            found.append(_DECODER.decode(content))
        except msgspec.ValidationError as error:
            raise RecordError(_fault(str(error), content, path, number)) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            warnings.append(f"{path}:{number}: skipped: got a line that is not JSON (cut off by a crash?)")
    return ReadLines(found, n_lines, warnings)


def _fault(message: str, content: bytes, path: str, number: int) -> Fault:
    """What is wrong with a line, in the words of every fault."""
    fields = msgspec.json.decode(content)
    if not isinstance(fields, dict):
        return Fault(path, number, "", "a line that is not a JSON object", "a journal entry")
    version = fields.get("format")
    if isinstance(version, int) and version > FORMAT:
        got = f"{version}, written by a newer version of scoring"
        return Fault(
            path, number, "format", got, f"{FORMAT} (update scoring, or name another file with --journal)"
        )
    said, _, where = message.partition(" - at `$.")
    field = where.rstrip("`")
    got = repr(fields.get(field))[:_MAX_GOT_CHARS] if field in fields else "an invalid entry"
    return Fault(
        path, number, field, got, said.removeprefix("Expected ").partition(", got ")[0].replace("`", "")
    )
