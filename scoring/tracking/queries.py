"""Reading the store back as plain values: runs, who leads, what a run logged."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from scoring.errors import TrackingError
from scoring.tracking.caller_state import PARENT_TAG
from scoring.tracking.store import Store, opened

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_INNER_KINDS = ("", "backtest fold", "trial")  # "" is of runs that others have logged
_VERSION = re.compile(r"models:/(?P<name>[^/@]+)(/(?P<number>\d+)|@(?P<alias>[^/@]+))")


class Version(msgspec.Struct, frozen=True):
    """A version of a registered model, with the aliases that it bears, and the tags that its run has not."""

    name: str
    number: int
    aliases: tuple[str, ...]
    tags: dict[str, str] = {}


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One run, in short.

    Parameters
    ----------
    run_id, name, experiment : str
        Its id, what it is called, and where it stands.
    kind : str
        ``train``, ``evaluate``, ``backtest``, ``tune``; empty for a run that scoring has not logged.
    status : str
        MLflow's: ``FINISHED``, ``FAILED``, ``RUNNING``, ``KILLED``.
    started_at : datetime
        Aware UTC.
    model : str
        Name and version of the model that it made or judged; empty where there is none.
    versions : tuple of Version
        Registered versions of its model.
    metrics : dict of str to float
        Every number under its plain name (``quality_mae``).
    data_sha256 : str
        Hex digest of the records' content.
    git_commit : str
        Commit of the folder where it ran; empty outside of a checkout.
    is_dirty : bool or None
        Whether tracked files differed from the commit; None where that is not known.
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
    """One run as a whole: in short, with its parameters and tags, where its records were, its files.

    ``artifact_uri`` is where the store has its files, which may have moved since.
    """

    summary: RunSummary
    params: dict[str, str]
    tags: dict[str, str]
    data_path: str
    files: tuple[str, ...]
    artifact_uri: str = ""


def list_runs(store: Store, experiment: str | None = None) -> list[RunSummary]:
    """Runs of the store, the newest first; runs within a run (folds, trials) are left out.

    Parameters
    ----------
    store : Store
        Nothing is created: a SQLite store that does not exist has no runs.
    experiment : str, optional
        Name of the experiment; all of them if not given.

    Returns
    -------
    list of RunSummary

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
            there = ", ".join(sorted(names.values()))
            raise TrackingError(f"{store}: experiment: got {experiment!r}, expected one of {there}")
        versions = _versions(client)
        chosen = [id_ for id_, name in names.items() if experiment in (None, name)]
        runs = [run for run in _search(client, chosen) if not _is_inner(run)]
        return [_summary(run, names, versions) for run in runs]


def find_run(store: Store, beginning: str) -> str | None:
    """Id of the run whose id begins so; None where no run's does.

    Raises
    ------
    TrackingError
        If several do, or the store cannot be read.
    """
    if store.database is not None and not store.database.exists():
        return None
    with opened(store, f"find run {beginning}", writes=False) as client:
        found = [
            str(run.info.run_id)
            for run in _search(client, list(_experiments(client)), f"attributes.run_id LIKE '{beginning}%'")
        ]
    if len(found) > 1:
        raise TrackingError(
            f"{store}: run: got {beginning!r}, with which {len(found)} runs begin, expected more digits"
        )
    return found[0] if found else None


def run_of_version(store: Store, spec: str) -> str:
    """Id of the run that made a registered version (``models:/NAME/VERSION``, ``models:/NAME@ALIAS``).

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
        raise TrackingError(f"{store}: {spec}: got a version that no run made, expected one of a run")
    return str(version.run_id)


def read_run(store: Store, run_id: str) -> RunRecord:
    """One run as a whole.

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
    """Whether a run is a part of another; a training within a run that the caller had active is none."""
    return PARENT_TAG in run.data.tags and run.data.tags.get("type", "") in _INNER_KINDS


def _experiments(client: MlflowClient) -> dict[str, str]:
    """Names of the experiments that are not deleted, by id."""
    found = _pages(lambda token: client.search_experiments(page_token=token))
    return {str(each.experiment_id): str(each.name) for each in found}


def _versions(client: MlflowClient) -> dict[str, tuple[Version, ...]]:
    """Registered versions by the run that made them."""
    models = _pages(lambda token: client.search_registered_models(page_token=token))
    aliases: dict[tuple[str, int], list[str]] = {}
    for model in models:
        for alias, number in model.aliases.items():
            aliases.setdefault((model.name, int(number)), []).append(alias)
    versions: dict[str, tuple[Version, ...]] = {}
    for one in _pages(lambda token: client.search_model_versions(page_token=token)):
        number = int(one.version)
        borne = tuple(sorted(aliases.get((one.name, number), [])))
        version = Version(str(one.name), number, borne, dict(one.tags))
        versions[one.run_id] = (*versions.get(one.run_id, ()), version)
    return versions


def _pages(ask: Callable[[str | None], Any]) -> Iterator[Any]:
    """Everything that a search finds, page after page."""
    token = None
    while True:
        page = ask(token)
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
        metrics=dict(run.data.metrics),
        data_sha256=tags.get("data_sha256", ""),
        git_commit=tags.get("git_commit", ""),
        is_dirty=None if dirty is None else dirty == "true",
    )


def _with_own_tags(version: Version, tags: Mapping[str, str]) -> Version:
    own = {name: value for name, value in version.tags.items() if tags.get(name) != value}
    return msgspec.structs.replace(version, tags=own)


def _data_path(run: Run) -> str:
    for each in run.inputs.dataset_inputs if run.inputs else ():
        return str(json.loads(each.dataset.source).get("uri", ""))
    return ""
