"""Validate records: list all faults, without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import BinaryIO

import msgspec

from scoring.errors import Fault, RecordError
from scoring.records.corpus import read_documents
from scoring.records.field_map_lookup import FieldMaps


class Validation(msgspec.Struct, frozen=True):
    """Result of a validation.

    Parameters
    ----------
    n_records : int
        Usable records.
    n_faulty : int
        Unusable records.
    faults : tuple of Fault
        All faults of all records, in the order of files and lines.
    warnings : tuple of str
        Assumptions made while reading, each with its file and line.
    """

    n_records: int
    n_faulty: int
    faults: tuple[Fault, ...]
    warnings: tuple[str, ...]


def validate(
    paths: Sequence[str],
    *,
    stdin: BinaryIO | None = None,
    field_maps: FieldMaps | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Validation:
    """Read all records, and collect the faults.

    Parameters
    ----------
    paths : sequence of str
        Files, folders, globs or ``-``: see :func:`scoring.records.corpus.read_documents`.
    stdin : binary file, optional
        Input of ``-``.
    field_maps : FieldMaps, optional
        Field maps of the files; default: those of their archives.
    on_progress : callable, optional
        Called with the number of files done and of all files.

    Returns
    -------
    Validation
        With empty ``faults`` if all records are usable.

    Raises
    ------
    RecordError
        If a path does not exist or has no records.
    """
    errors: list[RecordError] = []
    warnings: list[str] = []
    n_records = 0
    field_maps = field_maps or FieldMaps(paths)
    field_maps.reads_bodies = False  # nothing there can be wrong
    for document in read_documents(
        paths, stdin=stdin, field_maps=field_maps, on_fault=errors.append, on_progress=on_progress
    ):
        n_records += 1
        warnings += [f"{document.path}:{document.line}: {warning}" for warning in document.warnings]
    faults = tuple(fault for error in errors for fault in error.faults)
    return Validation(n_records, len(errors), faults, tuple(warnings))
