"""The inbox: the records of a folder with their scores, kept up to date as files come, change and go.

One thread refreshes, any may read. A file is read again only where its state on the disk differs, it could
not be read, or another model is at work; of a record no more is held than its row, and what tells its story.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from scoring.artifact.saved_model import SavedModel
from scoring.errors import Fault, RecordError
from scoring.inbox.folder_watch import State, state_of
from scoring.inbox.rows import RecordDetails, Row, Scored, put_together, record_details, score_rows
from scoring.records.corpus import files_within, read_bytes
from scoring.records.decode import decode_file
from scoring.records.file_names import name_of, path_of
from scoring.records.ledger import Digests, Holding, Ledger, read_ledger
from scoring.records.limits import UNLIMITED, RecordLimits
from scoring.records.record import Document

_BATCH = 256
_MAX_GONE = 10_000


class Changes(NamedTuple):
    """What differs since a version: rows that are new or other, the paths of those that are gone."""

    version: int
    rows: list[Row]
    gone: list[str]


class _Published(NamedTuple):
    """What readers see: rows by path, each with the version that it has come in, and what is gone since when.

    It is put in the place of the one before whole, so that a reader never sees a part of it.
    """

    version: int
    rows: dict[str, tuple[int, Row]]
    gone: dict[str, int]


class _File(NamedTuple):
    """A file as it was read: by which state of the disk and which model, and what came of it."""

    state: State
    model: str
    found: Scored | Row  # a row alone tells a fault
    is_read: bool  # else the system did not let it be read, and nobody tells when it does


class Inbox:
    """The rows of a folder.

    Parameters
    ----------
    folder : Path
        Where the records are.
    ledger : Path
        Where corrections are kept.
    limits : RecordLimits
        How large a record may be; a larger one is a row with its fault.

    Attributes
    ----------
    troubles : tuple of str
        What the last refresh met and went on without: folders that cannot be read, torn lines of the ledger.
    """

    def __init__(self, folder: Path, ledger: Path, limits: RecordLimits = UNLIMITED) -> None:
        self.folder = folder
        self.ledger = ledger
        self.troubles: tuple[str, ...] = ()
        self._limits = limits
        self._refreshing = threading.Lock()
        self._files: dict[str, _File] = {}
        self._published = _Published(0, {}, {})
        self._corrections: tuple[State | None, Ledger] = (None, Ledger(str(ledger), "", ()))

    def __len__(self) -> int:
        return len(self._published.rows)

    @property
    def version(self) -> int:
        """Number of what there is to see; another one where anything of it is other."""
        return self._published.version

    def refresh(
        self, saved: SavedModel, on_progress: Callable[[int, int], None] = lambda done, total: None
    ) -> None:
        """Look at the folder, and score what is new, has changed, or was scored by another model.

        Parameters
        ----------
        saved : SavedModel
            The model at work.
        on_progress : callable
            Called with the files done and those to be done as rows come in.

        Raises
        ------
        RecordError
            If the folder or the ledger cannot be read.
        """
        with self._refreshing:
            present, faults = self._list()
            n_before = len(self._files)
            self._files = {path: file for path, file in self._files.items() if path in present}
            due = [path for path, state in present.items() if self._is_due(path, state, saved)]
            is_other = len(self._files) != n_before or state_of(self.ledger) != self._corrections[0]
            for begin in range(0, len(due), _BATCH):
                for path, found, is_read in self._read(due[begin : begin + _BATCH], saved):
                    before = self._files.get(path)
                    is_other = is_other or before is None or before.found != found
                    self._files[path] = _File(present[path], saved.name, found, is_read)
                if not n_before:
                    self._publish(is_complete=False)
                on_progress(min(begin + _BATCH, len(due)), len(due))
            if is_other:
                self._publish(is_complete=True)
            self.troubles = (*faults, *map(str, self._corrections[1].torn))

    @property
    def has_unread(self) -> bool:
        """Whether there are files that the system did not let be read: they are read again each time."""
        return any(not file.is_read for file in list(self._files.values()))

    def _is_due(self, path: str, state: State, saved: SavedModel) -> bool:
        """Whether a file is to be read."""
        file = self._files.get(path)
        return file is None or not file.is_read or (file.state, file.model) != (state, saved.name)

    def since(self, version: int) -> Changes:
        """What differs since a version; 0 is before everything."""
        published = self._published
        rows = [row for at, row in published.rows.values() if at > version]
        return Changes(published.version, rows, [path for path, at in published.gone.items() if at > version])

    def row(self, path: str) -> Row:
        """One row.

        Raises
        ------
        RecordError
            If the inbox has no such file.
        """
        found = self._published.rows.get(path)
        if found is None:
            raise RecordError(Fault(path, 0, "", "a file that is not in the inbox", "one of its records"))
        return found[1]

    def file(self, path: str) -> Path:
        """Where a record's file is; its path is spelled as by :func:`scoring.records.file_names.name_of`."""
        return self.folder / path_of(path)

    def read(self, path: str) -> tuple[bytes, Document]:
        """The bytes of one file as it is now, and its record.

        Raises
        ------
        RecordError
            If the inbox has no such file, or it cannot be used.
        """
        self.row(path)
        data = read_bytes(self.file(path))
        return data, self._decode(data, path)

    def details(self, path: str, saved: SavedModel) -> RecordDetails:
        """Why a record has its scores: see :func:`scoring.inbox.rows.record_details`."""
        return record_details(self.read(path)[1], saved, self.corrections().corrections)

    def corrections(self) -> Ledger:
        """The ledger as it is now; it is read again only where it has changed.

        Raises
        ------
        RecordError
            If a line of it is no correction.
        """
        state, ledger = self._corrections
        now = state_of(self.ledger)
        if now != state:
            ledger = read_ledger(self.ledger)
            self._corrections = (now, ledger)
        return ledger

    def _list(self) -> tuple[dict[str, State], list[str]]:
        """The files that are there with their states, and which folders below cannot be read."""
        faults: list[str] = []
        try:
            files = list(files_within(str(self.folder), lambda error: faults.append(str(error))))
        except RecordError as error:
            expected = "the folder of the inbox, which is looked for until it is there"
            raise RecordError(Fault(str(self.folder), 0, "", error.faults[0].got, expected)) from None
        states = {name_of(os.path.relpath(file, self.folder)): state_of(file) for file in files}
        return {path: state for path, state in states.items() if state}, faults

    def _read(self, paths: Sequence[str], saved: SavedModel) -> Iterator[tuple[str, Scored | Row, bool]]:
        """What comes of each file, and whether it could be read."""
        documents: list[Document] = []
        for path in paths:
            is_read = False
            try:
                data = read_bytes(self.file(path))
                is_read = True
                documents.append(self._decode(data, path))
            except RecordError as error:
                yield path, Row(path=path, title=os.path.basename(path), fault=str(error)), is_read
        for document, scored in zip(documents, score_rows(documents, saved), strict=True):
            yield document.path, scored, True

    def _decode(self, data: bytes, path: str) -> Document:
        self._limits.check_bytes(len(data), path)
        return self._limits.check(decode_file(data, path))

    def _publish(self, *, is_complete: bool) -> None:
        """Let readers see what there is; stories are told once all records are there."""
        scored = [file.found for file in self._files.values() if isinstance(file.found, Scored)]
        rows = put_together(scored) if is_complete else [one.row for one in scored]
        faulty = [file.found for file in self._files.values() if isinstance(file.found, Row)]
        held = self.corrections().holding()
        version = self._published.version + 1
        after: dict[str, tuple[int, Row]] = {}
        for row in (*rows, *faulty):
            marked = _with_corrections(row, held)
            before = self._published.rows.get(row.path)
            after[row.path] = before if before is not None and before[1] == marked else (version, marked)
        gone = {path: at for path, at in self._published.gone.items() if path not in after}
        gone |= dict.fromkeys(self._published.rows.keys() - after.keys(), version)
        kept = list(gone.items())[-_MAX_GONE:]
        self._published = _Published(version, after, dict(kept))


def _with_corrections(row: Row, held: Holding) -> Row:
    fields = Digests(row.record_sha256, row.own_sha256).pick(held)
    return msgspec.structs.replace(row, corrected=tuple(sorted(fields))) if fields else row
