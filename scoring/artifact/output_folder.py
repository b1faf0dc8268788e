"""Output folder of a model, with protection against overwriting other models.

In a folder that the user names, another model is replaced only with ``--overwrite``. In the default folder of
trainings, ``models/NAME`` in the home, a training replaces only models saved there by trainings; the file
``.NAME.trained`` beside the folder has their digests.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from scoring.artifact.model_folder import MANIFEST, holds_something_else, manifest_of
from scoring.errors import ModelError, shown
from scoring.progress import SILENT, Reporter
from scoring.storage.home import create_file
from scoring.storage.remote import is_remote_file
from scoring.storage.replacement import open_replacement
from scoring.storage.urls import name_of, url_of


class _Training(msgspec.Struct, frozen=True):
    name: str


class _Manifest(msgspec.Struct, frozen=True):
    training: _Training


class _ExistingModel(NamedTuple):
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """Output folder of a model.

    Parameters
    ----------
    folder : Path
        Target folder, or its URL.
    is_overwrite : bool
        Whether any existing model may be replaced.
    is_default : bool
        Whether it is the default folder of trainings.
    reporter : Reporter
        Receives a note about the replaced model.
    """

    folder: Path
    is_overwrite: bool = False
    is_default: bool = False
    reporter: Reporter = SILENT

    def check(self, sha256: str | None = None) -> None:
        """Raise if the content of the folder must not be replaced.

        Parameters
        ----------
        sha256 : str, optional
            Digest of the new model; the same model may always be replaced.

        Raises
        ------
        ModelError
            If the folder holds another model that must not be replaced, or something else.
        """
        self._replaceable_model(sha256)

    def admit(self, sha256: str) -> None:
        """Check again right before the replacement, and report the replaced model.

        Parameters
        ----------
        sha256 : str
            Digest of the new model.

        Raises
        ------
        ModelError
            See :meth:`check`: another process may have saved a model since.
        """
        replaced = self._replaceable_model(sha256)
        if replaced is not None and replaced.sha256 != sha256:
            self.reporter.note(f"{shown(name_of(self.folder))}: {shown(replaced.name)} is replaced")
        if self.is_default:
            # Write both digests, so that a kill at any point leaves a folder that trainings may replace.
            self._write_trained_digests([replaced.sha256 if replaced else "", sha256])

    def _replaceable_model(self, sha256: str | None) -> _ExistingModel | None:
        """The existing model, if it may be replaced; None if there is none."""
        folder = shown(name_of(self.folder))
        if holds_something_else(self.folder):
            raise ModelError(f"{folder}: exists and is not a model folder")
        existing = _existing_model(self.folder)
        if existing is None or self.is_overwrite or existing.sha256 == sha256:
            return existing
        if self.is_default and existing.sha256 in self._trained_digests():
            return existing
        name = shown(existing.name)
        if self.is_default:
            raise ModelError(
                f"{folder}: got {name}, which was not saved there by a training: "
                "--overwrite replaces it, --output DIR saves elsewhere"
            )
        raise ModelError(f"{folder}: already holds {name}: --overwrite replaces it")

    @property
    def _digests_path(self) -> Path:
        return self.folder.with_name(f".{self.folder.name}.trained")

    def _trained_digests(self) -> list[str]:
        """Digests of the models last saved there by trainings."""
        try:
            return self._digests_path.read_text("ascii").split()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{shown(str(self._digests_path))}: cannot be read: {error}") from error

    def _write_trained_digests(self, digests: list[str]) -> None:
        create_file(self._digests_path)
        with open_replacement(self._digests_path) as file:
            file.writelines(f"{digest}\n".encode() for digest in digests)


def _existing_model(folder: Path) -> _ExistingModel | None:
    """The model of a folder, by its manifest only."""
    url = url_of(folder / MANIFEST)
    if not (is_remote_file(url) if url is not None else (folder / MANIFEST).exists()):
        return None
    try:
        manifest, sha256 = manifest_of(folder)
        training = msgspec.json.decode(manifest, type=_Manifest).training
    except (ModelError, msgspec.DecodeError, UnicodeDecodeError):
        return _ExistingModel("a model with a damaged manifest", "")
    return _ExistingModel(f"{training.name}@{sha256[:8]}", sha256)
