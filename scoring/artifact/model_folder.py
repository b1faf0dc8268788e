"""The files of a model: LightGBM text of each part and one manifest, checked before anything is loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from scoring.errors import ModelError, shown
from scoring.model.baselines import TARGETS
from scoring.storage.atomic_folder import replace_folder
from scoring.storage.regular_files import open_regular

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
MAX_FILE_BYTES = 256 * 2**20
PARTS = (
    *("quality", "spread", "lead", "heat", "published", "settled_lead", "growth"),
    *(f"baseline_{target}" for target in TARGETS),
)
FILES = (MANIFEST, *(f"{part}.txt" for part in PARTS))  # the manifest first

_FORMAT = "scoring model"
_BEGINNING = f'{{"format":"{_FORMAT}",'.encode()


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of a model, each with the hash that the manifest names.

    Parameters
    ----------
    place : str
        Where they are, for messages.
    sha256 : str
        Hex digest of the manifest, and through it of every file.
    manifest : bytes
        What is known of the model, as JSON.
    contents : dict of str to bytes
        Every file by its name: the manifest in its envelope, and the text of each part.
    """

    place: str
    sha256: str
    manifest: bytes
    contents: dict[str, bytes]

    def text_of(self, part: str) -> str:
        """LightGBM's text of one part; a ModelError where it is no text."""
        try:
            return self.contents[f"{part}.txt"].decode()
        except UnicodeDecodeError as error:
            got = f"byte 0x{self.contents[f'{part}.txt'][error.start]:02x}"
            raise ModelError(f"{self.place}/{part}.txt: got {got}, expected text in UTF-8") from error


class _Envelope(msgspec.Struct, frozen=True):
    format: str
    format_version: int
    sha256: str
    manifest: msgspec.Raw


class _Hashes(msgspec.Struct, frozen=True):
    files: dict[str, str]


def hashes_of(contents: Mapping[str, bytes]) -> dict[str, str]:
    """Hex digest of each file."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}


def with_manifest(place: str, manifest: bytes, parts: Mapping[str, bytes]) -> ModelFiles:
    """The files of a new model.

    Parameters
    ----------
    place : str
        Where they are to be.
    manifest : bytes
        JSON that has the hash of each part's file under ``files``.
    parts : mapping of str to bytes
        The text of each part by the name of its file.
    """
    sha256 = hashlib.sha256(manifest).hexdigest()
    envelope = msgspec.json.encode(_Envelope(_FORMAT, FORMAT_VERSION, sha256, msgspec.Raw(manifest)))
    return ModelFiles(place, sha256, manifest, {MANIFEST: envelope, **parts})


def checked(place: str, read: Callable[[str], bytes]) -> ModelFiles:
    """Files as they are found, after the format and every hash were found right.

    Parameters
    ----------
    place : str
        Where they are, for messages.
    read : callable
        Gives the content of a file by its name; the manifest is asked for first.

    Raises
    ------
    ModelError
        If they are of another format, or damaged.
    """
    path = f"{place}/{MANIFEST}"
    contents = {MANIFEST: read(MANIFEST)}
    manifest, sha256 = _opened(path, contents[MANIFEST])
    hashes = decoded(path, manifest, _Hashes).files
    if sorted(hashes) != sorted(FILES[1:]):
        raise ModelError(f"{path}: files: got {sorted(hashes)}, expected one of each part")
    for name in FILES[1:]:
        contents[name] = read(name)
        if hashlib.sha256(contents[name]).hexdigest() != hashes[name]:
            raise ModelError(
                f"{place}/{name}: got other bytes than the manifest names, expected the saved model's"
            )
    return ModelFiles(place, sha256, manifest, contents)


def manifest_of(folder: Path) -> tuple[bytes, str]:
    """The manifest of a model folder and its digest, which is the model's; no other file is looked at.

    Raises
    ------
    ModelError
        If it cannot be read, is of another format, or is damaged.
    """
    path = folder / MANIFEST
    return _opened(str(path), read_file(path))


def _opened(path: str, data: bytes) -> tuple[bytes, str]:
    """The manifest in an envelope and its digest, after format and hash were found right."""
    envelope: _Envelope = decoded(path, data, _Envelope)
    if envelope.format != _FORMAT or envelope.format_version != FORMAT_VERSION:
        raise ModelError(
            f"{path}: got format {envelope.format!r} version {envelope.format_version}, "
            f"expected {_FORMAT!r} version {FORMAT_VERSION}"
        )
    manifest = bytes(envelope.manifest)
    if hashlib.sha256(manifest).hexdigest() != envelope.sha256:
        raise ModelError(f"{path}: got other bytes than its hash names, expected a manifest as it was saved")
    return manifest, envelope.sha256


def read_files(folder: Path) -> ModelFiles:
    """The files of a model folder; what lies beside them is left alone.

    Raises
    ------
    ModelError
        If it is no model folder, is of another format, or is damaged.
    """
    if not (folder / MANIFEST).is_file():
        raise ModelError(f"{folder}: got no {MANIFEST}, expected a model folder")
    return checked(str(folder), lambda name: read_file(folder / name))


def read_file(path: Path) -> bytes:
    """One file, if it is not larger than a model's can be."""
    try:
        descriptor, size = open_regular(path)
        with open(descriptor, "rb") as file:
            if size > MAX_FILE_BYTES:
                raise ModelError(f"{path}: got {size} bytes, expected {MAX_FILE_BYTES} at most")
            return file.read(size)
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model: {error.strerror or error}") from error


def write_files(
    folder: Path, contents: Mapping[str, bytes], *, admit: Callable[[], None] | None = None
) -> None:
    """Write a model folder; one that is there is replaced whole, or not at all, whatever ends the process.

    Parameters
    ----------
    folder : Path
        Where; a folder that holds anything but a model is refused. What lies beside a model's files stays.
    contents : mapping of str to bytes
        Every file by its name.
    admit : callable, optional
        Called before anything is written, once no other process can write there; what it raises leaves the
        folder as it is.

    Raises
    ------
    ModelError
        If the folder holds something else, or cannot be written.
    """
    try:
        if holds_something_else(folder):
            raise ModelError(f"{folder}: exists and is not a model folder")
        replace_folder(folder, contents, ours=FILES, admit=admit)
    except OSError as error:
        raise ModelError(f"{folder}: cannot write the model: {error.strerror or error}") from error


def decoded(path: str, data: bytes, kind: type[Any]) -> Any:
    """JSON of a manifest as a typed value; a ModelError where it is none."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(
            f"{path}: got a damaged manifest ({shown(str(error))}), expected JSON as it was saved"
        ) from error


def holds_something_else(folder: Path) -> bool:
    """Whether a path has anything but a model or an empty folder; others have a manifest.json as well."""
    if not folder.is_dir():
        return folder.exists() or folder.is_symlink()
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return any(folder.iterdir())
    with manifest.open("rb") as file:
        return file.read(len(_BEGINNING)) != _BEGINNING
