"""Resolve a model: the requested one, the champion, the last known champion, or the shipped model.

All commands resolve their model here, so that there is one rule for fallbacks. A requested model is used, or
it is an error. Otherwise the model is the registry's champion; if that is not available, the local copy of
the last known champion of the same store and name; and only if there was never one, and no store was named,
the shipped model. Every fallback comes with a warning.
"""

from __future__ import annotations

import re
from pathlib import Path

from scoring.credentials import mask_credentials
from scoring.deployment.champion_cache import (
    RegistryEntry,
    RegistryLookup,
    find_champion,
    has_cached_champion,
)
from scoring.deployment.champion_copy import known_champions
from scoring.deployment.loaded_model import (
    SHIPPED,
    LoadedModel,
    ModelSource,
    keep_champion,
    load_entry,
    load_last_known,
    load_shipped,
    stamp_of,
    with_warning,
)
from scoring.deployment.named_store import missing_store
from scoring.errors import ModelError, TrackingError
from scoring.progress import Reporter
from scoring.settings import Settings
from scoring.storage.urls import checked, is_remote, local_path

SERVER_SECONDS = 60.0
"""Interval at which a running process queries a server for a store or model; local files are only stat-ed."""

_CHAMPION = "champion"
_TRACKED = re.compile(r"(runs|models):/")
_ALIAS = re.compile(r"models:/([^/@]+)@([^/@]+)")
_FORMS = "a folder or zip, runs:/ID, models:/NAME/VERSION (or latest), models:/NAME@ALIAS or shipped"


def look_up(spec: str | None, settings: Settings) -> RegistryEntry | None:
    """Look up a model in the registry; ``spec=None`` is the champion, and gives None if there is none.

    Raises
    ------
    TrackingError
        If the store has no such model, or cannot be reached.
    """
    from scoring.tracking import Store, champion, exact_address, read_run, resolve_model, run_of_version

    store = Store(settings.tracking_uri, settings.home)
    # The store raises the error for an alias or a run that does not exist.
    address = exact_address(store, spec) if spec else champion(store, settings.registered_model, _CHAMPION)
    if address is None:
        return None
    run_id = address.split("/")[1] if address.startswith("runs:/") else run_of_version(store, address)
    folder = resolve_model(store, address)
    return RegistryEntry(str(folder), address, read_run(store, run_id).summary.started_at)


def resolve(
    spec: str | None,
    settings: Settings,
    *,
    lookup: RegistryLookup = look_up,
    is_whole: bool = True,
    reporter: Reporter | None = None,
) -> LoadedModel:
    """Resolve and load a model.

    Parameters
    ----------
    spec : str or None
        A folder or zip (a path or URL), ``runs:/ID``, ``models:/NAME/VERSION``, ``models:/NAME@ALIAS`` or
        ``shipped``; None for the model of the setting ``model``, else the champion of the setting
        ``registered_model``.
    settings : Settings
        Home and store.
    lookup : callable
        Queries the registry; called only if needed, because MLflow costs time and memory.
    is_whole : bool
        Whether to load the baselines' boosters now; scoring does not need them.
    reporter : Reporter, optional
        Receives the warning, if there is one.

    Returns
    -------
    LoadedModel

    Raises
    ------
    ModelError
        If the requested model cannot be loaded, or no champion can be used.
    TrackingError
        If the store has no such model or champion, or cannot be reached, and there is no local copy.
    """
    spec = spec or settings.model
    if spec is None:
        loaded = _resolve_champion(settings, lookup, is_whole)
    elif spec == SHIPPED:
        loaded = load_shipped(is_whole=is_whole)
    else:
        entry = _named_entry(spec, settings, lookup)
        loaded = _keep_copy(load_entry(entry, ModelSource.EXPLICIT, is_whole=is_whole), spec, settings)
    if reporter is not None and loaded.resolved.warning is not None:
        reporter.warn(loaded.resolved.warning)
    derived = loaded.saved.manifest.derived_coverage
    if reporter is not None and derived is not None and settings.coverage != "derive":
        reporter.warn(
            f"{loaded.saved.name} was trained on derived coverage, which is not derived here: records "
            "without lists are scored as if no other covered their story (--coverage derive, or the setting)"
        )
    return loaded


def follow(
    before: LoadedModel, spec: str | None, settings: Settings, *, lookup: RegistryLookup = look_up
) -> LoadedModel:
    """Update a running process's model: load the current version, or return the same model.

    There is no fallback for a model that is in use: if its store is unavailable or has lost its champion, it
    is an error, and the caller keeps the model that it has.

    Parameters
    ----------
    before : LoadedModel
        The model in use.
    spec, settings, lookup
        Same values as in the call of :func:`resolve`.

    Returns
    -------
    LoadedModel
        ``before`` itself if nothing has changed.

    Raises
    ------
    ModelError, TrackingError
        If the current model cannot be resolved or loaded.
    """
    spec = spec or settings.model
    if spec == SHIPPED:
        return before
    if spec is not None:
        entry, source = _named_entry(spec, settings, lookup), ModelSource.EXPLICIT
    else:
        champion = find_champion(settings, lookup)
        if champion is None:
            if before.resolved.source is ModelSource.SHIPPED:
                return before
            raise TrackingError(": ".join(_missing_champion(settings)))
        entry, source = champion, ModelSource.CHAMPION
    in_use, stamp = before.resolved, stamp_of(entry.folder)
    if (entry.folder, entry.address, source, stamp) == (
        in_use.folder,
        in_use.address,
        in_use.source,
        before.stamp,
    ):
        return before
    return _keep_copy(load_entry(entry, source), spec, settings)


def _resolve_champion(settings: Settings, lookup: RegistryLookup, is_whole: bool) -> LoadedModel:
    """Load the champion, else its copy, else the shipped model if there was never a champion."""
    failure: ModelError | TrackingError
    try:
        entry = find_champion(settings, lookup)
        if entry is not None:
            return _keep_copy(load_entry(entry, ModelSource.CHAMPION, is_whole=is_whole), None, settings)
        is_empty, failure = True, TrackingError(": ".join(_missing_champion(settings)))
    except (ModelError, TrackingError) as error:
        is_empty, failure = False, error
    try:
        loaded = load_last_known(settings, settings.registered_model, str(failure), is_whole=is_whole)
    except ModelError as error:
        raise type(failure)(f"{failure}; the last known champion cannot be used either: {error}") from failure
    if loaded is not None:
        return loaded
    if not is_empty:
        raise failure
    if known := known_champions(settings.home):
        others = ", of ".join(known)
        raise TrackingError(f"{failure}; this home has a champion of {others}: use that name, {_USE_SHIPPED}")
    if settings.is_store_named or has_cached_champion(settings):
        raise TrackingError(f"{failure}, {_USE_SHIPPED}")
    return load_shipped(is_whole=is_whole, because=_missing_champion(settings)[0])


_USE_SHIPPED = f'or use the shipped model with "--model {SHIPPED}"'


def _named_entry(spec: str, settings: Settings, lookup: RegistryLookup) -> RegistryEntry:
    if _TRACKED.match(spec):
        entry = lookup(spec, settings)
        if entry is None:
            raise ModelError(f"model {spec!r} was not found in the store")
        return entry
    if is_remote(spec := local_path(spec)):
        return RegistryEntry(checked(spec).rstrip("/"))
    if not Path(spec).exists():
        raise ModelError(f"model: got {spec!r}, expected {_FORMS}")
    return RegistryEntry(spec)


def _keep_copy(loaded: LoadedModel, spec: str | None, settings: Settings) -> LoadedModel:
    """Keep a local copy if the model is a champion; return the model, with a warning if that failed."""
    alias = _ALIAS.fullmatch(spec or f"models:/{settings.registered_model}@{_CHAMPION}")
    if alias is None or alias[2] != _CHAMPION:
        return loaded
    return with_warning(loaded, keep_champion(settings, alias[1], loaded))


def _missing_champion(settings: Settings) -> tuple[str, str]:
    """Message about a missing store or champion, and the next step."""
    if missing := missing_store(settings):
        return missing, "check the setting tracking_uri"
    store = mask_credentials(settings.tracking_uri)
    return f"no champion of {settings.registered_model} in {store}", 'run "scoring promote RUN"'
