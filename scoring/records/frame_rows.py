"""Read records from the rows of a pandas, Polars or Arrow frame."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from scoring.errors import Fault, RecordError
from scoring.extras import naming_extras
from scoring.records.decode import NO_NAME
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.record import Document, Record
from scoring.records.row_stream import Row, RowStream

if TYPE_CHECKING:
    import narwhals as nw

_NO_FRAMES = (str, bytes, os.PathLike, Mapping, list, tuple, Document, Record)
_FRAME_LIBRARIES = {"pandas", "polars", "pyarrow"}

PATH = "path"
"""Column that names the records of a frame."""


class FrameRows(NamedTuple):
    """A frame, and the result of reading each row: a document, or the error of an unusable record."""

    frame: nw.DataFrame[Any]
    read: list[Document | RecordError]

    @property
    def documents(self) -> list[Document]:
        """The records that can be used, in order."""
        return [item for item in self.read if isinstance(item, Document)]


def is_frame(value: object) -> bool:
    """Whether a value is a pandas, Polars or Arrow frame.

    Examples
    --------
    >>> import pandas as pd
    >>> is_frame(pd.DataFrame()), is_frame([{}])
    (True, False)
    """
    if isinstance(value, _NO_FRAMES):
        return False  # avoids importing narwhals, which takes time
    try:
        import narwhals as nw
    except ModuleNotFoundError:
        # The error that names the extra is raised when the frame is read.
        return type(value).__module__.partition(".")[0] in _FRAME_LIBRARIES
    return nw.dependencies.is_into_dataframe(value)


def check_kind(records: object) -> None:
    """Refuse lazy frames, rows of a frame and other types, whose values would be taken for paths.

    Raises
    ------
    TypeError
        If `records` is a lazy frame or one row of a pandas frame (the message names the remedy), or of a type
        that cannot hold records.
    """
    if isinstance(records, _NO_FRAMES):
        return
    try:
        import narwhals as nw
    except ModuleNotFoundError:
        return  # the frame is refused when it is read
    if nw.dependencies.is_polars_lazyframe(records):
        raise TypeError("records: got a LazyFrame, expected a frame: frame.collect()")
    if not isinstance(records, Iterable | os.PathLike | Document | Record):
        raise TypeError(
            f"records: got {type(records).__name__}, expected a frame, paths, mappings, records or documents"
        )
    if not nw.dependencies.is_pandas_series(records):
        return
    if records.index.inferred_type == "string" and not all(isinstance(value, str) for value in records):
        raise TypeError("records: got a row of a frame, expected a frame of one row: frame.iloc[[0]]")


def read_frame(frame: object, field_map: FieldMap | None = None) -> FrameRows:
    """Read each row of a frame as a record.

    Parameters
    ----------
    frame : DataFrame of shape (n_records, n_fields)
        Columns with the field names of the front matter. A missing value (None, NaN, NaT, NA) is an absent
        field; nested fields are lists and objects, or JSON text. The column ``path``, or else a pandas index
        of text, names the records; a row without a name is ``-`` with its number, from 1.
    field_map : FieldMap, optional
        Field map that names the columns of the fields; None for scoring's own layout.

    Returns
    -------
    FrameRows
        One result per row, in order.

    Raises
    ------
    RecordError
        If two columns have the same name.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = read_frame(pd.DataFrame([{"title": "Rain", "topics": '["Weather"]'}, {"title": ["a"]}]))
    >>> rows.documents[0].record.topics, len(rows.read)
    (('Weather',), 2)
    """
    return FrameRows(_opened(frame), list(stream_of(frame).read_documents(field_map)))


def _opened(frame: object) -> nw.DataFrame[Any]:
    with naming_extras("frames"):
        import narwhals as nw
    try:
        return nw.from_native(frame, eager_only=True)
    except nw.exceptions.DuplicateError:
        raise RecordError(Fault("frame", 0, "", "columns of the same name", "one of each name")) from None


def stream_of(frame: object) -> RowStream:
    """Rows of a frame as a stream, which names the columns that no field uses when it is read.

    Raises
    ------
    RecordError
        If two columns have the same name.
    """
    return RowStream(rows_of(frame), columns=list(map(str, _opened(frame).columns)))


def rows_of(frame: object) -> Iterator[Row]:
    """Rows of a frame.

    Raises
    ------
    RecordError
        If two columns have the same name.
    """
    opened = _opened(frame)
    for number, row in enumerate(_named(opened).iter_rows(named=True), start=1):
        yield row_of(row, number)


def _named(frame: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
    """The frame with a column ``path`` if a pandas index names its records: an index of unique texts."""
    if PATH in frame.columns or not frame.implementation.is_pandas_like():
        return frame
    import narwhals as nw

    native = nw.to_native(frame)
    if native.index.nlevels > 1 or not native.index.is_unique or native.index.inferred_type != "string":
        return frame
    return nw.from_native(native.assign(**{PATH: native.index}), eager_only=True)


def pandas_index(records: object) -> Any:
    """Index of a pandas frame, which names its rows; None for anything else."""
    if not is_frame(records):
        return None
    frame = _opened(records)
    if not frame.implementation.is_pandas_like():
        return None
    import narwhals as nw

    return nw.to_native(frame).index


def row_of(row: Mapping[Any, Any], number: int) -> Row:
    """Non-missing fields of a row or mapping, with its path and its number."""
    fields = {str(name): value for name, value in row.items() if not is_missing(value)}
    return fields, str(fields.pop(PATH, NO_NAME)), number


def is_missing(value: object) -> bool:
    """Whether a value of a frame is None, NaN, NaT or NA.

    Examples
    --------
    >>> is_missing(float("nan")), is_missing([]), is_missing(0)
    (True, False, False)
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value
