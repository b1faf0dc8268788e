"""Models in the store: the registry's versions, and a logged model as a local folder."""

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
from scoring.tracking.store import Store, load_mlflow, opened

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.exceptions import MlflowException

_SPEC = re.compile(
    r"runs:/(?P<run>[^/@]+)(/model)?|models:/(?P<name>[^/@]+)(/(?P<version>\d+)|@(?P<alias>[^/@]+))"
)

# What the page of a registered model says; each version's says what is its own.
_DESCRIPTION = (
    "Tells what records of a news curation site are worth: quality, heat, lead, published. "
    "Each version is a training run. The version with the alias champion scores where none is named."
)


def champion(store: Store, name: str, alias: str = "champion") -> str | None:
    """Address of the version that bears an alias (``models:/NAME/3``); None where none does.

    Creates nothing: a SQLite store that does not exist has no champion.

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
    """The same of a store that is open."""
    try:
        version = client.get_model_version_by_alias(name, alias).version
    except load_mlflow().exceptions.MlflowException as error:
        if not _is_absent(error):
            raise
        return None
    return f"models:/{name}/{version}"


def resolve_model(store: Store, spec: str) -> Path:
    """Local folder of a logged model (the one with its manifest).

    Parameters
    ----------
    store : Store
        A model on a server is downloaded once, to ``models`` in the store's home.
    spec : str
        ``runs:/ID``, ``runs:/ID/model``, ``models:/NAME/VERSION`` or ``models:/NAME@ALIAS``.

    Returns
    -------
    Path
        The folder; not to be written to.

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
    """The model that the run logged; None where it has none, or none that is whole.

    Parameters
    ----------
    client : MlflowClient
        Of the store.
    experiment, run_id : str
        Ids of the run and of its experiment.

    Returns
    -------
    LoggedModel or None
    """
    return next((model for model in _models(client, experiment, run_id) if model.status == "READY"), None)


def delete_unready_models(client: MlflowClient, experiment: str, run_id: str) -> None:
    """Delete what is left of models whose logging broke off."""
    for model in _models(client, experiment, run_id):
        if model.status != "READY":
            client.delete_logged_model(model.model_id)


def _models(client: MlflowClient, experiment: str, run_id: str) -> list[LoggedModel]:
    return list(client.search_logged_models([experiment], f"source_run_id = '{run_id}'"))


def registered_version(client: MlflowClient, name: str, run_id: str) -> int | None:
    """Number of the registered model's version that came from the run; None where there is none."""
    found = client.search_model_versions(f"run_id = '{run_id}'")
    return next((int(version.version) for version in found if version.name == name), None)


def register_version(
    client: MlflowClient,
    name: str,
    model: LoggedModel,
    run_id: str,
    *,
    description: str,
    tags: Mapping[str, str],
) -> None:
    """Make the logged model the next version of a registered model; aliases stay where they are.

    A version that is there from an earlier attempt stays as it is.

    Parameters
    ----------
    client : MlflowClient
        Of the store.
    name : str
        Registered model; made where it is not there, with a description of what its versions are.
    model : LoggedModel
        What :func:`ready_model` found.
    run_id : str
        The run that logged it.
    description : str
        What the version's page says; may be empty.
    tags : mapping of str to str
        The version's tags.
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
    # Some stores say that a missing alias is an invalid parameter.
    return error.error_code == "RESOURCE_DOES_NOT_EXIST" or "not found" in str(error)


def _location(
    client: MlflowClient, run: str | None, name: str | None, version: str | None, alias: str | None
) -> str | None:
    """Where the files of a run's or a version's model are; None where the run logged none."""
    if run is not None:
        model = ready_model(client, client.get_run(run).info.experiment_id, run)
        return str(model.artifact_location) if model else None
    if alias is not None:
        version = client.get_model_version_by_alias(str(name), alias).version
    return str(client.get_model_version_download_uri(str(name), str(version)))


def _local_copy(store: Store, location: str) -> Path:
    """The logged model's folder: in place where it is on this machine, else downloaded once."""
    if (path := local_path(location)) is not None:
        return todays_path(store, path)
    # A logged model never changes, so its address tells which it is.
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
                if not cached.exists():  # else another process was first, with the same files
                    raise
    return cached
