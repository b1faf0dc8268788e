"""Decisions of the curators on all pages: taken, undone and saved, and streamed to every open page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from scoring.errors import RecordError
from scoring.inbox.decision_actions import Action, Outcome, Target
from scoring.inbox.decision_histories import StateChanges
from scoring.inbox.decision_history import DecisionState
from scoring.inbox.decision_log import Decided, DecisionLog
from scoring.inbox.decision_store import DecisionStore
from scoring.inbox.decisions import Decisions
from scoring.inbox.inbox import Inbox
from scoring.settings import Settings


def log_of(home: Path, inbox: Path) -> Path:
    """Log of an inbox in the home; a copy of the folder elsewhere has a log of its own."""
    digest = sha256(os.fsencode(os.path.realpath(inbox))).hexdigest()[:12]
    return home / f"decisions-{digest}.jsonl"


class LiveDecisions:
    """The decisions of a service with an inbox.

    Parameters
    ----------
    inbox : Inbox
        The inbox.
    settings : Settings
        Home with the log, and the journal.
    notify : callable
        Called after each change, from any thread.
    """

    def __init__(self, inbox: Inbox, settings: Settings, notify: Callable[[], None]) -> None:
        self._inbox, self._notify = inbox, notify
        log = DecisionLog(log_of(settings.home, inbox.folder))
        self._store = DecisionStore(log, Decisions(inbox, settings.journal))
        self._is_recovered = False

    @property
    def torn(self) -> tuple[str, ...]:
        """Messages about lines of the log that were skipped."""
        return self._store.torn

    @property
    def unnamed(self) -> list[str]:
        """Ids of the browsers of people without a name: see :attr:`DecisionStore.unnamed`."""
        return self._store.unnamed

    @property
    def is_behind(self) -> bool:
        """Whether another process has changed the log."""
        return self._store.is_behind

    def catch_up(self) -> None:
        """Read the log; the first time, finish what an interrupted process had begun.

        Raises
        ------
        RecordError, HomeError
            If the log cannot be read.
        """
        if not self._is_recovered:
            self._store.recover(datetime.now(UTC))
            self._is_recovered = True
        elif self._store.is_behind:
            self._store.catch_up()
            self._notify()

    def follow_files(self) -> None:
        """Let decisions follow files that have been moved or renamed.

        Raises
        ------
        RecordError, HomeError
            If the log cannot be read or written.
        """
        rows = {row.path: row for row in self._inbox.since(0).rows}
        if self._store.follow(rows, datetime.now(UTC)):
            self._notify()

    def since(self, version: int) -> StateChanges:
        """States that have changed since a version."""
        return self._store.since(version)

    def of(self, paths: Iterable[str]) -> list[DecisionState]:
        """States of records that have one."""
        return self._store.of(paths)

    def decide(self, action: Action, decided: Sequence[tuple[Target, Decided]]) -> list[Outcome]:
        """Take decisions: see :meth:`DecisionStore.decide`."""
        outcomes = self._store.decide(action, decided)
        self._notify()
        return outcomes

    def undo(self, action: Action, targets: Sequence[Target]) -> list[Outcome]:
        """Undo the last step of records: see :meth:`DecisionStore.undo`."""
        return self._after_files(self._store.undo(action, targets))

    def save(self, action: Action, targets: Sequence[Target]) -> list[Outcome]:
        """Write decisions into their files: see :meth:`DecisionStore.save`."""
        return self._after_files(self._store.save(action, targets))

    def _after_files(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Show the labels of changed files at once, before the pages get the decisions."""
        with suppress(RecordError):  # of the ledger, which the next refresh reports
            self._inbox.reread_labels([outcome.path for outcome in outcomes if not outcome.fault])
        self._notify()
        return outcomes
