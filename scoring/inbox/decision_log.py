"""Log of the steps of curators' decisions: an append-only file of JSON lines in the home.

Each line is one step of one record: decided, saved to its file, undone. The current decisions follow from the
lines in their order, so that they survive a restart; a step before and one after each change of a file tell
what an interrupted process had begun. Lines have labels, digests, names and notes of curators, no text of a
record.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from filelock import FileLock
from msgspec import Meta

from scoring.errors import Fault, HomeError, RecordError
from scoring.inbox.decisions import Written
from scoring.records.record import Labels
from scoring.storage.home import LOCK_MODE, create_file, newer_format, prepare_home

FORMAT = 1
"""Format version of a line; a newer one is refused."""

MAX_NAME_CHARS = 80
MAX_CLIENT_CHARS = 64
MAX_NOTE_CHARS = 500

Id = Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{8,64}$")]
Name = Annotated[str, Meta(max_length=MAX_NAME_CHARS)]
Kind = Literal["decided", "saving", "saved", "undoing", "undone", "failed", "moved"]

_TIMEOUT_SECONDS = 30.0


class Decided(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Labels that a curator decided for a record, and what the page showed at that time.

    Parameters
    ----------
    record_sha256 : str
        Digest of the record.
    labels : Labels
        Labels to write; None leaves a label unchanged.
    before : Labels
        Labels in the file.
    predicted : Labels
        Labels by the model.
    model : str
        Name and version of the model.
    reason, note : str
        Why, in the curator's words.
    """

    record_sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    labels: Labels
    before: Labels = Labels()
    predicted: Labels = Labels()
    model: Annotated[str, Meta(max_length=500)] = ""
    reason: Name = ""
    note: Annotated[str, Meta(max_length=MAX_NOTE_CHARS)] = ""


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One step of one record.

    Parameters
    ----------
    format : int
        Format version of the line.
    at : datetime
        Time, aware UTC.
    id : str
        Id of the action, chosen by the page; all steps of a batch have the same.
    by, client : str
        Name of the person, empty if unknown, and id of the browser.
    kind : str
        ``decided``; ``saving``, then ``saved`` or ``failed``; ``undoing`` (only if a file has to be
        restored), then ``undone`` or ``failed``; ``moved`` if the file has another path.
    path : str
        File of the record, relative to the inbox.
    moved_from : str
        Its earlier path, of a step ``moved``.
    decided : Decided or None
        The decision, if it is one.
    written : Written or None
        The change of the file, of a step that begins one.
    """

    format: int = FORMAT
    at: Annotated[datetime, Meta(tz=True)]
    id: Id
    by: Name = ""
    client: Annotated[str, Meta(max_length=MAX_CLIENT_CHARS)] = ""
    kind: Kind
    path: str
    moved_from: str = ""
    decided: Decided | None = None
    written: Written | None = None


class _Format(msgspec.Struct, frozen=True):
    """Format version of a line, whatever its format."""

    format: int = FORMAT


_DECODER = msgspec.json.Decoder(Step)


class DecisionLog:
    """The file, read from where the last reading ended, so that several processes may append.

    Parameters
    ----------
    path : Path
        The file; created with the first step.

    Attributes
    ----------
    torn : list of str
        Messages about lines that are not JSON, as a crash or a full disk leaves them: skipped.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn: list[str] = []
        self._n_bytes = self._n_lines = 0

    @property
    def is_behind(self) -> bool:
        """Whether the file has steps that have not been read."""
        return self._size() != self._n_bytes

    def rewind(self) -> bool:
        """Start from the beginning if the file was removed or cut; return whether it was."""
        is_other = self._size() < self._n_bytes
        if is_other:
            self.torn, self._n_bytes, self._n_lines = [], 0, 0
        return is_other

    def read(self) -> list[Step]:
        """Read the steps that were appended since the last reading.

        Raises
        ------
        RecordError
            If the file cannot be read, or a line is not a step.
        HomeError
            If a line has a newer format.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self._n_bytes)
                content = file.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._fault(error.strerror or "a disk error", "a file that can be read") from None
        whole, _, _ = content.rpartition(b"\n")  # a line without its end is read when the next one follows
        if not whole:
            return []
        steps = []
        for number, line in enumerate(whole.split(b"\n"), start=self._n_lines + 1):
            if line.strip() and (step := self._decode(line, number)) is not None:
                steps.append(step)
        self._n_bytes += len(whole) + 1
        self._n_lines += whole.count(b"\n") + 1
        return steps

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from appending."""
        if not self.path.parent.is_dir():
            prepare_home(self.path.parent)
        with FileLock(f"{self.path}.lock", timeout=_TIMEOUT_SECONDS, mode=LOCK_MODE):
            yield

    def append(self, steps: Sequence[Step], *, is_synced: bool = True) -> None:
        """Append steps to the locked file, all or none; they count as read.

        Raises
        ------
        RecordError
            If they cannot be written; the file is then unchanged.
        """
        lines = b"".join(msgspec.json.encode(step) + b"\n" for step in steps)
        try:
            create_file(self.path)
            with self.path.open("r+b", buffering=0) as file:
                n_bytes = file.seek(0, os.SEEK_END)
                start = b"\n" if n_bytes > self._n_bytes else b""  # ends a line that was cut off
                try:
                    if file.write(start + lines) != len(start + lines):
                        raise OSError(28, "No space left on device")
                    if is_synced:
                        os.fsync(file.fileno())
                except OSError:
                    file.truncate(n_bytes)
                    raise
        except OSError as error:
            raise self._fault(error.strerror or "a disk error", "a file that can be written") from None
        if start:
            self.torn.append(self._torn(self._n_lines + 1))
        self._n_bytes = n_bytes + len(start + lines)
        self._n_lines += len(steps) + len(start)

    def _size(self) -> int:
        try:
            return os.stat(self.path).st_size
        except OSError:
            return 0

    def _decode(self, line: bytes, number: int) -> Step | None:
        try:
            if (version := msgspec.json.decode(line, type=_Format).format) > FORMAT:
                raise HomeError(newer_format(f"{self.path}:{number}", version, FORMAT))
            return _DECODER.decode(line)
        except msgspec.ValidationError as error:
            expected = "a step of a decision; the line is skipped"
            self.torn.append(str(Fault(str(self.path), number, "", str(error), expected)))
            return None
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.torn.append(self._torn(number))
            return None

    def _torn(self, number: int) -> str:
        got = "a line that is not JSON (cut off?)"
        return str(Fault(str(self.path), number, "", got, "a decision; the line is skipped"))

    def _fault(self, got: str, expected: str) -> RecordError:
        return RecordError(Fault(str(self.path), 0, "", got, expected))
