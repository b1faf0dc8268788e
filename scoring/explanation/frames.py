"""Frames of scores, contributions and features, of the same kind as the frame of the records."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from scoring.errors import RecordError
from scoring.explanation.results import Explanation
from scoring.features.table import TEXT_NAMES
from scoring.model.score import Score, kind_of
from scoring.records.record import Document

if TYPE_CHECKING:
    import narwhals as nw
    import pyarrow as pa

ERROR = "error"
"""Column with the fault of a record that cannot be used; null for all other records."""

REASON_KINDS = {
    "row": "row",
    "path": "str",
    "target": "str",
    "feature": "str",
    "text": "str",
    "contribution": "float",
}
"""Columns of the frame of contributions, with their types."""

BASE, REST = "(base)", "(rest)"
"""Rows of a target besides its features: the base value, and the rest of the score."""

_REST_TEXTS = {
    "quality": "rounding to a whole number",
    "lead": "other qualities that the record may have, and rules of its section",
    "heat": "rounding, or the effect that another record leads",
    "published": "other qualities that the record may have, and rules of its section",
}
_LEAST = 5e-5  # replaces a probability of 0, which is rounded to four digits

_KINDS = ("int", "float", "bool", "str", "list")
_PANDAS_TYPES = {"row": "int64", "int": "Int64", "bool": "boolean"}  # the same with and without nulls

Result = Score | RecordError
Explained = Explanation | RecordError


def score_frame(results: Sequence[Result], like: nw.DataFrame[Any]) -> Any:
    """Write scores to a frame of the same kind as `like`, with its index.

    Parameters
    ----------
    results : sequence of Score or RecordError
        One result per row.
    like : narwhals DataFrame of shape (n_results, n_fields)
        Frame of the records.

    Returns
    -------
    DataFrame of shape (n_results, n_score_fields + 1)
        The fields of a score, and ``error``, which is null for a record that was scored. Scores that the
        model does not give, and all scores of a record that cannot be used, are null. The type of a column
        does not depend on the data: in pandas, whole numbers are ``Int64``, and booleans ``boolean``.
        Warnings are joined by ``"; "``.
    """
    columns: dict[str, list[Any]] = {}
    kinds = {}
    for name in Score.__struct_fields__:
        kind = kind_of(name)
        kinds[name] = kind if kind in _KINDS else "str"
        columns[name] = [_field(result, name) for result in results]
    kinds[ERROR] = "str"
    columns[ERROR] = [str(result) if isinstance(result, RecordError) else None for result in results]
    return _frame(columns, kinds, like, list(range(len(results))))


def _field(result: Result, name: str) -> object:
    if isinstance(result, RecordError):
        return result.faults[0].location if name == "path" else None
    value = getattr(result, name)
    return "; ".join(value) if isinstance(value, tuple) else value


def reason_frame(explanations: Sequence[Explained], like: nw.DataFrame[Any]) -> Any:
    """Write contributions to a long frame of the same kind as `like`, with the index of each record.

    Parameters
    ----------
    explanations : sequence of Explanation or RecordError
        One result per row.
    like : narwhals DataFrame of shape (n_records, n_fields)
        Frame of the records.

    Returns
    -------
    DataFrame of shape (n_contributions, 7)
        ``row`` is the number of the record, from 0. For each record and target, the contributions add up to
        the score: the quality or heat in points, or the lead or published probability in log-odds. A record
        that cannot be used has one row, with its ``error``.
    """
    rows: list[tuple[Any, ...]] = []
    for row, explanation in enumerate(explanations):
        rows += ((row, *cells) for cells in reasons_of(explanation))
    names = (*REASON_KINDS, ERROR)
    columns = {name: [cells[index] for cells in rows] for index, name in enumerate(names)}
    return _frame(columns, REASON_KINDS | {ERROR: "str"}, like, columns["row"])


def reasons_of(explanation: Explained) -> Iterator[tuple[Any, ...]]:
    """Cells of each contribution, without the number of the row."""
    if isinstance(explanation, RecordError):
        yield explanation.faults[0].location, None, None, None, None, str(explanation)
        return
    path = explanation.score.path
    for target, reasons in explanation.reasons.items():
        base = explanation.base[target]
        yield path, target, BASE, "value for a typical record", base, None
        for reason in reasons:
            yield path, target, reason.feature, reason.text, reason.contribution, None
        rest = value_of(explanation.score, target) - base - sum(reason.contribution for reason in reasons)
        yield path, target, REST, _REST_TEXTS[target], rest, None


def value_of(score: Score, target: str) -> float:
    """Score of a target, to which its contributions add up: points or log-odds."""
    if target in ("quality", "heat"):
        return float(getattr(score, target))
    probability = min(max(float(getattr(score, f"{target}_probability")), _LEAST), 1 - _LEAST)
    return math.log(probability / (1 - probability))


def feature_frame(table: pa.Table, read: Sequence[Document | RecordError], like: nw.DataFrame[Any]) -> Any:
    """Write features to a frame of the same kind as `like`, with its index.

    Parameters
    ----------
    table : pyarrow.Table of shape (n_documents, n_features)
        Features of the documents, from :func:`scoring.features.parquet_schema.feature_tables`.
    read : sequence of Document or RecordError
        Result of reading each row.
    like : narwhals DataFrame of shape (n_records, n_fields)
        Frame of the records.

    Returns
    -------
    DataFrame of shape (n_records, n_features + 1)
        The features, which are null for a record that cannot be used, and ``error``.
    """
    rows = iter(range(len(table)))
    taken = [None if isinstance(item, RecordError) else next(rows) for item in read]
    columns = {
        name: [None if row is None else values[row] for row in taken]
        for name, values in table.to_pydict().items()
    }
    kinds = dict.fromkeys(table.column_names, "float")
    kinds |= dict.fromkeys(("path", *TEXT_NAMES), "str") | {"topics": "list", ERROR: "str"}
    columns["path"] = [item.name if isinstance(item, Document) else item.faults[0].location for item in read]
    columns[ERROR] = [str(item) if isinstance(item, RecordError) else None for item in read]
    return _frame(columns, kinds, like, list(range(len(read))))


def _frame(
    columns: dict[str, list[Any]], kinds: dict[str, str], like: nw.DataFrame[Any], rows: list[int]
) -> Any:
    """A native frame of these columns, with the index of these rows of `like`."""
    import narwhals as nw

    if like.implementation.is_pandas_like():
        namespace = like.implementation.to_native_namespace()
        index = nw.to_native(like).index[rows]
        arrays = {name: _pandas_column(values, kinds[name], namespace) for name, values in columns.items()}
        return namespace.DataFrame(arrays, index=index, columns=list(columns))
    types: dict[str, Any] = {
        "row": nw.Int64(),
        "int": nw.Int64(),
        "float": nw.Float64(),
        "bool": nw.Boolean(),
    }
    types |= {"str": nw.String(), "list": nw.List(nw.String())}
    schema = {name: types[kinds[name]] for name in columns}
    return nw.from_dict(columns, schema, backend=like.implementation).to_native()


def _pandas_column(values: list[Any], kind: str, namespace: Any) -> Any:
    if kind == "float":
        return namespace.array(
            [float("nan") if value is None else value for value in values], dtype="float64"
        )
    if kind in _PANDAS_TYPES:
        return namespace.array(values, dtype=_PANDAS_TYPES[kind])
    if kind == "str":
        return namespace.Series(["", *values]).array[1:]  # the type of text, also if all values are missing
    return namespace.Series(values, dtype="object").array
