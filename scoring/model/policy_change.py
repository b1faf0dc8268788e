"""Points in time at which the policy of a section changed."""

from __future__ import annotations

from datetime import datetime

import msgspec

from scoring.model.targets import Target


class ChangedEffect(msgspec.Struct, frozen=True):
    """An effect whose value changed.

    Parameters
    ----------
    name : str
        A column, or ``COLUMN from`` for the knot of a length; ``scale`` or ``shift`` of all qualities;
        ``provider DOMAIN`` or ``topic NAME``; ``bonus``, ``bonus from`` or ``published from``.
    before, since : float
        Its value before the change, and since then; points, characters of a knot, heat, or a factor.
    points : float or None
        The most that the change moves the quality of a record; None for heat and publication.
    """

    name: str
    before: float
    since: float
    points: float | None = None


class PolicyChange(msgspec.Struct, frozen=True):
    """A point in time from which the labels of a section follow different rules.

    Parameters
    ----------
    section : str
        The section; empty for records without one.
    target : {"quality", "heat", "published"}
        The label whose rules changed.
    since : datetime
        Publication of the first record that follows the new rules, aware UTC.
    n_before, n_since : int
        Labelled records of the section between the previous change and this one, and since this one.
    effects : tuple of ChangedEffect
        Effects that changed, the largest change of quality first.
    """

    section: str
    target: Target
    since: datetime
    n_before: int
    n_since: int
    effects: tuple[ChangedEffect, ...]
