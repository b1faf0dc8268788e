"""Actions of curators on the decisions of records, and their results."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from scoring.inbox.decision_log import Id


class Action(NamedTuple):
    """Who does something, and when; all steps of an action have its id.

    An action that arrives again, since its answer was lost, is not done again.
    """

    id: str
    by: str
    client: str
    now: datetime


class ActionConflictError(Exception):
    """The id of an action stands for another one already; nothing was done."""


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record, and its last step as the page knows it; empty if it knows none."""

    path: str
    base: Id | str = ""


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """Result of an action for one record.

    Parameters
    ----------
    path : str
        File of the record.
    fault : str
        Why it failed; empty if it did not.
    is_late : bool
        Whether somebody else was there first: the record has another last step than the page knew.
    """

    path: str
    fault: str = ""
    is_late: bool = False
