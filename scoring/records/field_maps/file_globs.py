"""Files that hold records, by the globs of the field maps of a walked folder."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterable

from scoring.records.field_maps.field_map import FILE_NAME
from scoring.records.file_names import is_markdown
from scoring.storage.remote import list_files
from scoring.storage.urls import is_remote


class FileGlobs:
    """Chooses the files of a folder that hold records; each folder is entered after the one above it."""

    def __init__(self) -> None:
        self._by_folder: dict[str, frozenset[str] | None] = {}  # None: the usual extensions

    def enter(self, folder: str, names: Collection[str]) -> None:
        """Enter a folder with its names; the globs of the folder above hold unless it has a field map.

        Raises
        ------
        FieldMapError
            If its field map cannot be used.
        """
        chosen = self._by_folder.get(os.path.dirname(folder))
        if FILE_NAME in names:
            from scoring.records.field_maps.map_file import read_archive_map  # imports PyYAML

            top = next(iter(self._by_folder), folder)  # entered first
            tops = (os.path.realpath(top), os.getcwd())
            patterns = read_archive_map(os.path.join(folder, FILE_NAME), tops).files
            matches = (name for pattern in patterns for name in _matches(folder, pattern))
            chosen = (
                frozenset(os.path.normpath(os.path.join(folder, name)) for name in matches)
                if patterns
                else None
            )
        self._by_folder[folder] = chosen

    def holds_record(self, folder: str, name: str) -> bool:
        """Whether a file is to be read."""
        chosen = self._by_folder[folder]
        return is_markdown(name) if chosen is None else os.path.normpath(os.path.join(folder, name)) in chosen

    def leaves_out(self, file: str) -> bool:
        """Whether the field map of a named file chooses files, and not this one.

        It is the nearest one from the folder of the file up to the working folder.

        Raises
        ------
        FieldMapError
            If the field map cannot be used.
        """
        base = os.path.dirname(file) if is_remote(file) else os.path.realpath(os.path.dirname(file) or ".")
        folder = _nearest(base)
        if folder is None:
            return False
        if folder not in self._by_folder:
            archive = FileGlobs()  # each map is that of an archive of its own
            archive.enter(folder, [FILE_NAME])
            self._by_folder |= archive._by_folder
        chosen = self._by_folder[folder]
        path = os.path.normpath(os.path.join(base, os.path.basename(file)))
        return chosen is not None and path not in chosen


def _matches(folder: str, pattern: str) -> Iterable[str]:
    """Files of a folder that match a glob."""
    if is_remote(folder):
        return (file.url[len(folder) + 1 :] for file in list_files(f"{folder}/{pattern}").files)
    return glob.iglob(pattern, root_dir=folder, recursive=True)


def _nearest(folder: str) -> str | None:
    """The nearest folder with a field map, up to the working folder; for a remote file, only its own."""
    if is_remote(folder):
        from scoring.storage.remote_copies import process_copies

        return folder if process_copies().has_copy(f"{folder}/{FILE_NAME}") else None
    top = os.getcwd()
    while not os.path.isfile(os.path.join(folder, FILE_NAME)):
        above = os.path.dirname(folder)
        if above == folder or os.path.commonpath([above, top]) != top:
            return None
        folder = above
    return folder
