"""The journal: which labels scoring itself has written, so that those of people are left alone.

A label is scoring's own where the last thing that the journal knows of it is that scoring wrote it, and it
still has the value that was written. Whatever else stands in a file is people's.

A record is known by its file (its place relative to the journal, with the record's address and date: what it
says may be edited) and, where the journal does not know the file, by what it says without its coverage (the
file may be copied, moved or renamed, and coverage may come and go).

Entries are written before the files are, and a line after the files says that they are done. A batch without
that line was cut off: an entry of it counts only where all of its labels stand in the file, since a file is
written whole or not at all; else what was known before holds.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET

from scoring.errors import Fault, RecordError, shown
from scoring.labels.journal_lines import BatchDone, Line, append_lines, locked_file, read_lines
from scoring.records.label_positions import LABELS
from scoring.records.ledger import content_sha256
from scoring.records.record import Document, Record
from scoring.storage.regular_files import open_regular

_DIGEST_CHARS = 32  # 128 bits: no two records of an archive share them
_TAIL_BYTES = 256  # before the place up to which a journal was read, to see that it is still the same one

_NO_MOMENT = datetime.max.replace(tzinfo=UTC)
_FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)

_Verdict = Literal["scoring", "people", "changed"]


class RecordKeys(NamedTuple):
    """What the journal knows a record by: digests of what it says, and of its file (empty for no file)."""

    record: str
    file: str


class _Batch:
    """Files that were written together."""

    __slots__ = ("is_done", "not_written", "order")

    def __init__(self, order: tuple[datetime, str, int]) -> None:
        self.order = order
        self.is_done = False
        self.not_written: frozenset[int] = frozenset()


class _Known(msgspec.Struct, gc=False):
    """What is held of an entry: the labels in their order, then the owner; a `file` of 0 is none."""

    batch: _Batch
    item: int
    file: int
    values: tuple[Any, ...]


_Index = dict[int, _Known | tuple[_Known, ...]]  # mostly there is one entry: a tuple of it would cost as much


class Journal:
    """A journal as it was read last; it is read on where it has grown.

    Parameters
    ----------
    path : Path
        The file; one that is not there yet has no entries.

    Attributes
    ----------
    last_at : datetime
        The moment of the latest entry, aware UTC.

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
        """Whether nothing is known of any record."""
        return not self._by_record

    def refresh(self) -> list[str]:
        """Read what has been added since; all of it where the file is another one.

        Returns
        -------
        list of str
            What had to be skipped, a line each.

        Raises
        ------
        RecordError
            If it cannot be read, is of a newer format, or has a line that is no entry.
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
        """Names of the labels that scoring wrote into a record's file, and that nobody has changed since.

        Parameters
        ----------
        document : Document
            The record with the labels that its file has, as they were read.
        ignoring : str
            A write whose entries do not count.
        until : datetime, optional
            Entries from then on do not count; aware UTC.
        record_sha256 : str, optional
            As :meth:`keys_of` takes it.

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
            for at, name in enumerate(LABELS)
            if values[at] is not None and _is_own(at, values, by_file, others)
        )

    def given_labels(self, document: Document) -> frozenset[str]:
        """Names of the labels of which the journal itself tells that people gave them to this very file."""
        values = msgspec.structs.astuple(document.labels)
        by_file, _ = self._candidates(self.keys_of(document))
        return frozenset(name for at, name in enumerate(LABELS) if _verdict(at, values, by_file) == "people")

    def keys_of(self, document: Document, record_sha256: str | None = None) -> RecordKeys:
        """What a document's record is known by.

        Parameters
        ----------
        document : Document
            The record where it was found.
        record_sha256 : str, optional
            Digest of what the record says without its coverage, where the document does not have all of it.
        """
        record = document.record
        if record_sha256 is None:
            own = msgspec.structs.replace(record, related=()) if record.related else record
            record_sha256 = content_sha256(own)
        return RecordKeys(record_sha256[:_DIGEST_CHARS], self._file_digest(document.path, record))

    @contextmanager
    def locked(self) -> Iterator[JournalWriter]:
        """Hold the journal while labels are written: read on to its end, and written to by nobody else.

        Yields
        ------
        JournalWriter
            Adds to it.

        Raises
        ------
        RecordError
            If it cannot be read or written.
        """
        with locked_file(self.path) as handle:
            yield JournalWriter(self, handle, self._read(handle))

    def _candidates(
        self, keys: RecordKeys, ignoring: str = "", until: datetime | None = None
    ) -> tuple[list[_Known], list[list[_Known]]]:
        """What is known of the file, the newest first, and of each other file of the record."""
        file = _key(keys.file)
        by_file = _newest_first(_get(self._by_file, file) if file else (), ignoring, until)
        others: dict[int, list[_Known]] = {}
        for each in _get(self._by_record, _key(keys.record)):
            if each.file != file or not file:
                others.setdefault(each.file, []).append(each)
        return by_file, [_newest_first(group, ignoring, until) for group in others.values()]

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
        self._batches: dict[tuple[str, int], _Batch] = {}
        self._by_record: _Index = {}
        self._by_file: _Index = {}
        self._values: dict[tuple[Any, ...], tuple[Any, ...]] = {}  # one of each, since many are alike
        self._warned: set[str] = set()
        self.last_at = _FIRST_MOMENT

    def _read(self, handle: int) -> list[str]:
        try:
            there = os.fstat(handle)
            tail = os.pread(handle, len(self._tail), self._n_bytes - len(self._tail))
            if self._state != (there.st_dev, there.st_ino) or tail != self._tail:
                self._forget()
                self._state = (there.st_dev, there.st_ino)
            warnings: list[str] = []
            for end, read in read_lines(handle, str(self.path), begin=self._n_bytes, line=self._n_lines + 1):
                self._take(read.lines)
                warnings += read.warnings
                if end > self._n_bytes:
                    self._n_bytes, self._n_lines = end, self._n_lines + read.n_lines
            n_tail = min(self._n_bytes, _TAIL_BYTES)
            self._tail = os.pread(handle, n_tail, self._n_bytes - n_tail)
        except OSError as error:
            raise self._unreadable(error) from None
        new = [warning for warning in warnings if warning not in self._warned]
        self._warned.update(new)
        return new

    def _take(self, lines: Iterable[Line]) -> None:
        for line in lines:
            name = (line.write_id, line.batch)
            batch = self._batches.get(name)
            if batch is None:
                batch = self._batches[name] = _Batch((_NO_MOMENT, *name))
            if isinstance(line, BatchDone):
                batch.is_done, batch.not_written = True, frozenset(line.not_written)
                continue
            batch.order = (line.at, *name)
            self.last_at = max(self.last_at, line.at)
            labels = line.labels
            values = (labels.quality, labels.heat, labels.published, line.owner)
            known = _Known(batch, line.item, _key(line.file), self._values.setdefault(values, values))
            _add(self._by_record, _key(line.record), known)
            if known.file:
                _add(self._by_file, known.file, known)

    def _unreadable(self, error: OSError) -> RecordError:
        got = error.strerror or "a disk error"
        return RecordError(Fault(str(self.path), 0, "", got, "a journal that can be read"))


class JournalWriter:
    """Adds to a journal that is locked.

    Parameters
    ----------
    journal : Journal
        What is known, up to the end of the file.
    handle : int
        The locked file.
    warnings : list of str
        What had to be skipped when it was read on.
    """

    def __init__(self, journal: Journal, handle: int, warnings: list[str]) -> None:
        self.journal, self.warnings, self._handle = journal, warnings, handle

    def moment(self, now: datetime) -> datetime:
        """When something is written now: after all that the journal tells of, whatever the clocks say."""
        return max(now, self.journal.last_at + timedelta(microseconds=1))

    def append(self, lines: Sequence[Line], *, is_synced: bool = True) -> None:
        """Add lines, all or none; see :func:`scoring.labels.journal_lines.append_lines`."""
        append_lines(self._handle, lines, str(self.journal.path), is_synced=is_synced)


def open_journal(path: Path) -> tuple[Journal, list[str]]:
    """Read a journal, and give what had to be skipped beside it: see :meth:`Journal.refresh`."""
    journal = Journal(path)
    return journal, journal.refresh()


def new_write_id(now: datetime) -> str:
    """A name for a write that no other has.

    Parameters
    ----------
    now : datetime
        When it begins, aware UTC.
    """
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def _is_own(
    at: int, values: tuple[Any, ...], by_file: Sequence[_Known], others: Sequence[Sequence[_Known]]
) -> bool:
    """Whether a label is scoring's own: by what is known of its file, else of other files of the record."""
    if (verdict := _verdict(at, values, by_file)) is not None:
        return verdict == "scoring"
    verdicts = {_verdict(at, values, known) for known in others}
    return "scoring" in verdicts and "people" not in verdicts


def _verdict(at: int, values: tuple[Any, ...], newest_first: Sequence[_Known]) -> _Verdict | None:
    """Who gave a label its value, by the newest entry of a file that tells of it; None where none does."""
    for known in newest_first:
        written = known.values[at]
        if written is UNSET or known.item in known.batch.not_written:
            continue
        if not known.batch.is_done and not _is_all_there(known.values, values):
            continue
        owner: _Verdict = known.values[-1]
        return owner if written == values[at] else "changed"
    return None


def _is_all_there(written: tuple[Any, ...], values: tuple[Any, ...]) -> bool:
    return all(one is UNSET or one == other for one, other in zip(written[:-1], values, strict=True))


def _newest_first(known: Sequence[_Known], ignoring: str, until: datetime | None) -> list[_Known]:
    counted = [
        each
        for each in known
        if each.batch.order[1] != ignoring and (until is None or each.batch.order[0] < until)
    ]
    return sorted(counted, key=lambda each: each.batch.order, reverse=True)


def _get(index: _Index, key: int) -> tuple[_Known, ...]:
    known = index.get(key, ())
    return known if isinstance(known, tuple) else (known,)


def _add(index: _Index, key: int, known: _Known) -> None:
    if index.setdefault(key, known) is known:
        return
    before = _get(index, key)
    # The same line may stand there twice.
    if not any(each.batch is known.batch and each.item == known.item for each in before):
        index[key] = (*before, known)


def _key(digest: str) -> int:
    return int(digest or "0", 16)
