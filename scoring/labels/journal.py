"""The journal of labels that scoring wrote, so that labels given by people are left alone.

A label is scoring's own if the newest entry for it says that scoring wrote it, and it still has that value.
All other labels belong to people.

A record is identified by its file (the path relative to the journal, with the record's URL and date, since
the content may be edited) and, if the journal does not know the file, by its content without coverage (the
file may be copied, moved or renamed, and coverage changes).

Entries are written before the files, and a line after the files marks the batch as done. A batch without that
line was interrupted: its entries count only if all of their labels are in the file, since files are written
atomically. Otherwise older entries apply.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from scoring.errors import Fault, RecordError, shown
from scoring.labels.journal_entries import (
    Batch,
    Entry,
    Index,
    add_entry,
    entries_of,
    is_own,
    key_of,
    newest_first,
    owner_of,
)
from scoring.labels.journal_lines import BatchDone, Line, append_lines, locked_file, read_lines
from scoring.records.forms.label_positions import LABELS
from scoring.records.ledger import content_sha256
from scoring.records.record import Document, Record
from scoring.storage.regular_files import open_regular

_DIGEST_CHARS = 32  # 128 bits: no two records of an archive share them
_TAIL_BYTES = 256  # checked before the last read position, to detect a replaced journal

_NO_MOMENT = datetime.max.replace(tzinfo=UTC)
_FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)


class RecordKeys(NamedTuple):
    """Keys of a record in the journal: digests of its content and of its file (empty if there is none)."""

    record: str
    file: str


class Journal:
    """A journal in memory; :meth:`refresh` reads new lines.

    Parameters
    ----------
    path : Path
        The file; a missing file has no entries.

    Attributes
    ----------
    last_at : datetime
        Time of the latest entry, aware UTC.

    Examples
    --------
    >>> journal = Journal(Path("journal.jsonl"))
    >>> journal.refresh()
    []
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._base = os.path.dirname(os.path.realpath(path))
        self._folders: dict[str, str] = {}
        self._forget()

    @property
    def is_empty(self) -> bool:
        """Whether there are no entries."""
        return not self._by_record

    def refresh(self) -> list[str]:
        """Read the lines added since, or the whole file if it was replaced.

        Returns
        -------
        list of str
            Warnings about skipped lines.

        Raises
        ------
        RecordError
            If it cannot be read, has a newer format, or has a line that is not an entry.
        """
        try:
            handle, _ = open_regular(self.path)
        except FileNotFoundError:
            self._forget()
            return []
        except OSError as error:
            raise self._unreadable(error) from None
        try:
            return self._read(handle)
        finally:
            os.close(handle)

    def own_labels(
        self,
        document: Document,
        *,
        ignoring: str = "",
        until: datetime | None = None,
        record_sha256: str | None = None,
    ) -> frozenset[str]:
        """Return the labels of a file that scoring wrote and that nobody has changed since.

        Parameters
        ----------
        document : Document
            The record with the labels of its file.
        ignoring : str
            Id of a write whose entries are ignored.
        until : datetime, optional
            Entries from this time on are ignored; aware UTC.
        record_sha256 : str, optional
            As for :meth:`keys_of`.

        Returns
        -------
        frozenset of str
            Some of ``quality``, ``heat`` and ``published``.
        """
        values = msgspec.structs.astuple(document.labels)
        if self.is_empty or values == (None, None, None):
            return frozenset()
        keys = self.keys_of(document, record_sha256)
        by_file, others = self._candidates(keys, ignoring, until)
        return frozenset(
            name
            for index, name in enumerate(LABELS)
            if values[index] is not None and is_own(index, values, by_file, others)
        )

    def given_labels(self, document: Document) -> frozenset[str]:
        """Return the labels that the journal says people gave to this file."""
        values = msgspec.structs.astuple(document.labels)
        by_file, _ = self._candidates(self.keys_of(document))
        return frozenset(
            name for index, name in enumerate(LABELS) if owner_of(index, values, by_file) == "people"
        )

    def keys_of(self, document: Document, record_sha256: str | None = None) -> RecordKeys:
        """Return the keys of a document's record.

        Parameters
        ----------
        document : Document
            The record with its path.
        record_sha256 : str, optional
            Digest of the whole record without its coverage, if the document is only a part of it.
        """
        record = document.record
        if record_sha256 is None:
            own = msgspec.structs.replace(record, related=()) if record.related else record
            record_sha256 = content_sha256(own)
        return RecordKeys(record_sha256[:_DIGEST_CHARS], self._file_digest(document.path, record))

    @contextmanager
    def locked(self) -> Iterator[JournalWriter]:
        """Lock the journal against other writers, and read it to its end.

        Yields
        ------
        JournalWriter
            Appends to the journal.

        Raises
        ------
        RecordError
            If it cannot be read or written.
        """
        with locked_file(self.path) as handle:
            yield JournalWriter(self, handle, self._read(handle))

    def _candidates(
        self, keys: RecordKeys, ignoring: str = "", until: datetime | None = None
    ) -> tuple[list[Entry], list[list[Entry]]]:
        """Entries of the file, newest first, and of each other file of the record."""
        file = key_of(keys.file)
        by_file = newest_first(entries_of(self._by_file, file) if file else (), ignoring, until)
        others: dict[int, list[Entry]] = {}
        for entry in entries_of(self._by_record, key_of(keys.record)):
            if entry.file != file or not file:
                others.setdefault(entry.file, []).append(entry)
        return by_file, [newest_first(group, ignoring, until) for group in others.values()]

    def _file_digest(self, path: str, record: Record) -> str:
        if path == "-" or not (record.url or record.published_at):
            return ""
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.relpath(os.path.realpath(folder), self._base)
        parts = (shown(self._folders[folder]), name, record.url, str(record.published_at or ""))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_DIGEST_CHARS]

    def _forget(self) -> None:
        self._state: tuple[int, int] | None = None
        self._n_bytes, self._n_lines, self._tail = 0, 0, b""
        self._batches: dict[tuple[str, int], Batch] = {}
        self._by_record: Index = {}
        self._by_file: Index = {}
        self._values: dict[tuple[Any, ...], tuple[Any, ...]] = {}  # interned, since many are equal
        self._warned: set[str] = set()
        self.last_at = _FIRST_MOMENT

    def _read(self, handle: int) -> list[str]:
        try:
            stat = os.fstat(handle)
            tail = os.pread(handle, len(self._tail), self._n_bytes - len(self._tail))
            if self._state != (stat.st_dev, stat.st_ino) or tail != self._tail:
                self._forget()
                self._state = (stat.st_dev, stat.st_ino)
            warnings: list[str] = []
            for end, read_result in read_lines(
                handle, str(self.path), begin=self._n_bytes, line=self._n_lines + 1
            ):
                self._add_lines(read_result.lines)
                warnings += read_result.warnings
                if end > self._n_bytes:
                    self._n_bytes, self._n_lines = end, self._n_lines + read_result.n_lines
            n_tail = min(self._n_bytes, _TAIL_BYTES)
            self._tail = os.pread(handle, n_tail, self._n_bytes - n_tail)
        except OSError as error:
            raise self._unreadable(error) from None
        new = [warning for warning in warnings if warning not in self._warned]
        self._warned.update(new)
        return new

    def _add_lines(self, lines: Iterable[Line]) -> None:
        for line in lines:
            name = (line.write_id, line.batch)
            batch = self._batches.get(name)
            if batch is None:
                batch = self._batches[name] = Batch((_NO_MOMENT, *name))
            if isinstance(line, BatchDone):
                batch.is_done, batch.not_written = True, frozenset(line.not_written)
                continue
            batch.order = (line.at, *name)
            self.last_at = max(self.last_at, line.at)
            labels = line.labels
            values = (labels.quality, labels.heat, labels.published, line.owner)
            entry = Entry(batch, line.item, key_of(line.file), self._values.setdefault(values, values))
            add_entry(self._by_record, key_of(line.record), entry)
            if entry.file:
                add_entry(self._by_file, entry.file, entry)

    def _unreadable(self, error: OSError) -> RecordError:
        got = error.strerror or "a disk error"
        return RecordError(Fault(str(self.path), 0, "", got, "a journal that can be read"))


class JournalWriter:
    """Appends to a locked journal.

    Parameters
    ----------
    journal : Journal
        The journal, read to its end.
    handle : int
        Descriptor of the locked file.
    warnings : list of str
        Warnings about lines skipped on the last read.
    """

    def __init__(self, journal: Journal, handle: int, warnings: list[str]) -> None:
        self.journal, self.warnings, self._handle = journal, warnings, handle

    def moment(self, now: datetime) -> datetime:
        """Return the time of a new entry: now, but always after the last entry."""
        return max(now, self.journal.last_at + timedelta(microseconds=1))

    def append(self, lines: Sequence[Line], *, is_synced: bool = True) -> None:
        """Append lines, all or none; see :func:`scoring.labels.journal_lines.append_lines`."""
        append_lines(self._handle, lines, str(self.journal.path), is_synced=is_synced)


def open_journal(path: Path) -> tuple[Journal, list[str]]:
    """Read a journal; return it with the warnings of :meth:`Journal.refresh`."""
    journal = Journal(path)
    return journal, journal.refresh()


def new_write_id(now: datetime) -> str:
    """Return a unique id for a write.

    Parameters
    ----------
    now : datetime
        Start of the write, aware UTC.
    """
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
