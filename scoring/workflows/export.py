"""Export a model as one zip, and import it elsewhere without a store."""

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
from scoring.storage.regular_files import read_regular
from scoring.storage.remote import is_remote_file
from scoring.storage.remote_output import check_output
from scoring.storage.urls import local_or_remote, name_of, url_of


class ExportedModel(NamedTuple):
    """Name and version of a model, and the bytes of its zip."""

    name: str
    data: bytes


class ImportedModel(NamedTuple):
    """Name and version of a model, and its folder."""

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
    """Pack a model into a zip, after all its hashes were checked.

    Parameters
    ----------
    model : str or None
        See :func:`scoring.deployment.resolve_model.resolve`.
    settings : Settings
        Home and store.
    output : Path, optional
        File that the caller will write; it is only checked here.
    is_overwrite : bool
        Whether an existing file with other content may be replaced.
    reporter : Reporter
        Receives a warning if the model is neither the requested one nor the champion.

    Returns
    -------
    ExportedModel
        The same bytes for the same model, on any machine and at any time.

    Raises
    ------
    ModelError
        If the model cannot be used or is too large, or the file has other content.
    TrackingError
        If the store has no such model, or cannot be reached.
    """
    check_output(output)
    loaded = resolve(model, settings, reporter=reporter)
    exported = ExportedModel(loaded.saved.name, pack(loaded.files))
    if output is not None and not is_overwrite and _has_other_content(output, exported.data):
        raise ModelError(
            f"{shown(name_of(output))}: the file exists and has other content: use --overwrite to replace it"
        )
    return exported


def _has_other_content(file: Path, data: bytes) -> bool:
    if (url := url_of(file)) is not None:
        return is_remote_file(url) and read_regular(file) not in (b"", data)
    file = local_or_remote(file)
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
    """Unpack a model into a folder, after all its hashes were checked; needs no store.

    Parameters
    ----------
    path : Path
        A zip written by :func:`export_model`, or its URL.
    settings : Settings
        The home.
    output : Path, optional
        Folder of the model; ``models/NAME`` in the home if not given.
    is_overwrite : bool
        Whether a different model in the folder may be replaced.
    reporter : Reporter
        Receives a note about the replaced model.

    Returns
    -------
    ImportedModel

    Raises
    ------
    ModelError
        If the file is not a model's zip, is damaged or of another version, or the folder has another model or
        other content; nothing is written then.
    """
    check_output(output)
    files = unpack(local_or_remote(path))
    saved = open_files(files)
    folder = None if output is None else local_or_remote(output)
    if folder is None:
        name = saved.manifest.training.name
        # The name is untrusted: it must not lead out of the folder of models.
        if name in ("", ".", "..") or "/" in name or not name.isprintable():
            raise ModelError(
                f"{name_of(path)}: name: got {name!r}, which is not a valid folder name: use --output"
            )
        folder = settings.home / "models" / name
    model_output = ModelOutput(folder, is_overwrite=is_overwrite, reporter=reporter)
    with writing(settings.home, folder):
        write_files(folder, files.contents, admit=lambda: model_output.admit(files.sha256))
    return ImportedModel(saved.name, folder)
