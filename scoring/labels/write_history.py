"""History of writes in a journal, and the changes of each write to each file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import UNSET

from scoring.errors import Fault, RecordError
from scoring.labels.journal import RecordKeys
from scoring.labels.journal_format import BatchDone, FieldMapLine, JournalEntry, Line
from scoring.labels.journal_lines import read_lines
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.forms.label_positions import LABELS
from scoring.storage.regular_files import open_regular


class JournaledWrite(msgspec.Struct, kw_only=True):
    """One write of scores.

    Parameters
    ----------
    write_id : str
        Id of the write.
    began_at : datetime
        Start time, aware UTC.
    command : str
        ``score`` or ``watch``.
    model : str
        Name and version of the model; the last one if there are several.
    file_count : int
        Number of files written; a file written twice counts twice.
    filled_count, changed_count : int
        Number of labels filled in, and of labels replaced.
    """

    write_id: str
    began_at: datetime
    command: str
    model: str
    file_count: int = 0
    filled_count: int = 0
    changed_count: int = 0


class WrittenRecord:
    """What one write wrote into one file of a record.

    Parameters
    ----------
    entry : JournalEntry
        First entry of the file.

    Attributes
    ----------
    entries : list of JournalEntry
        All of its entries, in write order.
    """

    def __init__(self, entry: JournalEntry) -> None:
        self.place, self.file = entry.place, entry.file
        self.field_map = None if entry.field_map is UNSET else entry.field_map
        self.entries: list[JournalEntry] = []

    def is_at(self, keys: RecordKeys) -> bool:
        """Whether a file has the path to which this record was written, and has the record."""
        if self.place and self.place != keys.place:
            return False
        return self.file == keys.file if self.file else bool(self.place) and self.has(keys.record)

    def has(self, record: str) -> bool:
        """Whether a record has the content of this one."""
        return any(entry.record == record for entry in self.entries)


class WriteHistory:
    """What one write wrote into each of its files.

    Parameters
    ----------
    entries : list of JournalEntry
        Entries of the write with owner ``scoring``, in write order.
    field_maps : dict of str to FieldMap
        Field maps of the journal, by digest.

    Attributes
    ----------
    written : list of WrittenRecord
        The records, in write order.
    field_map_digests : list of str or None
        Digests of the field maps by which they were read: empty for scoring's own layout, None if an earlier
        version wrote them.
    """

    def __init__(self, entries: list[JournalEntry], field_maps: dict[str, FieldMap]) -> None:
        self.began_at = min((entry.at for entry in entries), default=datetime.max.replace(tzinfo=UTC))
        self.field_maps = field_maps
        by_key: dict[tuple[object, ...], WrittenRecord] = {}
        self._by_digest: dict[str, list[WrittenRecord]] = {}
        for entry in entries:
            key = (entry.field_map, entry.place, entry.file or entry.record)
            written = by_key.setdefault(key, WrittenRecord(entry))
            written.entries.append(entry)
            for digest in filter(None, (entry.place or entry.file, entry.record)):
                known = self._by_digest.setdefault(digest, [])
                if written not in known:
                    known.append(written)
        self.written = list(by_key.values())
        self.field_map_digests = list(dict.fromkeys(written.field_map for written in self.written))

    def has_place(self, place: str) -> bool:
        """Whether the write wrote to a path, of which the digest is given."""
        return any(written.place == place for written in self._by_digest.get(place, ()))

    def at(self, keys: RecordKeys, field_map: str | None) -> list[WrittenRecord]:
        """Return what was written to a file that still has its record, read by a field map of the write."""
        candidates = (*self._by_digest.get(keys.place, ()), *self._by_digest.get(keys.file, ()))
        return [written for written in candidates if written.field_map == field_map and written.is_at(keys)]

    def of_record(self, keys: RecordKeys, field_map: str | None) -> list[WrittenRecord]:
        """Return what was written to any file of a record."""
        candidates = self._by_digest.get(keys.record, ())
        return [written for written in candidates if written.field_map == field_map]


def list_writes(path: Path) -> list[JournaledWrite]:
    """List the writes of scores in a journal, earliest first.

    Raises
    ------
    RecordError
        If it cannot be read, or has a line that is not an entry.
    """
    skipped = _not_written(path, None)
    writes: dict[str, JournaledWrite] = {}
    counted: set[tuple[str, int, int]] = set()  # a merged journal may have the same line twice
    for line in _lines(path):
        if not isinstance(line, JournalEntry) or not _is_score(line):
            continue
        key = (line.write_id, line.batch, line.item)
        if key in counted or key in skipped:
            continue
        counted.add(key)
        write = writes.get(line.write_id)
        if write is None:
            write = writes[line.write_id] = JournaledWrite(
                write_id=line.write_id, began_at=line.at, command=line.command, model=line.model
            )
        write.began_at = min(write.began_at, line.at)
        write.model = line.model
        write.file_count += 1
        labels, before = msgspec.to_builtins(line.labels), msgspec.to_builtins(line.before)
        write.filled_count += sum(before.get(name, "") == "" for name in labels)
        write.changed_count += sum(before.get(name, "") not in ("", value) for name, value in labels.items())
    return sorted(writes.values(), key=lambda write: (write.began_at, write.write_id))


def read_write(path: Path, write_id: str) -> WriteHistory | None:
    """Return the history of one write; None if it is not in the journal.

    Raises
    ------
    RecordError
        As for :func:`list_writes`.
    """
    skipped = _not_written(path, write_id)
    entries: dict[tuple[int, int], JournalEntry] = {}
    field_maps: dict[str, FieldMap] = {}
    for line in _lines(path):
        if isinstance(line, FieldMapLine):
            field_maps[line.digest] = line.field_map
        if not isinstance(line, JournalEntry) or line.write_id != write_id or not _is_score(line):
            continue
        if (write_id, line.batch, line.item) not in skipped:
            entries[line.batch, line.item] = line
    return WriteHistory([entries[key] for key in sorted(entries)], field_maps) if entries else None


def written_labels(entries: list[JournalEntry]) -> dict[str, tuple[object, object]]:
    """Map each label to its spelling before the first entry of a file and its value after the last.

    A spelling of None means that the label was absent.
    """
    written: dict[str, tuple[object, object]] = {}
    for entry in entries:
        before = msgspec.to_builtins(entry.before)
        for name, value in msgspec.to_builtins(entry.labels).items():
            first = written[name][0] if name in written else before.get(name)
            written[name] = (first, value)
    return {name: written[name] for name in LABELS if name in written}


def _is_score(entry: JournalEntry) -> bool:
    return entry.owner == "scoring" and entry.command in ("score", "watch")


def _not_written(path: Path, write_id: str | None) -> set[tuple[str, int, int]]:
    return {
        (line.write_id, line.batch, item)
        for line in _lines(path)
        if isinstance(line, BatchDone) and write_id in (None, line.write_id)
        for item in line.not_written
    }


def _lines(path: Path) -> Iterator[Line]:
    try:
        handle, _ = open_regular(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        for _, block in read_lines(handle, str(path)):
            yield from block.lines
    except OSError as error:
        raise _unreadable(path, error) from None
    finally:
        os.close(handle)


def _unreadable(path: Path, error: OSError) -> RecordError:
    got = error.strerror or "a disk error"
    return RecordError(Fault(str(path), 0, "", got, "a journal that can be read"))
