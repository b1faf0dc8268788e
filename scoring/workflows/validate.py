"""Find everything that is wrong with records, without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import BinaryIO

import msgspec

from scoring.errors import Fault, RecordError
from scoring.records.corpus import read_documents


class Validation(msgspec.Struct, frozen=True):
    """What a look at every record found.

    Parameters
    ----------
    n_records : int
        Records that can be used.
    n_faulty : int
        Records that cannot.
    faults : tuple of Fault
        Every fault of every record, in the order of the files and lines.
    warnings : tuple of str
        What had to be assumed, each with its file and line.
    """

    n_records: int
    n_faulty: int
    faults: tuple[Fault, ...]
    warnings: tuple[str, ...]


def validate(
    paths: Sequence[str],
    *,
    stdin: BinaryIO | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Validation:
    """Read every record that paths name, and gather the faults.

    Parameters
    ----------
    paths : sequence of str
        As :func:`scoring.records.corpus.read_documents` takes them.
    stdin : binary file, optional
        What ``-`` reads.
    on_progress : callable, optional
        Called with the files done and the files in all.

    Returns
    -------
    Validation
        Empty ``faults`` where every record can be used.

    Raises
    ------
    RecordError
        If a path does not exist or names no record.
    """
    errors: list[RecordError] = []
    warnings: list[str] = []
    n_records = 0
    for document in read_documents(paths, stdin=stdin, on_fault=errors.append, on_progress=on_progress):
        n_records += 1
        warnings += [f"{document.path}:{document.line}: {warning}" for warning in document.warnings]
    faults = tuple(fault for error in errors for fault in error.faults)
    return Validation(n_records, len(errors), faults, tuple(warnings))
