"""Where the champion was when the store's file was last changed: to ask MLflow again takes seconds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from scoring.deployment.champion_copy import COPIES
from scoring.errors import TrackingError
from scoring.settings import Settings, mask_credentials, sqlite_file
from scoring.storage.home import prepare_folder
from scoring.storage.regular_files import read_regular


class RegistryEntry(msgspec.Struct, frozen=True):
    """Where a model is, and what the registry says of it.

    Parameters
    ----------
    folder : str
        Local folder; not to be written to.
    address : str or None
        ``models:/NAME/3`` or ``runs:/ID``; None for a folder that no store knows of.
    trained_at : datetime or None
        When its run began, aware UTC; None where that is not known.
    """

    folder: str
    address: str | None = None
    trained_at: datetime | None = None


RegistryLookup = Callable[[str | None, Settings], RegistryEntry | None]


class ChampionCacheEntry(msgspec.Struct, frozen=True):
    """The champion of a name, for one state of the store's file; None where it had none then."""

    name: str
    database: str
    changed_at: int
    n_bytes: int
    located: RegistryEntry | None


def find_champion(settings: Settings, lookup: RegistryLookup) -> RegistryEntry | None:
    """Where the registry's champion is; None where there is none, or no store.

    Parameters
    ----------
    settings : Settings
        Home, store and registered model.
    lookup : callable
        How the registry is asked, where that is needed.

    Raises
    ------
    TrackingError
        If the store cannot be opened or reached, or the champion's files are not there.
    """
    database = sqlite_file(settings.tracking_uri)
    if database is None:
        return lookup(None, settings)
    state = _state(database, settings)
    if state is None:
        return None
    now = ChampionCacheEntry(settings.registered_model, str(database), state.st_mtime_ns, state.st_size, None)
    cached = _read(settings)
    if cached is not None and msgspec.structs.replace(cached, located=None) == now:
        located = cached.located
        if located is None or Path(located.folder).is_dir():
            return located
    located = lookup(None, settings)
    if _identity(_state(database, settings)) != _identity(state):
        return located  # the file was moved or written meanwhile: the answer may be of another state
    if located is None and has_cached_champion(settings) and not (settings.home / COPIES).is_dir():
        return None  # what was cached is all that is known of a champion: it is not to be forgotten
    file = _file(settings)
    with suppress(OSError):  # it saves time only
        prepare_folder(settings.home, file.parent.name)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as new:
            new.write(msgspec.json.encode(msgspec.structs.replace(now, located=located)))
        os.replace(new.name, file)
    return located


def has_cached_champion(settings: Settings) -> bool:
    """Whether the home's last look-up found a champion: maybe one of which it has no copy."""
    cached = _read(settings)
    return cached is not None and cached.located is not None


def _state(database: Path, settings: Settings) -> os.stat_result | None:
    """The state of the store's file; None where there is none."""
    try:
        return database.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        store = mask_credentials(settings.tracking_uri)
        raise TrackingError(f"{store}: cannot look up the champion: {error.strerror or error}") from error


def _identity(state: os.stat_result | None) -> tuple[int, ...] | None:
    """What differs where a file was written or moved; a move shows in the time of its status."""
    if state is None:
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _file(settings: Settings) -> Path:
    return settings.home / "cache" / "champion.json"


def _read(settings: Settings) -> ChampionCacheEntry | None:
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(read_regular(_file(settings)), type=ChampionCacheEntry)
    return None
