"""Score records or extract features on a Dask cluster, into a partitioned data set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from scoring.artifact.model_folder import ModelFiles
from scoring.deployment.resolve_model import resolve
from scoring.distributed.fault_log import FaultLines
from scoring.distributed.output_dataset import DataSet, Done, Format, Job, Kind
from scoring.distributed.partitions import Partition, count_lines, number_lines, plan
from scoring.distributed.storage import Found, absolute, find
from scoring.errors import RecordError
from scoring.extras import require
from scoring.features.as_of import AsOf
from scoring.features.cache import code_version
from scoring.features.sections import FIRST_TOPIC, SectionRule
from scoring.progress import SILENT, Reporter
from scoring.records.field_maps.lookup import FieldMaps, field_maps_of
from scoring.records.files import OnFault
from scoring.settings import Settings

if TYPE_CHECKING:
    from scoring.distributed.cluster import Cluster

PARTITION_MB = 64


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Options of work on a cluster.

    Parameters
    ----------
    scheduler : str
        Address of a Dask scheduler, or ``local`` for one worker process per thread of the settings.
    partition_mb : int
        Size of a partition; MB, >= 1.
    """

    scheduler: str
    partition_mb: int = PARTITION_MB


class ClusterOutcome(msgspec.Struct, frozen=True):
    """Result of a job on a cluster.

    Parameters
    ----------
    output : str
        Folder or address of the data set.
    n_records, n_faults : int
        Written and unusable records.
    n_partitions, n_done_before : int
        All partitions, and those that an earlier run had finished.
    """

    output: str
    n_records: int
    n_faults: int
    n_partitions: int
    n_done_before: int


@contextmanager
def opened(place: ClusterOptions, settings: Settings) -> Iterator[Cluster]:
    """Connect to a cluster, or start a local one.

    Raises
    ------
    ScoringError
        If Dask is not installed, or no scheduler or worker can be reached.
    """
    require("dask")
    from scoring.distributed import cluster

    with cluster.opened(place.scheduler, n_processes=settings.threads) as connection:
        yield connection


def score_on_cluster(
    paths: Sequence[str],
    *,
    output: str,
    form: Format,
    place: ClusterOptions,
    model: str | None = None,
    settings: Settings,
    as_of: AsOf = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> ClusterOutcome:
    """Score records on the workers of a cluster.

    Parameters
    ----------
    paths : sequence of str
        Folders, files or addresses: see :func:`scoring.distributed.storage.find`.
    output : str
        Folder or address of the data set: new, empty, or of the same job, which is then resumed.
    form : str
        ``jsonl`` or ``parquet``.
    place : ClusterOptions
        The cluster.
    model : str, optional
        See :func:`scoring.deployment.resolve_model.resolve`.
    settings : Settings
        Home and store.
    as_of : datetime or timedelta, optional
        See :func:`scoring.workflows.score.score`.
    on_fault, reporter
        Callback for unusable records, in order; receiver of progress.

    Returns
    -------
    ClusterOutcome

    Raises
    ------
    RecordError
        If a path has no records.
    ModelError, TrackingError
        If the model cannot be used.
    ScoringError
        If the cluster or a store cannot be used, or the output has other content.
    """
    require("dask")
    loaded = resolve(model, settings, is_whole=False, reporter=reporter)
    scorer = loaded.saved.scorer
    if scorer.models.leaders is not None and scorer.models.leaders.is_rule:
        reporter.note(
            "each record is scored by itself on a cluster: several records that list each other may lead"
        )
    return _run_job(
        paths,
        "scores",
        form,
        output,
        place,
        settings,
        as_of,
        on_fault,
        reporter,
        model=(loaded.saved.name, loaded.files),
        sections=scorer.sections,
        field_maps=field_maps_of(paths, settings).with_model_map(scorer.field_map),
    )


def features_on_cluster(
    paths: Sequence[str],
    *,
    output: str,
    place: ClusterOptions,
    settings: Settings,
    as_of: AsOf = None,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> ClusterOutcome:
    """Write the feature table of records as a Parquet data set; see :func:`score_on_cluster`."""
    field_maps = field_maps_of(paths, settings)
    return _run_job(
        paths,
        "features",
        "parquet",
        output,
        place,
        settings,
        as_of,
        on_fault,
        reporter,
        field_maps=field_maps,
    )


def mapped(files: Iterable[Found], field_maps: FieldMaps) -> Iterator[Found]:
    """Yield files with their field maps."""
    return (file._replace(field_map=field_maps.of(file.path)) for file in files)


def _run_job(
    paths: Sequence[str],
    kind: Kind,
    form: Format,
    output: str,
    place: ClusterOptions,
    settings: Settings,
    as_of: AsOf,
    on_fault: OnFault,
    reporter: Reporter,
    *,
    model: tuple[str, ModelFiles] | None = None,
    sections: SectionRule = FIRST_TOPIC,
    field_maps: FieldMaps,
) -> ClusterOutcome:
    require("dask")
    dataset = DataSet(absolute(output))
    partitions = plan(mapped(find(paths), field_maps), place.partition_mb * 10**6)
    job = Job(
        kind=kind,
        format=form,
        model=model[0] if model else None,
        model_sha256=model[1].sha256 if model else None,
        code_sha256=code_version().hex(),
        as_of="" if as_of is None else str(as_of),
        partition_bytes=place.partition_mb * 10**6,
        n_partitions=len(partitions),
        inputs_sha256=hashlib.sha256(
            "".join(partition.sha256 for partition in partitions).encode()
        ).hexdigest(),
    )
    with opened(place, settings) as cluster:
        from scoring.distributed.tasks import Work

        dataset.begin(job)
        with cluster.with_model(model[1]) if model else nullcontext():
            partitions = number_lines(partitions, partial(cluster.each, count_lines, name="count lines"))
            results = cluster.each(Work(dataset, job, as_of, sections), partitions, name=kind)
            outcome = _gather(dataset, job, partitions, results, on_fault, reporter)
    return msgspec.structs.replace(outcome, output=output)


def _gather(
    dataset: DataSet,
    job: Job,
    partitions: Sequence[Partition],
    results: Iterator[tuple[Done, bool]],
    on_fault: OnFault,
    reporter: Reporter,
) -> ClusterOutcome:
    """Collect the result of each partition in order, then close the data set."""
    parts: list[Done] = []
    fault_positions = FaultLines()
    fault_lines = bytearray()
    n_faults = n_done_before = 0
    reporter.step(job.kind, 0, len(partitions))
    for partition, (done, was_done) in zip(partitions, results, strict=True):
        n_done_before += was_done
        for error in fault_positions.faults(partition, done.extents, done.faults):
            n_faults += 1
            on_fault(error)
            fault_lines += _fault_lines(error)
        parts.append(msgspec.structs.replace(done, faults=(), extents=()))
        reporter.step(job.kind, len(parts), len(partitions))
    dataset.close(job, partitions, parts, bytes(fault_lines), n_faults)
    n_records = sum(done.n_rows for done in parts)
    return ClusterOutcome(dataset.url, n_records, n_faults, len(parts), n_done_before)


def _fault_lines(error: RecordError) -> bytes:
    return b"".join(msgspec.json.encode(fault) + b"\n" for fault in error.faults)
