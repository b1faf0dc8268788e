"""Restore labels: undo one write, except for labels that were changed since."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from scoring.errors import Fault, RecordError, ScoringError, shown
from scoring.labels.journal import Journal, JournalWriter, RecordKeys, new_write_id
from scoring.labels.journal_lines import BatchDone, JournalEntry, JournalLabels
from scoring.labels.write_history import WriteHistory, read_write, written_labels
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import holds_many, read_bytes
from scoring.records.decode import decode_file
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.files import STDIN, OnFault, expand
from scoring.records.label_spelling import put_labels_back, spellings_of
from scoring.records.write_back import Change, file_within
from scoring.storage.atomic_file import remove_left_over, replace_file

_BATCH_FILES = 64
_Owner = Literal["scoring", "people"]


@dataclass(slots=True)
class RestoreCounts:
    """Numbers of changed files, restored labels, skipped labels, missing records and faults."""

    n_files: int = 0
    n_restored: int = 0
    n_left_alone: int = 0
    n_missing: int = 0
    n_faults: int = 0
    records: set[str] = field(default_factory=set)


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
        Field maps of the files; default: the one in the folder of each file.
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
        self._field_maps = field_maps or FieldMaps()
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
        roots = [path if os.path.isdir(path) else os.path.dirname(path) or "." for path in paths]
        remaining = iter(files)
        n_done = 0
        while batch := list(islice(remaining, _BATCH_FILES)):
            yield from self._restore_batch(batch, roots)
            n_done += len(batch)
            self._reporter.step("restoring", n_done, len(files))
        self.counts.n_missing = len(self._history.records - self.counts.records)

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
        writer.append(entries)
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
        not_written = tuple(entry.item for entry in entries if RecordKeys(entry.record, entry.file) in failed)
        done = BatchDone(write_id=self._write_id, batch=self._n_batches, not_written=not_written)
        self._n_batches += 1
        writer.append([done], is_synced=False)
        return changes

    def _plans(self, files: Sequence[str], roots: Sequence[str]) -> Iterator[_Plan]:
        for file in files:
            try:
                plan = self._plan(file, roots)
            except RecordError as error:
                self._fail(error)
                continue
            if plan is not None:
                yield plan

    def _plan(self, path: str, roots: Sequence[str]) -> _Plan | None:
        """Plan the restore of a file; None if there is nothing to restore."""
        target = file_within(path, roots)
        old = read_bytes(target)
        field_map = self._field_maps.of(path)
        document = decode_file(old, path, is_hashed=False, field_map=field_map)
        keys = self._journal.keys_of(document)
        groups = [written_labels(entries) for entries in self._history.of(keys)]
        if not groups:
            return None
        self.counts.records.add(keys.record)
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
            remove_left_over(target)
        new, diff, _, _ = put_labels_back(old, restored, path, field_map)
        restored_document = decode_file(new, path, is_hashed=False, field_map=field_map)
        own_labels_before = self._journal.own_labels(restored_document, until=self._history.began_at)
        owned: dict[str, _Owner] = {
            name: "scoring" if name in own_labels_before else "people" for name in restored
        }
        labels = {name: getattr(restored_document.labels, name) for name in restored}
        return _Plan(path, target, keys, old, new, diff, owned, labels)

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
                    labels=msgspec.convert(labels, JournalLabels),
                )

    def _count(self, plan: _Plan) -> Change:
        self.counts.n_files += 1
        self.counts.n_restored += len(plan.labels)
        return plan.change

    def _fail(self, error: RecordError) -> None:
        self.counts.n_faults += 1
        self._on_fault(error)
