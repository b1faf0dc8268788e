"""History of writes in a journal, and the changes of each write to each file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from scoring.errors import Fault, RecordError
from scoring.labels.journal import RecordKeys
from scoring.labels.journal_lines import BatchDone, JournalEntry, Line, read_lines
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


class WriteHistory:
    """Changes of one write to each of its files.

    Parameters
    ----------
    entries : list of JournalEntry
        Entries of the write with owner ``scoring``, in write order.
    """

    def __init__(self, entries: list[JournalEntry]) -> None:
        self.began_at = min((entry.at for entry in entries), default=datetime.max.replace(tzinfo=UTC))
        self._by_file: dict[str, list[JournalEntry]] = {}
        self._by_record: dict[str, dict[str, list[JournalEntry]]] = {}
        for entry in entries:
            if entry.file:
                self._by_file.setdefault(entry.file, []).append(entry)
            self._by_record.setdefault(entry.record, {}).setdefault(entry.file, []).append(entry)

    @property
    def records(self) -> set[str]:
        """Digests of the records written."""
        return set(self._by_record)

    def of(self, keys: RecordKeys) -> list[list[JournalEntry]]:
        """Return the entries of a file; if it is unknown, those of each file of the record."""
        if keys.file in self._by_file:
            return [self._by_file[keys.file]]
        return list(self._by_record.get(keys.record, {}).values())


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
    for line in _lines(path):
        if isinstance(line, BatchDone) or line.write_id != write_id or not _is_score(line):
            continue
        if (write_id, line.batch, line.item) not in skipped:
            entries[line.batch, line.item] = line
    return WriteHistory([entries[key] for key in sorted(entries)]) if entries else None


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
