"""Read the rows of CSV and Parquet files, as JSON objects by column."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

import msgspec

from scoring.errors import Fault, RecordError
from scoring.extras import install_command
from scoring.records.forms.front_matter import MAX_BYTES
from scoring.storage.regular_files import open_regular

if TYPE_CHECKING:
    import pyarrow as pa

EXTENSIONS = (".csv", ".parquet")
"""Extensions of tables, in lower case."""

_SEPARATORS = ",;\t|"
_BATCH_ROWS = 1000
_UNDECODABLE = re.compile("[\udc80-\udcff]")  # bytes that are not UTF-8, as Python keeps them


def is_table(path: str) -> bool:
    """Whether a file is a table by its extension, in any case.

    Examples
    --------
    >>> is_table("news/a.csv"), is_table("a.Parquet"), is_table("a.jsonl")
    (True, True, False)
    """
    return path.lower().endswith(EXTENSIONS)


def read_rows(path: str) -> Iterator[tuple[int, bytes | RecordError]]:
    """Read the rows of a table, a batch at a time.

    A CSV file is in UTF-8, its first row has the names of the columns, and the separator is the most frequent
    of comma, semicolon, tab and ``|`` in that row. Each cell is text; an empty one is missing.

    Parameters
    ----------
    path : str
        A CSV or Parquet file.

    Yields
    ------
    tuple of int and (bytes or RecordError)
        Number of the row, and a JSON object by column. In a CSV file the first record is row 2, as
        spreadsheets count; in a Parquet file it is row 1. A fault of the whole file is row 0, and ends it.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    try:
        yield from _read_parquet(path) if path.lower().endswith(".parquet") else _read_csv(path)
    except RecordError as error:
        yield 0, error


def column_names(path: str) -> tuple[str, ...]:
    """Names of the columns of a table; none if it cannot be read, which is a fault once its rows are."""
    try:
        if path.lower().endswith(".parquet"):
            import pyarrow.parquet as pq

            with open(open_regular(path)[0], "rb") as handle:
                return tuple(pq.ParquetFile(handle).schema_arrow.names)
        with open(open_regular(path)[0], encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            separator = _separator(file)
            return tuple(cell.strip() for cell in next(csv.reader(file, delimiter=separator), ()))
    except (OSError, ModuleNotFoundError, ValueError, csv.Error):  # ArrowInvalid is a ValueError
        return ()


def _separator(handle: TextIO) -> str:
    """The most frequent separator of the first row, before which the file then stands."""
    header = handle.readline(MAX_BYTES)
    handle.seek(0)
    return max(_SEPARATORS, key=header.count)


def _read_csv(path: str) -> Iterator[tuple[int, bytes | RecordError]]:
    with open(open_regular(path)[0], encoding="utf-8-sig", errors="surrogateescape", newline="") as handle:
        separator = _separator(handle)
        csv.field_size_limit(MAX_BYTES)  # of the process; the default is less than some texts have
        reader = csv.reader(_lines(handle, path), delimiter=separator, strict=True)
        names: list[str] = []
        number = 0
        while True:
            number += 1
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                yield number, _fault(path, number, f"a row that does not parse ({error})", "a row of CSV")
                continue
            if not names:
                names = _checked_names(cells, path)
            elif any(cells):
                yield number, _csv_row(names, cells, path, number)
        if number == 1:
            raise _fault(path, 0, "no row", "a row with the names of the columns, and one row per record")


def _lines(handle: TextIO, path: str) -> Iterator[str]:
    while line := handle.readline(MAX_BYTES):
        if len(line) == MAX_BYTES:
            raise _fault(path, 0, f"a line of {MAX_BYTES:,} characters or more", "shorter lines of CSV")
        yield line


def _checked_names(cells: Sequence[str], path: str) -> list[str]:
    """Names of the columns, from the first row."""
    names = [cell.strip() for cell in cells]
    repeated = next((name for name in names if name and names.count(name) > 1), None)
    if repeated is not None:
        raise _fault(path, 1, "a repeated column", "one column of each name", repeated)
    if not any(names):
        raise _fault(path, 1, "an empty first row", "the names of the columns")
    if _UNDECODABLE.search("".join(names)):
        raise _fault(path, 1, "bytes that are not UTF-8", "a CSV file in UTF-8")
    return names


def _csv_row(names: Sequence[str], cells: Sequence[str], path: str, number: int) -> bytes | RecordError:
    if len(cells) != len(names):
        return _fault(
            path, number, f"a row of length {len(cells)}", f"{len(names)} cells, as in the first row"
        )
    fields = {name: cell for name, cell in zip(names, cells, strict=True) if name and cell}
    return _encoded(fields, path, number)


def _encoded(fields: dict[str, object] | dict[str, str], path: str, number: int) -> bytes | RecordError:
    try:
        return msgspec.json.encode(fields)
    except UnicodeEncodeError:
        names = (name for name, value in fields.items() if _UNDECODABLE.search(str(value)))
        return _fault(path, number, "bytes that are not UTF-8", "text in UTF-8", next(names, ""))
    except (TypeError, ValueError) as error:
        return _fault(path, number, f"a value without a form in JSON ({error})", "text, numbers and lists")


def _read_parquet(path: str) -> Iterator[tuple[int, bytes | RecordError]]:
    try:
        import pyarrow as pa  # few records need it
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        expected = f"the package pyarrow: {install_command('parquet')}"
        raise _fault(path, 0, "a Parquet file", expected) from None

    number = 0
    with open(open_regular(path)[0], "rb") as handle:
        try:
            for batch in pq.ParquetFile(handle).iter_batches(_BATCH_ROWS):
                for row in _to_microseconds(batch).to_pylist():
                    number += 1
                    fields = {name: _as_text(value) for name, value in row.items() if value is not None}
                    yield number, _encoded(fields, path, number)
        except (pa.ArrowException, OSError) as error:
            problem = str(error).partition("\n")[0]
            raise _fault(path, number + 1 if number else 0, f"no Parquet ({problem})", "Parquet") from None


def _to_microseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch without nanoseconds, which Python's times do not have."""
    import pyarrow as pa

    columns = [
        column.cast(pa.timestamp("us", column.type.tz), safe=False)
        if pa.types.is_timestamp(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _as_text(value: object) -> object:
    """Bytes as text, since some programs write texts without their type."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _fault(path: str, row: int, got: str, expected: str, field: str = "") -> RecordError:
    return RecordError(Fault(path, row, field, got, expected))
