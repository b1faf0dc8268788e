"""Choice of the unlabelled records whose labels would teach the most about a section's policy of quality.

Each record is a row of the effects that the section's policy could have: see
:class:`scoring.training.section_effects.Candidates`. Kernel herding chooses rows that, together with the
labelled ones, represent the whole section: an effect gets labels in proportion to its records, and outliers
get none. Labels that the model has learned from count even if their records are not read: they are taken to
be like the unlabelled records, with the providers that the model has counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features.table import FeatureTable, Floats
from scoring.model.quality import QualityModel
from scoring.training.config import SectionConfig
from scoring.training.design_matrix import HINGED_NAMES
from scoring.training.kernel_herding import Rows, herding, kernel, summed_kernel
from scoring.training.section_effects import MIN_SEEN, Candidates, Effect, distinguishable
from scoring.training.suggestion_reasons import KindCounts, ReasonFinder

MAX_RECORDS = 2000  # labelled records of a section that are compared, and as many unlabelled; evenly spaced
RATE = 0.5  # rate of the kernel
KNOT_WEIGHT = 0.3  # weight of each knot of a length; there are many of them
TIME_WEIGHT = 0.1  # weight of the time that a section's records span
EXTREME_PERCENT = 2.0  # percentage of lengths on each side that count as extreme


class LabelSuggestion(msgspec.Struct, frozen=True, kw_only=True):
    """An unlabelled record whose label would teach the model.

    Parameters
    ----------
    row : int
        Its row.
    section : str
        Its section; empty if unknown.
    reasons : tuple of str
        Reasons in words, the most important first.
    """

    row: int
    section: str
    reasons: tuple[str, ...]


def suggest_labels(
    model: QualityModel,
    table: FeatureTable,
    is_labelled: NDArray[np.bool_],
    stories: Rows,
    count: int,
    config: SectionConfig,
    learned: Mapping[str, int] | None = None,
) -> list[LabelSuggestion]:
    """Choose the unlabelled records whose labels would teach the most, the most useful first.

    Parameters
    ----------
    model : QualityModel
        The model that the labels are for.
    table : FeatureTable
        `n_records` records, by date.
    is_labelled : ndarray of bool, shape (n_records,)
        Whether a record has a quality.
    stories : ndarray of int, shape (n_records,)
        Story of each record; at most one record of a story is chosen.
    count : int
        Maximum number of records.
    config : SectionConfig
        Design of the sections' policies.
    learned : dict of str to int, optional
        Number of records that the model has learned from, by section.

    Returns
    -------
    list of LabelSuggestion
        Fewer than `count` if there are fewer stories without labels.

    Raises
    ------
    ValueError
        If `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"count: got {count}, expected 1 or more")
    learned = learned or {}
    sections = [
        _Section(name, model, table, rows, is_labelled[rows], learned.get(name, 0))
        for name, rows in _rows_by_section(table).items()
        if not is_labelled[rows].all()
    ]
    queues = {section.name: section.suggestions(stories, count, config) for section in sections}
    suggestions: list[LabelSuggestion] = []
    used: set[int] = set()
    taken = Counter[str]()
    while queues and len(suggestions) < count:
        name = min(
            (section for section in sections if section.name in queues),
            key=lambda section: section.priority(taken[section.name], config),
        ).name
        suggestion = next(
            (candidate for candidate in queues[name] if int(stories[candidate.row]) not in used), None
        )
        if suggestion is None:
            del queues[name]
            continue
        used.add(int(stories[suggestion.row]))
        taken[name] += 1
        suggestions.append(suggestion)
    return suggestions


def _rows_by_section(table: FeatureTable) -> dict[str, Rows]:
    names = table.text("topic_section")
    return {name: np.flatnonzero(names == name) for name in sorted(set(names.tolist()))}


def _spread_evenly(rows: Rows) -> Rows:
    if len(rows) <= MAX_RECORDS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MAX_RECORDS).astype(np.intp)]


def _learned_providers(model: QualityModel, section: str) -> dict[str, float]:
    """Number of labels that a model has learned from, by provider.

    Of a section with a policy of its own only the providers are known; its labels are shared among them.
    """
    policy = model.policies.get(section)
    if policy:
        return dict.fromkeys(policy.providers_, policy.n_records_ / max(len(policy.providers_), 1))
    return {domain: float(count) for domain, count in model.encoder.providers_.counts_.items()}


@dataclass(frozen=True, slots=True)
class _Design:
    """Scaled effects of a section's records, with their names."""

    effects: list[Effect]
    X: Floats

    @classmethod
    def of(cls, model: QualityModel, table: FeatureTable, config: SectionConfig) -> _Design:
        quality = model.predict(model.matrix(table))
        candidates = Candidates.of(table, model.rubric, config, float(quality.std()))
        values = candidates.columns(table, quality, float(np.median(quality)), model.rubric)
        sizes = np.abs(values).max(axis=0)
        kept = distinguishable(values, candidates.effects, sizes > 0)
        return cls([candidates.effects[index] for index in kept], values[:, kept] / sizes[kept])

    def weighted(self) -> Floats:
        """Rows for the kernel: the weighted effects, and the time as the last column."""
        is_knot = np.array([kind in ("knot", "moved knot") for kind, _, _ in self.effects])
        weights = np.where(is_knot, KNOT_WEIGHT, 1.0)
        time = np.linspace(0.0, TIME_WEIGHT, len(self.X))
        rows: Floats = np.column_stack([self.X * weights, time])
        return rows


class _Section:
    """The records of one section."""

    def __init__(
        self,
        name: str,
        model: QualityModel,
        table: FeatureTable,
        rows: Rows,
        is_labelled: NDArray[np.bool_],
        n_learned: int,
    ) -> None:
        self.name, self.model = name, model
        labelled, unlabelled = rows[is_labelled], rows[~is_labelled]
        self.n_labelled, self.n_unlabelled = len(labelled), len(unlabelled)
        self.labelled, self.unlabelled = _spread_evenly(labelled), _spread_evenly(unlabelled)
        self.rows = np.sort(np.concatenate([self.labelled, self.unlabelled]))
        self.table = table.take(self.rows)
        self.n_learned = max(self.n_labelled, n_learned)
        self.is_unknown = bool(model.is_of_unseen_section(self.table)[0])
        is_unread = not self.is_unknown and self.n_learned > self.n_labelled
        self.learned_providers = _learned_providers(model, name) if is_unread else {}
        # Of a section with a policy of its own, the labels are not counted by provider.
        learned = model.encoder.providers_.counts_ if is_unread and name not in model.policies else {}
        self.counts = KindCounts.of(table, labelled, unlabelled, learned, self.n_learned)
        open_table = table.take(self.unlabelled)
        _, spread = model.estimate(open_table)
        self.half_width = float(np.mean(model.half_widths(open_table, spread)))

    def priority(self, n_taken: int, config: SectionConfig) -> tuple[bool, float, str]:
        """Sort key of the section: the one with the lowest key gets the next suggestion.

        A section that the model does not know comes first until it has enough labels for a policy of its own.
        The others get suggestions in proportion to their unlabelled records and the width of their intervals;
        each label lowers the value of the next one (D'Hondt's rule).
        """
        n_labels = self.n_learned + n_taken
        is_first = self.is_unknown and n_labels < config.min_records
        expected_gain = self.n_unlabelled * self.half_width / (n_labels + 1)
        return not is_first, -expected_gain, self.name

    def suggestions(self, stories: Rows, count: int, config: SectionConfig) -> Iterator[LabelSuggestion]:
        """Suggestions of this section, the most useful first."""
        design = _Design.of(self.model, self.table, config)
        of_row = {row: index for index, row in enumerate(self.rows.tolist())}
        known = np.array([of_row[row] for row in self.labelled.tolist()], dtype=np.intp)
        candidates = np.array([of_row[row] for row in self.unlabelled.tolist()], dtype=np.intp)
        weighted = design.weighted()
        X, Z = weighted[candidates], weighted[known]
        learned = self._learned_weights()
        n_known = self.n_labelled + learned.sum()
        to_unlabelled = summed_kernel(X, X, np.full(len(X), self.n_unlabelled / len(X)), RATE)
        to_known = summed_kernel(X, Z, np.full(len(Z), self.n_labelled / max(len(Z), 1)), RATE)
        to_known += summed_kernel(X, X, learned, RATE)
        has_labelled_story = np.isin(stories[self.unlabelled], stories[self.labelled])
        chosen = herding(
            X,
            (to_unlabelled + to_known) / (self.n_unlabelled + n_known),
            to_known,
            n_known,
            has_labelled_story | self._is_odd()[candidates],
            stories[self.unlabelled],
            count,
            RATE,
        )
        finder = ReasonFinder(
            self.name,
            self.table,
            design.effects,
            design.X,
            known,
            self.counts,
            is_unknown=self.is_unknown,
        )
        nearest = kernel(X, Z, RATE).max(axis=1, initial=0.0)
        for index in chosen:
            similarity = kernel(X, X[[index]], RATE)[:, 0]
            n_closest = np.count_nonzero(similarity > nearest) * self.n_unlabelled / len(candidates)
            nearest = np.maximum(nearest, similarity)
            reasons = finder.reasons(int(candidates[index]), round(n_closest))
            yield LabelSuggestion(row=int(self.unlabelled[index]), section=self.name, reasons=reasons)

    def _learned_weights(self) -> Floats:
        """Labels that were learned from but not read, shared among the unlabelled records by provider.

        Shape (n_unlabelled,). Labels of providers that these records lack are left out.
        """
        domains = self.table.text("provider_domain")[np.isin(self.rows, self.unlabelled)].tolist()
        counts = Counter(domains)
        weights = np.array([self.learned_providers.get(domain, 0.0) / counts[domain] for domain in domains])
        n_unread = self.n_learned - self.n_labelled
        scaled: Floats = weights * min(1.0, n_unread / max(float(weights.sum()), 1.0))
        return scaled

    def _is_odd(self) -> NDArray[np.bool_]:
        """Whether a record has a provider that no other record has, an extreme length, or a novel value."""
        domains = self.table.text("provider_domain").tolist()
        counts = Counter(domains)
        is_odd = np.array([counts[domain] < MIN_SEEN for domain in domains], dtype=bool)
        for name in HINGED_NAMES:
            lengths = self.table.number(name)
            low, high = np.percentile(lengths, [EXTREME_PERCENT, 100.0 - EXTREME_PERCENT])
            is_odd |= (lengths < low) | (lengths > high)
        policy = self.model.policies.get(self.name)
        return is_odd | policy.is_novel(self.table) if policy else is_odd
