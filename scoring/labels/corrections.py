"""Apply the corrections of a ledger to the labels of records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scoring.errors import Fault, RecordError
from scoring.progress import Reporter
from scoring.records.ledger import Holding, Ledger, digests_of, read_ledger, with_corrections
from scoring.records.record import Document
from scoring.storage.remote import is_remote_file
from scoring.storage.urls import name_of, url_of

_MAX_LISTED = 5


@dataclass(frozen=True, slots=True)
class Corrections:
    """A ledger and its corrections in force.

    Parameters
    ----------
    ledger : Ledger
        The ledger.
    holding : Holding
        See :meth:`scoring.records.ledger.Ledger.holding`.
    """

    ledger: Ledger
    holding: Holding

    @property
    def tags(self) -> dict[str, str]:
        """Tags of a run: path and digest of the ledger."""
        return {"corrections_path": self.ledger.path, "corrections_sha256": self.ledger.sha256}

    def put_to(self, documents: Sequence[Document], reporter: Reporter) -> list[Document]:
        """Apply the corrections to documents; corrections without a matching record are reported."""
        corrected = [with_corrections(document, self.holding) for document in documents]
        n_changed = sum(before is not after for before, after in zip(documents, corrected, strict=True))
        reporter.note(f"{self.ledger.path}: changed the labels of {n_changed} of {len(documents)} records")
        known = {digest for document in documents for digest in digests_of(document.record)}
        unmatched = {entry.path for (digest, _), entry in self.holding.items() if digest not in known}
        if unmatched:
            listed = ", ".join(sorted(unmatched)[:_MAX_LISTED])
            ellipsis = ", ..." if len(unmatched) > _MAX_LISTED else ""
            reporter.note(
                f"{self.ledger.path}: {len(unmatched)} corrected records were not read: {listed}{ellipsis}"
            )
        return corrected


def open_corrections(path: Path | None) -> Corrections | None:
    """Read a ledger; None without a path.

    Raises
    ------
    RecordError
        If it does not exist, or has a line that is not a correction.
    """
    if path is None:
        return None
    url = url_of(path)
    if not (Path(name_of(path)).is_file() if url is None else is_remote_file(url)):
        raise RecordError(Fault(name_of(path), 0, "", "no such file", "a ledger of corrections"))
    ledger = read_ledger(path)
    return Corrections(ledger, ledger.holding())
