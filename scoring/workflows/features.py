"""Write the feature table of records as a Parquet file; list its columns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from scoring.deployment.open_model import open_model
from scoring.errors import FeatureError, naming
from scoring.extras import require
from scoring.features.as_of import AsOf
from scoring.features.cache import FeatureCache
from scoring.features.column import Column
from scoring.features.encoding import ALL_COLUMNS
from scoring.features.reading import read_features
from scoring.features.sections import FIRST_TOPIC, SectionRule, rule_named
from scoring.progress import SILENT, Reporter
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.files import OnFault
from scoring.settings import Settings
from scoring.storage.remote_output import output_file
from scoring.storage.urls import name_of

if TYPE_CHECKING:
    import pyarrow as pa


def catalogue() -> tuple[Column, ...]:
    """All columns: those of the table, and those that a model learns from the training data."""
    return ALL_COLUMNS


def write_features(
    paths: Sequence[str],
    *,
    output: Path,
    as_of: AsOf = None,
    sections: SectionRule | Callable[[], SectionRule] = FIRST_TOPIC,
    field_maps: FieldMaps | None = None,
    n_processes: int = 1,
    cache: FeatureCache | None = None,
    stdin: BinaryIO | None = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> int:
    """Write the feature table of records; the file is replaced atomically.

    Parameters
    ----------
    paths : sequence of str
        Files, folders, globs or ``-``: see :func:`scoring.records.corpus.read_documents`.
    output : Path
        Parquet file: ``path``, the texts, ``topics``, the numbers (null where missing), and those of bodies
        if a record has one.
    as_of : datetime or timedelta, optional
        Coverage later than this time (aware UTC, or an age after publication) is ignored, and
        age is measured from it.
    sections : SectionRule or callable
        How the section of each record is found: see :func:`scoring.features.reading.read_features`.
    field_maps : FieldMaps, optional
        Field maps of the files; default: those of their archives.
    n_processes : int
        Maximum number of reader processes.
    cache : FeatureCache, optional
        Cache of the features of records that were read before.
    stdin, on_fault, reporter
        Input of ``-``; callback for unusable records; receiver of progress.

    Returns
    -------
    int
        Number of written records.

    Raises
    ------
    FeatureError
        If the file cannot be written.
    """
    require("parquet")
    from scoring.features.parquet_schema import feature_tables

    def report_progress(done: int, total: int) -> None:
        reporter.step("features", done, total)

    records = read_features(
        paths,
        as_of=as_of,
        sections=sections,
        field_maps=field_maps,
        n_processes=n_processes,
        cache=cache,
        stdin=stdin,
        on_fault=on_fault,
        on_progress=report_progress,
    )
    n_written = 0
    try:
        with output_file(output) as file:
            scratch_folder = tempfile.TemporaryDirectory(prefix=f".{file.name}-", dir=file.parent)
            with naming(file), scratch_folder as folder:
                scratch, n_written = _write(feature_tables(records), Path(folder) / file.name)
                scratch.replace(file)
    except OSError as error:
        raise FeatureError(
            f"{name_of(output)}: cannot write the features: {error.strerror or error}"
        ) from error
    return n_written


def _write(batches: Iterator[pa.Table], file: Path) -> tuple[Path, int]:
    """Write batches, and the columns of bodies from the first one on that has them; return file and rows.

    What was written before is copied, so that the columns are there only if a record has a body.
    """
    from pyarrow import parquet

    from scoring.features.parquet_schema import BODY_SCHEMA, FEATURE_SCHEMA, with_body_columns

    n_written = 0
    first_with_body = None
    with parquet.ParquetWriter(file, FEATURE_SCHEMA) as writer:
        for batch in batches:
            if batch.schema != FEATURE_SCHEMA:
                first_with_body = batch
                break
            writer.write_table(batch)
            n_written += batch.num_rows
    if first_with_body is None:
        return file, n_written
    earlier = parquet.ParquetFile(file)
    copies = map(earlier.read_row_group, range(earlier.num_row_groups))
    wider = file.with_name("with bodies")
    n_written = 0
    with parquet.ParquetWriter(wider, BODY_SCHEMA) as writer, earlier:
        for batch in chain(copies, [first_with_body], batches):
            writer.write_table(with_body_columns(batch))
            n_written += batch.num_rows
    return wider, n_written


def section_rule(model: str | None, settings: Settings, reporter: Reporter = SILENT) -> SectionRule:
    """Rule of sections: that of the model; without a model that of the settings, else the first topic.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    """
    if model is not None:
        return open_model(model, settings, reporter, is_whole=False).scorer.sections
    rule = rule_named(settings.section)
    if rule is None:
        reporter.note(
            "section of each record: its first topic; --model uses the sections that a model learned"
        )
    return rule or FIRST_TOPIC
