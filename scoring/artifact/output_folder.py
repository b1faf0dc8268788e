"""Where a model is saved: a new folder, or one whose model may be replaced.

A model in a folder that the user names is replaced with ``--overwrite`` only, or where it is the same one.
The default folder of trainings, ``models/NAME`` in the home, is theirs: a training replaces there what one
before it has saved, and no other model. Beside the folder, ``.NAME.trained`` has the digests of these models.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from scoring.artifact.model_folder import MANIFEST, holds_something_else, manifest_of
from scoring.errors import ModelError, shown
from scoring.progress import SILENT, Reporter
from scoring.storage.home import create_file


class _Training(msgspec.Struct, frozen=True):
    name: str


class _Manifest(msgspec.Struct, frozen=True):
    training: _Training


class _ExistingModel(NamedTuple):
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """A folder for a model.

    Parameters
    ----------
    folder : Path
        Where the model is to be.
    is_overwrite : bool
        Whether any model that is there may be replaced.
    is_default : bool
        Whether it is the default folder of trainings, which replace their own models there.
    reporter : Reporter
        Told which model is replaced.
    """

    folder: Path
    is_overwrite: bool = False
    is_default: bool = False
    reporter: Reporter = SILENT

    def check(self, sha256: str | None = None) -> None:
        """Refuse a folder whose content may not be replaced.

        Parameters
        ----------
        sha256 : str, optional
            Digest of the model that is to be there: one that is there already is no other model.

        Raises
        ------
        ModelError
            If it holds another model that may not be replaced, or something that is no model.
        """
        self._replaced(sha256)

    def admit(self, sha256: str) -> None:
        """Check once more, right before a model takes the folder, and report which model it replaces.

        Parameters
        ----------
        sha256 : str
            Digest of the new model.

        Raises
        ------
        ModelError
            As :meth:`check` does: another process may have put a model there since.
        """
        replaced = self._replaced(sha256)
        if replaced is not None and replaced.sha256 != sha256:
            self.reporter.note(f"{shown(str(self.folder))}: {shown(replaced.name)} is replaced")
        if self.is_default:
            # Both, so that the folder counts as the training's own wherever the process is killed.
            self._note_trained([replaced.sha256 if replaced else "", sha256])

    def _replaced(self, sha256: str | None) -> _ExistingModel | None:
        """The model that is there and may be replaced; None where there is none."""
        where = shown(str(self.folder))
        if holds_something_else(self.folder):
            raise ModelError(f"{where}: exists and is not a model folder")
        existing = _existing_model(self.folder)
        if existing is None or self.is_overwrite or existing.sha256 == sha256:
            return existing
        if self.is_default and existing.sha256 in self._trained():
            return existing
        name = shown(existing.name)
        if self.is_default:
            raise ModelError(
                f"{where}: got {name}, which was not saved there by a training: "
                "--overwrite replaces it, --output DIR saves elsewhere"
            )
        raise ModelError(f"{where}: already holds {name}: --overwrite replaces it")

    @property
    def _record(self) -> Path:
        return self.folder.with_name(f".{self.folder.name}.trained")

    def _trained(self) -> list[str]:
        """Digests of the models that trainings have saved there last."""
        try:
            return self._record.read_text("ascii").split()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{shown(str(self._record))}: cannot be read: {error}") from error

    def _note_trained(self, digests: list[str]) -> None:
        scratch = self._record.with_name(f"{self._record.name}.new")
        create_file(scratch)
        with scratch.open("w", encoding="ascii") as file:
            file.writelines(f"{digest}\n" for digest in digests)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self._record)


def _existing_model(folder: Path) -> _ExistingModel | None:
    """The model of a folder by its manifest; other files of it may be damaged."""
    if not (folder / MANIFEST).exists():
        return None
    try:
        manifest, sha256 = manifest_of(folder)
        training = msgspec.json.decode(manifest, type=_Manifest).training
    except (ModelError, msgspec.DecodeError, UnicodeDecodeError):
        return _ExistingModel("a model with a damaged manifest", "")
    return _ExistingModel(f"{training.name}@{sha256[:8]}", sha256)
