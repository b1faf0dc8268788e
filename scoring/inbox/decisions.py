"""Curators' decisions: write labels into files, record corrections, and undo."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from scoring.errors import Fault, RecordError, shown
from scoring.inbox.inbox import Inbox
from scoring.labels.decision_journal import Owner, journaled, journaled_decision
from scoring.labels.journal import Journal
from scoring.model.score import Score
from scoring.records.decode import decode_file
from scoring.records.forms.label_positions import LABELS
from scoring.records.ledger import Correction, Digests, append_corrections, digests_of
from scoring.records.mapped_labels import as_written
from scoring.records.record import Labels
from scoring.records.write_back import put_back, replace_labels, write_labels

_MAX_KEPT = 500
_MAX_KEPT_BYTES = 64_000_000


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Labels that a curator sets for a record.

    Parameters
    ----------
    path : str
        File, relative to the inbox.
    record_sha256 : str
        Digest of the record at the time of the decision; a record that has changed since is not written.
    labels : Labels
        Labels to write; None leaves a label unchanged.
    """

    path: str
    record_sha256: str
    labels: Labels


class _Written(NamedTuple):
    """A file before and after a write, and the entries of ledger and journal that undo it."""

    before: bytes
    after: bytes
    corrections: tuple[Correction, ...]
    labels: dict[Owner, dict[str, Any]]  # before the write, by owner


class Decisions:
    """Writes decisions, and keeps the latest ones in memory for undo.

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
        self._kept: OrderedDict[str, _Written] = OrderedDict()

    def write(self, decision: Decision, *, by: str, now: datetime) -> None:
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

        Raises
        ------
        RecordError
            If the inbox has no such record, it has changed since, or it cannot be written.
        """
        with self._writing:
            row = self._inbox.row(decision.path)
            if row.score is None:
                raise RecordError(
                    Fault(decision.path, 0, "", "a file that cannot be used", "a scored record")
                )
            file = str(self._inbox.file(decision.path))
            before, document = self._inbox.read(decision.path)
            digests = digests_of(document.record)
            if {digests.record, row.record_sha256} != {decision.record_sha256}:
                raise RecordError(
                    Fault(decision.path, 0, "", "a record that has changed since", "the record as displayed")
                )
            field_map = self._inbox.field_maps.of(file)
            labels_in_file = as_written(decision.labels, field_map)
            after = replace_labels(before, labels_in_file, path=decision.path, field_map=field_map)
            active_corrections = digests.pick(self._inbox.corrections().holding())
            corrections, reversals = _corrections(
                row.score, decision, digests, active_corrections, by=by, now=now
            )
            roots = [str(self._inbox.folder)]
            document_in_inbox = msgspec.structs.replace(document, path=shown(file))
            with journaled_decision(
                self._journal, document_in_inbox, labels_in_file, now=now, field_map=field_map
            ) as labels:
                write_labels(file, labels_in_file, roots=roots, field_map=field_map)
                try:
                    append_corrections(self._inbox.ledger, corrections)
                except OSError as error:  # without its ledger entry the label must not stay
                    put_back(file, before=before, after=after, roots=roots)
                    got = error.strerror or "a disk error"
                    raise RecordError(
                        Fault(str(self._inbox.ledger), 0, "", got, "a writable ledger")
                    ) from None
            self._keep(decision.path, _Written(before, after, reversals, labels))

    def take_back(self, path: str, *, by: str, now: datetime) -> None:
        """Undo the last write of a file: restore its bytes, and revert its corrections in the ledger.

        Raises
        ------
        RecordError
            If the write is not (or no longer) in memory, or the file has changed since.
        """
        with self._writing:
            if path not in self._kept:
                raise RecordError(Fault(path, 0, "", "no write to undo", "a recently written file"))
            before, after, corrections, labels = self._kept[path]
            file = str(self._inbox.file(path))
            field_map = self._inbox.field_maps.of(file)
            earlier = decode_file(before, file, field_map=field_map)
            with journaled(self._journal, earlier, labels, now=now, field_map=field_map):
                put_back(file, before=before, after=after, roots=[str(self._inbox.folder)])
            reversals = [msgspec.structs.replace(correction, at=now, by=by) for correction in corrections]
            append_corrections(self._inbox.ledger, reversals)
            del self._kept[path]

    def _keep(self, path: str, written: _Written) -> None:
        self._kept.pop(path, None)
        self._kept[path] = written
        n_bytes = sum(len(kept.before) + len(kept.after) for kept in self._kept.values())
        while len(self._kept) > _MAX_KEPT or (n_bytes > _MAX_KEPT_BYTES and len(self._kept) > 1):
            _, oldest = self._kept.popitem(last=False)
            n_bytes -= len(oldest.before) + len(oldest.after)


def _corrections(
    score: Score,
    decision: Decision,
    digests: Digests,
    active_corrections: Mapping[str, Correction],
    *,
    by: str,
    now: datetime,
) -> tuple[list[Correction], tuple[Correction, ...]]:
    """Ledger entries of a decision, and the entries that revert it."""
    corrections: list[Correction] = []
    reversals: list[Correction] = []
    for field in LABELS:
        value, predicted = getattr(decision.labels, field), getattr(score, field)
        earlier: Any = active_corrections[field].value if field in active_corrections else None
        if value is None or value == (predicted if earlier is None else earlier):
            continue
        if predicted is None:  # a label that the model does not predict is no correction
            continue
        correction = Correction(
            at=now,
            by=by,
            path=decision.path,
            record_sha256=digests.record,
            own_sha256=digests.own,
            field=field,  # type: ignore[arg-type]  # LABELS are the allowed names
            predicted=predicted,
            value=value,
            model=score.model,
        )
        corrections.append(correction)
        reversals.append(msgspec.structs.replace(correction, value=earlier))
    return corrections, tuple(reversals)
