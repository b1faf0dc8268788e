"""Registered versions of models, and logged models as local folders."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from scoring.errors import TrackingError
from scoring.storage.home import narrow, prepare_folder
from scoring.tracking.addresses import local_path, todays_path
from scoring.tracking.run_search import find_run
from scoring.tracking.store import Store, load_mlflow, opened

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.exceptions import MlflowException

_SPEC = re.compile(
    r"runs:/(?P<run>[^/@]+)(/model)?|models:/(?P<name>[^/@]+)(/(?P<version>\d+)|@(?P<alias>[^/@]+))"
)

_LATEST = re.compile(r"models:/(?P<name>[^/@]+)/latest")
_ALIAS = re.compile(r"models:/(?P<name>[^/@]+)@(?P<alias>[^/@]+)")
_RUN_START = re.compile(r"runs:/(?P<start>[0-9a-f]{6,31})(/model)?")

# Description of a registered model; each version has its own.
_DESCRIPTION = (
    "Scores records of a news curation site: quality, heat, lead, published. "
    "Each version is a training run. The version with the alias champion is the default."
)


def champion(store: Store, name: str, alias: str = "champion") -> str | None:
    """Return the address of the version with an alias (``models:/NAME/3``); None if there is none.

    A missing SQLite store has no champion and is not created.

    Parameters
    ----------
    store : Store
        The store; a missing SQLite store is not created.
    name : str
        Registered model.
    alias : str
        Alias of the version.

    Returns
    -------
    str or None
        The address.

    Raises
    ------
    TrackingError
        If the store cannot be reached or read.
    """
    if store.database is not None and not store.database.exists():
        return None
    with opened(store, f"look up the {alias}", writes=False) as client:
        return aliased(client, name, alias)


def aliased(client: MlflowClient, name: str, alias: str) -> str | None:
    """As :func:`champion`, for an open store."""
    try:
        version = client.get_model_version_by_alias(name, alias).version
    except load_mlflow().exceptions.MlflowException as error:
        if not _is_absent(error):
            raise
        return None
    return f"models:/{name}/{version}"


def exact_address(store: Store, spec: str) -> str:
    """Return the address of one run or version: ``models:/NAME/3`` or ``runs:/ID`` with the whole id.

    Parameters
    ----------
    store : Store
        The store; a missing SQLite store is not created.
    spec : str
        ``models:/NAME/latest``, which is the version with the highest number, ``models:/NAME@ALIAS``, the
        beginning of a run's id as ``runs:/BEGINNING``, or any other address, which is returned as it is.

    Returns
    -------
    str
        The address; also that of an alias or run which does not exist, whose use is an error.

    Raises
    ------
    TrackingError
        If the model has no version, several runs match, or the store cannot be read.
    """
    if match := _LATEST.fullmatch(spec):
        with opened(store, f"look up {spec}", writes=False) as client:
            found = client.search_model_versions(f"name = '{match['name']}'")
        if not found:
            raise TrackingError(f"{store}: {spec}: there is no version of {match['name']}")
        return f"models:/{match['name']}/{max(int(version.version) for version in found)}"
    if match := _ALIAS.fullmatch(spec):
        return champion(store, match["name"], match["alias"]) or spec
    if match := _RUN_START.fullmatch(spec):
        return f"runs:/{find_run(store, match['start']) or match['start']}"
    return spec


def resolve_model(store: Store, spec: str) -> Path:
    """Return the local folder of a logged model (the one with its manifest).

    Parameters
    ----------
    store : Store
        The store; a model on a server is downloaded once, to ``models`` in its home.
    spec : str
        ``runs:/ID``, ``runs:/ID/model``, ``models:/NAME/VERSION`` or ``models:/NAME@ALIAS``.

    Returns
    -------
    Path
        The folder; must not be changed.

    Raises
    ------
    TrackingError
        If the store cannot be read, or has no such model.
    """
    match = _SPEC.fullmatch(spec)
    if match is None:
        expected = "runs:/ID, models:/NAME/VERSION or models:/NAME@ALIAS"
        raise TrackingError(f"model: got {spec!r}, expected {expected}")
    with opened(store, f"load {spec}", writes=False) as client:
        location = _location(client, **match.groupdict())
        if location is None:
            raise TrackingError(f"{store}: {spec} has no model")
        root = _local_copy(store, location)
        flavor = load_mlflow().models.Model.load(str(root / "MLmodel")).flavors.get("python_function", {})
    if "model" not in flavor.get("artifacts", {}):
        raise TrackingError(f"{store}: {spec} was not logged by scoring")
    return root / str(flavor["artifacts"]["model"]["path"])


def ready_model(client: MlflowClient, experiment: str, run_id: str) -> LoggedModel | None:
    """Return the model that a run logged; None if it has no complete model.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment, run_id : str
        Ids of the run and of its experiment.

    Returns
    -------
    LoggedModel or None
    """
    return next((model for model in _models(client, experiment, run_id) if model.status == "READY"), None)


def delete_unready_models(client: MlflowClient, experiment: str, run_id: str) -> None:
    """Delete incomplete models of interrupted uploads."""
    for model in _models(client, experiment, run_id):
        if model.status != "READY":
            client.delete_logged_model(model.model_id)


def _models(client: MlflowClient, experiment: str, run_id: str) -> list[LoggedModel]:
    return list(client.search_logged_models([experiment], f"source_run_id = '{run_id}'"))


def registered_version(client: MlflowClient, name: str, run_id: str) -> int | None:
    """Return the version number that a run has in a registered model; None if there is none."""
    versions = client.search_model_versions(f"run_id = '{run_id}'")
    return next((int(version.version) for version in versions if version.name == name), None)


def register_version(
    client: MlflowClient,
    name: str,
    model: LoggedModel,
    run_id: str,
    *,
    description: str,
    tags: Mapping[str, str],
) -> None:
    """Register a logged model as the next version; aliases do not change.

    An existing version of an earlier attempt is kept.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    name : str
        Registered model; created with a description if missing.
    model : LoggedModel
        Model from :func:`ready_model`.
    run_id : str
        The run that logged it.
    description : str
        Description of the version; may be empty.
    tags : mapping of str to str
        Tags of the version.
    """
    if registered_version(client, name, run_id) is not None:
        return
    try:
        client.create_registered_model(name, description=_DESCRIPTION)
    except load_mlflow().exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    client.create_model_version(
        name,
        source=model.model_uri,
        run_id=run_id,
        model_id=model.model_id,
        description=description or None,
        tags=dict(tags),
    )


def _is_absent(error: MlflowException) -> bool:
    # Some stores report a missing alias as an invalid parameter.
    return error.error_code == "RESOURCE_DOES_NOT_EXIST" or "not found" in str(error)


def _location(
    client: MlflowClient, run: str | None, name: str | None, version: str | None, alias: str | None
) -> str | None:
    """Location of the model files of a run or version; None if the run logged no model."""
    if run is not None:
        model = ready_model(client, client.get_run(run).info.experiment_id, run)
        return str(model.artifact_location) if model else None
    if alias is not None:
        version = client.get_model_version_by_alias(str(name), alias).version
    return str(client.get_model_version_download_uri(str(name), str(version)))


def _local_copy(store: Store, location: str) -> Path:
    """Return the folder of a logged model, in place if it is on this machine, otherwise downloaded once."""
    if (path := local_path(location)) is not None:
        return todays_path(store, path)
    # A logged model never changes, so its location identifies it.
    cached = store.home / "models" / sha256(location.encode()).hexdigest()[:16]
    if not cached.exists():
        prepare_folder(store.home, cached.parent.name)
        with tempfile.TemporaryDirectory(dir=cached.parent, prefix=".part-") as folder:
            load_mlflow().artifacts.download_artifacts(
                artifact_uri=location, dst_path=folder, tracking_uri=store.tracking_uri
            )
            narrow(Path(folder))
            (root,) = Path(folder).rglob("MLmodel")
            try:
                root.parent.replace(cached)
            except OSError:
                if not cached.exists():  # otherwise another process was first, with the same files
                    raise
    return cached
