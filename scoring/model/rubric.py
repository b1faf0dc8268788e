"""Rubric: additive model of the quality.

Editors score by adding points: for a picture, for a trusted provider, minus some for a long title. Trees
need many splits to represent a sum, so the sum is fitted first and a booster learns its residual. The fit
minimizes the absolute error (:mod:`scoring.training.lad_regression`), so that the sum is exact for most
records. Terms of the title that matter under one topic are selected greedily
(:mod:`scoring.training.term_selection`), then fitted jointly with the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import msgspec
import numpy as np

from scoring.features.table import FeatureTable, Floats

TERMS = "title_terms"
TOPICS = "topics"
_MAX_SEARCHED_CHARS = 1000  # of a title that is searched for each term separately


class Rubric(msgspec.Struct, frozen=True, dict=True):
    """A fitted rubric: intercept plus effects, in plain numbers that JSON can hold.

    Parameters
    ----------
    intercept_ : float
        Points of a record without effects.
    numbers_ : dict of str to float
        Points per unit of a column.
    hinges_ : dict of str to list of [float, float]
        Knots in characters, and points per character beyond each.
    levels_ : dict of str to dict of str to float
        Points of each level of provider domain, host, section and topic.
    terms_ : dict of str to dict of str to float
        Points of each term (a run of words of the title) by topic.
    floor_ : float
        Lowest quality label; points.
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
        """Points of each record by name of the effect, each of shape (n_records,)."""
        names = (*self.numbers_, *self.hinges_, *self.levels_, TERMS)
        return dict(zip(names, self._points(table).T, strict=True))

    def _points(self, table: FeatureTable) -> Floats:
        """Values of :meth:`parts` as columns, shape (n_records, n_parts)."""
        weights = np.array(list(self.numbers_.values()), dtype=np.float64)
        weighted = table.columns(list(self.numbers_))
        weighted = np.where(np.isnan(weighted), 0.0, weighted) * weights
        hinged = [
            sum((weight * np.maximum(table.number(name) - knot, 0.0) for knot, weight in hinges), 0.0)
            for name, hinges in self.hinges_.items()
        ]
        levels = [
            [sum([effects.get(level, 0.0) for level in row]) for row in table.topics]
            if name == TOPICS
            else [effects.get(level, 0.0) for level in table.text(name)]
            for name, effects in self.levels_.items()
        ]
        # Copies of a record share the tuple, so its id is enough and faster to compare.
        titles = {id(words): words for words in table.title_words}
        parsed_titles = {key: _Title(words) for key, words in titles.items()}
        terms = [
            self._term_points(topics, parsed_titles[id(words)])
            for topics, words in zip(table.topics, table.title_words, strict=True)
        ]
        return np.column_stack([weighted, *hinged, *levels, terms])

    @cached_property
    def _terms_by_topic(self) -> dict[str, list[tuple[str, str, float]]]:
        """Terms of each topic: padded with blanks, plain, and points."""
        return {
            topic: [(f" {term} ", term, points[term]) for term in sorted(points)]
            for topic, points in self.terms_.items()
        }

    @cached_property
    def _words_of_terms(self) -> dict[str, tuple[str, ...]]:
        """Words of each term."""
        return {term: tuple(term.split(" ")) for points in self.terms_.values() for term in points}

    def _term_points(self, topics: tuple[str, ...], title: _Title) -> float:
        return sum([points for _, _, points in self._matched_terms(topics, title)])

    def _matched_terms(self, topics: tuple[str, ...], title: _Title) -> list[tuple[str, str, float]]:
        """Topic, term and points of each term of the title under its topics."""
        text = title.text
        if len(text) <= _MAX_SEARCHED_CHARS:
            return [
                (topic, term, points)
                for topic in topics
                for padded, term, points in self._terms_by_topic.get(topic, ())
                if padded in text
            ]
        matched = title.terms_among(self._words_of_terms)
        return [
            (topic, term, points)
            for topic in topics
            for _, term, points in self._terms_by_topic.get(topic, ())
            if term in matched
        ]

    def matched_terms(self, topics: tuple[str, ...], words: tuple[str, ...]) -> list[tuple[str, str, float]]:
        """Topic, term and points of each term of a title that has points under one of its topics."""
        return self._matched_terms(topics, _Title(words))

    def found_terms(self, topics: tuple[str, ...], words: tuple[str, ...]) -> list[str]:
        """Descriptions of those terms."""
        terms = self.matched_terms(topics, words)
        return [f"{term} under {topic} {points:+.1f}" for topic, term, points in terms]

    def predict(self, table: FeatureTable) -> Floats:
        """Predicted quality, not below the lowest label; shape (n_records,), points."""
        # Sum from left to right: the order changes the last digits.
        points = self.intercept_ + np.cumsum(self._points(table), axis=1)[:, -1]
        return np.maximum(points, self.floor_)


class _Title:
    """Words of a title and its cached terms, shared by all rows with that title."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.words = words
        self.text = f" {' '.join(words)} "
        self._terms: set[str] | None = None

    def terms_among(self, words_of_terms: Mapping[str, tuple[str, ...]]) -> set[str]:
        """Terms of the title, out of the given terms with their words."""
        if self._terms is None:
            vocabulary = set(self.words)
            possible = {term: words for term, words in words_of_terms.items() if vocabulary.issuperset(words)}
            self._terms = set()
            for length in set(map(len, possible.values())):
                word_runs = set(zip(*(self.words[start:] for start in range(length)), strict=False))
                self._terms |= {term for term, words in possible.items() if words in word_runs}
        return self._terms
