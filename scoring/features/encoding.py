"""Encoder from feature table to matrix: category codes, topic indicators, and target-encoded providers."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from math import nan

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.errors import FeatureError
from scoring.features import body
from scoring.features.column import Column
from scoring.features.sections import FIRST_TOPIC, SectionRule
from scoring.features.table import (
    BODY_NAMES,
    NUMBER_COLUMNS,
    NUMBER_INDEX,
    NUMBER_NAMES,
    TEXT_COLUMNS,
    TEXT_NAMES,
    FeatureTable,
    Floats,
)

FITTED_COLUMNS: tuple[Column, ...] = (
    Column(
        "provider_seen_count",
        "provider",
        "count",
        "records",
        ">= 0",
        "training records of the provider",
        False,
    ),
    Column(
        "provider_quality_mean",
        "provider",
        "number",
        "points",
        "any",
        "mean quality of the provider's training records, shrunk to the mean; out of fold in training",
        False,
    ),
)
TOPIC_PREFIX = "topic: "
# Age is always known in training, but for a new record only if `as_of` is given, and the quality of a record
# does not depend on it: only heat uses age.
ENCODED_NUMBERS = tuple(name for name in NUMBER_NAMES if name != "age_hours")
_ENCODED_INDEX = [NUMBER_INDEX[name] for name in ENCODED_NUMBERS]


class ProviderStatistics(msgspec.Struct, frozen=True):
    """Number of training records and mean label of each provider (target encoding with shrinkage).

    Parameters
    ----------
    counts_ : dict of str to int
        Number of training records by domain.
    sums_ : dict of str to float
        Sum of deviations of their labels from the overall mean; points.
    mean_ : float
        Mean of all labels; points.
    strength : float
        Shrinkage, as a number of records at the overall mean.
    """

    counts_: dict[str, int]
    sums_: dict[str, float]
    mean_: float
    strength: float

    @classmethod
    def fit(cls, domains: NDArray[np.object_], y: Floats, strength: float = 5.0) -> ProviderStatistics:
        """Fit to labelled records; `domains` and `y` have shape (n_records,), `y` is in points."""
        mean = float(y.mean()) if len(y) else 0.0
        counts: Counter[str] = Counter()
        sums: Counter[str] = Counter()
        for domain, label in zip(domains, y, strict=True):
            counts[domain] += 1
            sums[domain] += float(label) - mean  # type: ignore[assignment]  # a Counter adds floats as well
        return cls(
            dict(sorted(counts.items())), {k: float(v) for k, v in sorted(sums.items())}, mean, strength
        )

    def transform(self, domains: NDArray[np.object_]) -> Floats:
        """Return count and shrunken mean per record, shape (n_records, 2), as in :data:`FITTED_COLUMNS`."""
        rows = []
        for domain in domains:
            count = self.counts_.get(domain, 0)
            rows.append((float(count), self.mean_ + self.sums_.get(domain, 0.0) / (count + self.strength)))
        return np.array(rows, dtype=np.float64).reshape(len(domains), len(FITTED_COLUMNS))


class BodyColumns(msgspec.Struct, frozen=True):
    """Columns of bodies in the matrix of an encoder.

    Parameters
    ----------
    names : list of str
        The columns.
    is_always_there : bool
        Whether every training record had a body.
    """

    names: list[str]
    is_always_there: bool


class Encoder(msgspec.Struct, frozen=True, dict=True):
    """Encodes a feature table as a float64 matrix for boosters.

    Parameters
    ----------
    levels_ : dict of str to list of str
        Levels of each category; the index of a level is its code, an unknown level is missing (NaN).
    topics_ : list of str
        Topics with their own column.
    known_topics_ : list of str
        All topics of the training records.
    providers_ : ProviderStatistics
        Statistics of the providers.
    sections_ : SectionRule
        How the section of a record is found.
    body_ : BodyColumns, optional
        Columns of bodies; not set if no training record has a body.
    """

    levels_: dict[str, list[str]]
    topics_: list[str]
    known_topics_: list[str]
    providers_: ProviderStatistics
    sections_: SectionRule = FIRST_TOPIC
    body_: BodyColumns | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def fit(cls, table: FeatureTable, y: Floats, *, min_level_count: int = 5) -> Encoder:
        """Fit levels, topics and provider statistics.

        Parameters
        ----------
        table : FeatureTable
            Training records.
        y : ndarray of shape (n_records,)
            Their qualities; points.
        min_level_count : int
            Minimum number of records for a level of a category or a column of a topic.
        """
        levels = {}
        for column in TEXT_NAMES:
            counts = Counter(table.text(column))
            levels[column] = sorted(level for level, n in counts.items() if level and n >= min_level_count)
        topics = Counter(topic for row in table.topics for topic in set(row))
        return cls(
            levels,
            sorted(topic for topic, n in topics.items() if n >= min_level_count),
            sorted(topics),
            ProviderStatistics.fit(table.text("provider_domain"), y),
            body_=_body_columns(table) if table.has_bodies else msgspec.UNSET,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of the matrix, in order."""
        return (
            *ENCODED_NUMBERS,
            *TEXT_NAMES,
            *(TOPIC_PREFIX + topic for topic in self.topics_),
            *(column.name for column in FITTED_COLUMNS),
            *self.body_names,
        )

    @property
    def body_names(self) -> tuple[str, ...]:
        """Columns of bodies, last in the matrix; empty if no training record has a body."""
        return () if self.body_ is msgspec.UNSET else tuple(self.body_.names)

    @cached_property
    def _codes(self) -> list[dict[str, float]]:
        """Code of each level by category, followed by the codes of topics."""
        listed = [*(self.levels_[name] for name in TEXT_NAMES), self.topics_]
        return [{level: float(code) for code, level in enumerate(levels)} for levels in listed]

    @cached_property
    def _known_topics(self) -> frozenset[str]:
        return frozenset(self.known_topics_)

    @staticmethod
    def place_of(name: str) -> int:
        """Return the index of a category's column in the matrix."""
        return len(ENCODED_NUMBERS) + TEXT_NAMES.index(name)

    @property
    def categories(self) -> tuple[str, ...]:
        """Columns with category codes."""
        return TEXT_NAMES

    def transform(self, table: FeatureTable) -> Floats:
        """Encode a table as a float64 matrix of shape (n_records, len(names)).

        Raises
        ------
        FeatureError
            If the table does not have the columns that the encoder was fitted on.
        """
        n_numbers = len(NUMBER_INDEX) if table.has_bodies else len(NUMBER_NAMES)
        if table.numbers.shape[1] != n_numbers or table.texts.shape[1] != len(TEXT_NAMES):
            raise FeatureError(
                f"feature table: got {table.numbers.shape[1]} numbers and {table.texts.shape[1]} texts, "
                f"expected {len(NUMBER_NAMES)} and {len(TEXT_NAMES)}"
            )
        *level_codes, topic_codes = self._codes
        codes = [
            [code.get(level, nan) for code, level in zip(level_codes, row, strict=True)]
            for row in table.texts
        ]
        flags = np.zeros((len(table), len(self.topics_)))
        for row, topics in enumerate(table.topics):
            for topic in topics:
                if topic in topic_codes:
                    flags[row, int(topic_codes[topic])] = 1.0
        parts = [
            table.numbers[:, _ENCODED_INDEX],
            np.array(codes, dtype=np.float64).reshape(table.texts.shape),
            flags,
            self.providers_.transform(table.text("provider_domain")),
        ]
        return np.hstack([*parts, table.columns(self.body_names)] if self.body_names else parts)

    def missing_body(self, n_numbers: int) -> list[str]:
        """Warn of a record of `n_numbers` values without a body, if every training record had one."""
        is_missing = n_numbers <= len(NUMBER_NAMES)
        if self.body_ is msgspec.UNSET or not (self.body_.is_always_there and is_missing):
            return []
        return ["no text below the front matter, which all records had that the model learned from"]

    def unknown(
        self, domain: str, section: str, topics: tuple[str, ...], *, is_section_known: bool = False
    ) -> list[str]:
        """Describe provider, section and topics of a record that were not in the training records.

        Parameters
        ----------
        domain, section : str
            Provider's domain and section; empty if missing.
        topics : tuple of str
            Topics of the record.
        is_section_known : bool
            The section has a policy of its own, fitted on records that the encoder was not.

        Returns
        -------
        list of str
            One warning each.
        """
        notes = []
        if domain and domain not in self.providers_.counts_:
            notes.append(f"provider unknown to the model: {domain}")
        is_known = (
            is_section_known or self.sections_.by == "first topic" or section in self.levels_["topic_section"]
        )
        if not is_known:
            notes.append(f"section unknown to the model: {section or 'none of the topics is one'}")
            topics = tuple(topic for topic in topics if topic != section)
        return notes + [
            f"topic unknown to the model: {topic}" for topic in topics if topic not in self._known_topics
        ]


def _body_columns(table: FeatureTable) -> BodyColumns:
    return BodyColumns(list(BODY_NAMES), not bool(np.isnan(table.columns(BODY_NAMES)).any()))


def topic_columns(encoder: Encoder) -> tuple[Column, ...]:
    """Return the topic columns of an encoder."""
    return tuple(
        Column(TOPIC_PREFIX + topic, "topic", "bool", "", "0, 1", f"the record has the topic {topic}", False)
        for topic in encoder.topics_
    )


ALL_COLUMNS: tuple[Column, ...] = (*NUMBER_COLUMNS, *TEXT_COLUMNS, *FITTED_COLUMNS, *body.COLUMNS)
