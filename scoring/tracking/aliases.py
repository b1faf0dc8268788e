"""Who is in charge: the aliases ``champion`` and ``previous``, moved so that a break leaves one that scores.

The champion's alias moves last where a model takes charge and first where the one before takes it back, so
at every moment it points to a version that was in charge or was to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scoring.errors import TrackingError
from scoring.storage.home import LOCK_MODE, prepare_home
from scoring.tracking.caller_state import default_store
from scoring.tracking.registry import aliased, ready_model, register_version, registered_version
from scoring.tracking.store import Store, opened

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION, PREVIOUS = "champion", "previous"


def register_run(store: Store, name: str, run_id: str, *, description: str, tags: Mapping[str, str]) -> str:
    """Make the model of a run a version of a registered model, if it is none yet.

    Parameters
    ----------
    store : Store
        It has the run.
    name : str
        Registered model; made where it is not there.
    run_id : str
        The run.
    description : str
        What the version's page says; may be empty.
    tags : mapping of str to str
        The version's tags.

    Returns
    -------
    str
        Its address, ``models:/NAME/3``.

    Raises
    ------
    TrackingError
        If the run has no model that is whole, or the store cannot be written.
    """
    action = f"register run {run_id}"
    with alone(store, action), opened(store, action, writes=True) as client:
        model = ready_model(client, client.get_run(run_id).info.experiment_id, run_id)
        if model is None:
            raise TrackingError(
                f"{store}: run {run_id}: got a run without a model, expected one with a model"
            )
        with default_store(store.tracking_uri):
            register_version(client, name, model, run_id, description=description, tags=tags)
        return f"models:/{name}/{registered_version(client, name, run_id)}"


def set_champion(store: Store, address: str, *, instead_of: str | None, tags: Mapping[str, str]) -> None:
    """Make a version the champion, and keep the one before as ``previous``.

    Parameters
    ----------
    store : Store
        Where the version is.
    address : str
        The version, ``models:/NAME/3``.
    instead_of : str or None
        The champion that it was judged against; None where there was none.
    tags : mapping of str to str
        What the version's page is to say of the promotion.

    Raises
    ------
    TrackingError
        If another champion has come meanwhile, or the store cannot be written.
    """
    with _changing(store, address, "promote") as (client, name, number):
        found = aliased(client, name, CHAMPION)
        if found != instead_of:
            raise TrackingError(
                f"{store}: champion of {name}: got {found or 'none'}, which has come meanwhile, "
                f"expected {instead_of or 'none'}: judge again"
            )
        _tag(client, address, tags)
        if found is not None:
            client.set_registered_model_alias(name, PREVIOUS, _parted(found)[1])
        client.set_registered_model_alias(name, CHAMPION, number)


def restore_previous(
    store: Store, *, champion: str, previous: str, tags: Mapping[str, str], previous_tags: Mapping[str, str]
) -> None:
    """Let the champion and the one before it change places.

    Parameters
    ----------
    store : Store
        Where both are.
    champion, previous : str
        Who bears these aliases now, as ``models:/NAME/3``.
    tags, previous_tags : mapping of str to str
        What the pages of the two are to say of it, in this order.

    Raises
    ------
    TrackingError
        If others bear the aliases meanwhile, or the store cannot be written.
    """
    with _changing(store, previous, "roll back") as (client, name, number):
        found = aliased(client, name, CHAMPION), aliased(client, name, PREVIOUS)
        if found != (champion, previous):
            raise TrackingError(
                f"{store}: champion and previous of {name}: got {found[0]} and {found[1]}, "
                f"expected {champion} and {previous}"
            )
        _tag(client, champion, tags)
        _tag(client, previous, previous_tags)
        client.set_registered_model_alias(name, CHAMPION, number)
        client.set_registered_model_alias(name, PREVIOUS, _parted(champion)[1])


def tag_run(store: Store, run_id: str, tags: Mapping[str, str]) -> None:
    """Add tags to a run.

    Raises
    ------
    TrackingError
        If the store has no such run, or cannot be written.
    """
    with opened(store, f"tag run {run_id}", writes=True) as client:
        for name, value in tags.items():
            client.set_tag(run_id, name, value)


@contextmanager
def _changing(store: Store, address: str, action: str) -> Iterator[tuple[MlflowClient, str, str]]:
    """The store for one that changes aliases, with the parts of a version's address; no other does then."""
    with (
        alone(store, f"{action} {address}"),
        opened(store, f"{action} {address}", writes=True) as client,
    ):
        yield client, *_parted(address)


@contextmanager
def alone(store: Store, action: str) -> Iterator[None]:
    """Keep other processes from changing the registry meanwhile."""
    from filelock import FileLock, Timeout

    # Beside the database, so that several homes with one store keep out of each other's way.
    path = f"{store.database}.registry.lock" if store.database else store.home / "registry.lock"
    try:
        prepare_home(store.home)
        with FileLock(path, timeout=store.timeout_seconds, mode=LOCK_MODE):
            yield
    except Timeout:
        raise TrackingError(f"{store}: cannot {action}: another process is changing the registry") from None


def _tag(client: MlflowClient, address: str, tags: Mapping[str, str]) -> None:
    name, number = _parted(address)
    for key, value in tags.items():
        client.set_model_version_tag(name, number, key, value)


def _parted(address: str) -> tuple[str, str]:
    name, _, number = address.removeprefix("models:/").rpartition("/")
    return name, number
