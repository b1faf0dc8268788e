"""Curators' decisions: write labels into files, record corrections, and undo."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from scoring.errors import Fault, RecordError, shown
from scoring.inbox.decision_corrections import Decision, corrections_of
from scoring.inbox.inbox import Inbox
from scoring.inbox.rows import Row
from scoring.labels.decision_journal import Owner, journaled, journaled_decision
from scoring.labels.journal import Journal
from scoring.model.score import Score
from scoring.records.corpus import read_bytes
from scoring.records.decode import decode_file
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.forms.label_positions import LABELS
from scoring.records.label_spelling import Spelling, put_labels_back, spellings_of
from scoring.records.ledger import Correction, Digests, append_corrections, digests_of
from scoring.records.mapped_labels import as_written
from scoring.records.record import Labels
from scoring.records.write_back import put_back, replace_labels, write_labels


class Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A change of a file by a decision, and what it takes to complete or undo it.

    Parameters
    ----------
    before_sha256, after_sha256 : str
        Digests of the file before and after.
    labels : Labels
        The labels that were written; None for one that was not.
    spellings : dict
        Source of each written label before, as :func:`scoring.records.label_spelling.spellings_of` has it;
        None for an absent one.
    owners : dict
        Values of these labels before, by owner: see :func:`scoring.labels.decision_journal.journaled`.
    corrections, reversals : tuple of Correction
        Entries of the ledger, and those that revert them.
    """

    before_sha256: str
    after_sha256: str
    labels: Labels = Labels()
    spellings: dict[str, Spelling | None]
    owners: dict[Owner, dict[str, Any]]
    corrections: tuple[Correction, ...] = ()
    reversals: tuple[Correction, ...] = ()


def _ignore(_: Written) -> None:
    """Keep no log."""


class Decisions:
    """Writes decisions into their files, and undoes such writes.

    Parameters
    ----------
    inbox : Inbox
        Inbox of the records.
    journal : Path
        Journal that records who set a label: see :mod:`scoring.labels.journal`.
    """

    def __init__(self, inbox: Inbox, journal: Path) -> None:
        self._inbox = inbox
        self._journal = Journal(journal)
        self._writing = threading.Lock()

    def usable(self, path: str) -> tuple[Row, Score]:
        """Row and scores of a record.

        Raises
        ------
        RecordError
            If the inbox has no such record, or it cannot be used.
        """
        row = self._inbox.row(path)
        if row.score is None:
            raise RecordError(Fault(path, 0, "", "a file that cannot be used", "a scored record"))
        return row, row.score

    def has_record(self, sha256: str) -> bool:
        """Whether a file of the inbox has the record with that digest."""
        return any(row.record_sha256 == sha256 for row in self._inbox.since(0).rows)

    def write(
        self,
        decision: Decision,
        *,
        by: str,
        now: datetime,
        on_begin: Callable[[Written], None] = _ignore,
    ) -> Written:
        """Write a decision into its file, and its corrections into the ledger.

        A value is a correction if it differs from the earlier correction, or, without one, from the
        prediction. An accepted prediction is a person's label, too.

        Parameters
        ----------
        decision : Decision
            The decision.
        by : str
            Name of the curator; empty if unknown.
        now : datetime
            Time of the decision, aware UTC.
        on_begin : callable
            Called with the result right before the file is changed.

        Returns
        -------
        Written
            For :meth:`take_back`.

        Raises
        ------
        RecordError
            If the inbox has no such record, it has changed since, or it cannot be written.
        """
        with self._writing:
            row, score = self.usable(decision.path)
            file = str(self._inbox.file(decision.path))
            before, document = self._inbox.read(decision.path)
            digests = digests_of(document.record)
            _check_unchanged(decision, row, digests, document.labels)
            field_map = self._inbox.field_maps.of(file)
            labels_in_file = as_written(decision.labels, field_map)
            after = replace_labels(before, labels_in_file, path=decision.path, field_map=field_map)
            spellings = spellings_of(before, document.labels, decision.path, field_map)
            active_corrections = digests.pick(self._inbox.corrections().holding())
            corrections, reversals = corrections_of(
                score, decision, digests, active_corrections, by=by, now=now
            )
            roots = [str(self._inbox.folder)]
            document_in_inbox = msgspec.structs.replace(document, path=shown(file))
            with journaled_decision(
                self._journal, document_in_inbox, labels_in_file, now=now, field_map=field_map
            ) as owners:
                written = Written(
                    before_sha256=_sha256(before),
                    after_sha256=_sha256(after),
                    labels=labels_in_file,
                    spellings={
                        name: spellings.get(name)
                        for name in LABELS
                        if getattr(labels_in_file, name) is not None
                    },
                    owners=owners,
                    corrections=tuple(corrections),
                    reversals=reversals,
                )
                on_begin(written)
                write_labels(file, labels_in_file, roots=roots, field_map=field_map)
                try:
                    append_corrections(self._inbox.ledger, corrections)
                except OSError as error:  # without its ledger entry the label must not stay
                    put_back(file, before=before, after=after, roots=roots)
                    raise self._unwritable(error) from None
            return written

    def take_back(
        self,
        path: str,
        written: Written,
        *,
        by: str,
        now: datetime,
        on_begin: Callable[[Written], None] = _ignore,
    ) -> None:
        """Undo a write of a file: restore its labels, and revert its corrections in the ledger.

        If nothing else has changed since, the file has the same bytes as before the write.

        Parameters
        ----------
        path : str
            File, relative to the inbox.
        written : Written
            What :meth:`write` returned.
        by, now
            As for :meth:`write`.
        on_begin : callable
            Called with the change to undo right before the file is changed.

        Raises
        ------
        RecordError
            If one of these labels has changed since, or the file cannot be written.
        """
        with self._writing:
            file = str(self._inbox.file(path))
            after = self._bytes_of(path)
            field_map = self._inbox.field_maps.of(file)
            is_unchanged = _sha256(after) == written.after_sha256
            if not is_unchanged:
                _check_labels(path, after, written, field_map)
            before = after
            if written.before_sha256 != written.after_sha256:
                before = put_labels_back(after, written.spellings, path, field_map).data
            if is_unchanged and _sha256(before) != written.before_sha256:
                got = "labels whose earlier spelling cannot be restored"
                raise RecordError(Fault(path, 0, "", got, "a restore by hand"))
            undone = msgspec.structs.replace(
                written, before_sha256=_sha256(before), after_sha256=_sha256(after)
            )
            earlier = decode_file(before, file, field_map=field_map)
            with journaled(self._journal, earlier, written.owners, now=now, field_map=field_map):
                on_begin(undone)
                roots = [str(self._inbox.folder)]
                put_back(file, before=before, after=after, roots=roots)
                try:
                    self._revert(written, by=by, now=now)
                except RecordError:  # neither the file nor the ledger is undone
                    put_back(file, before=after, after=before, roots=roots)
                    raise

    def complete(self, path: str, written: Written) -> bool:
        """Complete a write that was interrupted after its file was changed; return whether it was changed.

        Raises
        ------
        RecordError
            If the file or the ledger cannot be read, or the ledger cannot be written.
        """
        with self._writing:
            if not self._has(path, written.after_sha256) or written.before_sha256 == written.after_sha256:
                return False
            holding = self._inbox.corrections().holding()
            missing = [
                correction
                for correction in written.corrections
                if holding.get((correction.holds_for, correction.field)) != correction
            ]
            try:
                append_corrections(self._inbox.ledger, missing)
            except OSError as error:
                raise self._unwritable(error) from None
            return True

    def complete_undo(self, path: str, written: Written, *, by: str, now: datetime) -> bool:
        """Complete an undo that was interrupted after its file was restored; return whether it was restored.

        Raises
        ------
        RecordError
            As for :meth:`complete`.
        """
        with self._writing:
            if not self._has(path, written.before_sha256):
                return False
            self._revert(written, by=by, now=now)
            return True

    def _revert(self, written: Written, *, by: str, now: datetime) -> None:
        reversals = [msgspec.structs.replace(correction, at=now, by=by) for correction in written.reversals]
        try:
            append_corrections(self._inbox.ledger, reversals)
        except OSError as error:
            raise self._unwritable(error) from None

    def _has(self, path: str, sha256: str) -> bool:
        """Whether a file exists with that digest."""
        return self._inbox.file(path).is_file() and _sha256(self._bytes_of(path)) == sha256

    def _bytes_of(self, path: str) -> bytes:
        return read_bytes(self._inbox.file(path))

    def _unwritable(self, error: OSError) -> RecordError:
        got = error.strerror or "a disk error"
        return RecordError(Fault(str(self._inbox.ledger), 0, "", got, "a writable ledger"))


def _check_unchanged(decision: Decision, row: Row, digests: Digests, labels: Labels) -> None:
    """Check that a decision is about the file as it is: its labels, or, if it names none, its record."""
    is_same = (
        digests.record == decision.record_sha256 if decision.before is None else labels == decision.before
    )
    if digests.record == row.record_sha256 and is_same:
        return
    raise RecordError(
        Fault(decision.path, 0, "", "a record that has changed since", "the record as displayed")
    )


def _check_labels(path: str, data: bytes, written: Written, field_map: FieldMap | None) -> None:
    """Check that a file still has the labels that were written, whatever else has changed."""
    current = decode_file(data, path, field_map=field_map).labels
    names = [name for name in written.spellings if getattr(current, name) != getattr(written.labels, name)]
    if names:
        expected = f"{_text_of(written.labels, names)} as it was saved; decide the record again"
        raise RecordError(Fault(path, 0, "labels", _text_of(current, names), expected))


def _text_of(labels: Labels, names: Sequence[str]) -> str:
    values = {name: getattr(labels, name) for name in names}
    texts = {name: "none" if value is None else str(value).lower() for name, value in values.items()}
    return ", ".join(f"{name} {text}" for name, text in texts.items())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
