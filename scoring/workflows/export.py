"""Export and import: a model as one file, which scores elsewhere without a store."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from scoring.deployment.resolve_model import resolve
from scoring.errors import ModelError
from scoring.model.archive import pack, unpack
from scoring.model.bundle import open_files
from scoring.model.files import write_files
from scoring.progress import SILENT, Reporter
from scoring.settings import Settings


class ExportedModel(NamedTuple):
    """A model by name and version, and the zip of its files."""

    name: str
    data: bytes


class ImportedModel(NamedTuple):
    """A model by name and version, and its folder."""

    name: str
    folder: Path


def export_model(model: str | None, *, settings: Settings, reporter: Reporter = SILENT) -> ExportedModel:
    """Pack a model, after every hash was found right.

    Parameters
    ----------
    model : str or None
        As :func:`scoring.deployment.resolve_model.resolve` takes it.
    settings : Settings
        Where the store is.
    reporter : Reporter
        Who hears of a model that is neither the one that was asked for nor the champion.

    Returns
    -------
    ExportedModel
        The same bytes for the same model, on any machine and at any time.

    Raises
    ------
    ModelError
        If the model cannot be used here, or is too large.
    TrackingError
        If the store has no such model, or cannot be reached.
    """
    loaded = resolve(model, settings, reporter=reporter)
    return ExportedModel(loaded.saved.name, pack(loaded.files))


def import_model(path: Path, *, settings: Settings, out: Path | None = None) -> ImportedModel:
    """Unpack a model into a folder, after every hash was found right; needs no store.

    Parameters
    ----------
    path : Path
        A zip as :func:`export_model` packs it.
    settings : Settings
        The home.
    out : Path, optional
        Folder of the model; ``models/NAME`` in the home if not given. A model that is there is replaced.

    Returns
    -------
    ImportedModel

    Raises
    ------
    ModelError
        If the file is no such zip, is damaged or of another version, or the folder holds something else;
        nothing is written then.
    """
    files = unpack(path)
    saved = open_files(files)
    folder = out
    if folder is None:
        name = saved.manifest.training.name
        # The name is the sender's: it must not lead out of the folder of models.
        if name in ("", ".", "..") or "/" in name or not name.isprintable():
            raise ModelError(
                f"{path}: name: got {name!r}, which is no name of a folder, expected --out as well"
            )
        folder = settings.home / "models" / name
    write_files(folder, files.contents)
    return ImportedModel(saved.name, folder)
