"""The journal of labels that scoring wrote, so that labels given by people are left alone.

A label is scoring's own if the newest entry for it says that scoring wrote it, and it still has that value.
All other labels belong to people.

A record is identified by its file (the path relative to the journal, with the record's URL and date, since
the content may be edited) and, if the journal does not know the file, by its content without coverage (the
file may be copied, moved or renamed, and coverage changes). Where the field map has been edited since the
write, URL, date and content may be read otherwise: then the path alone identifies the record, and the text at
the label's key is read by the field map of the write.

Entries are written before the files, and a line after the files marks the batch as done. A batch without that
line was interrupted: its entries count only if all of their labels are in the file, since files are written
atomically. Otherwise older entries apply.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

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
from scoring.labels.journal_format import BatchDone, FieldMapLine, JournalEntry, Line
from scoring.labels.journal_lines import append_lines, locked_file, read_lines
from scoring.labels.label_view import DIGEST_CHARS, LabelView
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.forms.label_positions import LABELS
from scoring.records.ledger import content_sha256
from scoring.records.record import Document, Record, without_body
from scoring.storage.regular_files import open_regular
from scoring.storage.urls import is_remote, refuse_remote

_TAIL_BYTES = 256  # checked before the last read position, to detect a replaced journal

MAP_CHANGED = (
    "the field map has changed since scoring wrote labels here: they are recognised by the file's path and "
    "by what was written at the key (a file that was moved, too, is not recognised)"
)
"""Note about labels that were found by the path of their file alone."""

_NO_MOMENT = datetime.max.replace(tzinfo=UTC)
_FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)


class RecordKeys(NamedTuple):
    """Keys of a record in the journal: digests of its content, of its file and of the file's path.

    The latter two are empty if there is none; then the digest of the field map by which it was read.
    """

    record: str
    file: str
    place: str
    field_map: str


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
    field_maps : dict of str to FieldMap
        Field maps of the writes, by digest.
    n_by_path : int
        Number of records so far whose labels were found by their path alone, since the field map has changed.

    Examples
    --------
    >>> journal = Journal(Path("journal.jsonl"))
    >>> journal.refresh()
    []
    """

    def __init__(self, path: Path) -> None:
        refuse_remote(path, "the journal", "it is locked while labels are written")
        self.path = path
        self._base = os.path.dirname(os.path.realpath(path))
        self._folders: dict[str, str] = {}
        self.n_by_path = 0
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
        view = LabelView(document, self.field_maps)
        if self.is_empty or view.values == (None, None, None):
            return frozenset()
        keys = self.keys_of(document, record_sha256)
        by_file, others = self._candidates(keys, view, ignoring, until)
        own = frozenset(
            name
            for index, name in enumerate(LABELS)
            if view.values[index] is not None and is_own(index, view, by_file, others)
        )
        if own and by_file and not (keys.file and any(entry.file == key_of(keys.file) for entry in by_file)):
            self.n_by_path += 1
        return own

    def given_labels(self, document: Document) -> frozenset[str]:
        """Return the labels that the journal says people gave to this file."""
        view = LabelView(document, self.field_maps)
        by_file, _ = self._candidates(self.keys_of(document), view)
        return frozenset(
            name for index, name in enumerate(LABELS) if owner_of(index, view, by_file) == "people"
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
        record = without_body(document.record)  # not read to write labels, and edited as text is
        if record_sha256 is None:
            own = msgspec.structs.replace(record, related=()) if record.related else record
            record_sha256 = content_sha256(own)
        return RecordKeys(
            record_sha256[:DIGEST_CHARS],
            self._file_digest(document.path, record),
            self.place_of(document.path),
            document.field_map_sha256[:DIGEST_CHARS],
        )

    def place_of(self, path: str) -> str:
        """Return the digest of a file's path, as in documents; empty for standard input."""
        return "" if path == "-" else _digest(self._path_parts(path))

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
        self, keys: RecordKeys, view: LabelView, ignoring: str = "", until: datetime | None = None
    ) -> tuple[list[Entry], list[list[Entry]]]:
        """Entries of the file, newest first, and of each other file of the record.

        Entries of another field map are those of the file by its path alone.
        """
        file = key_of(keys.file)
        of_file = list(entries_of(self._by_file, file)) if file else []
        for entry in entries_of(self._by_place, key_of(keys.place)) if keys.place else ():
            if view.is_other(entry.values[-1]) and entry not in of_file:
                of_file.append(entry)
        others: dict[int, list[Entry]] = {}
        for entry in entries_of(self._by_record, key_of(keys.record)):
            if (entry.file != file or not file) and entry not in of_file:
                others.setdefault(entry.file, []).append(entry)
        by_file = newest_first(of_file, ignoring, until)
        return by_file, [newest_first(group, ignoring, until) for group in others.values()]

    def _file_digest(self, path: str, record: Record) -> str:
        if path == "-" or not (record.url or record.published_at):
            return ""
        return _digest((*self._path_parts(path), record.url, str(record.published_at or "")))

    def _path_parts(self, path: str) -> tuple[str, str]:
        """Folder, relative to that of the journal, and name of a file."""
        folder, name = os.path.split(path)
        if folder not in self._folders:
            is_url = is_remote(path)
            self._folders[folder] = (
                folder if is_url else os.path.relpath(os.path.realpath(folder), self._base)
            )
        return shown(self._folders[folder]), name

    def _forget(self) -> None:
        self._state: tuple[int, int] | None = None
        self._n_bytes, self._n_lines, self._tail = 0, 0, b""
        self._batches: dict[tuple[str, int], Batch] = {}
        self._by_record: Index = {}
        self._by_file: Index = {}
        self._by_place: Index = {}
        self.field_maps: dict[str, FieldMap] = {}
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
            if isinstance(line, FieldMapLine):
                self.field_maps[line.digest] = line.field_map
                continue
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
            field_map = None if line.field_map is UNSET else line.field_map
            values = (labels.quality, labels.heat, labels.published, line.owner, field_map)
            entry = Entry(batch, line.item, key_of(line.file), self._values.setdefault(values, values))
            add_entry(self._by_record, key_of(line.record), entry)
            if entry.file:
                add_entry(self._by_file, entry.file, entry)
            if line.place:
                add_entry(self._by_place, key_of(line.place), entry)

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

    def append(
        self, lines: Sequence[Line], *, is_synced: bool = True, field_maps: Mapping[str, FieldMap] = {}
    ) -> None:
        """Append lines, all or none; see :func:`scoring.labels.journal_lines.append_lines`.

        Parameters
        ----------
        lines : sequence of Line
            Lines to append.
        is_synced : bool
            Whether to flush them to disk before returning.
        field_maps : mapping of str to FieldMap
            Field maps by digest, of which those that the lines name and the journal lacks are appended too.
        """
        digests = (line.field_map for line in lines if isinstance(line, JournalEntry))
        named = {digest for digest in digests if isinstance(digest, str)}
        new = [
            FieldMapLine(digest=digest, field_map=field_maps[digest])
            for digest in sorted(named & field_maps.keys() - self.journal.field_maps.keys())
        ]
        append_lines(self._handle, [*new, *lines], str(self.journal.path), is_synced=is_synced)


def named_maps(field_map: FieldMap | None) -> dict[str, FieldMap]:
    """Return a field map by its digest, as the journal keeps it; nothing for scoring's own layout."""
    if field_map is None or field_map.is_own_layout:
        return {}
    return {field_map.sha256[:DIGEST_CHARS]: FieldMap(field_map.fields, field_map.labels)}


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:DIGEST_CHARS]


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
