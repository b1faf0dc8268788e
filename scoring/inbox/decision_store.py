"""Pending and saved decisions of curators, shared by all pages, with an undo of each record's own steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import uuid4

from scoring.errors import Fault, RecordError, ScoringError
from scoring.inbox.decision_actions import Action, ActionConflictError, Outcome, Target
from scoring.inbox.decision_corrections import Decision
from scoring.inbox.decision_history import DecisionState, History, Level, state_of
from scoring.inbox.decision_log import Decided, DecisionLog, Kind, Step
from scoring.inbox.decisions import Decisions, Written
from scoring.inbox.moved_files import moved_files
from scoring.inbox.rows import Row


class StateChanges(NamedTuple):
    """States that have changed since a version."""

    version: int
    states: list[DecisionState]


class _Content(NamedTuple):
    """What an action does with a record."""

    kind: Kind
    decided: Decided | None = None


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
        self._lock = threading.Lock()  # of the fields below
        self._histories: dict[str, History] = {}
        self._done: dict[tuple[str, str], _Content] = {}  # by action and path
        self._version = 0
        self._unnamed: dict[str, None] = {}  # browsers of people without a name, in the order of their steps

    @property
    def unnamed(self) -> list[str]:
        """Ids of the browsers of people without a name, in the order in which they first decided."""
        with self._lock:
            return list(self._unnamed)

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
                with self._lock:
                    self._version += 1
                    self._done.clear()
                    self._histories = {path: History(self._version) for path in self._histories}
            self._apply(self._log.read())

    def recover(self, now: datetime) -> None:
        """Finish what an interrupted process had begun; called once, at the start.

        Raises
        ------
        RecordError, HomeError
            If the log cannot be read or written.
        """
        with self._acting, self._log.locked():
            self.catch_up()
            self._finish(list(self._histories), now)

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
        if self._digests().keys() <= rows.keys():
            return False
        with self._acting, self._log.locked():
            self.catch_up()
            decided = self._digests()
            gone = {path: sha256 for path, sha256 in decided.items() if path not in rows}
            steps = [
                _step(Action(uuid4().hex, "", "", now), "moved", new, moved_from=old)
                for old, new in moved_files(gone, rows, decided.keys()).items()
            ]
            self._append(steps)
            return bool(steps)

    def _digests(self) -> dict[str, str]:
        """Digests of the decided records by path, as they were decided on."""
        with self._lock:
            histories = self._histories.items()
            return {path: item.levels[-1].decided.record_sha256 for path, item in histories if item.levels}

    def since(self, version: int) -> StateChanges:
        """States that have changed since a version; 0 is before the first."""
        with self._lock:
            changed = [
                state_of(path, history)
                for path, history in self._histories.items()
                if history.version > version
            ]
            return StateChanges(self._version, changed)

    def of(self, paths: Iterable[str]) -> list[DecisionState]:
        """States of records that have one."""
        with self._lock:
            return [
                state_of(path, self._histories[path])
                for path in dict.fromkeys(paths)
                if path in self._histories
            ]

    def decide(self, action: Action, decided: Sequence[tuple[Target, Decided]]) -> list[Outcome]:
        """Take decisions that are not saved yet, in one step of the log: all that can be, or none.

        Raises
        ------
        ActionConflictError
            If the id of the action is that of another one.
        """
        self._check_repeat(
            action, {target.path: _Content("decided", decision) for target, decision in decided}
        )
        steps: dict[str, Step] = {}
        outcomes: list[Outcome] = []
        try:
            with self._acting, self._log.locked():
                self.catch_up()
                self._finish([target.path for target, _ in decided], action.now)
                for target, decision in decided:
                    outcome = self._refusal(action, target) or self._usable(target.path)
                    is_done = (action.id, target.path) in self._done
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
        self._check_repeat(action, {target.path: _Content("undone") for target in targets})
        return [self._change(action, target, self._undo) for target in targets]

    def save(self, action: Action, targets: Sequence[Target]) -> list[Outcome]:
        """Write the pending decisions of records into their files; raises like :meth:`undo`."""
        self._check_repeat(action, {target.path: _Content("saved") for target in targets})
        return [self._change(action, target, self._save) for target in targets]

    def _check_repeat(self, action: Action, asked: Mapping[str, _Content]) -> None:
        """Check that an action which arrives again asks for the same as before."""
        with self._lock:
            for path, content in asked.items():
                if self._done.get((action.id, path), content) != content:
                    raise ActionConflictError(
                        f"id: got {action.id!r} of another action on {path}, which was carried out; "
                        "expected a new id"
                    )

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
                if (action.id, path) in self._done:
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

    def _undo(self, action: Action, path: str, level: Level) -> None:
        written = level.written
        if written is None:
            self._append([_step(action, "undone", path)])
            return
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
        """Change a file between two steps of the log: the second tells that the first was carried out."""
        begin, end = (partial(_step, action, kind, path) for kind in kinds)
        try:
            change(lambda written: self._append([begin(written=written)]))
        except Exception:
            history = self._histories[path]
            if history.begun is not None:
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
        """The step that ends what was begun: the file tells whether it was carried out."""
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
        if head == target.base or (action.id, target.path) in self._done:
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
            self._apply(steps)

    def _apply(self, steps: Sequence[Step]) -> None:
        if not steps:
            return
        with self._lock:
            for step in steps:
                self._version += 1
                if not step.by and step.kind == "decided":
                    self._unnamed[step.client] = None
                if step.kind == "moved" and step.moved_from in self._histories:
                    self._histories[step.path] = self._histories[step.moved_from]
                    self._histories[step.moved_from] = History(self._version)
                history = self._histories.setdefault(step.path, History())
                history.apply(step)
                history.version = self._version
                if step.kind in ("decided", "saved", "undone"):
                    self._done[step.id, step.path] = _Content(step.kind, step.decided)


def _step(action: Action, kind: Kind, path: str, **more: Any) -> Step:
    """A step of an action; `more` are further fields of it."""
    return Step(at=action.now, id=action.id, by=action.by, client=action.client, kind=kind, path=path, **more)
