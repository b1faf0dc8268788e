"""Files of a watched folder: the whole list, and what a change of named files does to it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from scoring.errors import ScoringError
from scoring.inbox.folder_watch import Identity, State, identity_of, state_of
from scoring.records.field_maps.field_map import FILE_NAME
from scoring.records.field_maps.file_globs import FileGlobs
from scoring.records.file_heads import head_of, may_hold_record
from scoring.records.file_names import is_markdown


class Listing(NamedTuple):
    """Content of a folder: files with their states, and folders with their identities."""

    files: dict[str, State]
    folders: dict[str, Identity | None]
    is_whole: bool  # False if a subfolder could not be read


class NamedChanges(NamedTuple):
    """States of files that are new or may have changed, and files that are no longer listed."""

    present: dict[str, State]
    removed: list[str]


def removed_files(before: Listing, now: Listing) -> list[str]:
    """Files that disappeared from folders that still exist and are the same."""
    if not now.is_whole:
        return []
    return [
        path
        for path in before.files.keys() - now.files.keys()
        if (folder := now.folders[os.path.dirname(path)]) is not None
        and folder == before.folders[os.path.dirname(path)]
    ]


def named_changes(listing: Listing, folder: str, names: Iterable[str]) -> NamedChanges | None:
    """What a change of some files does to the list of a folder, without listing it.

    Parameters
    ----------
    listing : Listing
        The last list.
    folder : str
        The folder.
    names : iterable of str
        Paths of the files in the folder.

    Returns
    -------
    NamedChanges or None
        None if the folder has to be listed: another folder, a link or a field map is among them.
    """
    changes = NamedChanges({}, [])
    for name in sorted(names):
        path = os.path.join(folder, name)
        base = os.path.dirname(path)
        if not listing.is_whole or _needs_list(path) or listing.folders.get(base) is None:
            return None
        if identity_of(base) != listing.folders[base]:
            return None
        state = state_of(path)
        try:
            is_listed = state is not None and _is_listed(folder, path)
        except ScoringError:  # a field map that cannot be used: the list reports it
            return None
        if state is not None and is_listed:
            changes.present[path] = state
        elif path in listing.files:
            changes.removed.append(path)
        elif any(f"{other}{os.sep}".startswith(f"{path}{os.sep}") for other in listing.folders):
            return None  # a folder that is gone
    return changes


def _needs_list(path: str) -> bool:
    return os.path.basename(path) == FILE_NAME or os.path.isdir(path) or os.path.islink(path)


def _is_listed(folder: str, file: str) -> bool:
    """Whether :func:`scoring.records.files.files_within` yields a file of a folder that is no link."""
    globs = FileGlobs()
    for base in _bases(folder, file):
        is_hidden = base != folder and os.path.basename(base).startswith(".")
        if is_hidden or (base != folder and is_markdown(base)):
            return False
        globs.enter(base, [FILE_NAME] if os.path.lexists(os.path.join(base, FILE_NAME)) else [])
    base, name = os.path.split(file)
    return not name.startswith(".") and globs.holds_record(base, name) and may_hold_record(head_of(file))


def _bases(folder: str, file: str) -> Iterator[str]:
    """The folder, and each one below it down to the file."""
    yield folder
    base = folder
    for part in os.path.dirname(os.path.relpath(file, folder)).split(os.sep):
        if part:
            base = os.path.join(base, part)
            yield base
