"""Folders of one section whose labels contradict each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from scoring.records.synthetic.generate import sample_documents
from scoring.records.synthetic.policy import DEFAULT_POLICY, Policy
from scoring.training.config import ModelConfig, SectionConfig
from scoring.training.folder_policies import FolderConflict, conflicting_folders
from scoring.training.policy_changes import with_changes
from scoring.training.training_set import TrainingSet
from tests.conftest import training_set_of

CONFIG = ModelConfig()
POINTS = replace(DEFAULT_POLICY, image_points=8, topic_points=29)
STORIES = replace(DEFAULT_POLICY, heat_bonus=6, published_from_heat=50)


def archives(*parts: tuple[str, int, Policy], seed: int = 1) -> tuple[TrainingSet, list[str]]:
    """Records of folders of one section, by time, and their folders."""
    labelled: list[tuple[Any, str]] = []
    for index, (folder, count, policy) in enumerate(parts):
        made = sample_documents(n_records=count, seed=seed + index, section="Harbour", policy=policy)
        labelled += [(document, folder) for document in made]
    labelled.sort(key=lambda pair: pair[0][0].published_at)
    records = training_set_of([document for document, _ in labelled])
    return with_changes(records, CONFIG), [folder for _, folder in labelled]


def targets(conflicts: Sequence[FolderConflict]) -> set[tuple[str, str, str]]:
    return {(conflict.first, conflict.second, conflict.target) for conflict in conflicts}


def test_a_folder_with_other_points_is_found() -> None:
    records, folders = archives(
        ("old", 300, DEFAULT_POLICY), ("new", 120, POINTS), ("more", 80, DEFAULT_POLICY)
    )
    assert conflicting_folders(records, folders, CONFIG) == [
        FolderConflict("Harbour", "old", "new", "quality")
    ]


def test_a_folder_with_other_rules_of_stories_is_found() -> None:
    records, folders = archives(("old", 300, DEFAULT_POLICY), ("new", 150, STORIES))
    found = conflicting_folders(records, folders, CONFIG)
    assert targets(found) == {("old", "new", "heat"), ("old", "new", "published")}


@pytest.mark.parametrize("seed", range(3))
def test_folders_of_one_policy_are_no_conflict(seed: int) -> None:
    counts = (("a", 250, DEFAULT_POLICY), ("b", 150, DEFAULT_POLICY), ("c", 40, DEFAULT_POLICY))
    records, folders = archives(*counts, seed=10 * seed)
    assert conflicting_folders(records, folders, CONFIG) == []


def test_folders_before_and_after_a_known_change_are_no_conflict() -> None:
    labelled = [
        *sample_documents(n_records=300, seed=1, section="Harbour", policy=POINTS),
        *sample_documents(
            n_records=300,
            seed=2,
            section="Harbour",
            begins_at=datetime(2019, 6, 1, tzinfo=UTC),
            policy=DEFAULT_POLICY,
        ),
    ]
    records = with_changes(training_set_of(labelled), CONFIG)
    assert [change.target for change in records.changes] == ["quality"]
    folders = [
        "2018" if moment < records.changes[0].since.replace(tzinfo=None) else "2019"
        for moment in records.moments.tolist()
    ]
    assert conflicting_folders(records, folders, CONFIG) == []
    assert conflicting_folders(replace(records, changes=()), folders, CONFIG) != []


def test_few_labels_and_a_shared_design_are_not_compared() -> None:
    records, folders = archives(("old", 300, DEFAULT_POLICY), ("new", 19, replace(POINTS, scale=3.0)))
    assert conflicting_folders(records, folders, CONFIG) == []
    shared = msgspec.structs.replace(CONFIG, sections=SectionConfig(design="shared"))
    records, folders = archives(("old", 300, DEFAULT_POLICY), ("new", 120, POINTS))
    assert conflicting_folders(records, folders, shared) == []
