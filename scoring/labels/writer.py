"""Write scores into the files of their records, without changing labels that people gave.

A missing label is filled in, one that scoring wrote and nobody has changed since is renewed, and any other is
left alone unless overwriting is requested, also if it cannot be used as a label. The files of a batch are
read, their new labels entered in the journal, and then the files replaced, while the journal is locked.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from scoring.errors import Fault, RecordError, shown
from scoring.labels.copies import Copies, GivenLabels
from scoring.labels.journal import MAP_CHANGED, Journal, JournalWriter, named_maps, new_write_id
from scoring.labels.journal_format import BatchDone, JournalEntry, JournalLabels, LabelsBefore
from scoring.labels.label_view import DIGEST_CHARS
from scoring.labels.write_plan import Plan, file_of, outcomes_of, unknown_of, wanted_labels
from scoring.labels.write_results import WriteCounts, WrittenFile
from scoring.model.score import Score
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import read_bytes
from scoring.records.decode import decode_file
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.files import OnFault, shown_names
from scoring.records.label_spelling import spellings_to_keep
from scoring.records.mapped_labels import as_written, label_keys
from scoring.records.reading_warnings import title_only_warning, unusable_labels
from scoring.records.record import Document, Labels
from scoring.records.write_back import edit_labels, file_within, roots_of
from scoring.storage.atomic_file import remove_left_over, replace_file
from scoring.storage.regular_files import local_file
from scoring.storage.urls import is_remote

_Names = Callable[[], Mapping[str, Sequence[str]]] | None
_MAX_WATCHED = 100_000  # records remembered by `watch` to find copies; it may run forever

_BATCH_BYTES = 2**25  # limits memory: the old and new bytes of a batch are both held

_REMOTE_WRITES = 16  # remote files that are written at the same time

BATCH_FILES = 128
"""Files per batch; the journal is flushed to disk once per batch."""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Options of a write.

    Parameters
    ----------
    journal : Path
        Journal of the labels that scoring wrote: see :mod:`scoring.labels.journal`.
    clock : callable
        Returns the current time, aware UTC, since a write may take long.
    command : str
        Calling command: ``score`` or ``watch``.
    is_overwriting : bool
        Also replace labels that people gave.
    allows_unknown : bool
        Also write scores of records without the fields that the model needs.
    is_dry_run : bool
        Report changes without writing.
    """

    journal: Path
    clock: Callable[[], datetime]
    command: Literal["score", "watch"] = "score"
    is_overwriting: bool = False
    allows_unknown: bool = False
    is_dry_run: bool = False


class LabelWriter:
    """Writes scores into files.

    Parameters
    ----------
    options : WriteOptions
        Write options.
    paths : sequence of str
        Paths of the scored files.
    on_fault : callable
        Called with the error of each file that cannot be written or is refused; the others continue.
    reporter : Reporter
        Notified of copies of a record with different labels, and of skipped lines of the journal.
    field_maps : FieldMaps, optional
        Field maps of the files; default: those of their archives.
    within : sequence of str, optional
        Paths given by the user: nothing outside these folders (or the folders of these files) is written.
        Default: `paths`.

    Attributes
    ----------
    write_id : str
        Id of this write, to restore its labels.
    counts : WriteCounts
        Counts so far.
    has_known : bool
        Whether the journal had entries when the write began.

    Raises
    ------
    RecordError
        If the journal cannot be read.
    """

    def __init__(
        self,
        options: WriteOptions,
        *,
        paths: Sequence[str],
        on_fault: OnFault,
        reporter: Reporter = SILENT,
        field_maps: FieldMaps | None = None,
        within: Sequence[str] | None = None,
    ) -> None:
        self._options, self._on_fault, self._reporter = options, on_fault, reporter
        self._paths = paths
        self._field_maps = field_maps or FieldMaps(paths)
        self._roots = roots_of(paths if within is None else within)
        self._journal = Journal(options.journal)
        self._report(self._journal.refresh())
        self._copies = Copies(reporter, max_records=_MAX_WATCHED if options.command == "watch" else None)
        self._n_batches = 0
        self._unwritten: set[str] = set()
        self._unusable: set[str] = set()
        self._named_maps: dict[str, FieldMap] = {}
        self.has_known = not self._journal.is_empty
        self.write_id = new_write_id(options.clock())
        self.counts = WriteCounts()

    def write(
        self, scores: Iterable[Score], *, batch_files: int = BATCH_FILES, is_spelled: bool = True
    ) -> Iterator[WrittenFile]:
        """Write scores, a batch of files at a time.

        Parameters
        ----------
        scores : iterable of Score
            Scores of Markdown files; one from standard input or JSON lines is a fault.
        batch_files : int
            Maximum number of files per batch.
        is_spelled : bool
            Whether the paths of the scores are escaped, as in documents.

        Yields
        ------
        WrittenFile
            One per score, in order, once its batch is written.

        Raises
        ------
        RecordError
            If the journal cannot be read or written; scores not yet yielded are then not written.
        """
        names = functools.cache(lambda: shown_names(self._paths)) if is_spelled else None
        for batch in _batches(scores, batch_files):
            for written in self._write_batch(batch, names):
                self.counts.add(written)
                if written.fault is not None:
                    self._on_fault(written.fault)
                yield written

    def _write_batch(self, scores: Sequence[Score], names: _Names) -> list[WrittenFile]:
        if self._options.is_dry_run:
            planned = [self._plan_or_fault(score, names) for score in scores]
            for plan in planned:
                if isinstance(plan, Plan):
                    self._given_by_people(plan)
            return [self._result_of(plan) for plan in planned]
        with self._journal.locked() as writer:
            self._report(writer.warnings)
            planned = [self._plan_or_fault(score, names) for score in scores]
            written = self._replace_files(planned, writer)
            # Retry once the files that changed meanwhile.
            retried = [index for index, result in enumerate(written) if result is None]
            plans = [self._plan_or_fault(scores[index], names) for index in retried]
            for index, result in zip(retried, self._replace_files(plans, writer), strict=True):
                got = "a file that another process keeps changing"
                written[index] = result or _failed(scores[index].path, got)
        return [result for result in written if result is not None]

    def _replace_files(
        self, planned: Sequence[Plan | WrittenFile], writer: JournalWriter
    ) -> list[WrittenFile | None]:
        """Enter plans in the journal, then replace the files; None for a file that changed meanwhile."""
        at = writer.moment(self._options.clock())
        plans = [(item, plan) for item, plan in enumerate(planned) if isinstance(plan, Plan)]
        entries = [self._entry(plan, item, at) for item, plan in plans if plan.is_changed]
        by_people = [given for _, plan in plans for given in self._given_by_people(plan)]
        entries += [self._given_entry(given, len(planned) + n, at) for n, given in enumerate(by_people)]
        writer.append(entries, field_maps=self._named_maps)
        self.counts.n_entered += len(entries)
        written = self._replace_each(planned)
        if entries:
            failed = tuple(item for item, result in enumerate(written) if result is None or result.fault)
            done = BatchDone(write_id=self.write_id, batch=self._n_batches, not_written=failed)
            self._n_batches += 1
            try:
                writer.append([done], is_synced=False)
            except RecordError as error:  # entries still count, if their labels are in the files
                self._reporter.note(str(error))
        return written

    def _replace_each(self, planned: Sequence[Plan | WrittenFile]) -> list[WrittenFile | None]:
        """Replace the files, remote ones concurrently."""
        if not any(isinstance(plan, Plan) and is_remote(plan.target) for plan in planned):
            return [self._replace_file(plan) for plan in planned]
        with ThreadPoolExecutor(_REMOTE_WRITES) as executor:
            return list(executor.map(self._replace_file, planned))

    def _replace_file(self, plan: Plan | WrittenFile) -> WrittenFile | None:
        if isinstance(plan, WrittenFile):
            return plan
        try:
            if plan.is_changed and not replace_file(plan.target, plan.old, plan.new, plan.path):
                return None
        except RecordError as error:
            return WrittenFile(shown(plan.path), fault=error)
        return self._result_of(plan)

    @staticmethod
    def _result_of(plan: Plan | WrittenFile) -> WrittenFile:
        if isinstance(plan, WrittenFile):
            return plan
        changed, diff = plan.is_changed, plan.diff
        return WrittenFile(shown(plan.path), changed, diff, plan.outcomes, n_unusable=plan.n_unusable)

    def _plan_or_fault(self, score: Score, names: _Names) -> Plan | WrittenFile:
        try:
            return self._plan(score, file_of(score, names))
        except RecordError as error:
            return WrittenFile(shown(score.path), fault=error)

    def _plan(self, score: Score, path: str) -> Plan | WrittenFile:
        target = file_within(path, self._roots)
        if not self._options.is_dry_run:
            remove_left_over(target)
        old = read_bytes(target)
        field_map = self._field_maps.of(path)
        document = decode_file(old, path, is_hashed=False, field_map=field_map)
        if document.field_map_sha256[:DIGEST_CHARS] not in self._named_maps:
            self._named_maps |= named_maps(field_map)
        if not self._options.allows_unknown and (unread := title_only_warning(document.warnings)):
            got, expected = f"a record of which {unread}", "a field map that says what they are"
            fault = RecordError(Fault(path, 0, "", got, f"{expected} (or --allow-unknown)"))
            return WrittenFile(shown(path), fault=fault, is_refused=True)
        if not self._options.allows_unknown and (unknown := unknown_of(document.record)):
            fault = RecordError(
                Fault(path, 0, "", unknown, "a title, and a date, provider or topics (or --allow-unknown)")
            )
            return WrittenFile(shown(path), fault=fault, is_refused=True)
        # A file filled by this write is no evidence for a later copy; `watch` is one endless write.
        ignored = self.write_id if self._options.command == "score" else ""
        own = self._own_labels(document, field_map, ignored)
        in_file = as_written(Labels(score.quality, score.heat, score.published), field_map)
        self._note_unwritten(score, in_file, field_map, path)
        rounded = msgspec.structs.replace(score, **msgspec.structs.asdict(in_file))
        unusable = unusable_labels(document.warnings, label_keys(field_map))
        is_overwriting = self._options.is_overwriting
        outcomes = outcomes_of(
            document.labels, rounded, own, unusable=unusable, is_overwriting=is_overwriting
        )
        self._note_unusable({name: unusable[name] for name in unusable if name in outcomes}, path)
        wanted = wanted_labels(rounded, outcomes)
        new, diff, text, layout = edit_labels(old, wanted, path, field_map)
        values = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not None}
        return Plan(
            score=score,
            path=path,
            target=target,
            document=document,
            keys=self._journal.keys_of(document),
            old=old,
            new=new,
            diff=diff,
            outcomes=outcomes,
            before=(
                spellings_to_keep(text, layout, document.labels, path, field_map, replaced=values)
                if new != old
                else {}
            ),
            labels=msgspec.structs.replace(document.labels, **values),
            unusable=frozenset(unusable),
        )

    def _own_labels(self, document: Document, field_map: FieldMap | None, ignored: str) -> frozenset[str]:
        """Labels that scoring wrote, of those that it writes; report once if only the path shows it."""
        n_by_path = self._journal.n_by_path
        own = self._journal.own_labels(document, ignoring=ignored)
        if not n_by_path and self._journal.n_by_path:
            self._reporter.note(f"{document.path}: {MAP_CHANGED}")
        return own & label_keys(field_map).keys()

    def _note_unusable(self, unusable: Mapping[str, str], path: str) -> None:
        """Say once of each label that values which cannot be used are left alone."""
        if self._options.is_overwriting:
            return
        for name, about in unusable.items():
            if name not in self._unusable:
                self._unusable.add(name)
                self._reporter.note(f"{shown(path)}: {about}: left alone (--overwrite replaces such values)")

    def _note_unwritten(self, score: Score, in_file: Labels, field_map: FieldMap | None, path: str) -> None:
        """Say once of each label that the field map reads it, but cannot write it."""
        for name in field_map.labels if field_map is not None else ():
            is_left_out = getattr(score, name) is not None and getattr(in_file, name) is None
            if is_left_out and name not in self._unwritten:
                self._unwritten.add(name)
                self._reporter.note(
                    f"{shown(path)}: {name} is not written: the field map reads it from a nested key, by a "
                    "comparison, or in a unit without -1; give it a key of its own"
                )

    def _entry(self, plan: Plan, item: int, at: datetime) -> JournalEntry:
        """Journal entry of a file: labels to write, and their spelling before."""
        own = plan.own()
        before = {name: spelling for name, spelling in plan.before.items() if name in own}
        entry = self._given_entry(GivenLabels(plan.keys, own), item, at)
        return msgspec.structs.replace(
            entry, owner="scoring", before=msgspec.convert(before, LabelsBefore), model=plan.score.model
        )

    def _given_entry(self, given: GivenLabels, item: int, at: datetime) -> JournalEntry:
        """Journal entry for labels that people gave to one of two files of a record."""
        return JournalEntry(
            at=at,
            write_id=self.write_id,
            batch=self._n_batches,
            item=item,
            command=self._options.command,
            owner="people",
            record=given.keys.record,
            file=given.keys.file,
            place=given.keys.place,
            field_map=given.keys.field_map,
            labels=msgspec.convert(given.labels, JournalLabels),
        )

    def _given_by_people(self, plan: Plan) -> list[GivenLabels]:
        """Compare with other files of the record; return labels to enter as given by people."""
        given = plan.given()
        known = self._journal.given_labels(plan.document) if given else frozenset()
        new = {name: value for name, value in given.items() if name not in known}
        return self._copies.compare(plan.path, plan.document.record, plan.labels, GivenLabels(plan.keys, new))

    def _report(self, warnings: Iterable[str]) -> None:
        for warning in warnings:
            self._reporter.note(warning)


def _batches(scores: Iterable[Score], n_files: int) -> Iterator[list[Score]]:
    """Split scores into batches, limited by number and size of files."""
    batch: list[Score] = []
    n_bytes = 0
    for score in scores:
        batch.append(score)
        with suppress(OSError):  # an escaped path or a deleted file, which is reported later
            n_bytes += os.stat(local_file(score.path)).st_size
        if len(batch) >= n_files or n_bytes >= _BATCH_BYTES:
            yield batch
            batch, n_bytes = [], 0
    if batch:
        yield batch


def _failed(path: str, got: str) -> WrittenFile:
    return WrittenFile(shown(path), fault=RecordError(Fault(path, 0, "", got, "an unchanging file")))
