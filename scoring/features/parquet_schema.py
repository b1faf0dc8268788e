"""The feature table as Arrow has it, for Parquet files."""

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
    """Features as tables of :data:`FEATURE_SCHEMA`, some records at a time; null where missing.

    Parameters
    ----------
    records : iterable of Extracted
        As :func:`scoring.features.extraction.read_features` gives them.

    Yields
    ------
    pyarrow.Table
    """
    waiting = iter(records)
    while batch := list(islice(waiting, BATCH)):
        table = assemble([one.row for one in batch])
        yield pa.table(
            [
                [one.path for one in batch],
                *([text or None for text in table.text(name)] for name in TEXT_NAMES),
                [list(topics) for topics in table.topics],
                *(pa.array(table.number(name), from_pandas=True) for name in NUMBER_NAMES),
            ],
            schema=FEATURE_SCHEMA,
        )
