"""Rows of frames, mappings and documents, read in place of standard input."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO

import msgspec

from scoring.errors import RecordError
from scoring.records.decode import NO_NAME
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.record import Document
from scoring.records.rows import decode_row
from scoring.records.unread_columns import unread_columns

_LOG = logging.getLogger(__name__)

Row = tuple[dict[str, object], str, int]
"""Fields of a record that are not missing, its path (``-`` if it has none), and its number, from 1."""


def decode_item(row: Row, field_map: FieldMap | None) -> Document:
    """Decode the record of a row; its path names it, else its ``id``, else its number.

    Raises
    ------
    RecordError
        With every fault of the record.
    """
    fields, path, number = row
    if path == NO_NAME:
        return decode_row(fields, path, number, field_map)
    document = decode_row(fields, path, 0, field_map)
    return msgspec.structs.replace(document, line=number, row_id=document.path)


class RowStream(BytesIO):
    """Records in memory that a workflow reads as ``-``; as a stream of bytes it is empty.

    Each row is decoded when the field map is known, and keeps its own path.

    Parameters
    ----------
    rows : iterable of tuple or Document
        Rows from :func:`scoring.records.frame_rows.rows_of`, or documents that were already read.
    columns : sequence of str
        Columns of the frame of the rows; none for mappings and documents.
    """

    def __init__(self, rows: Iterable[Row | Document], columns: Sequence[str] = ()) -> None:
        super().__init__()
        self._rows = list(rows)
        self._columns = columns

    def read_documents(self, field_map: FieldMap | None) -> Iterator[Document | RecordError]:
        """Yield the document of each row, or the error of an unusable row, in order.

        A column that no field uses and that looks like a misspelt field is a warning; others are logged.
        """
        message, is_suspicious = unread_columns(self._columns, field_map)
        if is_suspicious:
            warnings.warn(message, stacklevel=4)
        elif message:
            _LOG.info(message)
        for row in self._rows:
            if isinstance(row, Document):
                yield row
                continue
            try:
                yield decode_item(row, field_map)
            except RecordError as error:
                yield error
