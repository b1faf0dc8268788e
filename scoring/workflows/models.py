"""Find and open the model that a command names; what its boosters use."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scoring.errors import ModelError
from scoring.model.bundle import SavedModel, boosters_of, columns_of, load_model
from scoring.model.models import Models
from scoring.settings import Settings, default_model_folder, sqlite_file

if TYPE_CHECKING:
    from scoring.tracking import Importance

_TRACKED = re.compile(r"(runs|models):/")


class _Pointer(msgspec.Struct, frozen=True):
    """Where the model in charge lay when the store's file was last changed: MLflow needs seconds for it."""

    name: str
    database: str
    changed_at: int
    n_bytes: int
    folder: str | None = None


def find_model(spec: str | None, settings: Settings) -> Path:
    """Local folder of a model; not to be written to.

    Parameters
    ----------
    spec : str or None
        A folder, ``runs:/ID``, ``models:/NAME/VERSION``, ``models:/NAME@ALIAS``; None for the one that the
        settings name, else the registry's ``champion`` where the store has one, else the one that ships.
    settings : Settings
        Where the store is.

    Returns
    -------
    Path

    Raises
    ------
    ModelError
        If there is no such folder.
    TrackingError
        If the store has no such model, or cannot be reached.
    """
    spec = spec or settings.model
    if spec is None:
        return _champion(settings) or default_model_folder()
    if _TRACKED.match(spec):
        from scoring.tracking import Store, resolve_model

        return resolve_model(Store(settings.tracking_uri, settings.home), spec)
    if not Path(spec).is_dir():
        raise ModelError(
            f"model: got {spec!r}, expected a folder, runs:/ID, models:/NAME/VERSION or models:/NAME@ALIAS"
        )
    return Path(spec)


def _champion(settings: Settings) -> Path | None:
    """Folder of the registry's champion; None where there is none."""
    database = sqlite_file(settings.tracking_uri)
    if database is None:
        return _ask_for_champion(settings)
    if not database.exists():
        return None
    state = database.stat()  # looked at before the store is asked: a change in between is seen next time
    now = _Pointer(settings.registered_model, str(database), state.st_mtime_ns, state.st_size)
    file = settings.home / "cache" / "champion.json"
    with suppress(OSError, msgspec.DecodeError):
        known = msgspec.json.decode(file.read_bytes(), type=_Pointer)
        if msgspec.structs.replace(known, folder=None) == now and _is_there(known.folder):
            return Path(known.folder) if known.folder else None
    folder = _ask_for_champion(settings)
    found = msgspec.structs.replace(now, folder=str(folder) if folder else None)
    with suppress(OSError):  # it saves time only
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as new:
            new.write(msgspec.json.encode(found))
        os.replace(new.name, file)
    return folder


def _is_there(folder: str | None) -> bool:
    return folder is None or Path(folder).is_dir()


def _ask_for_champion(settings: Settings) -> Path | None:
    from scoring.tracking import Store, champion, resolve_model

    store = Store(settings.tracking_uri, settings.home)
    spec = champion(store, settings.registered_model)
    return resolve_model(store, spec) if spec else None


def open_model(spec: str | None, settings: Settings) -> SavedModel:
    """Open a model: see :func:`find_model`.

    Raises
    ------
    ModelError
        If the folder holds no usable model.
    TrackingError
        If the store has no such model, or cannot be reached.
    """
    return load_model(find_model(spec, settings))


def importances_of(models: Models) -> tuple[Importance, ...]:
    """What each feature does for each booster that scores."""
    from scoring.tracking import Importance

    boosters = boosters_of(models)
    return tuple(
        Importance(name, part, float(gain), int(split))
        for part, columns in columns_of(models).items()
        for name, gain, split in zip(columns, *boosters[part].importances(), strict=True)
    )
