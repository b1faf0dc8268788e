"""Which model is used: the one that was asked for, the champion, the last known champion or the shipped one.

Every command resolves its model here, so that none falls back by itself. A model that was named is used, or
it is an error. Where none was named it is the registry's champion; where that cannot be had, the last
champion that this home has known of the same store and name; and only where the home has known none, and no
store was named, the shipped model. Whatever is neither asked for nor the champion comes with a warning.
"""

from __future__ import annotations

import re
from pathlib import Path

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
from scoring.settings import Settings, mask_credentials

SERVER_SECONDS = 60.0
"""How often a running process asks a store that is no file where its model is; a file is only looked at."""

_CHAMPION = "champion"
_TRACKED = re.compile(r"(runs|models):/")
_ALIAS = re.compile(r"models:/([^/@]+)@([^/@]+)")
_FORMS = "a folder, runs:/ID, models:/NAME/VERSION, models:/NAME@ALIAS or shipped"


def look_up(spec: str | None, settings: Settings) -> RegistryEntry | None:
    """Where the registry has a model; of the champion, for which the spec is None, None where there is none.

    Raises
    ------
    TrackingError
        If the store has no such model, or cannot be reached.
    """
    from scoring.tracking import Store, champion, read_run, resolve_model, run_of_version

    store = Store(settings.tracking_uri, settings.home)
    alias = _ALIAS.fullmatch(spec or f"models:/{settings.registered_model}@{_CHAMPION}")
    address = champion(store, *alias.groups()) if alias else spec
    if spec is None and address is None:
        return None
    address = str(address or spec)  # an alias that no version has is for the store to complain of
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
        A folder, ``runs:/ID``, ``models:/NAME/VERSION``, ``models:/NAME@ALIAS`` or ``shipped``; None for what
        the setting ``model`` names, else the champion of the setting ``registered_model``.
    settings : Settings
        Home and store.
    lookup : callable
        How the registry is asked, where it has to be: MLflow costs time and memory.
    is_whole : bool
        Whether the boosters of the baselines are looked at now; no score needs them.
    reporter : Reporter, optional
        Who hears the warning, if there is one.

    Returns
    -------
    LoadedModel

    Raises
    ------
    ModelError
        If the model that was named cannot be loaded, or no champion can be used.
    TrackingError
        If the store has no such model or champion, or cannot be reached, and no copy can stand in.
    """
    spec = spec or settings.model
    if spec is None:
        loaded = _resolve_champion(settings, lookup, is_whole)
    elif spec == SHIPPED:
        loaded = load_shipped(is_whole=is_whole)
    else:
        entry = _named_entry(spec, settings, lookup)
        loaded = _kept(load_entry(entry, ModelSource.EXPLICIT, is_whole=is_whole), spec, settings)
    if reporter is not None and loaded.resolved.warning is not None:
        reporter.warn(loaded.resolved.warning)
    return loaded


def follow(
    before: LoadedModel, spec: str | None, settings: Settings, *, lookup: RegistryLookup = look_up
) -> LoadedModel:
    """The model that a running process is to go on with: another version of the same one, or the same.

    Nothing ever stands in for a model that is at work: where its store is away, or has no champion any more,
    it is an error, and the caller goes on with the model that it has.

    Parameters
    ----------
    before : LoadedModel
        The model at work.
    spec, settings, lookup
        As :func:`resolve` was given them.

    Returns
    -------
    LoadedModel
        ``before`` itself where nothing has changed.

    Raises
    ------
    ModelError, TrackingError
        If it cannot be told, or the model of now cannot be loaded.
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
            raise TrackingError(": ".join(_what_is_missing(settings)))
        entry, source = champion, ModelSource.CHAMPION
    at_work, stamp = before.resolved, stamp_of(entry.folder)
    if (entry.folder, entry.address, source, stamp) == (
        at_work.folder,
        at_work.address,
        at_work.source,
        before.stamp,
    ):
        return before
    return _kept(load_entry(entry, source), spec, settings)


def _resolve_champion(settings: Settings, lookup: RegistryLookup, is_whole: bool) -> LoadedModel:
    """The champion; else its copy; else the shipped model, where nothing says that there ever was another."""
    failure: ModelError | TrackingError
    try:
        entry = find_champion(settings, lookup)
        if entry is not None:
            return _kept(load_entry(entry, ModelSource.CHAMPION, is_whole=is_whole), None, settings)
        is_empty, failure = True, TrackingError(": ".join(_what_is_missing(settings)))
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
        raise TrackingError(f"{failure}; this home knows the champion of {others}: use that name, {_ASK}")
    if settings.is_store_named or has_cached_champion(settings):
        raise TrackingError(f"{failure}, {_ASK}")
    return load_shipped(is_whole=is_whole, because=_what_is_missing(settings)[0])


_ASK = f'or use the shipped model with "--model {SHIPPED}"'


def _named_entry(spec: str, settings: Settings, lookup: RegistryLookup) -> RegistryEntry:
    if _TRACKED.match(spec):
        entry = lookup(spec, settings)
        if entry is None:
            raise ModelError(f"model: {spec!r} was not found in the store")
        return entry
    if not Path(spec).is_dir():
        raise ModelError(f"model: got {spec!r}, expected {_FORMS}")
    return RegistryEntry(spec)


def _kept(loaded: LoadedModel, spec: str | None, settings: Settings) -> LoadedModel:
    """The model itself, of which a copy is kept where it is a champion."""
    alias = _ALIAS.fullmatch(spec or f"models:/{settings.registered_model}@{_CHAMPION}")
    if alias is None or alias[2] != _CHAMPION:
        return loaded
    return with_warning(loaded, keep_champion(settings, alias[1], loaded))


def _what_is_missing(settings: Settings) -> tuple[str, str]:
    """What there is not, though nothing failed (a store, or a champion in it), and what to do."""
    if missing := missing_store(settings):
        return missing, "check the setting tracking_uri"
    store = mask_credentials(settings.tracking_uri)
    return f"no champion of {settings.registered_model} in {store}", 'run "scoring promote RUN"'
