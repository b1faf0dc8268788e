"""Reasons for labelling a record next, in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scoring.features.table import NUMBER_COLUMNS, FeatureTable, Floats
from scoring.training.design_matrix import ADDITIVE_NAMES
from scoring.training.kernel_herding import Rows
from scoring.training.section_effects import MIN_SEEN, Effect

MAX_REASONS = 3
FEW_LABELS = 20  # a section, provider, topic or effect with at most this many labels has that as a reason

What = Literal["provider", "topic", "with", "without"]
Kind = tuple[What, str]
"""A provider or topic, or a yes-or-no column and whether it holds."""

_OPPOSITE: Mapping[What, What] = {"with": "without", "without": "with"}
_MEANINGS = {column.name: column.meaning for column in NUMBER_COLUMNS}
_CONDITIONS = tuple(
    column.name for column in NUMBER_COLUMNS if column.type == "bool" and column.name in ADDITIVE_NAMES
)


@dataclass(frozen=True, slots=True)
class KindCounts:
    """Numbers of records of each kind in one section.

    Parameters
    ----------
    labelled, unlabelled : Counter of Kind
        Labelled and unlabelled records. By provider, labels that the model learned from count even if their
        records were not read.
    n_labelled, n_unlabelled : int
        All labelled and unlabelled records that were read.
    n_learned : int
        Labels of the section that the model learned from, or the labelled records if these are more.
    has_learned_providers : bool
        Whether the labels that the model learned from were counted by provider.
    """

    labelled: Counter[Kind]
    unlabelled: Counter[Kind]
    n_labelled: int
    n_unlabelled: int
    n_learned: int
    has_learned_providers: bool

    @property
    def is_complete(self) -> bool:
        """Whether most of the labels that the model learned from were read; if not, reasons say "here"."""
        return 2 * self.n_labelled >= self.n_learned

    def is_counted(self, kind: Kind) -> bool:
        """Whether no label of a kind is missing from the counts."""
        return self.is_complete or (kind[0] == "provider" and self.has_learned_providers)

    @classmethod
    def of(
        cls,
        table: FeatureTable,
        labelled: Rows,
        unlabelled: Rows,
        learned_providers: Mapping[str, int],
        n_learned: int,
    ) -> KindCounts:
        """Count the records of a section.

        Parameters
        ----------
        table : FeatureTable
            Records.
        labelled, unlabelled : ndarray of int
            Rows of the labelled and of the unlabelled records of the section.
        learned_providers : mapping of str to int
            Labels that the model learned from, by provider; empty if unknown.
        n_learned : int
            Labels of the section that the model learned from.
        """
        counts = _count(table, labelled)
        learned: dict[Kind, int] = {("provider", name): count for name, count in learned_providers.items()}
        counts |= Counter(learned)  # the larger of both
        n_labels = len(labelled), len(unlabelled), max(len(labelled), n_learned)
        return cls(counts, _count(table, unlabelled), *n_labels, bool(learned))


def _count(table: FeatureTable, rows: Rows) -> Counter[Kind]:
    counts: Counter[Kind] = Counter(("provider", domain) for domain in table.text("provider_domain")[rows])
    counts.update(("topic", topic) for row in rows.tolist() for topic in set(table.topics[row][1:]))
    for name in _CONDITIONS:
        n_with = int(np.count_nonzero(table.number(name)[rows] > 0))
        counts["with", name], counts["without", name] = n_with, len(rows) - n_with
    return counts


class ReasonFinder:
    """Find the reasons for the suggested records of one section, in the order of the suggestions.

    Parameters
    ----------
    section : str
        The section.
    table : FeatureTable
        `n_records` records of the section.
    effects : sequence of Effect
        Effects that its policy could have.
    X : ndarray of shape (n_records, n_effects)
        Value of each effect for each record.
    labelled : ndarray of int
        Rows of the labelled records.
    counts : KindCounts
        Numbers of the section's records.
    is_unknown : bool
        Whether the model has not learned from this section.
    """

    def __init__(
        self,
        section: str,
        table: FeatureTable,
        effects: Sequence[Effect],
        X: Floats,
        labelled: Rows,
        counts: KindCounts,
        *,
        is_unknown: bool,
    ) -> None:
        self._section, self._table = section or "without a name", table
        self._is_unknown, self._counts, self._n_suggested = is_unknown, counts, 0
        self._suggested: Counter[Kind] = Counter()
        self._domains = table.text("provider_domain")
        self._is_true = table.columns(_CONDITIONS) > 0
        self._is_number = np.array([kind == "number" for kind, _, _ in effects], dtype=bool)
        self._effects, self._X = effects, X
        # Effects whose values differ by the same constant in all labelled records form one group.
        self._base = X[labelled[0]] if len(labelled) else None
        self._groups = np.zeros(len(effects), dtype=np.intp)
        if self._base is not None:
            self._groups = _equal_columns((X[labelled] - self._base).round(9))

    def reasons(self, row: int, n_closest: int) -> tuple[str, ...]:
        """Return the reasons for the next record, the most important first; it then counts as labelled.

        `n_closest` is the number of unlabelled records that are more similar to it than to any label.
        """
        kinds = self._kinds(row)
        lacking = list(self._distinct(sorted(filter(self._is_lacking, kinds), key=self._coverage)))
        new = [self._text(kind) for kind in lacking if not self._n_of(kind)]
        few = [self._text(kind) for kind in lacking if 0 < self._n_of(kind) <= FEW_LABELS]
        reasons = [*new, *self._told_apart(row), *few]
        if not reasons:
            reasons = [self._text(kind) for kind in sorted(kinds, key=self._n_of)[:1]]
        reasons = [*self._about_section(), *reasons][:MAX_REASONS]
        self._learn(row, kinds)
        return tuple(reasons) or (
            f"no label is as similar to {n_closest} of the unlabelled records as this one",
        )

    def _kinds(self, row: int) -> list[Kind]:
        """Kinds of a record that are compared."""
        kinds: list[Kind] = [("provider", self._domains[row])] if self._domains[row] else []
        kinds += [("topic", topic) for topic in sorted(set(self._table.topics[row][1:]))]
        for name, is_true in zip(_CONDITIONS, self._is_true[row].tolist(), strict=True):
            kinds.append(("with", name) if is_true else ("without", name))
        return [kind for kind in kinds if self._is_compared(kind)]

    def _is_compared(self, kind: Kind) -> bool:
        """Whether the kind is not that of this record alone, and there are labels that it contrasts with."""
        if self._counts.unlabelled[kind] < MIN_SEEN:
            return False
        return kind[0] not in _OPPOSITE or self._n_of((_OPPOSITE[kind[0]], kind[1])) > 0

    def _n_of(self, kind: Kind) -> int:
        """Number of labels of a kind, the suggestions so far included."""
        return self._counts.labelled[kind] + self._suggested[kind]

    def _coverage(self, kind: Kind) -> tuple[float, int, Kind]:
        """Labels for each unlabelled record of a kind; among equals, the kind of more records comes first."""
        n_unlabelled = self._counts.unlabelled[kind]
        return self._n_of(kind) / n_unlabelled, -n_unlabelled, kind

    def _distinct(self, kinds: Iterable[Kind]) -> Iterator[Kind]:
        """Kinds without those that have as many records as an earlier one, probably the same ones."""
        seen = set()
        for kind in kinds:
            size = self._n_of(kind), self._counts.unlabelled[kind]
            if size not in seen:
                seen.add(size)
                yield kind

    def _is_lacking(self, kind: Kind) -> bool:
        """Whether a kind has fewer labels for each unlabelled record than the whole section has."""
        counts = self._counts
        n_labels = counts.n_learned if counts.is_counted(kind) else counts.n_labelled
        n_labels += self._n_suggested
        return self._n_of(kind) * counts.n_unlabelled <= n_labels * counts.unlabelled[kind]

    def _about_section(self) -> Iterator[str]:
        if self._is_unknown:
            yield f"section {self._section} is unknown to the model"
        elif self._counts.n_learned <= FEW_LABELS:
            yield f"section {self._section} has {_labels(self._counts.n_learned)}"

    def _text(self, kind: Kind) -> str:
        what, name = kind
        n_labels, n_above = self._counts.labelled[kind], self._suggested[kind]
        here = "" if self._counts.is_counted(kind) else " here"
        known = f"{_labels(n_labels)}{here}" + (f" and {n_above} suggested above" if n_above else "")
        if what in ("provider", "topic"):
            n_unlabelled = self._counts.unlabelled[kind]
            return f"its {what} ({name}) has {known} for {n_unlabelled:,} unlabelled records"
        if n_labels or n_above:
            return f"the effect of '{_MEANINGS[name]}' rests on {known} {what} it"
        return f"no label{here} shows the effect of '{_MEANINGS[name]}': all are {_OPPOSITE[what]} it"

    def _told_apart(self, row: int) -> Iterator[str]:
        """Two effects that all labelled records have in a fixed relation, and this record does not."""
        if self._base is None:
            return
        apart: defaultdict[int, dict[float, str]] = defaultdict(dict)
        changes = (self._X[row] - self._base).round(9)
        for index in np.flatnonzero(self._is_number).tolist():
            apart[int(self._groups[index])].setdefault(float(changes[index]), self._effects[index][1])
        apart.pop(int(self._groups[0]), None)  # effects that no label shows, as the intercept
        for names in apart.values():
            if len(names) > 1:
                first, second, *_ = names.values()
                effects = f"'{_MEANINGS[first]}' from that of '{_MEANINGS[second]}'"
                yield f"no label separates the effect of {effects}"
                return

    def _learn(self, row: int, kinds: Sequence[Kind]) -> None:
        self._suggested.update(kinds)
        self._n_suggested += 1
        if self._base is None:
            self._base = self._X[row]
        # Effects stay in one group if this record does not separate them either.
        changes = (self._X[row] - self._base).round(9)
        self._groups = _equal_columns(np.stack([self._groups, changes]))


def _labels(count: int) -> str:
    return f"{f'{count:,}' if count else 'no'} label{'' if count == 1 else 's'}"


def _equal_columns(X: Floats) -> Rows:
    """Group of each column; equal columns are in the same group."""
    groups: Rows = np.unique(X, axis=1, return_inverse=True)[1].reshape(-1)
    return groups
