"""Reasons, changes and explanations of a score."""

from __future__ import annotations

import msgspec

from scoring.model.score import Score


class Reason(msgspec.Struct, frozen=True):
    """One contribution to a score: feature, its value in words, and what it adds (points or log-odds)."""

    feature: str
    text: str
    contribution: float


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One edit of a record, and the scores that the record would have after it.

    Parameters
    ----------
    kind : str
        Sort of edit: ``drop topic``, ``add topic``, ``name section``, ``name topic``, ``shorten title``,
        ``add excerpt``, ``add image``, ``add coverage``.
    text : str
        The edit, in words.
    effort : int
        How big the edit is, from 1 (a topic) to 5 (what others must do).
    decisions : tuple of str
        Which of ``lead`` and ``published`` would turn over; empty where neither.
    quality, heat, published, published_probability
        As in :class:`Score`, after the edit.
    expected_heat : float
        As in :class:`Explanation`, after the edit.
    """

    kind: str
    text: str
    effort: int
    decisions: tuple[str, ...]
    quality: int
    heat: int
    expected_heat: float
    published: bool
    published_probability: float


class Explanation(msgspec.Struct, frozen=True):
    """A score with its reasons, largest first, by target: ``quality``, ``lead``, ``heat``, ``published``.

    ``changes`` are single edits that would reverse a decision or, if none would, raise the score
    most; the cheapest first.
    """

    score: Score
    expected_heat: float
    base: dict[str, float]
    reasons: dict[str, tuple[Reason, ...]]
    changes: tuple[Change, ...] = ()
