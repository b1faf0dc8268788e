"""Results of writing scores into the files of their records: of each file, and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from scoring.errors import RecordError
from scoring.labels.write_plan import Outcome
from scoring.model.score import Score


class WrittenFile(NamedTuple):
    """Result of writing one score.

    Parameters
    ----------
    path : str
        The file, escaped by :func:`scoring.errors.shown`.
    changed : bool
        Whether any byte differs.
    diff : str
        Unified diff.
    outcomes : dict of str to Outcome
        Outcome by label; empty if nothing was written.
    fault : RecordError or None
        Why nothing was written.
    is_refused : bool
        Whether the record lacks the fields that the model needs.
    n_unusable : int
        Number of labels that are left alone though they cannot be used.
    """

    path: str
    changed: bool = False
    diff: str = ""
    outcomes: Mapping[str, Outcome] = {}
    fault: RecordError | None = None
    is_refused: bool = False
    n_unusable: int = 0


@dataclass(slots=True)
class WriteCounts:
    """Running counts of a write: files and labels, and entries in the journal."""

    n_files: int = 0
    n_written: int = 0
    n_refused: int = 0
    n_faults: int = 0
    n_unusable: int = 0
    n_entered: int = 0
    labels: Counter[str] = field(default_factory=Counter)

    def add(self, written: WrittenFile) -> None:
        """Count one file."""
        self.n_files += 1
        self.n_written += written.changed
        self.n_refused += written.is_refused
        self.n_faults += written.fault is not None and not written.is_refused
        self.n_unusable += written.n_unusable
        self.labels.update(written.outcomes.values())


class WrittenScore(Score, frozen=True, kw_only=True):
    """A score that was written into its record's file; `labels` has the outcome of each label."""

    labels: dict[str, Outcome]
