"""Arrow schema and batches of the feature table, for Parquet files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import pyarrow as pa

from scoring.features.extraction import Extracted
from scoring.features.table import BODY_NAMES, NUMBER_NAMES, TEXT_NAMES, assemble

BATCH = 2048
FEATURE_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        *((name, pa.string()) for name in TEXT_NAMES),
        ("topics", pa.list_(pa.string())),
        *((name, pa.float64()) for name in NUMBER_NAMES),
    ]
)
BODY_SCHEMA = pa.schema([*FEATURE_SCHEMA, *((name, pa.float64()) for name in BODY_NAMES)])
"""Schema of features where a record has a body."""


def feature_tables(records: Iterable[Extracted]) -> Iterator[pa.Table]:
    """Convert features to tables in batches; missing values are null.

    Parameters
    ----------
    records : iterable of Extracted
        Features from :func:`scoring.features.reading.read_features`.

    Yields
    ------
    pyarrow.Table
        Of :data:`FEATURE_SCHEMA`; of :data:`BODY_SCHEMA` if a record of the batch has a body.
    """
    remaining = iter(records)
    while batch := list(islice(remaining, BATCH)):
        table = assemble([record.row for record in batch])
        names = (*NUMBER_NAMES, *BODY_NAMES) if table.has_bodies else NUMBER_NAMES
        yield pa.table(
            [
                pa.array([record.path for record in batch]),
                *(pa.array([text or None for text in table.text(name)], pa.string()) for name in TEXT_NAMES),
                pa.array([list(topics) for topics in table.topics], pa.list_(pa.string())),
                *(pa.array(table.number(name), from_pandas=True) for name in names),
            ],
            schema=BODY_SCHEMA if table.has_bodies else FEATURE_SCHEMA,
        )


def of_one_schema(tables: Iterable[pa.Table]) -> list[pa.Table]:
    """Return tables of :func:`feature_tables` with the columns of bodies in all if one has them."""
    tables = list(tables)
    has_bodies = any(table.schema != FEATURE_SCHEMA for table in tables)
    return list(map(with_body_columns, tables)) if has_bodies else tables


def with_body_columns(table: pa.Table) -> pa.Table:
    """Return a table of :data:`BODY_SCHEMA`, with null where its records have no body."""
    for name in BODY_NAMES[len(table.schema) - len(FEATURE_SCHEMA) :]:
        table = table.append_column(name, pa.nulls(len(table), pa.float64()))
    return table
