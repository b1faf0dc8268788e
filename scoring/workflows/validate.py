"""Validate records: list all faults, without a model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import BinaryIO

import msgspec

from scoring.errors import Fault, RecordError
from scoring.records.corpus import read_documents
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.left_out import LeftOutFile, collecting
from scoring.records.selection import select_files


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
    left_out : tuple of LeftOutFile
        Files of folders that were not read, with the reason.
    n_other_files : int
        Hidden files and files of other kinds in these folders, which are only counted.
    unread_keys : dict of str to int
        Keys that no field uses, with the number of records that have them, the most frequent first.
    """

    n_records: int
    n_faulty: int
    faults: tuple[Fault, ...]
    warnings: tuple[str, ...]
    left_out: tuple[LeftOutFile, ...] = ()
    n_other_files: int = 0
    unread_keys: dict[str, int] = {}


def validate(
    paths: Sequence[str],
    *,
    changed_since: str | None = None,
    skips_non_records: bool = False,
    stdin: BinaryIO | None = None,
    field_maps: FieldMaps | None = None,
    on_warning: Callable[[str, int, str], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Validation:
    """Read all records, and collect the faults.

    Parameters
    ----------
    paths : sequence of str
        Files, folders, globs or ``-``: see :func:`scoring.records.corpus.read_documents`.
    changed_since : str, optional
        Git revision: only the files that differ from it, see :func:`scoring.records.selection.select_files`.
    skips_non_records : bool
        Whether named files that are no records are left out; always with a revision.
    stdin : binary file, optional
        Input of ``-``.
    field_maps : FieldMaps, optional
        Field maps of the files; default: those of their archives.
    on_warning : callable, optional
        Called with the path, line and text of each warning.
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
    ScoringError
        If Git cannot tell which files differ from the revision.
    """
    errors: list[RecordError] = []
    warnings: list[str] = []
    unread_keys: Counter[str] = Counter()
    n_records = 0
    field_maps = field_maps or FieldMaps(paths)
    field_maps.reads_bodies = False  # nothing there can be wrong
    with collecting(is_listing=True) as walks:
        if changed_since is not None or skips_non_records:
            paths = select_files(paths, changed_since=changed_since, on_fault=errors.append)
        documents = read_documents(
            paths,
            stdin=stdin,
            field_maps=field_maps,
            on_fault=errors.append,
            on_progress=on_progress,
            with_unread_keys=True,
        )
        for document in documents:
            n_records += 1
            for warning in document.warnings:
                warnings.append(f"{document.path}:{document.line_in_path or 1}: {warning}")
                if on_warning is not None:
                    on_warning(document.path, document.line_in_path or 1, warning)
            unread_keys.update(document.unread_keys)
    return Validation(
        n_records=n_records,
        n_faulty=len(errors),
        faults=tuple(fault for error in errors for fault in error.faults),
        warnings=tuple(warnings),
        left_out=walks.listed,
        n_other_files=walks.n_other,
        unread_keys=dict(unread_keys.most_common()),
    )


def commonest_fault(faults: Sequence[Fault]) -> str:
    """The fault that most records share, and what to do about it, in one line; empty without faults.

    Examples
    --------
    >>> commonest_fault([Fault("a.md", 0, "", "an empty file", "front matter")])
    'most often (1 of 1): the whole record, expected front matter: correct these files, or leave them out'
    """
    kinds = Counter((re.sub(r"\[\d+\]", "[]", fault.field), fault.expected) for fault in faults)
    if not kinds:
        return ""
    (field, expected), count = kinds.most_common(1)[0]
    share = f"most often ({count:,} of {len(faults):,})"
    if not field:
        return f"{share}: the whole record, expected {expected}: correct these files, or leave them out"
    return (
        f"{share}: {field}, expected {expected}: correct the value or remove the key there; if another key "
        'has it, map that one in scoring-fields.yaml, which "scoring init FOLDER" proposes'
    )
