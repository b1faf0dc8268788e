"""One label that looks wrong."""

from __future__ import annotations

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One label that looks wrong.

    Parameters
    ----------
    kind : str
        What it breaks: ``quality`` (it is far from what records like it have), ``lead``, ``heat`` and
        ``published`` (what the site does elsewhere with a record of that quality), ``twin`` (a nearly
        identical record is labelled otherwise), ``correction`` (people have given it more than one value).
    path : str
        Where the record was found.
    field : str
        The label: ``quality``, ``heat`` or ``published``.
    label, expected : int or bool
        What it is, and what it would be.
    difference : float
        Label less expected: points; -1 or 1 for ``published``.
    low, high : float or None
        What of the quality was to be expected, by the out-of-fold 90 % interval; points. None elsewhere.
    probability : float or None
        Of what is expected, where it is a yes or no; 0 to 1.
    reason : str
        Why it looks wrong.
    other : str
        The record that it is compared with, by its path; empty where there is none.
    correction : str
        What a person has done with the label, in words; empty where nobody has.
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
