"""Inbox: the records of a folder with their scores, updated as files are added, changed and removed.

One thread refreshes, all threads may read. A file is read again only if its state on disk differs, it was
unreadable, or the model has changed. Of each record only its row and the fields for its story are held.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from scoring.artifact.saved_model import SavedModel
from scoring.errors import Fault, RecordError
from scoring.inbox.folder_watch import State, state_of
from scoring.inbox.rows import RecordDetails, Row, Scored, put_together, record_details, score_rows
from scoring.model.leaders import Leaders
from scoring.records.corpus import read_bytes
from scoring.records.decode import decode_file
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.file_names import name_of, path_of
from scoring.records.files import files_within
from scoring.records.forms.front_matter import find_front_matter
from scoring.records.ledger import Digests, Holding, Ledger, digests_of, read_ledger
from scoring.records.limits import UNLIMITED, RecordLimits
from scoring.records.record import Document

_BATCH = 256
_MAX_GONE = 10_000


class Changes(NamedTuple):
    """Changes since a version: new or changed rows, and the paths of removed rows."""

    version: int
    rows: list[Row]
    gone: list[str]


class _Published(NamedTuple):
    """Snapshot for readers: rows by path with the version of their last change, and removed paths likewise.

    It is replaced as a whole, so that a reader never sees a partial update.
    """

    version: int
    rows: dict[str, tuple[int, Row]]
    gone: dict[str, int]


class _File(NamedTuple):
    """A file that was read: its state on disk, the model, and the result."""

    state: State
    model: str
    result: Scored | Row  # a plain row has a fault
    text: str  # excerpt and body in lower case, for searches
    is_read: bool  # False if unreadable: no event announces that it became readable


class Inbox:
    """The rows of a folder.

    Parameters
    ----------
    folder : Path
        Folder with the records.
    ledger : Path
        Ledger of corrections.
    limits : RecordLimits
        Size limits of a record; a larger record is a row with a fault.
    field_maps : FieldMaps, optional
        Field maps of the files; default: those of their archives.

    Attributes
    ----------
    troubles : tuple of str
        Problems of the last refresh: unreadable folders, torn lines of the ledger.
    field_maps : FieldMaps
        Field maps of the files.
    """

    def __init__(
        self,
        folder: Path,
        ledger: Path,
        limits: RecordLimits = UNLIMITED,
        field_maps: FieldMaps | None = None,
    ) -> None:
        self.folder = folder
        self.ledger = ledger
        self.troubles: tuple[str, ...] = ()
        self._limits = limits
        self.field_maps = field_maps or FieldMaps([str(folder)])
        self._refreshing = threading.Lock()
        self._files: dict[str, _File] = {}
        self._published = _Published(0, {}, {})
        self._corrections: tuple[State | None, Ledger] = (None, Ledger(str(ledger), "", ()))

    def __len__(self) -> int:
        return len(self._published.rows)

    @property
    def version(self) -> int:
        """Version of the rows; it changes with each change of them."""
        return self._published.version

    def refresh(
        self,
        saved: SavedModel,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
        now: datetime | None = None,
    ) -> None:
        """Scan the folder, and score files that are new, changed, or scored by another model.

        Parameters
        ----------
        saved : SavedModel
            The current model.
        on_progress : callable
            Called with the number of files done and of all files to read.
        now : datetime, optional
            Current time, aware UTC, for the outlook of young records; without it they have none.

        Raises
        ------
        RecordError
            If the folder or the ledger cannot be read.
        """
        with self._refreshing:
            present, faults = self._list()
            n_before = len(self._files)
            self._files = {path: file for path, file in self._files.items() if path in present}
            pending = [path for path, state in present.items() if self._is_due(path, state, saved)]
            is_changed = len(self._files) != n_before or state_of(self.ledger) != self._corrections[0]
            for start in range(0, len(pending), _BATCH):
                for path, result, text, is_read in self._read(pending[start : start + _BATCH], saved, now):
                    previous = self._files.get(path)
                    is_changed = is_changed or previous is None or previous.result != result
                    self._files[path] = _File(present[path], saved.name, result, text, is_read)
                if not n_before:
                    self._publish(saved.models.leaders, is_complete=False)
                on_progress(min(start + _BATCH, len(pending)), len(pending))
            if is_changed:
                self._publish(saved.models.leaders, is_complete=True)
            self.troubles = (*faults, *map(str, self._corrections[1].torn))

    def reread_labels(self, paths: Sequence[str]) -> None:
        """Read again the labels of files that were written, without looking at any other file.

        A file whose record has changed as well is left to the next refresh, as are all while one is running.

        Raises
        ------
        RecordError
            If the ledger cannot be read.
        """
        if not self._refreshing.acquire(blocking=False):
            return
        try:
            changed = {path: row for path in paths if (row := self._relabelled(path)) is not None}
            if not changed:
                return
            active_corrections = self.corrections().holding()
            version, entries, gone = self._published
            entries = dict(entries)
            for path, row in changed.items():
                corrected = _with_corrections(msgspec.structs.replace(row, corrected=()), active_corrections)
                entries[path] = (version + 1, corrected)
            self._published = _Published(version + 1, entries, gone)
        finally:
            self._refreshing.release()

    def _relabelled(self, path: str) -> Row | None:
        """Published row of a file with its current labels; None if more has changed."""
        file, entry = self._files.get(path), self._published.rows.get(path)
        state = state_of(self.file(path))
        if file is None or entry is None or state is None or not isinstance(file.result, Scored):
            return None
        try:
            document = self._decode(read_bytes(self.file(path)), path)
        except RecordError:
            return None
        if digests_of(document.record).record != entry[1].record_sha256:
            return None
        own_row = msgspec.structs.replace(file.result.row, labels=document.labels)
        self._files[path] = file._replace(state=state, result=file.result._replace(row=own_row))
        return msgspec.structs.replace(entry[1], labels=document.labels)

    @property
    def has_unread(self) -> bool:
        """Whether there are unreadable files; these are tried again at each refresh."""
        return any(not file.is_read for file in list(self._files.values()))

    def _is_due(self, path: str, state: State, saved: SavedModel) -> bool:
        """Whether a file has to be read again."""
        file = self._files.get(path)
        return file is None or not file.is_read or (file.state, file.model) != (state, saved.name)

    def since(self, version: int) -> Changes:
        """Changes since a version; 0 is before the first."""
        published = self._published
        rows = [row for changed_in, row in published.rows.values() if changed_in > version]
        gone = [path for path, removed_in in published.gone.items() if removed_in > version]
        return Changes(published.version, rows, gone)

    def row(self, path: str) -> Row:
        """Row of a file.

        Raises
        ------
        RecordError
            If the inbox has no such file.
        """
        entry = self._published.rows.get(path)
        if entry is None:
            raise RecordError(Fault(path, 0, "", "a file that is not in the inbox", "one of its records"))
        return entry[1]

    def rows_of(self, paths: Iterable[str]) -> list[Row]:
        """Rows of those files that the inbox has."""
        rows = self._published.rows
        return [rows[path][1] for path in dict.fromkeys(paths) if path in rows]

    def search(self, term: str) -> list[str]:
        """Paths of the records whose excerpt or body contains a text, whatever its case."""
        wanted = term.lower()
        return [path for path, file in list(self._files.items()) if wanted in file.text]

    def file(self, path: str) -> Path:
        """File of a record, from its path as encoded by :func:`scoring.records.file_names.name_of`."""
        return self.folder / path_of(path)

    def read(self, path: str) -> tuple[bytes, Document]:
        """Read the current bytes of a file, and decode its record.

        Raises
        ------
        RecordError
            If the inbox has no such file, or it cannot be used.
        """
        self.row(path)
        data = read_bytes(self.file(path))
        return data, self._decode(data, path)

    def details(self, path: str, saved: SavedModel) -> RecordDetails:
        """Explain the scores of a record: see :func:`scoring.inbox.rows.record_details`.

        Where another record of the inbox leads the story, the score is that of the row.
        """
        document = self.read(path)[1]
        details = record_details(document, saved, self.corrections().corrections)
        row = self.row(path)
        is_of_row = row.record_sha256 == digests_of(document.record).record
        if row.score is None or row.score.model != saved.name or not is_of_row:
            return details
        explanation = msgspec.structs.replace(details.explanation, score=row.score)
        return msgspec.structs.replace(details, explanation=explanation)

    def corrections(self) -> Ledger:
        """Return the current ledger; it is read again only if it has changed.

        Raises
        ------
        RecordError
            If a line of it is not a correction.
        """
        state, ledger = self._corrections
        now = state_of(self.ledger)
        if now != state:
            ledger = read_ledger(self.ledger)
            self._corrections = (now, ledger)
        return ledger

    def _list(self) -> tuple[dict[str, State], list[str]]:
        """List the existing files with their states, and messages about unreadable subfolders."""
        faults: list[str] = []
        try:
            files = list(files_within(str(self.folder), lambda error: faults.append(str(error))))
        except RecordError as error:
            expected = "the folder of the inbox; it is polled until it exists"
            raise RecordError(Fault(str(self.folder), 0, "", error.faults[0].got, expected)) from None
        states = {name_of(os.path.relpath(file, self.folder)): state_of(file) for file in files}
        return {path: state for path, state in states.items() if state}, faults

    def _read(
        self, paths: Sequence[str], saved: SavedModel, now: datetime | None
    ) -> Iterator[tuple[str, Scored | Row, str, bool]]:
        """Read and score files; yield path, result, text, and whether the file was readable."""
        documents: list[Document] = []
        texts: list[str] = []
        self.field_maps.with_model_map(saved.scorer.field_map, reads_bodies=saved.scorer.reads_bodies)
        for path in paths:
            is_read = False
            try:
                data = read_bytes(self.file(path))
                is_read = True
                documents.append(self._decode(data, path))
                texts.append(_text_of(data, documents[-1]))
            except RecordError as error:
                yield path, Row(path=path, title=os.path.basename(path), fault=str(error)), "", is_read
        for document, text, scored in zip(documents, texts, score_rows(documents, saved, now), strict=True):
            yield document.path, scored, text, True

    def _decode(self, data: bytes, path: str) -> Document:
        self._limits.check_bytes(len(data), path)
        field_map = self.field_maps.of(str(self.file(path)))
        reads_body = self.field_maps.reads_bodies
        return self._limits.check(decode_file(data, path, field_map=field_map, reads_body=reads_body))

    def _publish(self, leaders: Leaders | None, *, is_complete: bool) -> None:
        """Publish the rows to readers; stories are assigned only when all records are read."""
        results = [file.result for file in self._files.values()]
        scored = [result for result in results if isinstance(result, Scored)]
        rows = put_together(scored, leaders) if is_complete else [item.row for item in scored]
        faulty = [result for result in results if isinstance(result, Row)]
        active_corrections = self.corrections().holding()
        version = self._published.version + 1
        entries: dict[str, tuple[int, Row]] = {}
        for row in (*rows, *faulty):
            corrected = _with_corrections(row, active_corrections)
            entry = self._published.rows.get(row.path)
            if entry is None or entry[1] != corrected:
                entry = (version, corrected)
            entries[row.path] = entry
        gone = {path: removed_in for path, removed_in in self._published.gone.items() if path not in entries}
        gone |= dict.fromkeys(self._published.rows.keys() - entries.keys(), version)
        latest_gone = list(gone.items())[-_MAX_GONE:]
        self._published = _Published(version, entries, dict(latest_gone))


def _text_of(data: bytes, document: Document) -> str:
    """Excerpt and body of a record in lower case."""
    body = data[find_front_matter(data, document.path).stop :]
    return f"{document.record.excerpt}\n{body.decode(errors='replace')}".lower()


def _with_corrections(row: Row, active_corrections: Holding) -> Row:
    fields = Digests(row.record_sha256, row.own_sha256).pick(active_corrections)
    return msgspec.structs.replace(row, corrected=tuple(sorted(fields))) if fields else row
