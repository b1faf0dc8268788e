"""Rules of a policy, with their intervals and the number of labels behind them."""

from __future__ import annotations

from typing import Literal

import msgspec

Target = Literal["quality", "lead", "heat", "published"]


class Rule(msgspec.Struct, frozen=True):
    """One rule that the labels of a section follow.

    Parameters
    ----------
    target : {"quality", "lead", "heat", "published"}
        The label that it determines.
    name : str
        A column, ``COLUMN from`` for the knot of a length, ``providers POINTS``, ``topics POINTS`` or
        ``words POINTS`` for all with the same points, ``floor``, ``bonus``, ``bonus from``, ``best leads`` or
        ``published from``.
    value : float
        Points, characters of a knot, or heat.
    low, high : float
        95 % interval of the value.
    n_records : int
        Labelled records that it is based on.
    followed_ratio : float or None
        Share of these that follow it; None if the value is a median, with half of them on either side.
    names : tuple of str
        The most frequent providers, topics, or words (each with its topic in brackets) of the rule.
    n_names : int
        Number of all its providers, topics or words.
    points : float or None
        The most that it adds to or takes from the quality of a record; None if it is not a number of points.
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
    points: float | None = None


class SectionRules(msgspec.Struct, frozen=True):
    """The rules of one section, or of all sections that share a policy.

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
    label_step : float
        Points by which nearly all labels of quality differ from one another; 1 or more.
    """

    sections: tuple[str, ...]
    is_own: bool
    n_records: int
    rules: tuple[Rule, ...]
    label_step: float = 1.0
