"""Select record files among paths: changed files only, or without named files that are not records."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from scoring.records.corpus import holds_many
from scoring.records.field_maps.file_globs import FileGlobs
from scoring.records.file_heads import head_of, reason_left_out
from scoring.records.file_names import is_markdown
from scoring.records.files import OnFault, expand
from scoring.records.git_changes import changes_since
from scoring.records.left_out import EMPTY, NO_FRONT_MATTER, NOT_IN_FIELD_MAP, OTHER_REPOSITORY, walking
from scoring.storage.regular_files import kind_of
from scoring.storage.urls import refuse_remote


@dataclass(frozen=True, slots=True)
class Selection:
    """Rule that selects files of the paths; all other files are left out.

    Parameters
    ----------
    only : frozenset of str, optional
        Real paths of the files that may be selected; None for all files.
    """

    only: frozenset[str] | None = None
    _globs: FileGlobs = field(default_factory=FileGlobs)

    def takes_named(self, file: str) -> bool:
        """Whether a named file is selected; a file that is not a record is counted as left out."""
        if self.only is not None and os.path.realpath(file) not in self.only:
            return False
        with walking(file) as walk:
            reason = self._reason(file)
            if reason:
                walk.leave_out(file, reason)
            else:
                walk.n_files = 1
        return not reason

    def _reason(self, file: str) -> str | None:
        """Reason why a file is not a record; None if it is a record, or if reading it reports the reason."""
        if file == "-" or kind_of(file) is not None or holds_many(file):
            return None
        reason = reason_left_out(head_of(file))
        if reason in (NO_FRONT_MATTER, EMPTY):
            return reason
        return NOT_IN_FIELD_MAP if is_markdown(file) and self._globs.leaves_out(file) else None


def select_files(
    paths: Sequence[str], *, changed_since: str | None = None, on_fault: OnFault | None = None
) -> list[str]:
    """Expand paths to record files, without named files that are not records.

    Parameters
    ----------
    paths : sequence of str
        As in :func:`scoring.records.files.expand`.
    changed_since : str, optional
        Git revision: select only the files that differ from it in the working tree. JSON lines files, tables
        and feeds are selected as a whole.
    on_fault : callable, optional
        As in :func:`scoring.records.files.expand`.

    Returns
    -------
    list of str
        Each file once, in the order of the paths; empty if there are none.

    Raises
    ------
    RecordError
        If a path does not exist, and did not exist at the revision.
    ScoringError
        As in :func:`scoring.records.git_changes.changes_since`.
    """
    if changed_since is None:
        return expand(paths, on_fault=on_fault, selection=Selection())
    for path in paths:
        refuse_remote(path, "--changed-since", "use a clone of the Git repository")
    changes = changes_since(changed_since, paths)
    for folder in changes.repositories:
        with walking(folder) as walk:
            walk.leave_out(os.path.relpath(folder), OTHER_REPOSITORY)
    there = [path for path in paths if path not in changes.deleted]
    return expand(there, on_fault=on_fault, selection=Selection(changes.files))
