"""Find and open the model that a command names; what its boosters use."""

from __future__ import annotations

import re
from pathlib import Path

from scoring.errors import ModelError
from scoring.model.bundle import SavedModel, boosters_of, columns_of, load_model
from scoring.model.models import Models
from scoring.settings import Settings, default_model_folder
from scoring.tracking import Importance, Store, champion, resolve_model

_TRACKED = re.compile(r"(runs|models):/")


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
    store = Store(settings.tracking_uri, settings.home)
    if spec is None:
        spec = champion(store, settings.registered_model)
    if spec is None:
        return default_model_folder()
    if _TRACKED.match(spec):
        return resolve_model(store, spec)
    if not Path(spec).is_dir():
        raise ModelError(
            f"model: got {spec!r}, expected a folder, runs:/ID, models:/NAME/VERSION or models:/NAME@ALIAS"
        )
    return Path(spec)


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
    boosters = boosters_of(models)
    return tuple(
        Importance(name, part, float(gain), int(split))
        for part, columns in columns_of(models).items()
        for name, gain, split in zip(columns, *boosters[part].importances(), strict=True)
    )
