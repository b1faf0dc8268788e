"""Features: the table of records as a Parquet file, and what its columns mean."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from pyarrow import parquet

from scoring.errors import FeatureError, naming
from scoring.features.as_of import AsOf
from scoring.features.cache import FeatureCache
from scoring.features.column import Column
from scoring.features.encoding import ALL_COLUMNS
from scoring.features.extraction import read_features
from scoring.features.parquet_schema import FEATURE_SCHEMA, feature_tables
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import OnFault


def catalogue() -> tuple[Column, ...]:
    """Every column: those of the table, and those that a model learns beside them."""
    return ALL_COLUMNS


def write_features(
    paths: Sequence[str],
    *,
    output: Path,
    as_of: AsOf = None,
    n_processes: int = 1,
    cache: FeatureCache | None = None,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> int:
    """Write the feature table of records; the file is replaced whole or not at all.

    Parameters
    ----------
    paths : sequence of str
        As :func:`scoring.records.corpus.read_documents` takes them.
    output : Path
        Parquet file: ``path``, the texts, ``topics``, the numbers (null where missing).
    as_of : datetime or timedelta, optional
        Coverage newer than this moment (aware UTC, or so long after publication) is unseen, and
        age is measured from it.
    n_processes : int
        How many read, where there is enough to do.
    cache : FeatureCache, optional
        Where features of records that were read before are kept.
    stdin, on_fault, reporter
        What ``-`` reads, who hears of bad records, who hears of progress.

    Returns
    -------
    int
        Records written.

    Raises
    ------
    FeatureError
        If the file cannot be written.
    """

    def tell(done: int, total: int) -> None:
        reporter.step("features", done, total)

    records = read_features(
        paths,
        as_of=as_of,
        n_processes=n_processes,
        cache=cache,
        stdin=stdin,
        on_fault=on_fault,
        on_progress=tell,
    )
    count = 0
    try:
        scratch_folder = tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent)
        with naming(output), scratch_folder as folder:
            scratch = Path(folder) / output.name
            with parquet.ParquetWriter(scratch, FEATURE_SCHEMA) as writer:
                for batch in feature_tables(records):
                    writer.write_table(batch)
                    count += batch.num_rows
            scratch.replace(output)
    except OSError as error:
        raise FeatureError(f"{output}: cannot write the features: {error.strerror or error}") from error
    return count
