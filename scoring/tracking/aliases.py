"""The registry aliases ``champion`` and ``previous``, moved so that an interruption leaves a valid champion.

The alias ``champion`` is moved last on promotion and first on rollback, so that it always points to the old
or the new champion.
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
_SINCE, _UNTIL = "Champion since", "Champion until"  # begin the first paragraph of a version's description


def register_run(store: Store, name: str, run_id: str, *, description: str, tags: Mapping[str, str]) -> str:
    """Register the model of a run as a version, unless it is one already.

    Parameters
    ----------
    store : Store
        The store with the run.
    name : str
        Registered model; created if missing.
    run_id : str
        The run.
    description : str
        Description of the version; may be empty.
    tags : mapping of str to str
        Tags of the version.

    Returns
    -------
    str
        Address of the version, ``models:/NAME/3``.

    Raises
    ------
    TrackingError
        If the run has no complete model, or the store cannot be written.
    """
    action = f"register run {run_id}"
    with alone(store, action), opened(store, action, writes=True) as client:
        model = ready_model(client, client.get_run(run_id).info.experiment_id, run_id)
        if model is None:
            raise TrackingError(f"{store}: run {run_id} has no model: name a run of scoring train")
        with default_store(store.tracking_uri):
            register_version(client, name, model, run_id, description=description, tags=tags)
        return f"models:/{name}/{registered_version(client, name, run_id)}"


def set_champion(
    store: Store, address: str, *, instead_of: str | None, tags: Mapping[str, str], why: str = ""
) -> None:
    """Set the champion, and keep the former one as ``previous``.

    Parameters
    ----------
    store : Store
        The store with the version.
    address : str
        The version, ``models:/NAME/3``.
    instead_of : str or None
        The champion that it was compared with; None if there was none.
    tags : mapping of str to str
        Tags of the version about the promotion; ``promoted_at`` is its time.
    why : str
        Why it is the champion: part of the first sentence of the version's description.

    Raises
    ------
    TrackingError
        If the champion has changed meanwhile, or the store cannot be written.
    """
    with _changing(store, address, "promote") as (client, name, number):
        current = aliased(client, name, CHAMPION)
        if current != instead_of:
            raise TrackingError(
                f"{store}: champion of {name}: got {current or 'none'}, which was set meanwhile, "
                f"expected {instead_of or 'none'}: compare again"
            )
        _tag(client, address, tags)
        time = tags.get("promoted_at", "")
        _describe(client, address, f"{_SINCE} {time}: {why}")
        if current is not None:
            _end(client, current, time)
            client.set_registered_model_alias(name, PREVIOUS, _split(current)[1])
        client.set_registered_model_alias(name, CHAMPION, number)


def restore_previous(
    store: Store, *, champion: str, previous: str, tags: Mapping[str, str], previous_tags: Mapping[str, str]
) -> None:
    """Exchange the champion and the previous champion.

    Parameters
    ----------
    store : Store
        The store with both versions.
    champion, previous : str
        The versions that have these aliases now, as ``models:/NAME/3``.
    tags, previous_tags : mapping of str to str
        Tags of the two versions about the rollback, in this order.

    Raises
    ------
    TrackingError
        If the aliases have changed meanwhile, or the store cannot be written.
    """
    with _changing(store, previous, "roll back") as (client, name, number):
        current = aliased(client, name, CHAMPION), aliased(client, name, PREVIOUS)
        if current != (champion, previous):
            raise TrackingError(
                f"{store}: champion and previous of {name}: got {current[0]} and {current[1]}, "
                f"expected {champion} and {previous}"
            )
        _tag(client, champion, tags)
        _tag(client, previous, previous_tags)
        time, reason = tags.get("rolled_back_at", ""), tags.get("rolled_back_reason", "")
        _end(client, champion, time)
        _describe(client, previous, f"{_SINCE} {time}, again, instead of {champion}: {reason}")
        client.set_registered_model_alias(name, CHAMPION, number)
        client.set_registered_model_alias(name, PREVIOUS, _split(champion)[1])


def tag_run(store: Store, run_id: str, tags: Mapping[str, str]) -> None:
    """Add tags to a run.

    Parameters
    ----------
    store : Store
        The store.
    run_id : str
        The run.
    tags : mapping of str to str
        Value of each tag; earlier values are replaced.

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
    """Open the store and lock the registry to change aliases; yields client, name and number of a version."""
    with (
        alone(store, f"{action} {address}"),
        opened(store, f"{action} {address}", writes=True) as client,
    ):
        yield client, *_split(address)


@contextmanager
def alone(store: Store, action: str) -> Iterator[None]:
    """Lock the registry against changes by other processes."""
    from filelock import FileLock, Timeout

    # Next to the database, so that several homes with one store share the lock.
    path = f"{store.database}.registry.lock" if store.database else store.home / "registry.lock"
    try:
        prepare_home(store.home)
        with FileLock(path, timeout=store.timeout_seconds, mode=LOCK_MODE):
            yield
    except Timeout:
        raise TrackingError(f"{store}: cannot {action}: another process is changing the registry") from None


def _tag(client: MlflowClient, address: str, tags: Mapping[str, str]) -> None:
    name, number = _split(address)
    for key, value in tags.items():
        client.set_model_version_tag(name, number, key, value)


def _describe(client: MlflowClient, address: str, line: str) -> None:
    """Start the description of a version with a paragraph, which replaces an earlier one of this kind."""
    name, number = _split(address)
    before = client.get_model_version(name, number).description or ""
    paragraphs = [part for part in before.split("\n\n") if not part.startswith((_SINCE, _UNTIL))]
    client.update_model_version(name, number, "\n\n".join([line, *filter(None, paragraphs)]))


def _end(client: MlflowClient, address: str, time: str) -> None:
    """Write into the description of a version until when it was the champion."""
    name, number = _split(address)
    first = (client.get_model_version(name, number).description or "").partition("\n\n")[0]
    since = f" (since {first.removeprefix(_SINCE).strip()})" if first.startswith(_SINCE) else "."
    _describe(client, address, f"{_UNTIL} {time}{since}")


def _split(address: str) -> tuple[str, str]:
    name, _, number = address.removeprefix("models:/").rpartition("/")
    return name, number
