"""Training set: features and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.features.sections import FIRST_TOPIC, SectionRule
from scoring.features.table import FeatureTable, Floats
from scoring.model.policy_change import PolicyChange
from scoring.model.targets import TARGETS, Target, Targets
from scoring.training.cascade import CascadeLabels


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Labelled records, `n_records` of them.

    Parameters
    ----------
    table : FeatureTable
        Their features.
    labels : CascadeLabels
        Their labels; every quality is known, if it is among the targets.
    moments : ndarray of datetime64, shape (n_records,)
        Dates of publication, UTC.
    sections : sequence of str
        Section of each record; empty if unknown.
    copies : ndarray of int, shape (n_records,)
        Group of copies of each record.
    early : tuple of FeatureTable
        Features at the ages of the forecast; if empty, the forecast is fitted on `table`.
    section_rule : SectionRule
        How the section of each record was found.
    changes : tuple of PolicyChange
        Changes of the sections' policies within these records, by section and time.
    targets : tuple of str
        Labels that are learned; every value of another one is NaN, or a stand-in for it.
    """

    table: FeatureTable
    labels: CascadeLabels
    moments: NDArray[np.datetime64]
    sections: Sequence[str]
    copies: NDArray[np.intp]
    early: tuple[FeatureTable, ...] = ()
    section_rule: SectionRule = FIRST_TOPIC
    changes: tuple[PolicyChange, ...] = ()
    targets: Targets = TARGETS

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> TrainingSet:
        """Records by index, or of a mask of shape (n_records,)."""
        sections = np.array(self.sections, dtype=object)[rows].tolist()
        early_tables = tuple(table.take(rows) for table in self.early)
        return replace(
            self,
            table=self.table.take(rows),
            labels=self.labels.take(rows),
            moments=self.moments[rows],
            sections=sections,
            copies=self.copies[rows],
            early=early_tables,
        )

    def regimes(self, *targets: Target) -> NDArray[np.object_]:
        """Regime of each record, shape (n_records,): the section, with the end of its rules if they changed.

        Parameters
        ----------
        *targets : {"quality", "heat", "published"}
            Labels whose rules define the regimes.
        """
        names = np.array(self.sections, dtype=object)
        regimes = names.copy()
        # The latest change comes first, so that the first change after a record names its regime.
        for change in sorted(self.changes, key=lambda change: change.since, reverse=True):
            if change.target in targets:
                is_before = self.moments < np.datetime64(change.since.replace(tzinfo=None))
                regimes[(names == change.section) & is_before] = regime_until(change)
        return regimes

    def by_regime(self, *targets: Target) -> TrainingSet:
        """The same records, with their regimes as their sections: see :meth:`regimes`."""
        regimes = self.regimes(*targets)
        return replace(
            self,
            table=self.table.with_text("topic_section", regimes),
            early=tuple(table.with_text("topic_section", regimes) for table in self.early),
        )


def regime_until(change: PolicyChange) -> str:
    """Name of the regime that ended with a change."""
    return f"{change.section} until {change.since:%Y-%m-%dT%H:%M:%SZ}"


def as_floats(values: Sequence[float | int | bool | None]) -> Floats:
    """Labels as floats, shape (n_records,); NaN for None."""
    return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
