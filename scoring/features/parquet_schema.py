"""Arrow schema and batches of the feature table, for Parquet files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import pyarrow as pa

from scoring.features.extraction import Extracted
from scoring.features.table import NUMBER_NAMES, TEXT_NAMES, assemble

BATCH = 2048
FEATURE_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        *((name, pa.string()) for name in TEXT_NAMES),
        ("topics", pa.list_(pa.string())),
        *((name, pa.float64()) for name in NUMBER_NAMES),
    ]
)


def feature_tables(records: Iterable[Extracted]) -> Iterator[pa.Table]:
    """Convert features to tables of :data:`FEATURE_SCHEMA` in batches; missing values are null.

    Parameters
    ----------
    records : iterable of Extracted
        Features from :func:`scoring.features.extraction.read_features`.

    Yields
    ------
    pyarrow.Table
    """
    remaining = iter(records)
    while batch := list(islice(remaining, BATCH)):
        table = assemble([record.row for record in batch])
        yield pa.table(
            [
                pa.array([record.path for record in batch]),
                *(pa.array([text or None for text in table.text(name)], pa.string()) for name in TEXT_NAMES),
                pa.array([list(topics) for topics in table.topics], pa.list_(pa.string())),
                *(pa.array(table.number(name), from_pandas=True) for name in NUMBER_NAMES),
            ],
            schema=FEATURE_SCHEMA,
        )
