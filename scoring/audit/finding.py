"""Audit findings."""

from __future__ import annotations

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One label that looks wrong.

    Parameters
    ----------
    kind : str
        ``quality`` (far from the out-of-fold prediction), ``lead``, ``heat`` and ``published`` (against the
        site's learned rules for that quality), ``twin`` (a near-duplicate has another label),
        ``correction`` (people have corrected it to different values).
    path : str
        Where the record was found.
    field : str
        Field of the label: ``quality``, ``heat`` or ``published``.
    label, expected : int or bool
        The label, and its expected value.
    difference : float
        Label minus expected value; points, or -1 or 1 for ``published``.
    low, high : float or None
        Out-of-fold 90 % interval of the quality; points. None for other fields.
    probability : float or None
        Probability of the expected value of a yes-or-no label; 0 to 1.
    reason : str
        Why the label looks wrong.
    other : str
        Path of the record that it is compared with; empty if there is none.
    correction : str
        Correction of the label by a person, in words; empty if there is none.
    """

    kind: str
    path: str
    field: str
    label: bool | int
    expected: bool | int
    difference: float
    low: float | None = None
    high: float | None = None
    probability: float | None = None
    reason: str
    other: str = ""
    correction: str = ""
