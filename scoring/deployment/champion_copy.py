"""A copy of each champion in the home: what scores while the champion's own store is away.

``champions/KEY`` in the home is a model folder with one more file, ``champion.json``, which says whose copy
it is. The key is made of store and registered name, so that no store's champion stands in for another's. A
copy is replaced as a whole, in one step, and every hash is checked whenever it is used.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from scoring.artifact.model_folder import FILES, ModelFiles, read_files
from scoring.errors import ModelError
from scoring.settings import Settings, mask_credentials, sqlite_file
from scoring.storage.atomic_folder import replace_folder
from scoring.storage.home import writing
from scoring.storage.regular_files import read_regular

COPIES = "champions"
FACTS = "champion.json"
_FORMAT_VERSION = 1
_ATTEMPTS = 3  # another process may put a newer copy in its place between two of the files


class ChampionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Whose copy it is.

    Parameters
    ----------
    store : str
        Address of the store, credentials masked.
    name : str
        Registered model.
    address : str
        The version that was the champion, ``models:/NAME/3``.
    model : str
        Name and version of the model, as they stand in its scores.
    sha256 : str
        Hex digest of its manifest, and through it of every file.
    trained_at : datetime or None
        When its run began, aware UTC; None where that is not known.
    """

    store: str
    name: str
    address: str
    model: str
    sha256: str
    trained_at: datetime | None = None
    format_version: int = _FORMAT_VERSION


class ChampionCopy(msgspec.Struct, frozen=True):
    """A copy: its folder, whose it is, its checked files, and when the champion was last seen."""

    folder: Path
    facts: ChampionFacts
    files: ModelFiles
    seen_at: datetime


def copy_folder(settings: Settings, name: str) -> Path:
    """Folder of the copy of a registered model's champion, whether it is there or not.

    Parameters
    ----------
    settings : Settings
        Home and store. A store within the home is known by its place there, so that a home that was moved
        finds its copies; a user, password or token in the address makes no difference.
    name : str
        Registered model.
    """
    key = hashlib.sha256(f"{_store_key(settings)}\n{name}".encode()).hexdigest()[:16]
    return settings.home / COPIES / key


def keep_copy(settings: Settings, facts: ChampionFacts, files: ModelFiles) -> None:
    """Keep a copy of a champion, unless the one that is there is the same.

    Parameters
    ----------
    settings : Settings
        Home and store.
    facts : ChampionFacts
        What is known of the champion.
    files : ModelFiles
        Its files.

    Raises
    ------
    OSError
        If the copy cannot be written; the one of before stays.
    """
    folder = copy_folder(settings, facts.name)
    encoded = msgspec.json.encode(facts)
    if _is_same(folder, encoded, files):
        with suppress(OSError):  # of a home that can only be read: the copy is there all the same
            os.utime(folder / FACTS)  # when the champion was last seen
        return
    with writing(settings.home, folder):
        replace_folder(folder, {**files.contents, FACTS: encoded}, ours=(*FILES, FACTS))


def find_copy(settings: Settings, name: str) -> ChampionCopy | None:
    """The copy of the last known champion of the store and name; None where none was ever kept.

    Raises
    ------
    ModelError
        If the copy is damaged, or of another model than it says.
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
    """The champions that a home has known, each as its name and store; of a damaged copy its folder."""
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
        raise ModelError(f"{folder}: got model {got}, expected {expected}, as {FACTS} says")
    return ChampionCopy(folder, facts, files, seen_at)


def _is_same(folder: Path, encoded: bytes, files: ModelFiles) -> bool:
    """Whether the copy is of this very champion, and every file as long as it has to be."""
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
    place = Path(os.path.realpath(database.parent), database.name)
    with suppress(ValueError):
        return f"home:{place.relative_to(os.path.realpath(settings.home))}"
    return str(place)
