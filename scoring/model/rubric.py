"""The additive part of quality: what an editor's rubric would add up, learned by robust regression.

Editors' rubrics add points: so many for a picture, so many for a provider they trust, one off for
every few characters of a title too long. Trees need many splits for what a sum says at once, so the
sum is fitted first and the booster learns what it leaves. Absolute error (by iteratively reweighted
least squares; Holland & Welsch, 1977) makes the sum pass *through* most records instead of between
them. Words that are worth points only under some topic are found by a greedy search on what is left
(matching pursuit, Mallat & Zhang, 1993, under absolute error), then fitted anew with the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import msgspec
import numpy as np

from scoring.features.table import FeatureTable, Floats

TERMS = "title_terms"
TOPICS = "topics"
_MAX_SEARCHED_CHARS = 1000  # of a title in which each term is looked for by itself


class Rubric(msgspec.Struct, frozen=True, dict=True):
    """A fitted rubric: intercept plus effects; every part is plain numbers, so that it can be saved as JSON.

    Parameters
    ----------
    intercept_ : float
        Points of a record with nothing.
    numbers_ : dict of str to float
        Points for each unit of a column.
    hinges_ : dict of str to list of [float, float]
        Points for each character beyond a knot.
    levels_ : dict of str to dict of str to float
        Points for each provider domain, host, section and topic.
    terms_ : dict of str to dict of str to float
        Points for each word or run of words of the title under each topic.
    floor_ : float
        Lowest quality among the labels.
    means_ : dict of str to float
        Mean of each part over the training records; points.
    """

    intercept_: float
    numbers_: dict[str, float]
    hinges_: dict[str, list[tuple[float, float]]]
    levels_: dict[str, dict[str, float]]
    terms_: dict[str, dict[str, float]]
    floor_: float
    means_: dict[str, float] = {}

    @property
    def knots(self) -> dict[str, float]:
        """Knot of each hinged column."""
        return {name: hinges[0][0] for name, hinges in self.hinges_.items()}

    def parts(self, table: FeatureTable) -> dict[str, Floats]:
        """Points of each record by name of what they are given for, each of shape (n_records,)."""
        names = (*self.numbers_, *self.hinges_, *self.levels_, TERMS)
        return dict(zip(names, self._points(table).T, strict=True))

    def _points(self, table: FeatureTable) -> Floats:
        """The values of :meth:`parts` as columns, shape (n_records, n_parts)."""
        weights = np.array(list(self.numbers_.values()), dtype=np.float64)
        counted = table.columns(list(self.numbers_))
        counted = np.where(np.isnan(counted), 0.0, counted) * weights
        overruns = [
            sum((weight * np.maximum(table.number(name) - knot, 0.0) for knot, weight in hinges), 0.0)
            for name, hinges in self.hinges_.items()
        ]
        levels = [
            [sum([effects.get(level, 0.0) for level in row]) for row in table.topics]
            if name == TOPICS
            else [effects.get(level, 0.0) for level in table.text(name)]
            for name, effects in self.levels_.items()
        ]
        # Copies of a record share the tuple itself; to compare long ones would take longer.
        titles = {id(words): words for words in table.title_words}
        read = {key: _Title(words) for key, words in titles.items()}
        terms = [
            self._term_points(topics, read[id(words)])
            for topics, words in zip(table.topics, table.title_words, strict=True)
        ]
        return np.column_stack([counted, *overruns, *levels, terms])

    @cached_property
    def _padded_terms(self) -> dict[str, list[tuple[str, str, float]]]:
        """By topic: each term between blanks, by itself, and its points."""
        return {
            topic: [(f" {term} ", term, points[term]) for term in sorted(points)]
            for topic, points in self.terms_.items()
        }

    @cached_property
    def _words_of_terms(self) -> dict[str, tuple[str, ...]]:
        """The words of each term."""
        return {term: tuple(term.split(" ")) for points in self.terms_.values() for term in points}

    def _term_points(self, topics: tuple[str, ...], title: _Title) -> float:
        return sum([points for _, _, points in self._found(topics, title)])

    def _found(self, topics: tuple[str, ...], title: _Title) -> list[tuple[str, str, float]]:
        """Topic, term and points of each term that a title has under its topics."""
        text = title.text
        if len(text) <= _MAX_SEARCHED_CHARS:
            return [
                (topic, term, points)
                for topic in topics
                for padded, term, points in self._padded_terms.get(topic, ())
                if padded in text
            ]
        has = title.terms_among(self._words_of_terms)
        return [
            (topic, term, points)
            for topic in topics
            for _, term, points in self._padded_terms.get(topic, ())
            if term in has
        ]

    def found_terms(self, topics: tuple[str, ...], words: tuple[str, ...]) -> list[str]:
        """Words of a title that are worth points under its topics, each with them, in words."""
        found = self._found(topics, _Title(words))
        return [f"{term} under {topic} {points:+.1f}" for topic, term, points in found]

    def predict(self, table: FeatureTable) -> Floats:
        """Points of each record, not below the lowest label; shape (n_records,)."""
        # One after the other: a sum in another order has other last digits.
        points = self.intercept_ + np.cumsum(self._points(table), axis=1)[:, -1]
        return np.maximum(points, self.floor_)


class _Title:
    """A title's words, and what is found in them, once however many rows have them."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.words = words
        self.text = f" {' '.join(words)} "
        self._terms: set[str] | None = None

    def terms_among(self, words_of_terms: Mapping[str, tuple[str, ...]]) -> set[str]:
        """The terms, given with their words, that stand in the title."""
        if self._terms is None:
            vocabulary = set(self.words)
            possible = {term: words for term, words in words_of_terms.items() if vocabulary.issuperset(words)}
            self._terms = set()
            for length in set(map(len, possible.values())):
                runs = set(zip(*(self.words[start:] for start in range(length)), strict=False))
                self._terms |= {term for term, words in possible.items() if words in runs}
        return self._terms
