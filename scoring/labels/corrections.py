"""Corrections of people in the place of labels: which hold for the records that are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scoring.errors import Fault, RecordError
from scoring.progress import Reporter
from scoring.records.ledger import Holding, Ledger, digests_of, read_ledger, with_corrections
from scoring.records.record import Document

_MAX_LISTED = 5


@dataclass(frozen=True, slots=True)
class Corrections:
    """A ledger that somebody has named, with what holds of it.

    Parameters
    ----------
    ledger : Ledger
        As it was read.
    holding : Holding
        See :meth:`scoring.records.ledger.Ledger.holding`.
    """

    ledger: Ledger
    holding: Holding

    @property
    def tags(self) -> dict[str, str]:
        """What a run tells of them: where they were, and which they were."""
        return {"corrections_path": self.ledger.path, "corrections_sha256": self.ledger.sha256}

    def put_to(self, documents: Sequence[Document], reporter: Reporter) -> list[Document]:
        """The documents with what people have corrected; a correction that matches none of them is told."""
        after = [with_corrections(document, self.holding) for document in documents]
        n_changed = sum(one is not other for one, other in zip(documents, after, strict=True))
        reporter.note(f"{self.ledger.path}: {n_changed} of {len(documents)} records have other labels by it")
        known = {digest for document in documents for digest in digests_of(document.record)}
        lost = {each.path for (digest, _), each in self.holding.items() if digest not in known}
        if lost:
            listed = ", ".join(sorted(lost)[:_MAX_LISTED]) + (", ..." if len(lost) > _MAX_LISTED else "")
            reporter.note(f"{self.ledger.path}: {len(lost)} corrected records are not among them: {listed}")
        return after


def open_corrections(path: Path | None) -> Corrections | None:
    """Read a ledger, where one is named.

    Raises
    ------
    RecordError
        If it is not there, or has a line that is no correction.
    """
    if path is None:
        return None
    if not path.is_file():
        raise RecordError(Fault(str(path), 0, "", "no such file", "a ledger of corrections"))
    ledger = read_ledger(path)
    return Corrections(ledger, ledger.holding())
