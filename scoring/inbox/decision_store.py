"""Pending and saved decisions of curators, shared by all pages, with an undo of each record's own steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

from scoring.errors import Fault, RecordError, ScoringError
from scoring.inbox.decision_actions import Action, Outcome, Target
from scoring.inbox.decision_corrections import Decision
from scoring.inbox.decision_histories import Content, DecisionHistories, StateChanges
from scoring.inbox.decision_history import DecisionState, Level
from scoring.inbox.decision_log import Decided, DecisionLog, Kind, Step
from scoring.inbox.decisions import Decisions, Written
from scoring.inbox.moved_files import moved_files
from scoring.inbox.rows import Row


class DecisionStore:
    """All decisions of an inbox; each action is in the log before it counts.

    Parameters
    ----------
    log : DecisionLog
        The log.
    decisions : Decisions
        Writes into the files.
    """

    def __init__(self, log: DecisionLog, decisions: Decisions) -> None:
        self._log, self._decisions = log, decisions
        self._acting = threading.RLock()  # held while a file is changed
        self._histories = DecisionHistories()

    @property
    def unnamed(self) -> list[str]:
        """Ids of the browsers of people without a name, in the order in which they first decided."""
        return self._histories.unnamed

    @property
    def torn(self) -> tuple[str, ...]:
        """Messages about lines of the log that were skipped."""
        return tuple(self._log.torn)

    @property
    def is_behind(self) -> bool:
        """Whether another process has changed the log."""
        return self._log.is_behind

    def catch_up(self) -> None:
        """Read what other processes have appended, or all if the log is another one.

        Raises
        ------
        RecordError, HomeError
            If the log cannot be read.
        """
        with self._acting:
            if self._log.rewind():
                self._histories.clear()
            self._histories.apply(self._log.read())

    def recover(self, now: datetime) -> None:
        """Finish what an interrupted process had begun; called once, at the start.

        Raises
        ------
        RecordError, HomeError
            If the log cannot be read or written.
        """
        with self._acting, self._log.locked():
            self.catch_up()
            self._finish(self._histories.paths, now)

    def follow(self, rows: Mapping[str, Row], now: datetime) -> bool:
        """Let decisions follow their files to other paths; return whether any did.

        Parameters
        ----------
        rows : mapping of str to Row
            All rows of the inbox by path.
        now : datetime
            Current time, aware UTC.

        Raises
        ------
        RecordError, HomeError
            If the log cannot be read or written.
        """
        if self._histories.digests().keys() <= rows.keys():
            return False
        with self._acting, self._log.locked():
            self.catch_up()
            decided = self._histories.digests()
            gone = {path: sha256 for path, sha256 in decided.items() if path not in rows}
            steps = [
                _step(Action(uuid4().hex, "", "", now), "moved", new, moved_from=old)
                for old, new in moved_files(gone, rows, decided.keys()).items()
            ]
            self._append(steps)
            return bool(steps)

    def since(self, version: int) -> StateChanges:
        """States that have changed since a version; 0 is before the first."""
        return self._histories.since(version)

    def of(self, paths: Iterable[str]) -> list[DecisionState]:
        """States of records that have one."""
        return self._histories.of(paths)

    def decide(self, action: Action, decided: Sequence[tuple[Target, Decided]]) -> list[Outcome]:
        """Take decisions that are not saved yet, in one step of the log: all that can be, or none.

        Raises
        ------
        ActionConflictError
            If the id of the action is that of another one.
        """
        self._histories.check_repeat(
            action, {target.path: Content("decided", decision) for target, decision in decided}
        )
        steps: dict[str, Step] = {}
        outcomes: list[Outcome] = []
        try:
            with self._acting, self._log.locked():
                self.catch_up()
                self._finish([target.path for target, _ in decided], action.now)
                for target, decision in decided:
                    outcome = self._refusal(action, target) or self._usable(target.path)
                    is_done = self._histories.is_done(action, target.path)
                    if not (is_done or outcome.fault or outcome.is_late):
                        steps[target.path] = _step(action, "decided", target.path, decided=decision)
                    outcomes.append(outcome)
                self._append(list(steps.values()))
        except (ScoringError, OSError) as error:
            return [Outcome(target.path, str(error)) for target, _ in decided]
        return outcomes

    def undo(self, action: Action, targets: Sequence[Target]) -> list[Outcome]:
        """Undo the last step of each record: a decision, or its save, whose file is then restored.

        Raises
        ------
        ActionConflictError
            As for :meth:`decide`.
        """
        self._histories.check_repeat(action, {target.path: Content("undone") for target in targets})
        return [self._change(action, target, self._undo) for target in targets]

    def save(self, action: Action, targets: Sequence[Target]) -> list[Outcome]:
        """Write the pending decisions of records into their files; raises like :meth:`undo`."""
        self._histories.check_repeat(action, {target.path: Content("saved") for target in targets})
        return [self._change(action, target, self._save) for target in targets]

    def _change(
        self, action: Action, target: Target, change: Callable[[Action, str, Level], None]
    ) -> Outcome:
        """Change one record, unless somebody else was first."""
        path = target.path
        try:
            with self._acting, self._log.locked():
                self.catch_up()
                self._finish([path], action.now)
                if (outcome := self._refusal(action, target)) is not None:
                    return outcome
                if self._histories.is_done(action, path):
                    return Outcome(path)
                history = self._histories.get(path)
                if history is None or not history.levels:
                    raise RecordError(Fault(path, 0, "", "no decision", "a decided record"))
                change(action, path, history.levels[-1])
        except (ScoringError, OSError) as error:
            return Outcome(path, str(error))
        return Outcome(path)

    def _save(self, action: Action, path: str, level: Level) -> None:
        if level.written is not None:
            raise RecordError(Fault(path, 0, "", "a decision that is saved", "one that is not"))
        decided = level.decided
        self._check_same_record(path, decided.record_sha256, "undo the decision")
        decision = Decision(
            path, decided.record_sha256, decided.labels, decided.before, decided.reason, decided.note
        )
        by = level.decided_in.by or action.by
        self._attempt(
            action,
            path,
            lambda begin: self._decisions.write(decision, by=by, now=action.now, on_begin=begin),
            ("saving", "saved"),
        )

    def _check_same_record(self, path: str, decided_sha256: str, remedy: str) -> None:
        """Check that a file was edited at most: its name may have passed to the record of another file."""
        row, _ = self._decisions.usable(path)
        if row.record_sha256 == decided_sha256:
            return
        others = {sha256 for other, sha256 in self._histories.digests().items() if other != path}
        if row.record_sha256 in others or self._decisions.has_record(decided_sha256):
            got = "another record under this name"
            raise RecordError(Fault(path, 0, "", got, f"the decided one: {remedy}"))

    def _undo(self, action: Action, path: str, level: Level) -> None:
        written = level.written
        if written is None:
            self._append([_step(action, "undone", path)])
            return
        self._check_same_record(path, level.decided.record_sha256, "decide this one again")
        self._attempt(
            action,
            path,
            lambda begin: self._decisions.take_back(
                path, written, by=action.by, now=action.now, on_begin=begin
            ),
            ("undoing", "undone"),
        )

    def _attempt(
        self,
        action: Action,
        path: str,
        change: Callable[[Callable[[Written], None]], object],
        kinds: tuple[Kind, Kind],
    ) -> None:
        """Change a file between two steps of the log: the second records that the first was carried out."""
        begin, end = (partial(_step, action, kind, path) for kind in kinds)
        try:
            change(lambda written: self._append([begin(written=written)]))
        except Exception:
            history = self._histories.get(path)
            if history is not None and history.begun is not None:
                self._append([_step(action, "failed", path)])
            raise
        self._append([end()], is_synced=False)

    def _finish(self, paths: Iterable[str], now: datetime) -> None:
        """End changes of files that were begun: by a process that was killed, or while the disk was full."""
        for path in paths:
            history = self._histories.get(path)
            if history is not None and history.begun is not None and history.begun.written is not None:
                self._append([self._recovered(path, history.begun, history.begun.written, now)])

    def _recovered(self, path: str, begun: Step, written: Written, now: datetime) -> Step:
        """The step that ends what was begun: the file shows whether it was carried out."""
        action = Action(begun.id, begun.by, begun.client, now)
        try:
            if begun.kind == "saving":
                is_done = self._decisions.complete(path, written)
            else:
                is_done = self._decisions.complete_undo(path, written, by=begun.by, now=now)
        except (RecordError, OSError):  # as long as the file cannot be read, it was not
            is_done = False
        end: Kind = "saved" if begun.kind == "saving" else "undone"
        return _step(action, end if is_done else "failed", path)

    def _refusal(self, action: Action, target: Target) -> Outcome | None:
        """Outcome for a record on which somebody else was first; None if the page knew its last step."""
        history = self._histories.get(target.path)
        head = history.head.id if history is not None and history.head is not None else ""
        if head == target.base or self._histories.is_done(action, target.path):
            return None
        return Outcome(target.path, "", is_late=True)

    def _usable(self, path: str) -> Outcome:
        """Outcome for a record that may be decided."""
        try:
            self._decisions.usable(path)
        except RecordError as error:
            return Outcome(path, str(error))
        return Outcome(path)

    def _append(self, steps: list[Step], *, is_synced: bool = True) -> None:
        if steps:
            self._log.append(steps, is_synced=is_synced)
            self._histories.apply(steps)


def _step(action: Action, kind: Kind, path: str, **more: Any) -> Step:
    """A step of an action; `more` are further fields of it."""
    return Step(at=action.now, id=action.id, by=action.by, client=action.client, kind=kind, path=path, **more)
