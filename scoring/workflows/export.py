"""Export and import: a model as one file, which scores elsewhere without a store."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from scoring.artifact.model_folder import write_files
from scoring.artifact.output_folder import ModelOutput
from scoring.artifact.saved_model import open_files
from scoring.artifact.zip_export import pack, unpack
from scoring.deployment.resolve_model import resolve
from scoring.errors import ModelError, shown
from scoring.progress import SILENT, Reporter
from scoring.settings import Settings
from scoring.storage.home import writing


class ExportedModel(NamedTuple):
    """A model by name and version, and the zip of its files."""

    name: str
    data: bytes


class ImportedModel(NamedTuple):
    """A model by name and version, and its folder."""

    name: str
    folder: Path


def export_model(
    model: str | None,
    *,
    settings: Settings,
    output: Path | None = None,
    is_overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> ExportedModel:
    """Pack a model, after every hash was found right.

    Parameters
    ----------
    model : str or None
        As :func:`scoring.deployment.resolve_model.resolve` takes it.
    settings : Settings
        Where the store is.
    output : Path, optional
        File that the bytes are meant for; it is only looked at.
    is_overwrite : bool
        Whether a file that is there may be replaced; the same bytes may in any case.
    reporter : Reporter
        Who hears of a model that is neither the one that was asked for nor the champion.

    Returns
    -------
    ExportedModel
        The same bytes for the same model, on any machine and at any time.

    Raises
    ------
    ModelError
        If the model cannot be used here, or is too large, or the file holds something else.
    TrackingError
        If the store has no such model, or cannot be reached.
    """
    loaded = resolve(model, settings, reporter=reporter)
    exported = ExportedModel(loaded.saved.name, pack(loaded.files))
    if output is not None and not is_overwrite and _holds_other_bytes(output, exported.data):
        raise ModelError(
            f"{shown(str(output))}: got a file that holds something else, expected none or the same model: "
            "--overwrite replaces it"
        )
    return exported


def _holds_other_bytes(file: Path, data: bytes) -> bool:
    if not file.is_file():
        return False
    n_bytes = file.stat().st_size
    return n_bytes > 0 and (n_bytes != len(data) or file.read_bytes() != data)


def import_model(
    path: Path,
    *,
    settings: Settings,
    output: Path | None = None,
    is_overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> ImportedModel:
    """Unpack a model into a folder, after every hash was found right; needs no store.

    Parameters
    ----------
    path : Path
        A zip as :func:`export_model` packs it.
    settings : Settings
        The home.
    output : Path, optional
        Folder of the model; ``models/NAME`` in the home if not given.
    is_overwrite : bool
        Whether another model that is there is replaced; the same one is never another.
    reporter : Reporter
        Told which model is replaced.

    Returns
    -------
    ImportedModel

    Raises
    ------
    ModelError
        If the file is no such zip, is damaged or of another version, or the folder holds another model or
        something else; nothing is written then.
    """
    files = unpack(path)
    saved = open_files(files)
    folder = output
    if folder is None:
        name = saved.manifest.training.name
        # The name is the sender's: it must not lead out of the folder of models.
        if name in ("", ".", "..") or "/" in name or not name.isprintable():
            raise ModelError(
                f"{path}: name: got {name!r}, which is no name of a folder, expected --output as well"
            )
        folder = settings.home / "models" / name
    place = ModelOutput(folder, is_overwrite=is_overwrite, reporter=reporter)
    with writing(settings.home, folder):
        write_files(folder, files.contents, admit=lambda: place.admit(files.sha256))
    return ImportedModel(saved.name, folder)
