"""Zip export and import of a model."""

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
from scoring.storage.urls import name_of

_FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest date of the zip format
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_IS_ENCRYPTED = 0x1
# Signature of a directory entry; zipfile parses the whole directory before it reports the number of entries.
_ENTRY, _MAX_ENTRIES = b"PK\x01\x02", 1000
# Exceptions that zipfile raises for damaged files.
_DAMAGE_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError),
)


def pack(files: ModelFiles) -> bytes:
    """Pack a model's files into a zip with reproducible bytes.

    The files are not compressed, since compressed bytes depend on the version of the compressor.

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
            entry = zipfile.ZipInfo(name, _FIRST_DATE)
            entry.create_system = 3  # the same on every system
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def unpack(path: Path) -> ModelFiles:
    """Read and verify the files of a model from an untrusted zip, without writing any.

    Parameters
    ----------
    path : Path
        Zip from :func:`pack`. Compressed entries are accepted, within the same limits.

    Returns
    -------
    ModelFiles

    Raises
    ------
    ModelError
        If it is no such zip, holds anything else, is larger than a model can be, or is damaged.
    """
    data, name = read_file(path), name_of(path)
    if data.count(_ENTRY) > _MAX_ENTRIES:
        raise ModelError(
            f"{name}: got over {_MAX_ENTRIES} entries, expected the {len(FILES)} files of a model"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_entries(name, entries)
            contents = {entry.filename: _content(archive, entry) for entry in entries}
    except _DAMAGE_ERRORS as error:
        raise ModelError(
            f"{name}: got something else or damaged ({error}), expected a zip as scoring export writes it"
        ) from error
    return checked(name, contents.__getitem__)


def _check_entries(name: str, entries: list[zipfile.ZipInfo]) -> None:
    """Reject entries that are not exactly a model's files, or unsafe to unpack."""
    # The original name: zipfile cuts `filename` at a NUL.
    counts = Counter(entry.orig_filename for entry in entries)
    unexpected = [name for name, count in counts.items() if name not in FILES or count > 1]
    missing = [name for name in FILES if name not in counts]
    if unexpected:
        raise ModelError(
            f"{name}: got {_shortened(unexpected[0])}, expected the {len(FILES)} files of a model, each once"
        )
    if missing:
        raise ModelError(f"{name}: got no {missing[0]}, expected the {len(FILES)} files of a model")
    for entry in entries:
        location = f"{name}: {entry.filename}"
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            raise ModelError(f"{location}: got a link or a folder, expected a file")
        if entry.flag_bits & _IS_ENCRYPTED:
            raise ModelError(f"{location}: got an encrypted file, expected a plain one")
        if entry.compress_type not in _METHODS:
            raise ModelError(
                f"{location}: got compression method {entry.compress_type}, expected none or deflate"
            )
    n_bytes = sum(entry.file_size for entry in entries)
    if n_bytes > MAX_FILE_BYTES:
        raise ModelError(f"{name}: got {n_bytes} bytes unpacked, expected {MAX_FILE_BYTES} at most")


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    # Limit the read: otherwise zipfile unpacks everything before it cuts to the declared size.
    with archive.open(entry) as file:
        return file.read(entry.file_size + 1)


def _shortened(name: str) -> str:
    return repr(name if len(name) <= 60 else f"{name[:57]}...")
