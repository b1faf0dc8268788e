"""Queries of the store: runs, registered versions and logged data as plain values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from scoring.errors import TrackingError
from scoring.tracking.metric_names import own_names
from scoring.tracking.store import Store, opened

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PAGE_SIZE = 500
"""Runs that a search returns at once."""
_VERSION = re.compile(r"models:/(?P<name>[^/@]+)(/(?P<number>\d+)|@(?P<alias>[^/@]+))")


class Version(msgspec.Struct, frozen=True):
    """A version of a registered model.

    Parameters
    ----------
    name : str
        The registered model.
    number : int
        Number of the version.
    aliases : tuple of str
        Aliases that point to it.
    tags : dict of str to str
        Tags that its run does not have.
    """

    name: str
    number: int
    aliases: tuple[str, ...]
    tags: dict[str, str] = {}


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Summary of a run.

    Parameters
    ----------
    run_id, name, experiment : str
        Id and name of the run, and name of its experiment.
    kind : str
        ``train``, ``evaluate``, ``backtest``, ``tune``; empty for a run that scoring did not log.
    status : str
        MLflow status: ``FINISHED``, ``FAILED``, ``RUNNING``, ``KILLED``.
    started_at : datetime
        Start time, aware UTC.
    model : str
        Name and version of the trained or evaluated model; empty if there is none.
    versions : tuple of Version
        Registered versions of its model.
    metrics : dict of str to float
        Metrics by name (``quality_mae``), in whichever spelling the run has them; without the curves of a
        training.
    data_sha256 : str
        Hex digest of the records' content.
    git_commit : str
        Commit of the working folder; empty outside a checkout.
    is_dirty : bool or None
        Whether tracked files differed from the commit; None if unknown.
    """

    run_id: str
    name: str
    experiment: str
    kind: str
    status: str
    started_at: datetime
    model: str
    versions: tuple[Version, ...]
    metrics: dict[str, float]
    data_sha256: str
    git_commit: str
    is_dirty: bool | None


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All data of a run.

    Parameters
    ----------
    summary : RunSummary
        What :func:`scoring.tracking.list_runs` gives.
    params, tags : dict of str to str
        Logged parameters and tags.
    data_path : str
        Paths of its records.
    files : tuple of str
        Its artifacts; paths in the run.
    artifact_uri : str
        Stored location of its files, which may have moved since.
    """

    summary: RunSummary
    params: dict[str, str]
    tags: dict[str, str]
    data_path: str
    files: tuple[str, ...]
    artifact_uri: str = ""


def run_of_version(store: Store, spec: str) -> str:
    """Return the run id of a registered version (``models:/NAME/VERSION``, ``models:/NAME@ALIAS``).

    Parameters
    ----------
    store : Store
        The store.
    spec : str
        The version.

    Returns
    -------
    str
        Id of the run.

    Raises
    ------
    TrackingError
        If the store has no such version, or cannot be read.
    """
    match = _VERSION.fullmatch(spec)
    if match is None:
        raise TrackingError(f"model: got {spec!r}, expected models:/NAME/VERSION or models:/NAME@ALIAS")
    with opened(store, f"find the run of {spec}", writes=False) as client:
        if match["alias"]:
            version = client.get_model_version_by_alias(match["name"], match["alias"])
        else:
            version = client.get_model_version(match["name"], match["number"])
    if not version.run_id:
        raise TrackingError(f"{store}: {spec} has no run: name a version that a run registered")
    return str(version.run_id)


def read_run(store: Store, run_id: str) -> RunRecord:
    """Read all data of a run.

    Parameters
    ----------
    store : Store
        The store.
    run_id : str
        The whole id.

    Returns
    -------
    RunRecord
        Summary, parameters, tags, and the list of files.

    Raises
    ------
    TrackingError
        If the store has no such run, or cannot be read.
    """
    with opened(store, f"read run {run_id}", writes=False) as client:
        run = client.get_run(run_id)
        tags = dict(run.data.tags)
        files = tuple(file.path for file in client.list_artifacts(run_id))
        (summary,) = summaries(client, [run], experiment_names(client))
        return RunRecord(
            summary=summary,
            params=dict(run.data.params),
            tags=tags,
            data_path=_data_path(run) or tags.get("data_path", ""),
            files=files,
            artifact_uri=str(run.info.artifact_uri),
        )


def summaries(client: MlflowClient, runs: Iterable[Run], experiments: dict[str, str]) -> list[RunSummary]:
    """Summaries of runs, with their registered versions."""
    chosen = list(runs)
    versions = _versions(client, [str(run.info.run_id) for run in chosen])
    return [_summary(run, experiments, versions) for run in chosen]


def experiment_names(client: MlflowClient) -> dict[str, str]:
    """Names of the active experiments, by id."""
    experiments = pages(lambda token: client.search_experiments(page_token=token))
    return {str(experiment.experiment_id): str(experiment.name) for experiment in experiments}


def _versions(client: MlflowClient, run_ids: list[str]) -> dict[str, tuple[Version, ...]]:
    """Registered versions of runs, by run id; of many runs, those of all other runs too."""
    few = f"run_id IN ({', '.join(map(repr, run_ids))})" if 0 < len(run_ids) <= PAGE_SIZE else None
    entries = list(pages(lambda token: client.search_model_versions(few, page_token=token)))
    if not entries:
        return {}
    models = pages(lambda token: client.search_registered_models(page_token=token))
    aliases: dict[tuple[str, int], list[str]] = {}
    for model in models:
        for alias, number in model.aliases.items():
            aliases.setdefault((model.name, int(number)), []).append(alias)
    versions: dict[str, tuple[Version, ...]] = {}
    for entry in entries:
        number = int(entry.version)
        own_aliases = tuple(sorted(aliases.get((entry.name, number), [])))
        version = Version(str(entry.name), number, own_aliases, dict(entry.tags))
        versions[entry.run_id] = (*versions.get(entry.run_id, ()), version)
    return versions


def pages(search: Callable[[str | None], Any]) -> Iterator[Any]:
    """Yield all results of a paginated search."""
    token = None
    while True:
        page = search(token)
        yield from page
        if not (token := page.token):
            return


def _summary(run: Run, experiments: dict[str, str], versions: dict[str, tuple[Version, ...]]) -> RunSummary:
    tags = run.data.tags
    dirty = tags.get("git_dirty")
    return RunSummary(
        run_id=str(run.info.run_id),
        name=str(run.info.run_name or ""),
        experiment=experiments.get(str(run.info.experiment_id), str(run.info.experiment_id)),
        kind=tags.get("type", ""),
        status=str(run.info.status),
        started_at=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        model=tags.get("model", ""),
        versions=tuple(_with_own_tags(version, tags) for version in versions.get(run.info.run_id, ())),
        metrics=own_names(run.data.metrics),
        data_sha256=tags.get("data_sha256", ""),
        git_commit=tags.get("git_commit", ""),
        is_dirty=None if dirty is None else dirty == "true",
    )


def _with_own_tags(version: Version, tags: Mapping[str, str]) -> Version:
    own = {name: value for name, value in version.tags.items() if tags.get(name) != value}
    return msgspec.structs.replace(version, tags=own)


def _data_path(run: Run) -> str:
    for data_input in run.inputs.dataset_inputs if run.inputs else ():
        return str(json.loads(data_input.dataset.source).get("uri", ""))
    return ""
