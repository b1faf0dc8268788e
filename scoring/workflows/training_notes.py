"""Lines that a training prints about its sections: what was found, what was learned, and what conflicts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scoring.errors import shown
from scoring.explanation.policy_changes import change_sentence
from scoring.features.sections import WHOLE
from scoring.model.components import FittedComponents
from scoring.model.targets import TARGETS
from scoring.records.record import Document
from scoring.storage.urls import is_remote
from scoring.training.config import TrainConfig
from scoring.training.dataset import LabelledDataset
from scoring.training.folder_policies import FolderConflict
from scoring.training.section_difference import MAX_RECORDS

FEW_RECORDS = 50  # labels up to which a training warns of its errors
MAX_NAME_CHARS = 32  # so that a line with two names fits a terminal


def labels_note(corpus: LabelledDataset) -> str:
    """Say which labels are learned, how many records have each, and which are not."""
    counts = ", ".join(f"{name} ({count:,} records)" for name, count in corpus.label_counts.items())
    absent = [name for name in TARGETS if name not in corpus.targets]
    return f"labels: {counts}" + (f"; none of {' and '.join(absent)}" if absent else "")


def copies_notes(
    corpus: LabelledDataset, is_test: NDArray[np.bool_], apart: Literal["copies", "stories"]
) -> list[str]:
    """Say how many records the evaluated fit leaves out as copies of test records; empty if none.

    Parameters
    ----------
    corpus : LabelledDataset
        Labelled records.
    is_test : ndarray of bool, shape (n_records,)
        The test block.
    apart : {"copies", "stories"}
        What is kept apart.

    Returns
    -------
    list of str
        Two short lines: how many and why, and the first of them with its test record.
    """
    is_copy = corpus.copies_of(is_test, apart)
    if not is_copy.any():
        return []
    groups = corpus.stories if apart == "stories" else corpus.copies
    first = int(np.flatnonzero(is_copy)[0])
    of = int(np.flatnonzero(is_test & (groups == groups[first]))[0])
    copy, original = (_short_name(corpus.documents[row]) for row in (first, of))
    reason = "other coverage of test stories" if apart == "stories" else "copies of test records"
    return [
        f"{is_copy.sum():,} of {(~is_test).sum():,} earlier records are not in the evaluated fit: {reason}",
        f"first: {copy}, of {original}",
    ]


def _short_name(document: Document) -> str:
    """End of the name of a document's file, with the line after the first in a file of lines."""
    name = os.path.basename(document.path)
    short = name if len(name) <= MAX_NAME_CHARS else f"...{name[3 - MAX_NAME_CHARS :]}"
    return shown(short) + (f":{document.line}" if document.line > 1 else "")


def section_notes(sections: Sequence[str], models: FittedComponents, config: TrainConfig) -> list[str]:
    """Say which sections were found, which have a policy of their own or too few labels, and what changed.

    Parameters
    ----------
    sections : sequence of str
        Section of each training record; empty if unknown.
    models : FittedComponents
        Fitted on them.
    config : TrainConfig
        Fit options.

    Returns
    -------
    list of str
        One line each.
    """
    counts = Counter(sections)
    named = sorted(set(counts) - {"", WHOLE}, key=lambda name: (-counts[name], name))
    sizes = ", ".join(f"{name} ({counts[name]:,} labels)" for name in named)
    notes = [f"sections: {sizes}" if named else "sections: none found; all records are one section"]
    own_policies = models.quality.policies if "quality" in models.targets else {}
    for name in named:
        changed = {change.target for change in models.changes if change.section == name}
        policies = [
            label
            for label, has_own in (
                ("quality", name in own_policies and "quality" not in changed),
                ("heat or publication", name in models.cascade.policies and not changed - {"quality"}),
            )
            if has_own
        ]
        if policies:
            notes.append(f"section {name}: a policy of its own for {' and '.join(policies)}")
            if policies[0] == "quality" and counts[name] > MAX_RECORDS:
                notes.append(
                    f"section {name}: its policy of quality is fitted on {MAX_RECORDS:,} of its labels, "
                    "evenly spaced in time"
                )
        elif (
            "quality" in models.targets
            and len(named) > 1
            and counts[name] < config.model.sections.min_records
        ):
            shortage = f"{counts[name]} labels are too few for a policy of its own"
            notes.append(f"section {name}: {shortage}; it uses the shared one")
    if len(sections) < FEW_RECORDS:
        notes.append(
            f"only {len(sections)} labels: with fewer than about {FEW_RECORDS}, errors can be as large as "
            "those of the baselines; scoring backtest --by labels shows how they fall with more labels"
        )
    for change in models.changes:
        notes.append(f"{change_sentence(change)}; earlier labels are used only for rules that did not change")
    if named and counts[""]:
        notes.append(f"{counts['']:,} records have no section; they use the shared policy")
    return notes


def folder_warnings(conflicts: Sequence[FolderConflict]) -> list[str]:
    """Warn of folders whose labels contradict each other, with a remedy; one line for two folders."""
    targets: dict[tuple[str, str, str], list[str]] = {}
    for conflict in conflicts:
        targets.setdefault((conflict.section, conflict.first, conflict.second), []).append(conflict.target)
    warnings = []
    for (section, first, second), of_folders in targets.items():
        is_same_name = os.path.basename(first) == os.path.basename(second)
        remedy = "give the folders different names and train" if is_same_name else "train"
        section_text = f"section {section}: " if section not in ("", WHOLE) else ""
        warnings.append(
            f"{section_text}the labels in {second or '.'} follow other rules of {' and '.join(of_folders)} "
            f"than those in {first or '.'}, and one policy was learned for both: {remedy} with --section "
            "folder to give each folder its own"
        )
    return warnings


def merged_archives(corpus: LabelledDataset, paths: Sequence[str]) -> list[str]:
    """Say which sections have labels from several of the folders given; one line each."""
    folders = [f"{shown(path.rstrip('/'))}/" for path in paths if os.path.isdir(path) or is_remote(path)]
    counts: dict[str, Counter[str]] = {}
    for document, section in zip(corpus.documents, corpus.sections, strict=True):
        folder = next((folder for folder in folders if document.path.startswith(folder)), "")
        counts.setdefault(section, Counter())[folder or "other paths"] += 1
    notes = []
    for section, of_folders in sorted(counts.items()):
        if len(of_folders) > 1 and section not in ("", WHOLE):
            sizes = ", ".join(f"{folder} ({count:,})" for folder, count in of_folders.most_common())
            notes.append(
                f"section {section}: the labels of several paths are learned as one section: {sizes}"
            )
    return notes
