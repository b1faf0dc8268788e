"""Writing scores into the files of their records, and leaving alone the labels that people gave.

Per label: one that is missing is filled, one that scoring itself wrote and nobody has changed since is
renewed, any other is left alone unless it is to be overwritten. The files of a batch are read, their new
labels entered in the journal, and the files replaced then, while nobody else writes under the same journal.
"""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from scoring.errors import Fault, RecordError, shown
from scoring.labels.copies import Copies, GivenLabels
from scoring.labels.journal import Journal, JournalWriter, new_write_id
from scoring.labels.journal_lines import BatchDone, JournalEntry, JournalLabels, LabelsBefore
from scoring.labels.write_plan import Outcome, Plan, file_of, outcomes_of, unknown_of, wanted_labels
from scoring.model.score import Score
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import OnFault, read_bytes, shown_names
from scoring.records.decode import decode_file
from scoring.records.label_spelling import spellings_in
from scoring.records.write_back import edit_labels, file_within
from scoring.storage.atomic_file import remove_left_over, replace_file

_Names = Callable[[], Mapping[str, Sequence[str]]] | None
_MAX_WATCHED = 100_000  # records among which a watch, which may go on for ever, looks for copies

_BATCH_BYTES = 2**25  # likewise: both the old and the new bytes of a batch are held

BATCH_FILES = 128
"""Files that are written together: the journal goes to the disk once for all of them."""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How scores are written.

    Parameters
    ----------
    journal : Path
        Where what scoring writes is kept: see :mod:`scoring.labels.journal`.
    clock : callable
        Gives the moment, aware UTC: a write may go on for long.
    command : str
        Who writes: ``score`` or ``watch``.
    is_overwriting : bool
        Replace the labels that people gave, too.
    allows_unknown : bool
        Write the scores of records of which the model knows nothing that counts.
    is_dry_run : bool
        Tell what would change, and write nothing.
    """

    journal: Path
    clock: Callable[[], datetime]
    command: Literal["score", "watch"] = "score"
    is_overwriting: bool = False
    allows_unknown: bool = False
    is_dry_run: bool = False


class WrittenFile(NamedTuple):
    """What writing one score did, or would do.

    Parameters
    ----------
    path : str
        The file, as :func:`scoring.errors.shown` spells it.
    changed : bool
        Whether any byte differs.
    diff : str
        Unified diff of the lines that differ.
    outcomes : dict of str to Outcome
        By label; empty for a record that was refused.
    fault : RecordError or None
        Why nothing was written.
    is_refused : bool
        Whether that is because the model knows nothing of the record that counts.
    """

    path: str
    changed: bool = False
    diff: str = ""
    outcomes: Mapping[str, Outcome] = {}
    fault: RecordError | None = None
    is_refused: bool = False


@dataclass(slots=True)
class WriteCounts:
    """What came of a write, so far: files and labels."""

    n_files: int = 0
    n_written: int = 0
    n_refused: int = 0
    n_faults: int = 0
    labels: Counter[str] = field(default_factory=Counter)

    def add(self, written: WrittenFile) -> None:
        """Count one file."""
        self.n_files += 1
        self.n_written += written.changed
        self.n_refused += written.is_refused
        self.n_faults += written.fault is not None and not written.is_refused
        self.labels.update(written.outcomes.values())


class WrittenScore(Score, frozen=True, kw_only=True):
    """A score that was written into its record's file: `labels` tells what became of each label."""

    labels: dict[str, Outcome]


class LabelWriter:
    """Writes scores into files.

    Parameters
    ----------
    options : WriteOptions
        How.
    paths : sequence of str
        What the user named: nothing outside of these folders (or of the folders of these files) is written.
    on_fault : callable
        Called with the error of each file that cannot be written, or is refused; the others go on.
    reporter : Reporter
        Told of files of one record that have different labels, and of lines of the journal that are skipped.

    Attributes
    ----------
    write_id : str
        Name of this write, by which its labels can be put back.
    counts : WriteCounts
        What came of it so far.
    has_known : bool
        Whether the journal knew of any record when the write began.

    Raises
    ------
    RecordError
        If the journal cannot be read.
    """

    def __init__(
        self, options: WriteOptions, *, paths: Sequence[str], on_fault: OnFault, reporter: Reporter = SILENT
    ) -> None:
        self._options, self._on_fault, self._reporter = options, on_fault, reporter
        self._paths = paths
        self._roots = [
            path if os.path.isdir(path) else os.path.dirname(path) or "." for path in paths if path != "-"
        ]
        self._journal = Journal(options.journal)
        self._tell(self._journal.refresh())
        self._copies = Copies(reporter, max_records=_MAX_WATCHED if options.command == "watch" else None)
        self._n_batches = 0
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
            Files of a batch, at most.
        is_spelled : bool
            Whether the scores' paths are spelled as documents have them, else as the system gives them.

        Yields
        ------
        WrittenFile
            One for each score, in their order, once its batch is written.

        Raises
        ------
        RecordError
            If the journal cannot be read or written; what was not yielded before is not written then.
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
            planned = [self._planned(score, names) for score in scores]
            for plan in planned:
                if isinstance(plan, Plan):
                    self._given_apart(plan)
            return [self._told(plan) for plan in planned]
        with self._journal.locked() as writer:
            self._tell(writer.warnings)
            planned = [self._planned(score, names) for score in scores]
            written = self._replaced(planned, writer)
            # What somebody has changed meanwhile is looked at once more.
            again = [at for at, each in enumerate(written) if each is None]
            second = self._replaced([self._planned(scores[at], names) for at in again], writer)
            for at, each in zip(again, second, strict=True):
                written[at] = each or _failed(scores[at].path, "a file that another process keeps changing")
        return [each for each in written if each is not None]

    def _replaced(
        self, planned: Sequence[Plan | WrittenFile], writer: JournalWriter
    ) -> list[WrittenFile | None]:
        """Enter plans in the journal, put new files in place; None for a file that was changed meanwhile."""
        at = writer.moment(self._options.clock())
        plans = [(item, plan) for item, plan in enumerate(planned) if isinstance(plan, Plan)]
        entries = [self._entry(plan, item, at) for item, plan in plans if plan.is_changed]
        apart = [given for _, plan in plans for given in self._given_apart(plan)]
        entries += [self._given_entry(given, len(planned) + n, at) for n, given in enumerate(apart)]
        writer.append(entries)
        written = [plan if isinstance(plan, WrittenFile) else self._put_in_place(plan) for plan in planned]
        if entries:
            failed = tuple(item for item, each in enumerate(written) if each is None or each.fault)
            done = BatchDone(write_id=self.write_id, batch=self._n_batches, not_written=failed)
            self._n_batches += 1
            try:
                writer.append([done], is_synced=False)
            except RecordError as error:  # an entry counts where its labels are there, then
                self._reporter.note(str(error))
        return written

    def _put_in_place(self, plan: Plan) -> WrittenFile | None:
        try:
            if plan.is_changed and not replace_file(plan.target, plan.old, plan.new, plan.path):
                return None
        except RecordError as error:
            return WrittenFile(shown(plan.path), fault=error)
        return self._told(plan)

    @staticmethod
    def _told(plan: Plan | WrittenFile) -> WrittenFile:
        if isinstance(plan, WrittenFile):
            return plan
        return WrittenFile(shown(plan.path), plan.is_changed, plan.diff, plan.outcomes)

    def _planned(self, score: Score, names: _Names) -> Plan | WrittenFile:
        try:
            return self._plan(score, file_of(score, names))
        except RecordError as error:
            return WrittenFile(shown(score.path), fault=error)

    def _plan(self, score: Score, path: str) -> Plan | WrittenFile:
        target = file_within(path, self._roots)
        if not self._options.is_dry_run:
            remove_left_over(target)
        old = read_bytes(target)
        document = decode_file(old, path, is_hashed=False)
        if not self._options.allows_unknown and (unknown := unknown_of(document.record)):
            fault = RecordError(
                Fault(path, 0, "", unknown, "a title, and a date, provider or topics (or --allow-unknown)")
            )
            return WrittenFile(shown(path), fault=fault, is_refused=True)
        # A file that this very write has filled says nothing of a copy that it meets later; a watch goes on.
        ignored = self.write_id if self._options.command == "score" else ""
        own = self._journal.own_labels(document, ignoring=ignored)
        outcomes = outcomes_of(document.labels, score, own, is_overwriting=self._options.is_overwriting)
        wanted = wanted_labels(score, outcomes)
        new, diff, text, layout = edit_labels(old, wanted, path)
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
            before=spellings_in(text, layout, document.labels) if new != old else {},
            labels=msgspec.structs.replace(document.labels, **values),
        )

    def _entry(self, plan: Plan, item: int, at: datetime) -> JournalEntry:
        """What the journal is to hold of a file: what is written, and what scoring had written before."""
        own = plan.own()
        before = {name: spelling for name, spelling in plan.before.items() if name in own}
        entry = self._given_entry(GivenLabels(plan.keys, own), item, at)
        return msgspec.structs.replace(
            entry, owner="scoring", before=msgspec.convert(before, LabelsBefore), model=plan.score.model
        )

    def _given_entry(self, given: GivenLabels, item: int, at: datetime) -> JournalEntry:
        """Labels that people gave to one of two files of a record, not to be taken for the other's."""
        return JournalEntry(
            at=at,
            write_id=self.write_id,
            batch=self._n_batches,
            item=item,
            command=self._options.command,
            owner="people",
            record=given.keys.record,
            file=given.keys.file,
            labels=msgspec.convert(given.labels, JournalLabels),
        )

    def _given_apart(self, plan: Plan) -> list[GivenLabels]:
        """Look for another file of the record, and tell whose labels people gave."""
        given = plan.given()
        known = self._journal.given_labels(plan.document) if given else frozenset()
        new = {name: value for name, value in given.items() if name not in known}
        return self._copies.compare(plan.path, plan.document.record, plan.labels, GivenLabels(plan.keys, new))

    def _tell(self, warnings: Iterable[str]) -> None:
        for warning in warnings:
            self._reporter.note(warning)


def _batches(scores: Iterable[Score], n_files: int) -> Iterator[list[Score]]:
    """Scores whose files are written together: so many, or as many as are so large."""
    batch: list[Score] = []
    n_bytes = 0
    for score in scores:
        batch.append(score)
        with suppress(OSError):  # a name that was spelled out, or a file that is gone, which is told later
            n_bytes += os.stat(score.path).st_size
        if len(batch) >= n_files or n_bytes >= _BATCH_BYTES:
            yield batch
            batch, n_bytes = [], 0
    if batch:
        yield batch


def _failed(path: str, got: str) -> WrittenFile:
    return WrittenFile(shown(path), fault=RecordError(Fault(path, 0, "", got, "an unchanging file")))
