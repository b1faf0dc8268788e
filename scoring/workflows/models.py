"""Find and open the model that a command names; what its boosters use."""

from __future__ import annotations

import math
import os
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scoring.errors import ModelError
from scoring.home import prepare_folder
from scoring.model.bundle import SavedModel, boosters_of, columns_of, load_model
from scoring.model.models import Models
from scoring.records.decode import decode_json
from scoring.settings import Settings, default_model_folder, sqlite_file

if TYPE_CHECKING:
    from scoring.tracking import Importance

_TRACKED = re.compile(r"(runs|models):/")
_ALIAS = re.compile(r"models:/([^/@]+)@([^/@]+)")


class Located(msgspec.Struct, frozen=True):
    """Where a model lies, and what the store says of it.

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


Ask = Callable[[str | None, Settings], Located | None]


class _Pointer(msgspec.Struct, frozen=True):
    """Where the model in charge lay when the store's file was last changed: MLflow needs seconds for it."""

    name: str
    database: str
    changed_at: int
    n_bytes: int
    located: Located | None


def ask_store(spec: str | None, settings: Settings) -> Located | None:
    """Where the store has a model; of the champion, for which the spec is None, None where there is none.

    Raises
    ------
    TrackingError
        If the store has no such model, or cannot be reached.
    """
    from scoring.tracking import Store, champion, read_run, resolve_model, run_of_version

    store = Store(settings.tracking_uri, settings.home)
    alias = _ALIAS.fullmatch(spec or f"models:/{settings.registered_model}@champion")
    address = champion(store, *alias.groups()) if alias else spec
    if spec is None and address is None:
        return None
    address = str(address or spec)  # an alias that nothing bears is for the store to complain of
    run_id = address.split("/")[1] if address.startswith("runs:/") else run_of_version(store, address)
    return Located(str(resolve_model(store, address)), address, read_run(store, run_id).summary.started_at)


def locate_model(spec: str | None, settings: Settings, ask: Ask = ask_store) -> Located:
    """Find a model: see :func:`find_model`.

    Parameters
    ----------
    spec, settings
        As there.
    ask : callable
        How the store is asked, where it has to be: MLflow costs time and memory.

    Returns
    -------
    Located
    """
    spec = spec or settings.model
    if spec is None:
        return _champion(settings, ask) or Located(str(default_model_folder()))
    if _TRACKED.match(spec):
        found = ask(spec, settings)
        if found is None:
            raise ModelError(f"model: got no answer to {spec!r}, expected where it lies")
        return found
    if not Path(spec).is_dir():
        raise ModelError(
            f"model: got {spec!r}, expected a folder, runs:/ID, models:/NAME/VERSION or models:/NAME@ALIAS"
        )
    return Located(spec)


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
    return Path(locate_model(spec, settings).folder)


def _champion(settings: Settings, ask: Ask) -> Located | None:
    """Where the registry's champion lies; None where there is none."""
    database = sqlite_file(settings.tracking_uri)
    if database is None:
        return ask(None, settings)
    if not database.exists():
        return None
    state = database.stat()  # looked at before the store is asked: a change in between is seen next time
    now = _Pointer(settings.registered_model, str(database), state.st_mtime_ns, state.st_size, None)
    file = settings.home / "cache" / "champion.json"
    with suppress(OSError, msgspec.DecodeError):
        known = msgspec.json.decode(file.read_bytes(), type=_Pointer)
        if msgspec.structs.replace(known, located=None) == now and _is_there(known.located):
            return known.located
    located = ask(None, settings)
    found = msgspec.structs.replace(now, located=located)
    with suppress(OSError):  # it saves time only
        prepare_folder(settings.home, file.parent.name)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as new:
            new.write(msgspec.json.encode(found))
        os.replace(new.name, file)
    return located


def _is_there(located: Located | None) -> bool:
    return located is None or Path(located.folder).is_dir()


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


def check_scoring(saved: SavedModel, place: str) -> None:
    """See that a model scores: a record of our own, alone and beside another.

    Parameters
    ----------
    saved : SavedModel
        The model.
    place : str
        Where it is from, for the message.

    Raises
    ------
    ModelError
        If a score is no number, lies outside of its own interval, or hangs on what is scored beside it.
    """
    from scoring.tracking import EXAMPLE

    fields = (EXAMPLE, {**EXAMPLE, "related": []})
    documents = [decode_json(msgspec.json.encode(each), path="example", line=1) for each in fields]
    try:
        together = list(saved.scorer.score(documents))
        alone = [next(saved.scorer.score([each])) for each in documents]
    except (ValueError, OverflowError) as error:
        raise ModelError(f"{place}: got a score that is no number ({error}), expected one") from error
    if together != alone:
        raise ModelError(f"{place}: got scores that hang on what is scored beside them, expected the same")
    for score in together:
        numbers = [value for value in msgspec.structs.astuple(score) if isinstance(value, float)]
        if not all(map(math.isfinite, numbers)):
            raise ModelError(f"{place}: got a score that is no number, expected one")
        if not score.quality_low <= score.quality <= score.quality_high:
            raise ModelError(f"{place}: got a score outside of its own interval, expected it inside")


def importances_of(models: Models) -> tuple[Importance, ...]:
    """What each feature does for each booster that scores."""
    from scoring.tracking import Importance

    boosters = boosters_of(models)
    return tuple(
        Importance(name, part, float(gain), int(split))
        for part, columns in columns_of(models).items()
        for name, gain, split in zip(columns, *boosters[part].importances(), strict=True)
    )
