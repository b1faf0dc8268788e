"""Model folder: a manifest and one LightGBM text file per booster, verified by hashes before loading."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from scoring.errors import ModelError, ScoringError, shown
from scoring.model.targets import TARGETS, Targets
from scoring.records.field_maps.field_map import FieldMap
from scoring.storage.atomic_folder import replace_folder
from scoring.storage.regular_files import open_regular, read_regular
from scoring.storage.remote import is_remote_file, list_files
from scoring.storage.remote_copies import process_copies
from scoring.storage.remote_writes import TEMPORARY, remove_remote, write_remote
from scoring.storage.urls import name_of, url_of

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
STAGED = ".replacement"
"""Folder of the parts that replace those of a model at a URL, until they are in place."""

MAX_FILE_BYTES = 256 * 2**20
PARTS = (
    *("quality", "spread", "lead", "heat", "published", "settled_lead", "growth"),
    *(f"baseline_{target}" for target in TARGETS),
)
FILES = (MANIFEST, *(f"{part}.txt" for part in PARTS))  # the manifest first

_FORMAT = "scoring model"
_PREFIX = f'{{"format":"{_FORMAT}",'.encode()


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of a model, verified against the hashes in the manifest.

    Parameters
    ----------
    place : str
        Path of the folder or zip, for messages.
    sha256 : str
        Hex digest of the manifest, and through it of every file.
    manifest : bytes
        The manifest as JSON.
    contents : dict of str to bytes
        Content of each file by name: the manifest in its envelope, and the text of each part.
    """

    place: str
    sha256: str
    manifest: bytes
    contents: dict[str, bytes]

    def text_of(self, part: str) -> str:
        """LightGBM text of a part; raises ModelError if it is not UTF-8."""
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
    """Build the files of a new model.

    Parameters
    ----------
    place : str
        Path of the folder.
    manifest : bytes
        JSON with the hash of each part's file under ``files``.
    parts : mapping of str to bytes
        Text of each part by file name.
    """
    sha256 = hashlib.sha256(manifest).hexdigest()
    envelope = msgspec.json.encode(_Envelope(_FORMAT, FORMAT_VERSION, sha256, msgspec.Raw(manifest)))
    return ModelFiles(place, sha256, manifest, {MANIFEST: envelope, **parts})


class ModelInterface(msgspec.Struct, frozen=True):
    """What a model takes and gives: its field map, None for scoring's own layout, and its labels."""

    field_map: FieldMap | None = None
    targets: Targets = TARGETS


class _InterfaceEnvelope(msgspec.Struct, frozen=True):
    manifest: ModelInterface = ModelInterface()


def interface_of(folder: Path) -> ModelInterface:
    """Return what the model in a folder takes and gives, without checking the rest."""
    return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=_InterfaceEnvelope).manifest


def checked(
    place: str, read: Callable[[str], bytes], read_part: Callable[[str, str], bytes] | None = None
) -> ModelFiles:
    """Read files and verify their format and hashes.

    Parameters
    ----------
    place : str
        Path of the folder or zip, for messages.
    read : callable
        Returns the content of a file by name; called for the manifest first.
    read_part : callable, optional
        Returns the content of a part by its name and hash; default: `read`.

    Raises
    ------
    ModelError
        If the format is unknown, or a file is damaged.
    """
    path = f"{place}/{MANIFEST}"
    contents = {MANIFEST: read(MANIFEST)}
    manifest, sha256 = _checked_manifest(path, contents[MANIFEST])
    hashes = decoded(path, manifest, _Hashes).files
    if sorted(hashes) != sorted(FILES[1:]):
        raise ModelError(f"{path}: files: got {sorted(hashes)}, expected one of each part")
    for name in FILES[1:]:
        contents[name] = read_part(name, hashes[name]) if read_part else read(name)
        if hashlib.sha256(contents[name]).hexdigest() != hashes[name]:
            raise ModelError(
                f"{place}/{name}: got other bytes than the manifest names, expected the saved model's"
            )
    return ModelFiles(place, sha256, manifest, contents)


def manifest_of(folder: Path) -> tuple[bytes, str]:
    """Manifest of a model folder, and its digest, which identifies the model; reads no other file.

    Raises
    ------
    ModelError
        If the manifest cannot be read, has another format, or is damaged.
    """
    path = folder / MANIFEST
    return _checked_manifest(name_of(path), read_file(path))


def _checked_manifest(path: str, data: bytes) -> tuple[bytes, str]:
    """Verify the format and hash of an enveloped manifest; return the manifest and its digest."""
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
    """Read and verify the files of a model folder, local or remote; other files are ignored.

    Raises
    ------
    ModelError
        If it is not a model folder, has another format, or is damaged.
    """
    if (url := url_of(folder)) is not None:
        return _read_remote(url)
    if not (folder / MANIFEST).is_file():
        raise ModelError(f"{folder}: got no {MANIFEST}, expected a model folder")
    return checked(str(folder), lambda name: read_file(folder / name))


def is_zip(path: Path) -> bool:
    """Whether a path names a zip, not a folder: a file, or a URL that ends in ``.zip``."""
    return path.suffix == ".zip" if url_of(path) is not None else path.is_file()


def _read_remote(url: str) -> ModelFiles:
    listing = list_files(url)
    names = {file.url.rpartition("/")[2]: file for file in listing.files}
    if listing.kind != "folder" or MANIFEST not in names:
        raise ModelError(f"{url}: got no {MANIFEST}, expected a model folder")
    top = url.rstrip("/")
    process_copies().copy_files(
        (file for name, file in names.items() if file.url == f"{top}/{name}" and name in FILES),
        max_bytes=MAX_FILE_BYTES,
    )

    def read_part(name: str, digest: str) -> bytes:
        """The part, or the staged one if the part is still that of the replaced model."""
        data = _read_listed(f"{top}/{name}")
        staged = f"{top}/{_staged(digest)}"
        if hashlib.sha256(data).hexdigest() == digest or not is_remote_file(staged):
            return data
        return read_file(Path(staged))

    return checked(top, lambda name: _read_listed(f"{top}/{name}"), read_part)


def read_file(path: Path) -> bytes:
    """Read a file of at most :data:`MAX_FILE_BYTES`, local or remote."""
    if (url := url_of(path)) is not None:
        process_copies().refresh(url)
    return _read_listed(path)


def _read_listed(path: str | Path) -> bytes:
    try:
        descriptor, size = open_regular(path)
        with open(descriptor, "rb") as file:
            if size > MAX_FILE_BYTES:
                raise ModelError(f"{name_of(path)}: got {size} bytes, expected {MAX_FILE_BYTES} at most")
            return file.read(size)
    except OSError as error:
        raise ModelError(f"{name_of(path)}: cannot read the model: {error.strerror or error}") from error


def write_files(
    folder: Path, contents: Mapping[str, bytes], *, admit: Callable[[], None] | None = None
) -> None:
    """Write a model folder, or replace an existing one atomically.

    At a URL there is no lock, and files are replaced one by one. The parts of a model that replaces another
    one are first stored in a folder beside them, by their hashes, where readers look for parts that are not
    those of the manifest. So at each point the old model or the new one is read, also if the write is
    interrupted.

    Parameters
    ----------
    folder : Path
        Target; refused if it holds anything but a model. Other files beside a model stay.
    contents : mapping of str to bytes
        Content of each file by name.
    admit : callable, optional
        Called under the lock before anything is written; an exception leaves the folder unchanged.

    Raises
    ------
    ModelError
        If the folder holds something else, or cannot be written.
    """
    try:
        if holds_something_else(folder):
            raise ModelError(f"{name_of(folder)}: exists and is not a model folder")
        if (url := url_of(folder)) is not None:
            if admit is not None:
                admit()
            _write_remote(url.rstrip("/"), contents)
            return
        replace_folder(folder, contents, ours=FILES, admit=admit)
    except OSError as error:
        raise ModelError(f"{folder}: cannot write the model: {error.strerror or error}") from error


def _write_remote(url: str, contents: Mapping[str, bytes]) -> None:
    if is_remote_file(f"{url}/{MANIFEST}"):
        _replace_remote(url, contents)
        return
    for number, name in enumerate(sorted(contents, key=lambda name: (name == MANIFEST, name))):
        try:
            write_remote(f"{url}/{name}", contents[name])
        except ScoringError as error:
            if number == 0:
                raise
            raise ModelError(
                f"{error}; the model at {url} is incomplete and cannot be used: write it again"
            ) from error


def _replace_remote(url: str, contents: Mapping[str, bytes]) -> None:
    """Replace a model: its parts by their hashes, the manifest, then the parts by their names."""
    parts = {name: data for name, data in contents.items() if name != MANIFEST}
    staged = {f"{url}/{_staged(digest)}": parts[name] for name, digest in hashes_of(parts).items()}
    for place, data in staged.items():
        write_remote(place, data)
    write_remote(f"{url}/{MANIFEST}", contents[MANIFEST])
    for name, data in parts.items():
        write_remote(f"{url}/{name}", data)
    for place in staged:
        remove_remote(place)


def _staged(digest: str) -> str:
    """Name of a part that is being written, in the folder of its model."""
    return f"{STAGED}/{digest}.txt"


def decoded(path: str, data: bytes, kind: type[Any]) -> Any:
    """Decode the JSON of a manifest to a type; raises ModelError if invalid."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(
            f"{path}: got a damaged manifest ({shown(str(error))}), expected JSON as it was saved"
        ) from error


def holds_something_else(folder: Path) -> bool:
    """Whether a path exists and is neither a model folder nor an empty folder."""
    if (url := url_of(folder)) is not None:
        return _holds_something_else(url.rstrip("/"))
    if not folder.is_dir():
        return folder.exists() or folder.is_symlink()
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return any(folder.iterdir())
    with manifest.open("rb") as file:  # other programs write a manifest.json too
        return file.read(len(_PREFIX)) != _PREFIX


def _holds_something_else(url: str) -> bool:
    kind, files = list_files(url)
    manifest = f"{url}/{MANIFEST}"
    if kind != "folder":
        return bool(files)
    if all(file.url != manifest for file in files):  # an upload that was interrupted left no other files
        names = (file.url.removeprefix(f"{url}/") for file in files)
        return any(name not in FILES and not name.endswith(TEMPORARY) for name in names)
    return not read_regular(manifest, len(_PREFIX)).startswith(_PREFIX)


@contextmanager
def local_folder(folder: Path) -> Iterator[Path]:
    """Local path of a model folder; for a URL, that of a temporary copy.

    Raises
    ------
    ModelError
        As :func:`read_files`, and if the copy cannot be written.
    """
    if url_of(folder) is None:
        yield folder
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="scoring-") as temporary:
        copy = Path(temporary) / "model"
        write_files(copy, read_files(folder).contents)
        yield copy
