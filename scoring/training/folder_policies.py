"""Folders of one section whose labels follow different policies.

Two archives whose records have the same section topic become one section. The folder with the most labels is
compared with each of the others, as the records on either side of a change in time are: see
:mod:`scoring.training.change_search`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from scoring.model.targets import Target
from scoring.training.change_search import MIN_RECORDS, Segment
from scoring.training.config import ModelConfig
from scoring.training.design_matrix import DesignMatrix
from scoring.training.story_changes import bonuses, publications
from scoring.training.structural_breaks import MIN_SEGMENT
from scoring.training.training_set import TrainingSet

Rows = NDArray[np.intp]
Names = NDArray[np.object_]
MAX_FOLDERS = 12  # of a section that are compared, those with the most labels


class FolderConflict(msgspec.Struct, frozen=True):
    """Two folders of one section whose labels contradict each other.

    Parameters
    ----------
    section : str
        The section; empty for records without one.
    first, second : str
        The folders; the first has more labels.
    target : {"quality", "heat", "published"}
        The label.
    """

    section: str
    first: str
    second: str
    target: Target


def conflicting_folders(
    records: TrainingSet, folders: Sequence[str], config: ModelConfig
) -> list[FolderConflict]:
    """Find folders whose labels a policy by folder explains clearly better than one policy of the section.

    Parameters
    ----------
    records : TrainingSet
        `n_records` labelled records, with the known changes of policy; only records between the same changes
        are compared.
    folders : sequence of str
        Folder of each record, shape (n_records,). Folders with fewer than 20 labels between two changes are
        not compared.
    config : ModelConfig
        Fit options. With the design "shared" of the sections no folders are compared.
    """
    if config.sections.design == "shared" or len(set(folders)) < 2:
        return []
    conflicts: dict[FolderConflict, None] = {}
    names = np.array(folders, dtype=object)
    with threadpool_limits(1, "blas"):
        for targets, conflicts_of in ((("quality",), _of_quality), (("heat", "published"), _of_stories)):
            regimes = records.regimes(*targets)
            for regime in sorted(set(regimes)):
                rows = np.flatnonzero(regimes == regime)
                rows = rows[np.argsort(records.moments[rows], kind="stable")]
                conflicts |= dict.fromkeys(conflicts_of(records.take(rows), names[rows], config))
    return list(conflicts)


def _pairs(folders: Names) -> Iterator[tuple[str, str, Rows, Rows]]:
    """The folder with the most labels, each of the others, and the rows of both."""
    (first, n_first), *others = Counter(folders).most_common(MAX_FOLDERS)
    for second, count in others:
        if count >= MIN_SEGMENT and n_first + count >= MIN_RECORDS:
            yield first, second, np.flatnonzero(folders == first), np.flatnonzero(folders == second)


def _of_quality(records: TrainingSet, folders: Names, config: ModelConfig) -> Iterator[FolderConflict]:
    """Conflicts of quality; the records are in order of time."""
    whole: Segment | None = None
    for first, second, *rows in _pairs(folders):
        if whole is None:
            design_matrix = DesignMatrix.of(records.table, config.rubric)
            y, moments, copies = records.labels.quality, records.moments, records.copies
            whole = Segment(records.table, design_matrix, y, moments, copies, config)
        pair = whole.take(np.concatenate(rows))
        if pair.has_two_policies(*pair.sides(len(rows[0]))):
            yield FolderConflict(records.sections[0], first, second, "quality")


def _of_stories(records: TrainingSet, folders: Names, _: ModelConfig) -> Iterator[FolderConflict]:
    """Conflicts of heat and publication."""
    for first, second, *rows in _pairs(folders):
        part, pair = records.take(rows[0]), records.take(np.concatenate(rows))
        if bonuses(pair).has_two_rules(len(bonuses(part))):
            yield FolderConflict(records.sections[0], first, second, "heat")
        if publications(pair).has_two_rules(len(publications(part))):
            yield FolderConflict(records.sections[0], first, second, "published")
