"""What people decide of an inbox's records: written into the files, kept as corrections, and taken back."""

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
from scoring.records.label_positions import LABELS
from scoring.records.ledger import Correction, Digests, append_corrections, digests_of
from scoring.records.record import Labels
from scoring.records.write_back import put_back, replace_labels, write_labels

_MAX_KEPT = 500
_MAX_KEPT_BYTES = 64_000_000


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The labels that somebody wants a record to have.

    Parameters
    ----------
    path : str
        Its file, within the inbox.
    record_sha256 : str
        What the record said when it was decided: one that has changed since is not written.
    labels : Labels
        None leaves a label as it is.
    """

    path: str
    record_sha256: str
    labels: Labels


class _Written(NamedTuple):
    """A file before and after it was written, and what ledger and journal are to hold if it is undone."""

    before: bytes
    after: bytes
    corrections: tuple[Correction, ...]
    labels: dict[Owner, dict[str, Any]]  # as they were


class Decisions:
    """Writes decisions, and remembers the last of them so that they can be taken back.

    Parameters
    ----------
    inbox : Inbox
        Whose records are written.
    journal : Path
        Where it is kept that the labels are people's: see :mod:`scoring.labels.journal`.
    """

    def __init__(self, inbox: Inbox, journal: Path) -> None:
        self._inbox = inbox
        self._journal = Journal(journal)
        self._writing = threading.Lock()
        self._kept: OrderedDict[str, _Written] = OrderedDict()

    def write(self, decision: Decision, *, by: str, now: datetime) -> None:
        """Write a decision into its file, and what it corrects into the ledger.

        A value is a correction where it is not what the model says, or not what was corrected before. Who
        accepts what the model says vouches for it: that label is a person's, too.

        Parameters
        ----------
        decision : Decision
            What is to be written.
        by : str
            Who decides; empty where that is not known.
        now : datetime
            When, aware UTC.

        Raises
        ------
        RecordError
            If the inbox has no such record, it has changed since, or it cannot be written.
        """
        with self._writing:
            row = self._inbox.row(decision.path)
            if row.score is None:
                raise RecordError(
                    Fault(decision.path, 0, "", "a file that cannot be used", "a record with scores")
                )
            file = str(self._inbox.file(decision.path))
            before, document = self._inbox.read(decision.path)
            digests = digests_of(document.record)
            if {digests.record, row.record_sha256} != {decision.record_sha256}:
                raise RecordError(
                    Fault(decision.path, 0, "", "a record that has changed since", "it as it was looked at")
                )
            after = replace_labels(before, decision.labels, path=decision.path)
            held = digests.pick(self._inbox.corrections().holding())
            corrections, reversals = _corrections(row.score, decision, digests, held, by=by, now=now)
            roots = [str(self._inbox.folder)]
            placed = msgspec.structs.replace(document, path=shown(file))
            with journaled_decision(self._journal, placed, decision.labels, now=now) as labels:
                write_labels(file, decision.labels, roots=roots)
                try:
                    append_corrections(self._inbox.ledger, corrections)
                except OSError as error:  # what is not kept is not written
                    put_back(file, before=before, after=after, roots=roots)
                    got = error.strerror or "a disk error"
                    raise RecordError(
                        Fault(str(self._inbox.ledger), 0, "", got, "a ledger that can be written")
                    ) from None
            self._keep(decision.path, _Written(before, after, reversals, labels))

    def take_back(self, path: str, *, by: str, now: datetime) -> None:
        """Give a file the bytes back that it had before it was written last, and the ledger what it held.

        Raises
        ------
        RecordError
            If that is not known (any more), or somebody has changed the file since.
        """
        with self._writing:
            if path not in self._kept:
                raise RecordError(Fault(path, 0, "", "nothing that is remembered", "a file written just now"))
            before, after, corrections, labels = self._kept[path]
            file = str(self._inbox.file(path))
            with journaled(self._journal, decode_file(before, file), labels, now=now):
                put_back(file, before=before, after=after, roots=[str(self._inbox.folder)])
            taken = [msgspec.structs.replace(each, at=now, by=by) for each in corrections]
            append_corrections(self._inbox.ledger, taken)
            del self._kept[path]

    def _keep(self, path: str, written: _Written) -> None:
        self._kept.pop(path, None)
        self._kept[path] = written
        n_bytes = sum(len(each.before) + len(each.after) for each in self._kept.values())
        while len(self._kept) > _MAX_KEPT or (n_bytes > _MAX_KEPT_BYTES and len(self._kept) > 1):
            _, oldest = self._kept.popitem(last=False)
            n_bytes -= len(oldest.before) + len(oldest.after)


def _corrections(
    score: Score,
    decision: Decision,
    digests: Digests,
    held: Mapping[str, Correction],
    *,
    by: str,
    now: datetime,
) -> tuple[list[Correction], tuple[Correction, ...]]:
    """The lines that a decision adds to the ledger, and those that take it back."""
    corrections: list[Correction] = []
    reversals: list[Correction] = []
    for field in LABELS:
        value, predicted = getattr(decision.labels, field), getattr(score, field)
        earlier: Any = held[field].value if field in held else None
        if value is None or value == (predicted if earlier is None else earlier):
            continue
        line = Correction(
            at=now,
            by=by,
            path=decision.path,
            record_sha256=digests.record,
            own_sha256=digests.own,
            field=field,  # type: ignore[arg-type]  # the labels have just these names
            predicted=predicted,
            value=value,
            model=score.model,
        )
        corrections.append(line)
        reversals.append(msgspec.structs.replace(line, value=earlier))
    return corrections, tuple(reversals)
