"""Read an archive as a data frame."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from scoring.api.inputs import AnyRecords, OnError, PathLike, field_map_of, read_documents_of
from scoring.extras import naming_extras
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.frame_rows import PATH
from scoring.records.record import Document, Labels, Record, archive_name

if TYPE_CHECKING:
    import pandas as pd

_FIELDS = [archive_name(name) for name in Record.__struct_fields__]
_LABEL_DTYPES = {"quality": "Int64", "heat": "Int64", "published": "boolean"}


@naming_extras("frames")
def read_frame(
    records: AnyRecords, *, fields: PathLike | FieldMap | None = None, on_error: OnError = "raise"
) -> pd.DataFrame:
    """Read records as a pandas frame, one record per row; all functions take such a frame as records.

    Parameters
    ----------
    records : DataFrame, path, document, record, mapping, or iterable of these
        As in :func:`read_records`.
    fields : path or FieldMap, optional
        Field map of all records, as in :func:`read_records`. The columns always have scoring's own names.
    on_error : {"raise", "warn"} or callable
        As in :func:`read_records`.

    Returns
    -------
    DataFrame of shape (n_records, n_fields)
        ``path``; the fields by the names of the front matter: texts, dates (UTC), and lists and objects for
        ``provider``, ``topics``, ``images`` and ``related``; and the labels ``quality``, ``heat`` and
        ``published``, NA if a record has none. Counts of the text below the front matter are left out.

    Raises
    ------
    RecordError
        As in :func:`read_records`.

    Examples
    --------
    >>> frame = read_frame([{"title": "Rain", "quality": 40}, {"title": "Snow"}])
    >>> frame["title"].tolist(), frame["quality"].isna().tolist()
    (['Rain', 'Snow'], [False, True])
    """
    import pandas as pd

    documents = read_documents_of(records, on_error, given=field_map_of(fields))
    rows = [_row(document) for document in documents]
    frame = pd.DataFrame(rows, columns=[PATH, *_FIELDS, *Labels.__struct_fields__])
    dates = pd.to_datetime(frame["publishedDateTime"], utc=True)
    return frame.assign(publishedDateTime=dates).astype(_LABEL_DTYPES)


def _row(document: Document) -> dict[str, Any]:
    fields = msgspec.to_builtins(document.record, builtin_types=(datetime,))
    labels = msgspec.structs.asdict(document.labels)
    return {PATH: document.name} | {name: fields[name] for name in _FIELDS if name in fields} | labels
