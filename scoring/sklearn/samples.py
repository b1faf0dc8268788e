"""Read X and y of the estimators: records, and one label of each record."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from scoring.api.inputs import read_documents_of
from scoring.errors import Fault, RecordError
from scoring.model.cascade import NOT_LEADING
from scoring.model.targets import TARGETS, Target, Targets
from scoring.records.field_maps.field_map import OWN_LAYOUT, FieldMap
from scoring.records.frame_rows import PATH, is_frame, is_missing, read_frame
from scoring.records.record import Document
from scoring.training.read_dataset import MIN_LABELS

EXPECTED = "a frame with one record per row, or a list of mappings or documents"


def read_samples(X: Any, field_map: FieldMap | None = None) -> list[Document]:
    """Read each sample as a record.

    Parameters
    ----------
    X : DataFrame of shape (n_samples, n_fields), or list of mapping or Document
        Records, as in :func:`scoring.records.frame_rows.read_frame` and :func:`scoring.read_records`.
    field_map : FieldMap, optional
        Which columns or keys hold the fields; None for scoring's own layout.

    Raises
    ------
    RecordError
        If a record cannot be used; the message names the row, from 1.
    TypeError
        If X is neither a frame nor a list of records.
    ValueError
        If there are no records.
    """
    if is_frame(X):
        read = read_frame(X, field_map).read
    elif isinstance(X, Sequence | np.ndarray) and not isinstance(X, str | bytes):
        read = [_read(item, field_map) for item in X]
    else:
        raise TypeError(f"X: got {type(X).__name__}, expected {EXPECTED}")
    documents = []
    for row, item in enumerate(read, start=1):
        if isinstance(item, RecordError):
            raise _of_row(item, row)
        documents.append(item)
    if not documents:
        raise ValueError("X: got no records, expected one or more")
    return documents


def _read(item: Any, field_map: FieldMap | None) -> Document | RecordError:
    if not isinstance(item, Mapping | Document):
        raise TypeError(f"X: got a list or array of {type(item).__name__}, expected {EXPECTED}")
    try:
        (document,) = read_documents_of([item], "raise", given=field_map)
    except RecordError as error:
        return error
    return document


def _of_row(error: RecordError, row: int) -> RecordError:
    """The error with the number of the row, from 1, and the path of the record if it has one."""
    faults = [
        dataclasses.replace(
            fault, path=f"row {row}" if fault.path == "-" else f"row {row}: {fault.path}", line=0
        )
        for fault in error.faults
    ]
    return RecordError(*faults)


def field_names(X: Any, field_map: FieldMap | None = None) -> list[str] | None:
    """Names of the columns that are fields of a record, without labels and path; None if X is not a frame."""
    if not is_frame(X):
        return None
    layout = field_map or OWN_LAYOUT
    labels = {rule.key.partition(".")[0] for rule in layout.labels.values()}
    others = {PATH, *(name for name in labels if not layout.field_at(name))}
    return [str(name) for name in nw.from_native(X, eager_only=True).columns if str(name) not in others]


def read_points(y: Any, n_samples: int, lowest: float = -np.inf) -> list[int]:
    """Labels in points.

    Raises
    ------
    ValueError
        If a label is not a whole number, or is below `lowest`; the message names the row, from 1.
    """
    expected = "a whole number" if lowest == -np.inf else f"a whole number of {lowest:g} or more"
    points = []
    for row, value in enumerate(_values(y, n_samples), start=1):
        is_whole = isinstance(value, int | float | np.number) and float(value).is_integer()
        if not is_whole or value < lowest:
            raise ValueError(f"y: row {row}: got {_shown(value)}, expected {expected}")
        points.append(int(value))
    return points


def read_truths(y: Any, n_samples: int) -> tuple[list[bool], NDArray[Any]]:
    """Labels that are true or false, and the two classes in the type of y, of shape (2,).

    Raises
    ------
    ValueError
        If a label is neither (the message names the row, from 1), or all are the same.
    """
    values = _values(y, n_samples)
    for row, value in enumerate(values, start=1):
        if is_missing(value) or not isinstance(value, bool | int | float | np.bool_ | np.number):
            raise ValueError(f"y: row {row}: got {_shown(value)}, expected true or false")
        if value not in (0, 1):
            raise ValueError(f"y: row {row}: got {_shown(value)}, expected true or false, or 1 or 0")
    classes = np.unique(np.array(values))
    if len(classes) < 2:
        raise ValueError(f"y: got one class, {classes[0]}, expected both")
    return [bool(value) for value in values], classes


def _values(y: Any, n_samples: int) -> list[Any]:
    """Values of y as a list of `n_samples` Python or NumPy scalars."""
    if y is None:
        raise ValueError("this estimator requires y to be passed, but the target y is None")
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(f"y should be a 1d array, got an array of shape {values.shape} instead")
    if len(values) != n_samples:
        raise ValueError(f"X has {n_samples} samples and y has {len(values)}, expected equal numbers")
    listed: list[Any] = values.tolist()
    return listed


def _shown(value: object) -> str:
    return "no label" if is_missing(value) else repr(value)


def with_label(documents: Sequence[Document], target: Target, values: Sequence[Any]) -> list[Document]:
    """Replace a label of the documents.

    Raises
    ------
    RecordError
        If a record has no date; the message names the row, from 1.
    """
    for row, document in enumerate(documents, start=1):
        if document.record.published_at is None:
            expected = "a date in each row: the latest records choose the iterations and the intervals"
            path = f"row {row}" if document.path == "-" else f"row {row}: {document.path}"
            raise RecordError(Fault(path, 0, "publishedDateTime", "no date", expected))
    return [
        msgspec.structs.replace(document, labels=msgspec.structs.replace(document.labels, **{target: value}))
        for document, value in zip(documents, values, strict=True)
    ]


def targets_of(documents: Sequence[Document], target: Target, wanted: Targets) -> Targets:
    """Labels to learn: the labels before the target that the documents have, then the target itself.

    A Python warning names each label that too few documents have.

    Parameters
    ----------
    documents : sequence of Document
        Documents that all have the target label.
    target : str
        Label to predict.
    wanted : tuple of str
        Labels to learn, from the configuration.

    Raises
    ------
    RecordError
        If only some documents have the first of the labels, from which the other labels are learned.
    """
    targets: list[Target] = []
    for name in TARGETS[: TARGETS.index(target)]:
        values = [getattr(document.labels, name) for document in documents]
        known = [value for value in values if value is not None]
        if not known or name not in wanted:
            continue
        if few := _too_few(name, known):
            warnings.warn(f"{name} is not learned: {few}", stacklevel=4)
            continue
        if not targets and len(known) < len(documents):
            expected = f"one in each row, or in none: {target} is learned from it where rows have it"
            raise RecordError(Fault(f"row {values.index(None) + 1}", 0, name, "no label", expected))
        targets.append(name)
    return (*targets, target)


def _too_few(target: Target, known: Sequence[float]) -> str:
    """Reason why there are too few labels to learn; empty if there are enough."""
    if len(known) < MIN_LABELS:
        return f"{len(known)} records have it, {MIN_LABELS} are needed"
    if target == "heat" and max(known) <= NOT_LEADING:
        return "it is -1 in all records, and the heat of leads is needed"
    return ""
