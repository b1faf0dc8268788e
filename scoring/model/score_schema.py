"""Arrow schema of scores, for Parquet files."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pyarrow as pa

from scoring.model.score import Score, kind_of

_TYPES: dict[str, pa.DataType] = {
    "str": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
}
SCORE_SCHEMA = pa.schema(
    [(name, _TYPES.get(kind_of(name), pa.list_(pa.string()))) for name in Score.__struct_fields__]
)


def score_table(scores: Iterable[Score]) -> pa.Table:
    """Arrow table of scores with :data:`SCORE_SCHEMA`."""
    return pa.Table.from_pylist([msgspec.to_builtins(score) for score in scores], SCORE_SCHEMA)
