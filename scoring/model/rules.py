"""Rules of a policy, as an editor would write them down, and the labels that they rest on."""

from __future__ import annotations

from typing import Literal

import msgspec

Target = Literal["quality", "lead", "heat", "published"]


class Rule(msgspec.Struct, frozen=True):
    """One rule that the labels of a section follow.

    Parameters
    ----------
    target : {"quality", "lead", "heat", "published"}
        The label that it decides.
    name : str
        What it depends on: a column, ``COLUMN from`` for the knot of a length, ``providers POINTS``, ``topics
        POINTS`` and ``words POINTS`` for all of the same worth, ``floor``, ``bonus``, ``bonus from``,
        ``best leads``, ``published from``.
    value : float
        Points, characters of a knot, or heat.
    low, high : float
        95 % interval of the value.
    n_records : int
        Labelled records that it rests on.
    followed_ratio : float or None
        Share of these that follow it; None where the value is a median and half of them lie on either side.
    names : tuple of str
        The most frequent of the providers, topics, or words with their topics in brackets, that it is of.
    n_names : int
        How many there are of them.
    """

    target: Target
    name: str
    value: float
    low: float
    high: float
    n_records: int
    followed_ratio: float | None = None
    names: tuple[str, ...] = ()
    n_names: int = 0


class SectionRules(msgspec.Struct, frozen=True):
    """The rules of one section, or of all sections that share theirs.

    Parameters
    ----------
    sections : tuple of str
        The sections.
    is_own : bool
        Whether the section has a policy of its own.
    n_records : int
        Their labelled records.
    rules : tuple of Rule
        The rules of quality (of features by their size, then of lengths, providers and topics), then those of
        lead, heat and publication.
    """

    sections: tuple[str, ...]
    is_own: bool
    n_records: int
    rules: tuple[Rule, ...]
