"""Convert data frames to records and scores to data frames, for the served model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec
import pandas as pd

from scoring.errors import Fault, FeatureError, RecordError
from scoring.explanation.frames import ERROR
from scoring.features.as_of import EXPECTED, parse_as_of
from scoring.model.score import Score
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.frame_rows import row_of
from scoring.records.record import Document
from scoring.records.row_stream import decode_item


def read_rows(frame: pd.DataFrame, field_map: FieldMap | None = None) -> list[Document]:
    """Read records from a data frame with the front matter's names as columns.

    Parameters
    ----------
    frame : DataFrame of shape (n_records, n_fields)
        A missing value is an absent field; nested fields are objects or JSON text; ``path`` is optional.
    field_map : FieldMap, optional
        Which columns hold the fields; None for scoring's own layout.

    Returns
    -------
    list of Document
        One per row, in order.

    Raises
    ------
    RecordError
        With every fault of every row; a row without a path is named ``-`` with its number, from 1.

    Examples
    --------
    >>> rows = pd.DataFrame([{"title": "Rain", "topics": '["Weather"]', "path": "a.md"}])
    >>> read_rows(rows)[0].record.topics
    ('Weather',)
    """
    documents: list[Document] = []
    faults: list[Fault] = []
    for number, row in enumerate(frame.to_dict("records"), start=1):
        try:
            documents.append(decode_item(row_of(row, number), field_map))
        except RecordError as error:
            faults.extend(error.faults)
    if faults:
        raise RecordError(*faults)
    return documents


def read_as_of(text: str | None) -> datetime | timedelta | None:
    """Parse a request's ``as_of``; None if it is empty.

    Raises
    ------
    RecordError
        If :func:`scoring.features.as_of.parse_as_of` cannot parse the text.

    Examples
    --------
    >>> read_as_of("2021-03-04T05:06:07+02:00")
    datetime.datetime(2021, 3, 4, 3, 6, 7, tzinfo=datetime.timezone.utc)
    """
    if not text:
        return None
    try:
        return parse_as_of(text)
    except FeatureError:
        raise RecordError(Fault("-", 0, "as_of", repr(text), EXPECTED)) from None


def write_scores(scores: Iterable[Score]) -> pd.DataFrame:
    """Convert scores to a data frame with one row per score and one column per field; absent scores are None.

    Examples
    --------
    >>> write_scores([]).columns[:2].tolist()
    ['path', 'quality']
    """
    rows = [msgspec.structs.asdict(score) | {"warnings": list(score.warnings)} for score in scores]
    return pd.DataFrame(rows, columns=list(Score.__struct_fields__))


def write_results(
    read: Sequence[Document | RecordError], scores: Iterator[Score], index: pd.Index
) -> pd.DataFrame:
    """Convert what rows were read as, and the scores of the documents, to a data frame with an index.

    It has a column for each field of a score, and ``error``: None, or why the row cannot be used; its scores
    are None then.
    """
    rows = [
        {"path": item.faults[0].location, "warnings": [], ERROR: str(item)}
        if isinstance(item, RecordError)
        else msgspec.structs.asdict(score := next(scores)) | {"warnings": list(score.warnings), ERROR: None}
        for item in read
    ]
    columns = [*Score.__struct_fields__, ERROR]
    return pd.DataFrame({name: _column([row.get(name) for row in rows], index) for name in columns})


def _column(values: list[object], index: pd.Index) -> pd.Series:
    """A column in which a missing value stays None, which JSON has, unlike NaN."""
    return pd.Series(values, index=index, dtype=object if None in values else None)
