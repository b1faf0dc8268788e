"""Read records from the rows of a pandas, Polars or Arrow frame."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from scoring.errors import Fault, RecordError
from scoring.extras import naming_extras
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.record import Document
from scoring.records.rows import decode_row, row_as_json

if TYPE_CHECKING:
    import narwhals as nw

_NO_FRAMES = (str, bytes, os.PathLike, Mapping, list, tuple, Document)
_FRAME_LIBRARIES = {"pandas", "polars", "pyarrow"}

Row = tuple[dict[str, object], str, int]
"""Fields of a record that are not missing, its path, and its number where it has no path."""


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
        return False  # without the time that importing narwhals takes
    try:
        import narwhals as nw
    except ModuleNotFoundError:
        # Reading the frame names the extra.
        return type(value).__module__.partition(".")[0] in _FRAME_LIBRARIES
    return nw.dependencies.is_into_dataframe(value)


def read_frame(frame: object, field_map: FieldMap | None = None) -> FrameRows:
    """Read each row of a frame as a record.

    Parameters
    ----------
    frame : DataFrame of shape (n_records, n_fields)
        Columns with the field names of the front matter. A missing value (None, NaN, NaT, NA) is an absent
        field; nested fields are lists and objects, or JSON text. ``path`` is optional; a row without it is
        named ``-`` with its number, from 1.
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
    native = _opened(frame)

    def read() -> Iterator[Document | RecordError]:
        for fields, path, line in rows_of(frame):
            try:
                yield decode_row(fields, path, line, field_map)
            except RecordError as error:
                yield error

    return FrameRows(native, list(read()))


def json_lines_of(rows: Iterable[Row], on_fault: Callable[[RecordError], None]) -> bytes:
    """Write rows as JSON lines, which give the same records as :func:`read_frame`.

    Parameters
    ----------
    rows : iterable of tuple
        From :func:`rows_of` or :func:`row_of`.
    on_fault : callable
        Called with the error of each row that JSON cannot represent; its line is empty.
    """
    lines: list[bytes] = []
    for fields, path, line in rows:
        try:
            lines.append(row_as_json(fields, path, line))
        except RecordError as error:
            on_fault(error)
            lines.append(b"")
    return b"\n".join(lines)


def _opened(frame: object) -> nw.DataFrame[Any]:
    with naming_extras("frames"):
        import narwhals as nw
    try:
        return nw.from_native(frame, eager_only=True)
    except nw.exceptions.DuplicateError:
        raise RecordError(Fault("frame", 0, "", "columns of the same name", "one of each name")) from None


def rows_of(frame: object) -> Iterator[Row]:
    """Rows of a frame.

    Raises
    ------
    RecordError
        If two columns have the same name.
    """
    for number, row in enumerate(_opened(frame).iter_rows(named=True), start=1):
        yield row_of(row, number)


def row_of(row: Mapping[str, Any], number: int) -> Row:
    """Non-missing fields of a row or mapping, with its path, or its number where it has none."""
    fields = {str(name): value for name, value in row.items() if not is_missing(value)}
    path = str(fields.pop("path", "-"))
    return fields, path, number if path == "-" else 0


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
