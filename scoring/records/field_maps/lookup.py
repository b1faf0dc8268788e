"""Find the field map of each file."""

from __future__ import annotations

import os
from collections.abc import Iterable

from scoring.records.field_maps.field_map import FILE_NAME, FieldMap
from scoring.settings import Settings
from scoring.storage.urls import is_remote, local_path, name_of


class FieldMaps:
    """Finds the field map of each file: the given one, else that of its archive, else the fallback.

    The map of an archive is the nearest :data:`~scoring.records.field_maps.field_map.FILE_NAME` from the
    folder of the file up to the path that was given. Of a file that was given itself, it may be in any folder
    up to the working folder, if the file is inside that; of a remote file, in its own folder.

    Parameters
    ----------
    paths : iterable of str
        Paths that were given: folders, files and globs.
    given : FieldMap, optional
        Map of all files, if the user names one.
    fallback : FieldMap, optional
        Map of files without one; None for scoring's own layout.

    Attributes
    ----------
    used : list of FieldMap or None
        The maps of the files so far, each once.
    reads_bodies : bool
        Whether the text below the front matter is read.
    """

    def __init__(
        self, paths: Iterable[str] = (), *, given: FieldMap | None = None, fallback: FieldMap | None = None
    ) -> None:
        self._given = given
        self._fallback = fallback
        self._model_map: FieldMap | None = None
        given_paths = [local_path(path) for path in paths]
        self._tops = {os.path.realpath(path) for path in given_paths if os.path.isdir(path)}
        self._remote_tops = tuple(path.rstrip("/") for path in given_paths if is_remote(path))
        self._by_folder: dict[str, FieldMap | None] = {}  # by real folder
        self._by_name: dict[str, FieldMap | None] = {}
        self.used: list[FieldMap | None] = []
        self.reads_bodies = True

    def with_model_map(self, model_map: FieldMap | None, *, reads_bodies: bool = True) -> FieldMaps:
        """Set the map that a model keeps, for files without any other, and whether it has features of bodies.

        Returns
        -------
        FieldMaps
            This lookup.
        """
        self._model_map = model_map
        self.reads_bodies = reads_bodies
        return self

    def of(self, file: str) -> FieldMap | None:
        """Return the map of a file; None for scoring's own layout.

        Standard input (``-``) has no archive that could have one. Remote files are found first: see
        :mod:`scoring.records.remote_files`, which copies their field maps.

        Raises
        ------
        FieldMapError
            If the map that it finds cannot be used.
        """
        if self._given is not None:
            return self._note(self._given)
        if file == "-":
            return self._note(self._fallback or self._model_map)
        folder = os.path.dirname(file)
        if folder not in self._by_name:
            is_url = is_remote(file)
            self._by_name[folder] = self._at(folder) if is_url else self._in(os.path.realpath(folder or "."))
        found = self._by_name[folder]
        return self._note(found or self._fallback or self._model_map)

    @property
    def only(self) -> FieldMap | None:
        """The map of all files so far; None for scoring's own layout, or if there were several."""
        return self.used[0] if len(self.used) == 1 else None

    def _note(self, field_map: FieldMap | None) -> FieldMap | None:
        if not any(field_map is other for other in self.used) and field_map not in self.used:
            self.used.append(field_map)
        return field_map

    def _at(self, url: str) -> FieldMap | None:
        """Map of a remote folder, from it or from the ones above, up to the URL that was given."""
        if url not in self._by_folder:
            from scoring.storage.remote_copies import process_copies

            file, above = f"{url}/{FILE_NAME}", os.path.dirname(url)
            if process_copies().has_copy(file):
                from scoring.records.field_maps.map_file import read_archive_map  # imports PyYAML

                self._by_folder[url] = read_archive_map(file, ())
            else:
                is_below = any(f"{above}/".startswith(f"{top}/") for top in self._remote_tops)
                self._by_folder[url] = self._at(above) if is_below else None
        return self._by_folder[url]

    def _in(self, folder: str) -> FieldMap | None:
        """Map of a folder, from it or from the ones above."""
        if folder not in self._by_folder:
            file = os.path.join(folder, FILE_NAME)
            if os.path.lexists(file):
                from scoring.records.field_maps.map_file import read_archive_map  # imports PyYAML

                self._by_folder[folder] = read_archive_map(file, self._tops | {os.getcwd()})
            else:
                above = os.path.dirname(folder)
                self._by_folder[folder] = self._in(above) if self._reaches(folder, above) else None
        return self._by_folder[folder]

    def _reaches(self, folder: str, above: str) -> bool:
        """Whether the search goes on from a folder to the one above."""
        if folder in self._tops or above == folder:
            return False
        tops = self._tops | {os.getcwd()}
        return any(os.path.commonpath([above, top]) == top for top in tops)


def field_maps_of(paths: Iterable[str], settings: Settings) -> FieldMaps:
    """Return the field maps of the files of some paths.

    Parameters
    ----------
    paths : iterable of str
        Folders, files and globs, as the user gave them.
    settings : Settings
        ``fields`` names the map: of all files if it is an option of the command, otherwise of those whose
        archive has none.

    Raises
    ------
    FieldMapError
        If the map of the settings cannot be used.
    """
    if settings.fields is None:
        return FieldMaps(paths)
    from scoring.records.field_maps.map_file import read_field_map

    field_map = read_field_map(name_of(settings.fields))
    if settings.fields_origin.startswith("option"):
        return FieldMaps(paths, given=field_map)
    return FieldMaps(paths, fallback=field_map)
