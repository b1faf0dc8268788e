"""Titles of records, for lists on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextvars import Context

from scoring.errors import RecordError
from scoring.records.corpus import read_documents
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.files import STDIN
from scoring.records.left_out import collecting
from scoring.records.record import Document


def titles_of(paths: Sequence[str], field_maps: FieldMaps) -> dict[str, str]:
    """Titles by name, as scores have it; without those of standard input, which is read once.

    Parameters
    ----------
    paths : sequence of str
        Files, folders or globs.
    field_maps : FieldMaps
        Field maps of the files.

    Returns
    -------
    dict of str to str
        Titles of records that have one, and a name that no other has.
    """
    if STDIN in paths:
        return {}

    def was_reported(error: RecordError) -> None:
        """A record that cannot be read was reported where it was scored."""

    def read() -> list[Document]:
        with collecting():
            return list(read_documents(paths, field_maps=field_maps, on_fault=was_reported))

    documents = Context().run(read)  # what folders leave out was counted already
    counts = Counter(document.name for document in documents)
    titles = {document.name: document.record.title for document in documents}
    return {path: title for path, title in titles.items() if title and counts[path] == 1}
