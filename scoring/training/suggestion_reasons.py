"""Reasons for labelling a record next, in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from scoring.features.table import NUMBER_COLUMNS, FeatureTable, Floats
from scoring.model.quality import QualityModel
from scoring.training.kernel_herding import Rows
from scoring.training.section_policy import MIN_SEEN, Effect

MAX_REASONS = 3
FEW_LABELS = 20  # a section with at most this many labels has that as a reason

_MEANINGS = {column.name: column.meaning for column in NUMBER_COLUMNS}


class ReasonFinder:
    """Find the reasons for the suggested records of one section, in the order of the suggestions.

    Parameters
    ----------
    section : str
        The section.
    model : QualityModel
        The model that the labels are for.
    table : FeatureTable
        `n_records` records of the section.
    effects : sequence of Effect
        Effects that its policy could have.
    X : ndarray of shape (n_records, n_effects)
        Value of each effect for each record.
    labelled, unlabelled : ndarray of int
        Rows of the labelled and of the unlabelled records.
    is_unknown : bool
        Whether the model has not learned from this section.
    n_labelled : int
        Number of its labels.
    """

    def __init__(
        self,
        section: str,
        model: QualityModel,
        table: FeatureTable,
        effects: Sequence[Effect],
        X: Floats,
        labelled: Rows,
        unlabelled: Rows,
        *,
        is_unknown: bool,
        n_labelled: int,
    ) -> None:
        self._section, self._model, self._table = section or "without a name", model, table
        self._is_unknown, self._n_labels = is_unknown, n_labelled
        self._domains = table.text("provider_domain")
        self._open_domains = Counter(self._domains[unlabelled].tolist())
        self._open_topics = Counter(
            topic for row in unlabelled.tolist() for topic in set(table.topics[row][1:])
        )
        self._seen_domains = set(self._domains[labelled].tolist())
        self._seen_topics = {topic for row in labelled.tolist() for topic in table.topics[row]}
        self._is_number = np.array([kind == "number" for kind, _, _ in effects], dtype=bool)
        self._effects, self._X = effects, X
        # Effects whose values differ by the same constant in all labelled records form one group.
        self._base = X[labelled[0]] if len(labelled) else None
        self._groups = np.zeros(len(effects), dtype=np.intp)
        if self._base is not None:
            self._groups = _equal_columns((X[labelled] - self._base).round(9))

    def reasons(self, row: int, n_closest: int) -> tuple[str, ...]:
        """Return the reasons for the next record, the most important first; it then counts as labelled."""
        reasons = (*self._about_section(), *self._about_names(row), *self._about_effects(row))
        if n_closest > 1 and len(reasons) < MAX_REASONS:
            reasons = (
                *reasons,
                f"is more similar to {n_closest} unlabelled records than any labelled record is",
            )
        self._learn(row)
        return reasons[:MAX_REASONS] or ("makes the labelled records more representative of the section",)

    def _about_section(self) -> Iterator[str]:
        if self._is_unknown:
            yield f"section {self._section} is unknown to the model"
        elif self._n_labels <= FEW_LABELS:
            n_labels = f"{self._n_labels or 'no'} label{'' if self._n_labels == 1 else 's'}"
            yield f"section {self._section} has {n_labels} among these records"

    def _about_names(self, row: int) -> Iterator[str]:
        domain, count = self._domains[row], self._open_domains[self._domains[row]]
        if domain and domain not in self._seen_domains and count >= MIN_SEEN:
            yield f"its provider ({domain}) has {count} unlabelled records and none with a label"
        new = [
            (-self._open_topics[topic], topic)
            for topic in set(self._table.topics[row][1:]) - self._seen_topics
            if self._open_topics[topic] >= MIN_SEEN
        ]
        if new:
            negative, topic = min(new)
            yield f"its topic ({topic}) has {-negative} unlabelled records and none with a label"

    def _about_effects(self, row: int) -> Iterator[str]:
        """Effects that all labelled records share or have in a fixed relation, and this record does not."""
        if self._base is None:
            return
        apart: defaultdict[int, dict[float, str]] = defaultdict(dict)
        changes = (self._X[row] - self._base).round(9)
        for index in np.flatnonzero(self._is_number).tolist():
            apart[int(self._groups[index])].setdefault(float(changes[index]), self._effects[index][1])
        constant = int(self._groups[0])  # of the intercept
        for change, name in apart.pop(constant, {}).items():
            if change:
                yield f"differs from all labelled records in '{_MEANINGS[name]}'"
                break
        for names in apart.values():
            if len(names) > 1:
                first, second, *_ = names.values()
                yield f"separates the effect of '{_MEANINGS[first]}' from that of '{_MEANINGS[second]}'"
                return

    def _learn(self, row: int) -> None:
        self._seen_domains.add(self._domains[row])
        self._seen_topics.update(self._table.topics[row])
        if self._base is None:
            self._base = self._X[row]
        # Effects stay in one group if this record does not separate them either.
        changes = (self._X[row] - self._base).round(9)
        self._groups = _equal_columns(np.stack([self._groups, changes]))


def _equal_columns(X: Floats) -> Rows:
    """Group of each column; equal columns are in the same group."""
    groups: Rows = np.unique(X, axis=1, return_inverse=True)[1].reshape(-1)
    return groups
