"""Restore labels: undo one write, except for labels that were changed since.

Each file is read by the field map that the journal keeps with the write, whatever map the archive has now. A
file that the write did not write is changed only if it has the record of a written file that is not among the
files any more, which was moved then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from scoring.errors import Fault, RecordError, ScoringError, shown
from scoring.labels.journal import Journal, JournalWriter, RecordKeys, new_write_id
from scoring.labels.journal_format import BatchDone, JournalEntry, JournalLabels
from scoring.labels.write_history import WriteHistory, WrittenRecord, read_write, written_labels
from scoring.labels.written_files import FoundFile, WrittenFiles
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import holds_many
from scoring.records.decode import decode_file
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.files import STDIN, OnFault, expand
from scoring.records.label_spelling import put_labels_back, spellings_of
from scoring.records.write_back import Change, roots_of
from scoring.storage.atomic_file import remove_left_over, replace_file

_BATCH_FILES = 64
_Owner = Literal["scoring", "people"]


@dataclass(slots=True)
class RestoreCounts:
    """Numbers of changed files, restored labels, skipped labels, found and missing records, and faults."""

    n_files: int = 0
    n_restored: int = 0
    n_left_alone: int = 0
    n_found: int = 0
    n_missing: int = 0
    n_faults: int = 0


class _Plan(NamedTuple):
    """A file with labels to restore."""

    path: str
    target: str
    keys: RecordKeys
    old: bytes
    new: bytes
    diff: str
    owned: dict[str, _Owner]  # owner of each label after the restore
    labels: dict[str, Any]

    @property
    def change(self) -> Change:
        return Change(shown(self.path), True, self.diff)


class Restorer:
    """Restores the labels of one write.

    Parameters
    ----------
    journal : Path
        Journal with the write.
    write_id : str
        Identifier of the write.
    clock : callable
        Returns the current time, aware UTC.
    is_dry_run : bool
        Report the changes without writing.
    field_maps : FieldMaps, optional
        Field maps of the files of a write by an earlier version, which kept none; default: the one in the
        folder of each file.
    on_fault : callable
        Called with the error of each file that cannot be read or written; the others are processed.
    reporter : Reporter
        Receiver of progress.

    Attributes
    ----------
    counts : RestoreCounts
        Counts so far.

    Raises
    ------
    ScoringError
        If the journal cannot be read, or does not have the write.
    """

    def __init__(
        self,
        journal: Path,
        write_id: str,
        *,
        clock: Callable[[], datetime],
        is_dry_run: bool = False,
        field_maps: FieldMaps | None = None,
        on_fault: OnFault,
        reporter: Reporter = SILENT,
    ) -> None:
        history = read_write(journal, write_id)
        if history is None:
            listed = '"scoring restore" lists them, --journal FILE names another journal'
            raise ScoringError(f"no write {shown(write_id)!r} in {journal}: {listed}")
        self._history: WriteHistory = history
        self._clock, self._is_dry_run = clock, is_dry_run
        self._on_fault, self._reporter = on_fault, reporter
        self._journal = Journal(journal)
        for warning in self._journal.refresh():
            reporter.note(warning)
        self._write_id = new_write_id(clock())
        self._n_batches = 0
        self._files = WrittenFiles(history, self._journal, field_maps or FieldMaps())
        self._others: list[str] = []  # files with a record that was written to other paths
        self._found: set[WrittenRecord] = set()
        self._moved: set[WrittenRecord] | None = None  # once all files were looked at
        self.counts = RestoreCounts()

    def restore(self, paths: Sequence[str]) -> Iterator[Change]:
        """Restore labels in the given files.

        Parameters
        ----------
        paths : sequence of str
            Folders, Markdown files and globs.

        Yields
        ------
        Change
            One for each changed file (in a dry run: each file that would change).

        Raises
        ------
        ScoringError
            If a path does not exist, or the journal cannot be written.
        """
        files = [file for file in expand(paths) if file != STDIN and not holds_many(file)]
        roots = roots_of(paths)
        n_done = 0
        for batch in _batches(files):
            yield from self._restore_batch(batch, roots)
            n_done += len(batch)
            self._reporter.step("restoring", n_done, len(files))
        # What is not where it was written has been moved.
        beside = self._files.beside(self._others, set(files), roots)
        self._moved = set(self._history.written) - self._found - beside
        for batch in _batches(self._others) if self._moved else ():
            yield from self._restore_batch(batch, roots)
        self.counts.n_found = len(self._found)
        self.counts.n_missing = len(self._history.written) - len(self._found)

    def _restore_batch(self, files: Sequence[str], roots: Sequence[str]) -> list[Change]:
        if self._is_dry_run:
            return [self._count(plan) for plan in self._plans(files, roots)]
        with self._journal.locked() as writer:
            return self._write_plans(list(self._plans(files, roots)), writer)

    def _write_plans(self, plans: Sequence[_Plan], writer: JournalWriter) -> list[Change]:
        if not plans:
            return []
        at = writer.moment(self._clock())
        entries = [entry for plan in plans for entry in self._entries(plan, at)]
        entries = [msgspec.structs.replace(entry, item=item) for item, entry in enumerate(entries)]
        writer.append(entries, field_maps=self._history.field_maps)
        changes: list[Change] = []
        failed: set[RecordKeys] = set()
        for plan in plans:
            try:
                if not replace_file(plan.target, plan.old, plan.new, plan.path):
                    raise RecordError(
                        Fault(
                            plan.path,
                            0,
                            "",
                            "a file that another process changed meanwhile",
                            "an unchanged file",
                        )
                    )
                changes.append(self._count(plan))
            except RecordError as error:
                failed.add(plan.keys)
                self._fail(error)
        places = {keys.place for keys in failed}
        not_written = tuple(entry.item for entry in entries if entry.place in places)
        done = BatchDone(write_id=self._write_id, batch=self._n_batches, not_written=not_written)
        self._n_batches += 1
        writer.append([done], is_synced=False)
        return changes

    def _plans(self, files: Sequence[str], roots: Sequence[str]) -> Iterator[_Plan]:
        for path in files:
            try:
                file = self._files.find(path, roots)
                plan = None if file is None else self._plan(file)
            except RecordError as error:
                self._fail(error)
                continue
            if plan is not None:
                yield plan

    def _plan(self, file: FoundFile) -> _Plan | None:
        """Plan the restore of a file; None if there is nothing to restore, or not yet."""
        records = file.written
        if self._moved is not None:
            records = [record for record in records if record in self._moved]
        elif not file.is_at_path:
            self._others.append(file.path)
            return None
        if not records:
            return None
        self._found.update(records)
        path, old, document, field_map = file.path, file.data, file.document, file.field_map
        groups = [written_labels(record.entries) for record in records]
        spellings = spellings_of(old, document.labels, path, field_map)
        # If the record had several files, take the one with the most labels in common with this file.
        written = max(
            groups, key=lambda group: sum(getattr(document.labels, n) == v for n, (_, v) in group.items())
        )
        own_labels = self._journal.own_labels(document)
        restored: dict[str, Any] = {}
        for name, (before, value) in written.items():
            if spellings.get(name) == before:
                continue  # restored already, or never written
            if name in own_labels and getattr(document.labels, name) == value:
                restored[name] = before
            else:
                self.counts.n_left_alone += 1
        if not restored:
            return None
        if not self._is_dry_run:
            remove_left_over(file.target)
        new, diff, _, _ = put_labels_back(old, restored, path, field_map)
        restored_document = decode_file(new, path, is_hashed=False, field_map=field_map)
        own_labels_before = self._journal.own_labels(restored_document, until=self._history.began_at)
        owned: dict[str, _Owner] = {
            name: "scoring" if name in own_labels_before else "people" for name in restored
        }
        labels = {name: getattr(restored_document.labels, name) for name in restored}
        return _Plan(path, file.target, file.keys, old, new, diff, owned, labels)

    def _entries(self, plan: _Plan, at: datetime) -> Iterator[JournalEntry]:
        owners: tuple[_Owner, ...] = ("scoring", "people")
        for owner in owners:
            labels = {name: value for name, value in plan.labels.items() if plan.owned[name] == owner}
            if labels:
                yield JournalEntry(
                    at=at,
                    write_id=self._write_id,
                    batch=self._n_batches,
                    command="restore",
                    owner=owner,
                    record=plan.keys.record,
                    file=plan.keys.file,
                    place=plan.keys.place,
                    field_map=plan.keys.field_map,
                    labels=msgspec.convert(labels, JournalLabels),
                )

    def _count(self, plan: _Plan) -> Change:
        self.counts.n_files += 1
        self.counts.n_restored += len(plan.labels)
        return plan.change

    def _fail(self, error: RecordError) -> None:
        self.counts.n_faults += 1
        self._on_fault(error)


def _batches(files: Sequence[str]) -> Iterator[Sequence[str]]:
    return (files[start : start + _BATCH_FILES] for start in range(0, len(files), _BATCH_FILES))
