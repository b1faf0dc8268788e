"""Exclude labels that scoring itself wrote from training and evaluation.

The journal identifies them. A label that somebody has changed since, or a correction in the ledger, is a
person's. Qualities in ``related`` are kept: they are the site's data about other records, and features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from scoring.labels.journal import MAP_CHANGED, Journal
from scoring.labels.people_labels import with_people_labels
from scoring.progress import Reporter
from scoring.records.ledger import Digests
from scoring.records.record import Document
from scoring.settings import JOURNAL, Settings

PATH_TAG, SHA256_TAG, COUNT_TAG, USE_TAG = "journal_path", "journal_sha256", "own_labels", "own_labels_are"
USED, NOT_USED = "used", "not used"


@dataclass(frozen=True, slots=True)
class OwnScores:
    """Filter for labels that scoring wrote.

    Parameters
    ----------
    journal : Journal
        Journal of the labels that scoring wrote.
    is_used : bool
        Whether these labels are used like any other.
    names : list of frozenset of str
        Labels written by scoring in each document read so far, in order.
    """

    journal: Journal
    is_used: bool = False
    names: list[frozenset[str]] = field(default_factory=list)

    def without(self, document: Document, digests: Digests | None = None) -> Document:
        """Return a document without the labels that scoring wrote, unless these are used.

        Parameters
        ----------
        document : Document
            The document as read.
        digests : Digests, optional
            Digests of the whole record, if the document is only a part of it.
        """
        own = self.journal.own_labels(document, record_sha256=digests.own if digests else None)
        self.names.append(own)
        return with_people_labels(document, frozenset() if self.is_used else own, digests)

    def put_to(self, documents: Iterable[Document]) -> list[Document]:
        """Apply :meth:`without` to each document."""
        return list(map(self.without, documents))

    def note(self, n_records: int, n_labels: int, reporter: Reporter) -> None:
        """Report how many labels scoring wrote, whether they are used, and if only paths tell of them."""
        if n_labels:
            use = f"{USED} (--include-own-scores)" if self.is_used else NOT_USED
            reporter.note(f"{n_records:,} records; {n_labels:,} labels written by scoring {use}")
        if self.journal.n_by_path:
            reporter.note(f"{self.journal.n_by_path:,} records: {MAP_CHANGED}")

    def tags(self, n_labels: int) -> dict[str, str]:
        """Tags of a run: the journal, how many of its labels were read, and whether they were used."""
        if self.journal.is_empty:
            return {}
        return {
            PATH_TAG: str(self.journal.path),
            SHA256_TAG: hashlib.sha256(self.journal.path.read_bytes()).hexdigest(),
            COUNT_TAG: str(n_labels),
            USE_TAG: USED if self.is_used else NOT_USED,
        }


def is_journal_named(settings: Settings) -> bool:
    """Whether the journal is not the default one of the home."""
    return settings.journal != settings.home / JOURNAL


def open_own_scores(settings: Settings, *, is_used: bool, reporter: Reporter) -> OwnScores:
    """Read the journal.

    Parameters
    ----------
    settings : Settings
        Settings with the home and the journal.
    is_used : bool
        Whether labels that scoring wrote are used like any other.
    reporter : Reporter
        Notified of a named journal that does not exist, and of skipped lines.

    Raises
    ------
    RecordError
        If the journal cannot be used.
    """
    journal = Journal(settings.journal)
    for warning in journal.refresh():
        reporter.note(warning)
    if is_journal_named(settings) and not settings.journal.exists():
        reporter.note(
            f"{settings.journal}: no such journal: labels that scoring may have written cannot be excluded"
        )
    return OwnScores(journal, is_used)
