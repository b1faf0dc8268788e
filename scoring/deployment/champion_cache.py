"""Cache of the last champion look-up, valid for one state of the store's file: MLflow takes seconds."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from scoring.credentials import mask_credentials
from scoring.deployment.champion_copy import COPIES
from scoring.errors import TrackingError
from scoring.settings import Settings, sqlite_file
from scoring.storage.home import prepare_folder
from scoring.storage.regular_files import read_regular
from scoring.storage.replacement import open_replacement


class RegistryEntry(msgspec.Struct, frozen=True):
    """Folder, address and training time of a model.

    Parameters
    ----------
    folder : str
        Local folder, read-only.
    address : str or None
        ``models:/NAME/3`` or ``runs:/ID``; None for a folder outside of any store.
    trained_at : datetime or None
        Start of its run, aware UTC; None if unknown.
    """

    folder: str
    address: str | None = None
    trained_at: datetime | None = None


RegistryLookup = Callable[[str | None, Settings], RegistryEntry | None]


class ChampionCacheEntry(msgspec.Struct, frozen=True):
    """The champion (or None) of a registered model, for one state of the store's file."""

    name: str
    database: str
    changed_at: int
    n_bytes: int
    located: RegistryEntry | None


def find_champion(settings: Settings, lookup: RegistryLookup) -> RegistryEntry | None:
    """Find the registry's champion; None if there is no champion or no store.

    Parameters
    ----------
    settings : Settings
        Home, store and registered model.
    lookup : callable
        Queries the registry if the cache does not hold the answer.

    Raises
    ------
    TrackingError
        If the store cannot be opened or reached, or the champion's files are missing.
    """
    database = sqlite_file(settings.tracking_uri)
    if database is None:
        return lookup(None, settings)
    state = _state(database, settings)
    if state is None:
        return None
    key = ChampionCacheEntry(settings.registered_model, str(database), state.st_mtime_ns, state.st_size, None)
    cached = _read(settings)
    if cached is not None and msgspec.structs.replace(cached, located=None) == key:
        located = cached.located
        if located is None or Path(located.folder).is_dir():
            return located
    located = lookup(None, settings)
    if _identity(_state(database, settings)) != _identity(state):
        return located  # the file has changed meanwhile: the answer may belong to either state
    if located is None and has_cached_champion(settings) and not (settings.home / COPIES).is_dir():
        return None  # the cache is the only record of a past champion: keep it
    file = _file(settings)
    with suppress(OSError):  # the cache only saves time
        prepare_folder(settings.home, file.parent.name)
        with open_replacement(file, mode=0o600) as replacement:
            replacement.write(msgspec.json.encode(msgspec.structs.replace(key, located=located)))
    return located


def has_cached_champion(settings: Settings) -> bool:
    """Whether the last look-up found a champion, with or without a local copy."""
    cached = _read(settings)
    return cached is not None and cached.located is not None


def _state(database: Path, settings: Settings) -> os.stat_result | None:
    """Stat the store's file; None if it does not exist."""
    try:
        return database.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        store = mask_credentials(settings.tracking_uri)
        raise TrackingError(f"{store}: cannot look up the champion: {error.strerror or error}") from error


def _identity(state: os.stat_result | None) -> tuple[int, ...] | None:
    """Values that change if the file is written or replaced (a replacement changes ctime)."""
    if state is None:
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _file(settings: Settings) -> Path:
    return settings.home / "cache" / "champion.json"


def _read(settings: Settings) -> ChampionCacheEntry | None:
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(read_regular(_file(settings)), type=ChampionCacheEntry)
    return None
