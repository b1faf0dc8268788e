"""Find the files that a write wrote, by the field map of the write."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from scoring.errors import RecordError, shown
from scoring.labels.journal import Journal, RecordKeys
from scoring.labels.write_history import WriteHistory, WrittenRecord
from scoring.records.corpus import read_bytes
from scoring.records.decode import decode_file
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.file_names import is_markdown
from scoring.records.record import Document
from scoring.records.write_back import file_within
from scoring.storage.remote import list_files
from scoring.storage.urls import is_remote


class FoundFile(NamedTuple):
    """A file with a record of the write, read by the field map of the write.

    Parameters
    ----------
    path, target : str
        The file as the user named it, and with links resolved.
    data : bytes
        Its bytes.
    document : Document
        Its record.
    keys : RecordKeys
        The record's keys in the journal.
    field_map : FieldMap or None
        The field map; None for scoring's own layout.
    written : list of WrittenRecord
        What the write wrote there; for another file of the record, what it wrote to each of its files.
    is_at_path : bool
        Whether the write wrote to this path.
    """

    path: str
    target: str
    data: bytes
    document: Document
    keys: RecordKeys
    field_map: FieldMap | None
    written: list[WrittenRecord]
    is_at_path: bool


class WrittenFiles:
    """Finds the files of a write, and files with the same records.

    Parameters
    ----------
    history : WriteHistory
        The write.
    journal : Journal
        The journal.
    field_maps : FieldMaps
        Field maps of the files of a write that kept none.
    """

    def __init__(self, history: WriteHistory, journal: Journal, field_maps: FieldMaps) -> None:
        self._history, self._journal, self._field_maps = history, journal, field_maps

    def find(self, path: str, roots: Sequence[str]) -> FoundFile | None:
        """Return what the write wrote to a file, or else to other files of its record; None for another one.

        Raises
        ------
        RecordError
            If it cannot be read by any field map of the write, or is outside of the roots.
        """
        target = file_within(path, roots)
        data = read_bytes(target)
        other: FoundFile | None = None
        errors: list[RecordError] = []
        digests = self._history.field_map_digests
        for digest in digests:
            field_map = self._field_map(path, digest)
            try:
                document = decode_file(data, path, is_hashed=False, field_map=field_map)
            except RecordError as error:
                errors.append(error)
                continue
            keys = self._journal.keys_of(document)
            if written := self._history.at(keys, digest):
                return FoundFile(path, target, data, document, keys, field_map, written, is_at_path=True)
            if other is None and (written := self._history.of_record(keys, digest)):
                other = FoundFile(path, target, data, document, keys, field_map, written, is_at_path=False)
        if len(errors) == len(digests):
            raise errors[0]
        return other

    def beside(
        self, others: Iterable[str], given: Collection[str], roots: Sequence[str]
    ) -> set[WrittenRecord]:
        """Return what was written to files that are not given, in the folders of others of the records."""
        return {
            written
            for folder in {os.path.dirname(path) for path in others}
            for path in self._candidates(folder, given)
            for written in self._at(path, roots)
        }

    def _field_map(self, path: str, digest: str | None) -> FieldMap | None:
        if digest == "":
            return None
        kept = self._history.field_maps.get(digest) if digest is not None else None
        return kept or self._field_maps.of(path)

    def _candidates(self, folder: str, given: Collection[str]) -> Iterator[str]:
        for path in self._markdown_files(folder):
            if path not in given and self._history.has_place(self._journal.place_of(shown(path))):
                yield path

    @staticmethod
    def _markdown_files(folder: str) -> list[str]:
        if is_remote(folder):
            files = (file.url for file in list_files(folder).files)
            return [url for url in files if is_markdown(url) and os.path.dirname(url) == folder]
        with os.scandir(folder or ".") as entries:
            names = [entry.name for entry in entries if is_markdown(entry.name) and entry.is_file()]
        return [os.path.join(folder, name) for name in names]

    def _at(self, path: str, roots: Sequence[str]) -> list[WrittenRecord]:
        with suppress(RecordError):
            file = self.find(path, roots)
            if file is not None and file.is_at_path:
                return file.written
        return []
