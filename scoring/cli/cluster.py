"""Options and runs of the commands that can work on a Dask cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scoring.cli import options
from scoring.cli.console import Terminal

if TYPE_CHECKING:
    from scoring.workflows.cluster import ClusterOptions, ClusterOutcome

Dask = Annotated[
    str | None,
    typer.Option(
        metavar="SCHEDULER",
        help="Run on a Dask cluster: the address of its scheduler, such as tcp://HOST:8786, or local.",
    ),
]
PartitionMb = Annotated[
    int | None,
    typer.Option(min=1, metavar="MB", help="With --dask: size of an input partition. Default: 64."),
]


def cluster_options(dask: str | None, partition_mb: int | None) -> ClusterOptions | None:
    """Cluster options of a command; None without ``--dask``."""
    if dask is None:
        if partition_mb is not None:
            raise typer.BadParameter("--partition-mb requires --dask")
        return None
    if dask.startswith("-"):
        raise typer.BadParameter(f"--dask: got {dask!r}, expected the address of a scheduler, or local")
    from scoring.workflows.cluster import PARTITION_MB, ClusterOptions

    return ClusterOptions(dask, partition_mb or PARTITION_MB)


def score(
    terminal: Terminal,
    paths: list[str],
    cluster: ClusterOptions,
    *,
    output: str | None,
    form: options.ScoreFormat | None,
    tracking_uri: str | None,
    coverage: options.CoverageSource | None,
    fields: Path | None,
    **workflow_options: Any,
) -> None:
    """Score records on a cluster."""
    from scoring.workflows.cluster import score_on_cluster
    from scoring.workflows.coverage import refuse_on_cluster

    settings = options.settings_of(terminal, tracking_uri=tracking_uri, coverage=coverage, fields=fields)
    refuse_on_cluster(settings)
    formats = options.ScoreFormat
    form = form or formats.__members__.get((output or "").rpartition(".")[2], formats.jsonl)
    if output is None or form not in (formats.jsonl, formats.parquet):
        raise typer.BadParameter("--dask requires --output, and --format jsonl or parquet")
    outcome = score_on_cluster(
        paths,
        output=output,
        form="parquet" if form is formats.parquet else "jsonl",
        place=cluster,
        settings=settings,
        on_fault=terminal.on_fault,
        reporter=terminal,
        **workflow_options,
    )
    _report(terminal, outcome, "scores")


def features(
    terminal: Terminal,
    paths: list[str],
    cluster: ClusterOptions,
    *,
    fields: Path | None,
    **workflow_options: Any,
) -> None:
    """Write the feature table of records on a cluster."""
    from scoring.workflows.cluster import features_on_cluster

    outcome = features_on_cluster(
        paths,
        place=cluster,
        settings=options.settings_of(terminal, fields=fields),
        on_fault=terminal.on_fault,
        reporter=terminal,
        **workflow_options,
    )
    _report(terminal, outcome, "records")


def _report(terminal: Terminal, outcome: ClusterOutcome, unit: str) -> None:
    parts = f"{outcome.n_partitions} partition" + "s" * (outcome.n_partitions != 1)
    before = f", {outcome.n_done_before} of them done before" if outcome.n_done_before else ""
    terminal.note(f"{outcome.output}: {outcome.n_records} {unit} in {parts}{before}")
