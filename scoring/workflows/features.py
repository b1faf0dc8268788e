"""Write the feature table of records as a Parquet file; list its columns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from pyarrow import parquet

from scoring.deployment.open_model import open_model
from scoring.errors import FeatureError, naming
from scoring.features.as_of import AsOf
from scoring.features.cache import FeatureCache
from scoring.features.column import Column
from scoring.features.encoding import ALL_COLUMNS
from scoring.features.extraction import read_features
from scoring.features.parquet_schema import FEATURE_SCHEMA, feature_tables
from scoring.features.sections import FIRST_TOPIC, SectionRule, rule_named
from scoring.progress import SILENT, Reporter
from scoring.records.field_map_lookup import FieldMaps
from scoring.records.files import OnFault
from scoring.settings import Settings


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
        Parquet file: ``path``, the texts, ``topics``, the numbers (null where missing).
    as_of : datetime or timedelta, optional
        Coverage later than this time (aware UTC, or an age after publication) is ignored, and
        age is measured from it.
    sections : SectionRule or callable
        How the section of each record is found: see :func:`scoring.features.extraction.read_features`.
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
        scratch_folder = tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent)
        with naming(output), scratch_folder as folder:
            scratch = Path(folder) / output.name
            with parquet.ParquetWriter(scratch, FEATURE_SCHEMA) as writer:
                for batch in feature_tables(records):
                    writer.write_table(batch)
                    n_written += batch.num_rows
            scratch.replace(output)
    except OSError as error:
        raise FeatureError(f"{output}: cannot write the features: {error.strerror or error}") from error
    return n_written


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
