"""Input of the public functions: paths, documents, mappings and frames; handling of unusable records."""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from scoring.api.argument_names import in_python
from scoring.errors import RecordError
from scoring.records.corpus import read_documents
from scoring.records.decode import NO_NAME
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.files import STDIN, OnFault
from scoring.records.frame_rows import check_kind, is_frame, row_of, stream_of
from scoring.records.record import Document, Labels, Record
from scoring.records.row_stream import Row, RowStream, decode_item
from scoring.storage.urls import name_of

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

LabelledRecords: TypeAlias = (
    "PathLike | IntoDataFrame | Document | Record | Mapping[str, Any] | Iterable[PathLike]"
    " | Iterable[Document | Record | Mapping[str, Any]]"
)
"""Records that a workflow reads: paths, a frame, documents, records, or mappings with the field names of the
front matter."""
PathLike: TypeAlias = str | os.PathLike[str]
Records: TypeAlias = (
    PathLike
    | Document
    | Record
    | Mapping[str, Any]
    | Iterable[PathLike | Document | Record | Mapping[str, Any]]
)
"""Records: files, folders, documents, records, or mappings with the field names of the front matter."""
AnyRecords: TypeAlias = "Records | IntoDataFrame"
"""Records, or a frame of them."""
OnError: TypeAlias = Literal["raise", "warn"] | Callable[[RecordError], None]
"""Handling of a record that cannot be used: raise the error, warn, or call a function with the error."""


def read_records(
    records: AnyRecords, *, fields: PathLike | FieldMap | None = None, on_error: OnError = "raise"
) -> Iterator[Document]:
    """Read records, one at a time.

    Parameters
    ----------
    records : DataFrame, path, document, record, mapping, or iterable of these
        A pandas, Polars or Arrow frame, one record per row; a folder, a Markdown file or a file of JSON
        lines; a document or :class:`Record`, which is taken as it is; or a mapping with the field names of
        the front matter.
    fields : path or FieldMap, optional
        Field map of all records. Default: for files, the ``scoring-fields.yaml`` of their archive; for
        mappings, scoring's own layout.
    on_error : {"raise", "warn"} or callable
        Handling of a record that cannot be used. With ``"warn"``, or a callable that returns, reading
        continues with the next record.

    Returns
    -------
    iterator of Document
        In the order of `records`.

    Raises
    ------
    RecordError
        If a path does not exist or names no record; with ``on_error="raise"``, at the first record
        that cannot be used.

    Examples
    --------
    >>> [document] = read_records({"title": "Rain", "topics": ["Weather"]})
    >>> document.record.topics
    ('Weather',)
    """
    return read_documents_of(records, on_error, given=field_map_of(fields))


def field_map_of(fields: PathLike | FieldMap | None) -> FieldMap | None:
    """A field map, read if it is a file.

    Raises
    ------
    FieldMapError
        If the file cannot be used.
    """
    if isinstance(fields, FieldMap | None):
        return fields
    from scoring.records.field_maps.map_file import read_field_map  # imports PyYAML

    return read_field_map(name_of(fields))


def read_documents_of(
    records: AnyRecords,
    on_error: OnError,
    model_map: FieldMap | None = None,
    *,
    given: FieldMap | None = None,
) -> Iterator[Document]:
    """Read records with a given field map, else that of their archive, else that of a model."""
    on_fault = fault_handler(on_error)
    check_kind(records)
    return _read(records, on_fault, model_map, given)


def _read(
    records: Any, on_fault: OnFault, model_map: FieldMap | None, given: FieldMap | None
) -> Iterator[Document]:
    if is_frame(records):
        for item in stream_of(records).read_documents(given or model_map):
            if isinstance(item, RecordError):
                on_fault(item)
            else:
                yield item
        return
    if isinstance(records, str | os.PathLike | Document | Record | Mapping):
        records = [records]
    for number, record in enumerate(records, start=1):
        if isinstance(record, Document | Record):
            yield _document_of(record, number)
        elif isinstance(record, Mapping):
            try:
                yield _from_mapping(record, number, given or model_map)
            except RecordError as error:
                on_fault(error)
        elif not isinstance(record, str | os.PathLike):
            got = type(record).__name__
            expected = "paths, mappings, records or documents"
            raise TypeError(f"records: got a list or array with {got}, expected {expected}")
        else:
            path = name_of(record)
            field_maps = FieldMaps([path], given=given).with_model_map(model_map)
            yield from read_documents([path], field_maps=field_maps, on_fault=on_fault)


def fault_handler(on_error: OnError) -> Callable[[RecordError], None]:
    if on_error == "raise":
        return _raise
    if on_error == "warn":
        return lambda error: warnings.warn(str(error), stacklevel=4)
    if not callable(on_error):
        raise ValueError(f'on_error: got {on_error!r}, expected "raise", "warn" or a callable')
    return on_error


def _raise(error: RecordError) -> None:
    raise error


def _document_of(record: Document | Record, number: int) -> Document:
    """A document; a record becomes one without a path and without labels."""
    if isinstance(record, Document):
        return record
    digest = hashlib.sha256(msgspec.json.encode(record)).hexdigest()
    return Document(NO_NAME, number, digest, record, Labels())


def _from_mapping(record: Mapping[str, Any], number: int, field_map: FieldMap | None) -> Document:
    """Read a mapping like a line of JSON; ``path`` names the record."""
    return decode_item(row_of(record, number), field_map)


def source_of(records: Any) -> tuple[list[str], RowStream | None]:
    """Paths and standard input from which a workflow reads the records.

    Frames, mappings and documents are passed as rows on standard input, each with its own path.

    Raises
    ------
    TypeError
        If the records are of other types, or paths and others are mixed.
    """
    if is_frame(records):
        return [STDIN], stream_of(records)
    check_kind(records)
    if isinstance(records, str | os.PathLike):
        return [name_of(records)], None
    items: list[Any] = [records] if isinstance(records, Mapping | Document | Record) else list(records)
    if items and all(isinstance(item, Mapping | Document | Record) for item in items):
        return [STDIN], RowStream(_rows_in(items))
    if not all(isinstance(item, str | os.PathLike) for item in items):
        got = " and ".join(sorted({type(item).__name__ for item in items}))
        raise TypeError(
            f"records: got a list with {got}, expected only paths, or only mappings, records and documents"
        )
    return [name_of(item) for item in items], None


def _rows_in(items: Iterable[Mapping[str, Any] | Document | Record]) -> Iterator[Row | Document]:
    for number, item in enumerate(items, start=1):
        yield row_of(item, number) if isinstance(item, Mapping) else _document_of(item, number)


class Warnings:
    """A reporter that gives Python warnings, logs notes at level INFO, and ignores progress."""

    def step(self, name: str, done: int, total: int | None) -> None:
        """Ignore the step."""

    def note(self, text: str) -> None:
        """Log the note."""
        logging.getLogger("scoring").info(in_python(text))

    def warn(self, text: str) -> None:
        """Give a Python warning."""
        warnings.warn(in_python(text), stacklevel=4)
