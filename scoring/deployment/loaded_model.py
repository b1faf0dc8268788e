"""Load a resolved model: from a folder, from the champion's local copy, or the shipped one."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from scoring.artifact.model_folder import MANIFEST, ModelFiles, is_zip, read_files
from scoring.artifact.saved_model import SavedModel, open_files
from scoring.credentials import mask_credentials
from scoring.deployment.champion_cache import RegistryEntry
from scoring.deployment.champion_copy import ChampionFacts, copy_folder, find_copy, keep_copy
from scoring.errors import ModelError, ScoringError
from scoring.settings import Settings, default_model_folder
from scoring.storage.remote import list_files
from scoring.storage.urls import url_of

SHIPPED = "shipped"
"""Name of the shipped model for ``--model`` and the setting ``model``."""


class ModelSource(StrEnum):
    """How a model was selected."""

    EXPLICIT = "explicit"
    CHAMPION = "champion"
    LAST_KNOWN_CHAMPION = "last_known_champion"
    SHIPPED = "shipped"


class ResolvedModel(msgspec.Struct, frozen=True, kw_only=True):
    """Identity of the selected model, and how it was selected.

    Parameters
    ----------
    source : ModelSource
        How it was selected.
    folder : str
        Local folder, read-only.
    name : str
        Name and version, as in each score.
    sha256 : str
        Hex digest of its manifest, which holds the digests of all files.
    address : str or None
        ``models:/NAME/3`` or ``runs:/ID``; None for a folder outside of any store.
    trained_at : datetime or None
        Start of its run, aware UTC; None if unknown.
    warning : str or None
        One line for the user; None if the model is the requested one or the champion.
    store_error : str or None
        Why the champion is not available; None if it is, or was not requested.
    """

    source: ModelSource
    folder: str
    name: str
    sha256: str
    address: str | None = None
    trained_at: datetime | None = None
    warning: str | None = None
    store_error: str | None = None


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A loaded model with its files, and the stamp of its manifest from just before it was read."""

    resolved: ResolvedModel
    saved: SavedModel
    files: ModelFiles
    stamp: tuple[int, int] | None


def load_entry(entry: RegistryEntry, source: ModelSource, *, is_whole: bool = True) -> LoadedModel:
    """Load a model from its folder.

    Parameters
    ----------
    entry : RegistryEntry
        Folder and address of the model.
    source : ModelSource
        How it was selected.
    is_whole : bool
        Whether to load the baselines' boosters now; scoring does not need them.

    Raises
    ------
    ModelError
        If the folder or zip holds no usable model.
    """
    stamp = stamp_of(entry.folder)  # taken before reading, so that a later change is noticed
    files = _read(Path(entry.folder))
    saved = open_files(files, is_whole=is_whole)
    resolved = ResolvedModel(
        source=source,
        folder=entry.folder,
        name=saved.name,
        sha256=saved.sha256,
        address=entry.address,
        trained_at=entry.trained_at,
    )
    return LoadedModel(resolved, saved, files, stamp)


def _read(path: Path) -> ModelFiles:
    """Read a model folder or zip."""
    if not is_zip(path):
        return read_files(path)
    from scoring.artifact.zip_export import unpack  # imports zipfile

    return unpack(path)


def load_last_known(
    settings: Settings, name: str, cause: str, *, is_whole: bool = True
) -> LoadedModel | None:
    """Load the local copy of the last known champion, with a warning; None if there is no copy.

    Parameters
    ----------
    settings : Settings
        Home and store.
    name : str
        Registered model.
    cause : str
        Why the champion itself is not available.
    is_whole : bool
        As for :func:`load_entry`.

    Raises
    ------
    ModelError
        If the copy is damaged.
    """
    copy = find_copy(settings, name)
    if copy is None:
        return None
    facts = copy.facts
    stamp = stamp_of(str(copy.folder))
    saved = open_files(copy.files, is_whole=is_whole)
    resolved = ResolvedModel(
        source=ModelSource.LAST_KNOWN_CHAMPION,
        folder=str(copy.folder),
        name=facts.model,
        sha256=facts.sha256,
        address=facts.address,
        trained_at=facts.trained_at,
        warning=f"{cause}; using the last known champion of {name}: {facts.model} ({facts.address}, "
        f"last seen {copy.seen_at:%Y-%m-%d %H:%M} UTC)",
        store_error=cause,
    )
    return LoadedModel(resolved, saved, copy.files, stamp)


def load_shipped(*, is_whole: bool = True, because: str | None = None) -> LoadedModel:
    """Load the shipped model.

    Parameters
    ----------
    is_whole : bool
        As for :func:`load_entry`.
    because : str or None
        Why it is used without being requested, for the warning; None if it was requested.
    """
    loaded = load_entry(RegistryEntry(str(default_model_folder())), ModelSource.SHIPPED, is_whole=is_whole)
    name, warning = loaded.saved.name, None
    if because is not None:
        warning = (
            f"{because}: using the shipped model {name}, which was trained on another site; "
            f'"scoring retrain PATH" trains one on your records, "--model {SHIPPED}" selects this one'
        )
    elif Path(SHIPPED, MANIFEST).is_file():
        warning = f"using the shipped model {name}: write ./{SHIPPED} to use the folder of that name"
    return with_warning(loaded, warning)


def with_warning(loaded: LoadedModel, warning: str | None) -> LoadedModel:
    """Copy of a loaded model with another warning."""
    resolved = msgspec.structs.replace(loaded.resolved, warning=warning)
    return LoadedModel(resolved, loaded.saved, loaded.files, loaded.stamp)


def keep_champion(settings: Settings, name: str, loaded: LoadedModel) -> str | None:
    """Keep a local copy of the champion of a registered model.

    Parameters
    ----------
    settings : Settings
        Home and store.
    name : str
        Registered model.
    loaded : LoadedModel
        The champion.

    Returns
    -------
    str or None
        A warning if the copy could not be kept.
    """
    resolved = loaded.resolved
    facts = ChampionFacts(
        store=mask_credentials(settings.tracking_uri),
        name=name,
        address=str(resolved.address),
        model=resolved.name,
        sha256=resolved.sha256,
        trained_at=resolved.trained_at,
    )
    try:
        keep_copy(settings, facts, loaded.files)
    except OSError as error:
        return (
            f"{copy_folder(settings, name)}: cannot keep a copy of the champion of {name}: "
            f"{error.strerror or error}; there is no fallback while its store is unavailable"
        )
    return None


def stamp_of(folder: str) -> tuple[int, int] | None:
    """Modification time (ns) and size (bytes) of a folder's manifest, or of a zip; None if there is none.

    Of a remote model, a number for its version instead of a time.
    """
    path = Path(folder) if is_zip(Path(folder)) else Path(folder, MANIFEST)
    if (url := url_of(path)) is not None:
        return _remote_stamp(url)
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


def _remote_stamp(url: str) -> tuple[int, int] | None:
    try:
        _, files = list_files(url)
    except ScoringError as error:
        raise ModelError(str(error)) from error
    return next(((zlib.crc32(file.stamp.encode()), file.n_bytes) for file in files), None)
