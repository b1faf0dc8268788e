"""The steps of one record: what can be undone, and the decision that follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import msgspec

from scoring.inbox.decision_log import Decided, Kind, Step
from scoring.inbox.decisions import Written


class Author(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who took a step, and when: id of the action, name of the person, id of the browser."""

    id: str
    at: datetime
    by: str = ""
    client: str = ""


class DecisionState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The current decision of a record, for the page.

    Parameters
    ----------
    path : str
        File of the record.
    version : int
        Number of steps in the log up to the last one of the record.
    head : Author or None
        The last action on the record: its id is the base of the next one.
    kind : str
        What that was: ``decided``, ``saved`` or ``undone``.
    decided : Decided or None
        The decision; None if there is none, since all were undone.
    decided_in : Author or None
        Who decided.
    top : Author or None
        The action that an undo takes back.
    is_saved : bool
        Whether the decision is in the file.
    """

    path: str
    version: int = 0
    head: Author | None = None
    kind: Kind = "undone"
    decided: Decided | None = None
    decided_in: Author | None = None
    top: Author | None = None
    is_saved: bool = False


class Level(NamedTuple):
    """What an undo takes away: a decision, or that it was saved (then with the change of the file)."""

    decided: Decided
    decided_in: Author
    top: Author
    written: Written | None = None


@dataclass(slots=True)
class History:
    """The steps of one record that can be undone, its last step, and a change of the file under way."""

    version: int = 0
    head: Step | None = None
    begun: Step | None = None
    levels: list[Level] = field(default_factory=list)

    def apply(self, step: Step) -> None:
        """Take a step into account."""
        if step.kind in ("saving", "undoing"):
            self.begun = step
            return
        if step.kind == "moved":  # the last step stays the same
            return
        begun, self.begun = self.begun, None
        if step.kind == "failed":
            return
        author = _author(step)
        if step.kind == "decided" and step.decided is not None:
            self.levels.append(Level(step.decided, author, author))
        elif step.kind == "saved" and self.levels and begun is not None:
            self.levels.append(self.levels[-1]._replace(top=author, written=begun.written))
        elif step.kind == "undone" and self.levels:
            self.levels.pop()
        self.head = step


def state_of(path: str, history: History) -> DecisionState:
    """State of a record for the page."""
    head, top = history.head, history.levels[-1] if history.levels else None
    if head is None:
        return DecisionState(path=path, version=history.version)
    return DecisionState(
        path=path,
        version=history.version,
        head=_author(head),
        kind=head.kind,
        decided=top.decided if top is not None else None,
        decided_in=top.decided_in if top is not None else None,
        top=top.top if top is not None else None,
        is_saved=top is not None and top.written is not None,
    )


def _author(step: Step) -> Author:
    return Author(id=step.id, at=step.at, by=step.by, client=step.client)
