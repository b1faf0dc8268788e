"""Score and take features on a cluster: records from wherever they are into a data set in parts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from scoring.artifact.model_folder import ModelFiles
from scoring.deployment.resolve_model import resolve
from scoring.distributed.fault_log import FaultLines
from scoring.distributed.output_dataset import DataSet, Done, Format, Job, Kind
from scoring.distributed.partitions import Partition, plan
from scoring.distributed.storage import absolute, find
from scoring.distributed.tasks import Work
from scoring.errors import RecordError, ScoringError
from scoring.features.as_of import AsOf
from scoring.features.cache import code_version
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import OnFault
from scoring.settings import Settings

if TYPE_CHECKING:
    from scoring.distributed.cluster import Cluster

PARTITION_MB = 64


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Where work is done, and in what portions.

    Parameters
    ----------
    scheduler : str
        Address of a Dask scheduler, or ``local`` for as many worker processes as the settings have threads.
    partition_mb : int
        Size of a partition; MB, >= 1.
    """

    scheduler: str
    partition_mb: int = PARTITION_MB


class ClusterOutcome(msgspec.Struct, frozen=True):
    """What was made.

    Parameters
    ----------
    output : str
        The data set.
    n_records, n_faults : int
        Records in it, and those that could not be used.
    n_partitions, n_done_before : int
        Its partitions, and those that an earlier run had finished.
    """

    output: str
    n_records: int
    n_faults: int
    n_partitions: int
    n_done_before: int


@contextmanager
def opened(place: ClusterOptions, settings: Settings) -> Iterator[Cluster]:
    """The cluster of a place, reached or started.

    Raises
    ------
    ScoringError
        If Dask is not installed, or no scheduler or worker is there.
    """
    require_dask()
    from scoring.distributed import cluster

    with cluster.opened(place.scheduler, n_processes=settings.threads) as found:
        yield found


def require_dask() -> None:
    """Tell what to install where Dask, which only a cluster needs, is not there."""
    try:
        from scoring.distributed import cluster  # noqa: F401
    except ImportError:
        raise ScoringError("a cluster needs Dask: pip install 'news-scoring[dask]'") from None


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
        As :func:`scoring.distributed.storage.find` takes them.
    output : str
        Folder or address of the data set: new, empty, or begun by the same job, which then goes on.
    form : str
        ``jsonl`` or ``parquet``.
    place : ClusterOptions
        The cluster.
    model : str, optional
        See :func:`scoring.deployment.resolve_model.resolve`.
    settings : Settings
        Where the store is.
    as_of : datetime or timedelta, optional
        As :func:`scoring.workflows.score.score` takes it.
    on_fault, reporter
        Who hears of bad records, in their order, and of progress.

    Returns
    -------
    ClusterOutcome

    Raises
    ------
    RecordError
        If a path names no record.
    ModelError, TrackingError
        If the model cannot be used.
    ScoringError
        If the cluster or a store cannot be used, or the output holds something else.
    """
    require_dask()
    loaded = resolve(model, settings, is_whole=False, reporter=reporter)
    return _make(
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
    return _make(paths, "features", "parquet", output, place, settings, as_of, on_fault, reporter)


def _make(
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
) -> ClusterOutcome:
    require_dask()
    dataset = DataSet(absolute(output))
    partitions = plan(find(paths), place.partition_mb * 10**6)
    job = Job(
        kind=kind,
        format=form,
        model=model[0] if model else None,
        model_sha256=model[1].sha256 if model else None,
        code_sha256=code_version().hex(),
        as_of="" if as_of is None else str(as_of),
        partition_bytes=place.partition_mb * 10**6,
        n_partitions=len(partitions),
        inputs_sha256=hashlib.sha256("".join(one.sha256 for one in partitions).encode()).hexdigest(),
    )
    with opened(place, settings) as cluster:
        dataset.begin(job)
        with cluster.with_model(model[1]) if model else nullcontext():
            work = cluster.each(Work(dataset, job, as_of), partitions, name=kind)
            made = _gather(dataset, job, partitions, work, on_fault, reporter)
    return msgspec.structs.replace(made, output=output)


def _gather(
    dataset: DataSet,
    job: Job,
    partitions: Sequence[Partition],
    work: Iterator[tuple[Done, bool]],
    on_fault: OnFault,
    reporter: Reporter,
) -> ClusterOutcome:
    """Hear of each partition in its order, then close the data set."""
    parts: list[Done] = []
    lines = FaultLines()
    told = bytearray()
    n_faults = n_done_before = 0
    reporter.step(job.kind, 0, len(partitions))
    for partition, (done, was_done) in zip(partitions, work, strict=True):
        n_done_before += was_done
        for error in lines.faults(partition, done.extents, done.faults):
            n_faults += 1
            on_fault(error)
            told += _fault_lines(error)
        parts.append(msgspec.structs.replace(done, faults=(), extents=()))
        reporter.step(job.kind, len(parts), len(partitions))
    dataset.close(job, partitions, parts, bytes(told), n_faults)
    n_records = sum(done.n_rows for done in parts)
    return ClusterOutcome(dataset.url, n_records, n_faults, len(parts), n_done_before)


def _fault_lines(error: RecordError) -> bytes:
    return b"".join(msgspec.json.encode(fault) + b"\n" for fault in error.faults)
