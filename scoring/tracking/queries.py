"""Queries of the store: runs, registered versions and logged data as plain values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from scoring.errors import TrackingError
from scoring.tracking.caller_state import PARENT_TAG
from scoring.tracking.metric_names import own_names
from scoring.tracking.store import Store, opened

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_INNER_KINDS = ("", "backtest fold", "trial")  # "" for runs that scoring did not log
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
        What :func:`list_runs` gives.
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


def list_runs(store: Store, experiment: str | None = None) -> list[RunSummary]:
    """List the runs of the store, newest first, without nested runs (folds, trials).

    Parameters
    ----------
    store : Store
        The store; a missing SQLite store has no runs and is not created.
    experiment : str, optional
        Name of the experiment; default is all experiments.

    Returns
    -------
    list of RunSummary
        Without parameters and files: see :func:`read_run`.

    Raises
    ------
    TrackingError
        If the store cannot be read, or has no such experiment.
    """
    if store.database is not None and not store.database.exists():
        return []
    with opened(store, "read its runs", writes=False) as client:
        names = _experiments(client)
        if experiment is not None and experiment not in names.values():
            known = ", ".join(sorted(names.values()))
            raise TrackingError(f"{store}: experiment: got {experiment!r}, expected one of {known}")
        versions = _versions(client)
        chosen = [id_ for id_, name in names.items() if experiment in (None, name)]
        runs = [run for run in _search(client, chosen) if not _is_inner(run)]
        return [_summary(run, names, versions) for run in runs]


def find_run(store: Store, beginning: str) -> str | None:
    """Find a run by the beginning of its id; None if no run matches.

    Parameters
    ----------
    store : Store
        The store; a missing SQLite store is not created.
    beginning : str
        First characters of the id; hexadecimal digits.

    Returns
    -------
    str or None
        The whole id.

    Raises
    ------
    TrackingError
        If several runs match, or the store cannot be read.
    """
    if store.database is not None and not store.database.exists():
        return None
    with opened(store, f"find run {beginning}", writes=False) as client:
        run_ids = [
            str(run.info.run_id)
            for run in _search(client, list(_experiments(client)), f"attributes.run_id LIKE '{beginning}%'")
        ]
    if len(run_ids) > 1:
        raise TrackingError(
            f"{store}: {len(run_ids)} runs start with {beginning!r}: give more digits of the id"
        )
    return run_ids[0] if run_ids else None


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
        return RunRecord(
            summary=_summary(run, _experiments(client), _versions(client)),
            params=dict(run.data.params),
            tags=tags,
            data_path=_data_path(run) or tags.get("data_path", ""),
            files=files,
            artifact_uri=str(run.info.artifact_uri),
        )


def _search(client: MlflowClient, experiments: list[str], filter_string: str = "") -> Iterator[Run]:
    return _pages(lambda token: client.search_runs(experiments, filter_string, page_token=token))


def _is_inner(run: Run) -> bool:
    """Whether a run is a part of another, unlike a training nested under the caller's active run."""
    return PARENT_TAG in run.data.tags and run.data.tags.get("type", "") in _INNER_KINDS


def _experiments(client: MlflowClient) -> dict[str, str]:
    """Names of the active experiments, by id."""
    experiments = _pages(lambda token: client.search_experiments(page_token=token))
    return {str(experiment.experiment_id): str(experiment.name) for experiment in experiments}


def _versions(client: MlflowClient) -> dict[str, tuple[Version, ...]]:
    """Registered versions by run id."""
    models = _pages(lambda token: client.search_registered_models(page_token=token))
    aliases: dict[tuple[str, int], list[str]] = {}
    for model in models:
        for alias, number in model.aliases.items():
            aliases.setdefault((model.name, int(number)), []).append(alias)
    versions: dict[str, tuple[Version, ...]] = {}
    for entry in _pages(lambda token: client.search_model_versions(page_token=token)):
        number = int(entry.version)
        own_aliases = tuple(sorted(aliases.get((entry.name, number), [])))
        version = Version(str(entry.name), number, own_aliases, dict(entry.tags))
        versions[entry.run_id] = (*versions.get(entry.run_id, ()), version)
    return versions


def _pages(search: Callable[[str | None], Any]) -> Iterator[Any]:
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
