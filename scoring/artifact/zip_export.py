"""A model as one zip file: the bytes of its files, and no file but these."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections import Counter
from pathlib import Path

from scoring.artifact.model_folder import FILES, MAX_FILE_BYTES, ModelFiles, checked, read_file
from scoring.errors import ModelError

_BEFORE_ALL = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_IS_ENCRYPTED = 0x1
# Begins each entry of the directory, which zipfile reads whole before it tells how many there are.
_ENTRY, _MAX_ENTRIES = b"PK\x01\x02", 1000
# What zipfile is known to raise where a file is damaged, beside its own error.
_DAMAGES = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError),
)


def pack(files: ModelFiles) -> bytes:
    """A model's files as a zip; the same bytes for the same model, on any machine and at any time.

    Nothing is compressed, since what a compressor writes depends on its version.

    Raises
    ------
    ModelError
        If the model is larger than :func:`unpack` takes.
    """
    n_bytes = sum(map(len, files.contents.values()))
    if n_bytes > MAX_FILE_BYTES:
        raise ModelError(f"{files.place}: got {n_bytes} bytes, expected {MAX_FILE_BYTES} at most")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(files.contents.items()):
            entry = zipfile.ZipInfo(name, _BEFORE_ALL)
            entry.create_system = 3  # the same on every system
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def unpack(path: Path) -> ModelFiles:
    """The files of a model from a zip, which may be anybody's; nothing is written.

    Parameters
    ----------
    path : Path
        As :func:`pack` makes it. Compressed entries are taken too, within the same bounds.

    Returns
    -------
    ModelFiles

    Raises
    ------
    ModelError
        If it is no such zip, holds anything else, is larger than a model can be, or is damaged.
    """
    data = read_file(path)
    if data.count(_ENTRY) > _MAX_ENTRIES:
        raise ModelError(
            f"{path}: got over {_MAX_ENTRIES} entries, expected the {len(FILES)} files of a model"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_entries(path, entries)
            contents = {entry.filename: _content(archive, entry) for entry in entries}
    except _DAMAGES as error:
        raise ModelError(
            f"{path}: got something else or damaged ({error}), expected a zip as scoring export writes it"
        ) from error
    return checked(str(path), contents.__getitem__)


def _check_entries(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Refuse entries that are not exactly a model's files, or that are not to be unpacked."""
    # The name as it stands there: zipfile cuts it at a NUL.
    counts = Counter(entry.orig_filename for entry in entries)
    odd = [name for name, count in counts.items() if name not in FILES or count > 1]
    missing = [name for name in FILES if name not in counts]
    if odd:
        raise ModelError(
            f"{path}: got {_shown(odd[0])}, expected the {len(FILES)} files of a model, each once"
        )
    if missing:
        raise ModelError(f"{path}: got no {missing[0]}, expected the {len(FILES)} files of a model")
    for entry in entries:
        place = f"{path}: {entry.filename}"
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            raise ModelError(f"{place}: got a link or a folder, expected a file")
        if entry.flag_bits & _IS_ENCRYPTED:
            raise ModelError(f"{place}: got an encrypted file, expected a plain one")
        if entry.compress_type not in _METHODS:
            raise ModelError(
                f"{place}: got compression method {entry.compress_type}, expected none or deflate"
            )
    n_bytes = sum(entry.file_size for entry in entries)
    if n_bytes > MAX_FILE_BYTES:
        raise ModelError(f"{path}: got {n_bytes} bytes unpacked, expected {MAX_FILE_BYTES} at most")


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    # With a limit: without one, zipfile unpacks all there is and cuts it to the declared size then.
    with archive.open(entry) as file:
        return file.read(entry.file_size + 1)


def _shown(name: str) -> str:
    return repr(name if len(name) <= 60 else f"{name[:57]}...")
