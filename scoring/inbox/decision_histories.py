"""The decisions of all records, as they follow from the steps of the log."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from scoring.inbox.decision_actions import Action, ActionConflictError
from scoring.inbox.decision_history import DecisionState, History, state_of
from scoring.inbox.decision_log import Decided, Kind, Step


class StateChanges(NamedTuple):
    """States that have changed since a version."""

    version: int
    states: list[DecisionState]


class Content(NamedTuple):
    """Kind of step that an action adds to a record, and its decision."""

    kind: Kind
    decided: Decided | None = None


class DecisionHistories:
    """Histories by path, what was carried out, and people without a name; any thread may read them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._histories: dict[str, History] = {}
        self._done: dict[tuple[str, str], Content] = {}  # by action and path
        self._version = 0
        self._unnamed: dict[str, None] = {}  # browsers of people without a name, in the order of their steps

    @property
    def unnamed(self) -> list[str]:
        """Ids of the browsers of people without a name, in the order in which they first decided."""
        with self._lock:
            return list(self._unnamed)

    @property
    def paths(self) -> list[str]:
        """Paths of all records with a step."""
        with self._lock:
            return list(self._histories)

    def get(self, path: str) -> History | None:
        """History of a record; None if it has no step."""
        return self._histories.get(path)

    def is_done(self, action: Action, path: str) -> bool:
        """Whether an action was carried out on a record."""
        return (action.id, path) in self._done

    def check_repeat(self, action: Action, asked: Mapping[str, Content]) -> None:
        """Check that an action which arrives again asks for the same as before.

        Raises
        ------
        ActionConflictError
            If it does not.
        """
        with self._lock:
            for path, content in asked.items():
                if self._done.get((action.id, path), content) != content:
                    raise ActionConflictError(
                        f"id: got {action.id!r}, the id of an earlier, different action on {path}; "
                        "expected a new id"
                    )

    def digests(self) -> dict[str, str]:
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

    def clear(self) -> None:
        """Forget all steps, and notify the pages that know them."""
        with self._lock:
            self._version += 1
            self._done.clear()
            self._histories = {path: History(self._version) for path in self._histories}

    def apply(self, steps: Sequence[Step]) -> None:
        """Take steps into account, in their order."""
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
                    self._done[step.id, step.path] = Content(step.kind, step.decided)
