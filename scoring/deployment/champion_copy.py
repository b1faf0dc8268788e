"""Local copy of each champion: the fallback while its store is unavailable.

``champions/KEY`` in the home is a model folder with one more file, ``champion.json``, which identifies the
champion. The key is a hash of the store's address and the registered name, so that the champion of one store
never replaces that of another. A copy is replaced atomically, and all its hashes are checked at each use.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from scoring.artifact.model_folder import FILES, ModelFiles, read_files
from scoring.credentials import mask_credentials
from scoring.errors import ModelError
from scoring.settings import Settings, sqlite_file
from scoring.storage.atomic_folder import replace_folder
from scoring.storage.home import writing
from scoring.storage.regular_files import read_regular

COPIES = "champions"
FACTS = "champion.json"
_FORMAT_VERSION = 1
_ATTEMPTS = 3  # another process may replace the copy between the reads of two files


class ChampionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Identity of the copied champion.

    Parameters
    ----------
    store : str
        Address of the store, with masked credentials.
    name : str
        Registered model.
    address : str
        The version that was the champion, ``models:/NAME/3``.
    model : str
        Name and version of the model, as in its scores.
    sha256 : str
        Hex digest of its manifest, which holds the digests of all files.
    trained_at : datetime or None
        Start of its run, aware UTC; None if unknown.
    """

    store: str
    name: str
    address: str
    model: str
    sha256: str
    trained_at: datetime | None = None
    format_version: int = _FORMAT_VERSION


class ChampionCopy(msgspec.Struct, frozen=True):
    """A copy: folder, identity, validated files, and when the champion was last seen."""

    folder: Path
    facts: ChampionFacts
    files: ModelFiles
    seen_at: datetime


def copy_folder(settings: Settings, name: str) -> Path:
    """Folder of the copy of a registered model's champion; it need not exist.

    Parameters
    ----------
    settings : Settings
        Home and store. A store within the home is identified by its relative path, so that a moved home
        finds its copies. Credentials in the address make no difference.
    name : str
        Registered model.
    """
    key = hashlib.sha256(f"{_store_key(settings)}\n{name}".encode()).hexdigest()[:16]
    return settings.home / COPIES / key


def keep_copy(settings: Settings, facts: ChampionFacts, files: ModelFiles) -> None:
    """Keep a copy of a champion, unless the existing copy is identical.

    Parameters
    ----------
    settings : Settings
        Home and store.
    facts : ChampionFacts
        Identity of the champion.
    files : ModelFiles
        Files of the champion.

    Raises
    ------
    OSError
        If the copy cannot be written; the previous copy stays.
    """
    folder = copy_folder(settings, facts.name)
    encoded = msgspec.json.encode(facts)
    if _is_same(folder, encoded, files):
        with suppress(OSError):  # a read-only home: the copy is valid all the same
            os.utime(folder / FACTS)  # its mtime is when the champion was last seen
        return
    with writing(settings.home, folder):
        replace_folder(folder, {**files.contents, FACTS: encoded}, ours=(*FILES, FACTS))


def find_copy(settings: Settings, name: str) -> ChampionCopy | None:
    """Find the copy of the last known champion of the store and name; None if none was kept.

    Raises
    ------
    ModelError
        If the copy is damaged, or its files do not match its ``champion.json``.
    """
    folder = copy_folder(settings, name)
    for attempt in range(_ATTEMPTS):
        if not folder.is_dir():
            return None
        try:
            return _read(folder, name)
        except ModelError:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError  # the last attempt returns or raises


def known_champions(home: Path) -> list[str]:
    """List the known champions as ``NAME in STORE``; a damaged copy is listed by its folder."""
    known = []
    for folder in sorted(path for path in (home / COPIES).glob("*") if not path.name.startswith(".")):
        try:
            facts = msgspec.json.decode(read_regular(folder / FACTS), type=ChampionFacts)
        except (OSError, msgspec.DecodeError):
            known.append(str(folder))
        else:
            known.append(f"{facts.name} in {facts.store}")
    return known


def _read(folder: Path, name: str) -> ChampionCopy:
    file = folder / FACTS
    try:
        facts = msgspec.json.decode(read_regular(file), type=ChampionFacts)
        seen_at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError as error:
        raise ModelError(f"{file}: cannot read it: {error.strerror or error}") from error
    except msgspec.DecodeError as error:
        raise ModelError(f"{file}: got damaged JSON ({error}), expected the file as it was saved") from error
    if facts.format_version != _FORMAT_VERSION:
        raise ModelError(
            f"{file}: got format version {facts.format_version}, expected {_FORMAT_VERSION}: "
            "it was written by another version of scoring"
        )
    if facts.name != name:
        raise ModelError(f"{file}: name: got {facts.name!r}, expected {name!r}")
    files = read_files(folder)
    if files.sha256 != facts.sha256:
        got, expected = files.sha256[:8], facts.sha256[:8]
        raise ModelError(f"{folder}: got model {got}, expected {expected}, as in {FACTS}")
    return ChampionCopy(folder, facts, files, seen_at)


def _is_same(folder: Path, encoded: bytes, files: ModelFiles) -> bool:
    """Whether the copy has this identity, and each file the expected size."""
    try:
        return read_regular(folder / FACTS) == encoded and all(
            os.stat(folder / name).st_size == len(content) for name, content in files.contents.items()
        )
    except OSError:
        return False


def _store_key(settings: Settings) -> str:
    database = sqlite_file(settings.tracking_uri)
    if database is None:
        return mask_credentials(settings.tracking_uri).replace("***@", "").rstrip("/")
    path = Path(os.path.realpath(database.parent), database.name)
    with suppress(ValueError):
        return f"home:{path.relative_to(os.path.realpath(settings.home))}"
    return str(path)
