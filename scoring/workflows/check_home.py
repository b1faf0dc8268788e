"""Check the home and the files that its store refers to; repair moved addresses."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

import msgspec

from scoring.artifact.model_folder import MANIFEST, read_files
from scoring.deployment.champion_copy import find_copy
from scoring.errors import ModelError, RecordError, ScoringError, TrackingError
from scoring.features.cache import open_cache
from scoring.inbox.watch_state import FORMAT as WATCH_FORMAT
from scoring.records.ledger import read_ledger
from scoring.settings import Settings
from scoring.storage.home import check_home, home_format, known_content, newer_format, prepare_home
from scoring.tracking import (
    Store,
    StoredArtifacts,
    check_pending,
    damages,
    repair_addresses,
    stored_artifacts,
)

LEDGER = "corrections.jsonl"
_MAX_WIDER = 20  # listed paths; all are counted
_MAX_READ_BYTES = 64_000_000


class HomeEntry(msgspec.Struct, frozen=True):
    """A file or folder in the home.

    Parameters
    ----------
    name, content : str
        Name, and description of the content; the latter is empty for an entry that scoring does not write.
    mode : str
        Permissions of the entry, as ``0700``.
    n_files, n_bytes : int
        Number and total size of its files.
    n_wider : int
        Number of files and folders, the entry included, with permissions for others than the owner.
    formats : tuple of str
        Format versions of its files.
    """

    name: str
    content: str
    mode: str
    n_files: int
    n_bytes: int
    n_wider: int
    formats: tuple[str, ...]


class HomeReport(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a check.

    Parameters
    ----------
    home : str
        The folder.
    format : int or None
        Format version; None if there is no format file.
    mode : str
        Permissions, as ``0700``.
    store : str
        Address of the store, without credentials.
    entries : tuple of HomeEntry
        Files and folders in the home.
    artifacts : tuple of StoredArtifacts
        Artifacts that the store refers to; empty for a store on a server.
    problems : tuple of str
        One line for each missing or unusable item.
    wider : tuple of str
        Paths with permissions for others than the owner, at most 20.
    n_wider : int
        Number of all such paths.
    backup : str or None
        Copy of the database from before the repair.
    n_repaired : int
        Number of repaired addresses.
    """

    home: str
    format: int | None
    mode: str
    store: str
    entries: tuple[HomeEntry, ...]
    artifacts: tuple[StoredArtifacts, ...]
    problems: tuple[str, ...]
    wider: tuple[str, ...]
    n_wider: int
    backup: str | None = None
    n_repaired: int = 0


def check(settings: Settings, *, now: datetime) -> HomeReport:
    """Check a home and the files that its store refers to; nothing is changed.

    Parameters
    ----------
    settings : Settings
        Home and store.
    now : datetime
        Current time, aware UTC.

    Returns
    -------
    HomeReport

    Raises
    ------
    HomeError
        If the home has a newer format.
    """
    home, store = settings.home, Store(settings.tracking_uri, settings.home)
    check_home(home)
    if not home.is_dir():
        problem = f"{home}: no such folder: set SCORING_HOME, or restore it from a backup"
        return HomeReport(
            home=str(home), format=None, mode="", store=str(store), entries=(), artifacts=(),
            problems=(problem,), wider=(), n_wider=0,
        )  # fmt: skip
    artifacts, store_problems = _read_store(store)
    is_read = store.database is not None and store.database.is_file() and not store_problems
    problems = [
        *store_problems,
        *(_champion_problems(settings, store, artifacts) if is_read else ()),
        *_artifact_problems(store, artifacts),
        *_file_problems(settings, now),
    ]
    wider = [str(path) for path, state in _walk(home) if _is_wide(state)]
    return HomeReport(
        home=str(home),
        format=home_format(home),
        mode=_mode(home),
        store=str(store),
        entries=tuple(_entry(path) for path in sorted(home.iterdir())),
        artifacts=tuple(artifacts),
        problems=tuple(problems),
        wider=tuple(wider[:_MAX_WIDER]),
        n_wider=len(wider),
    )


def repair(settings: Settings, *, now: datetime) -> HomeReport:
    """Write a missing format file, and update the addresses of artifacts that moved with the home.

    Parameters
    ----------
    settings, now
        As for :func:`check`.

    Returns
    -------
    HomeReport
        Result of a check after the repair.

    Raises
    ------
    HomeError
        If the home has a newer format, or does not exist.
    TrackingError
        If the store cannot be written, or another process writes to it.
    """
    home, store = settings.home, Store(settings.tracking_uri, settings.home)
    n_repaired, backup = 0, None
    if home.is_dir():
        prepare_home(home)
        if store.database is not None and store.database.is_file():
            copy = store.database.with_name(f"{store.database.name}.before-repair-{now:%Y%m%dT%H%M%SZ}")
            n_repaired = repair_addresses(store, copy)
            backup = str(copy) if n_repaired else None
    return msgspec.structs.replace(check(settings, now=now), backup=backup, n_repaired=n_repaired)


def _read_store(store: Store) -> tuple[list[StoredArtifacts], list[str]]:
    """Artifacts that the store refers to, and problems of its database."""
    if store.database is None:
        return [], []
    if not store.database.is_file():
        return [], [] if store.lost is None else [store.lost]
    problems: list[str] = []
    try:
        problems += (f"{store}: damaged: {line}: restore it from a backup" for line in damages(store))
        return stored_artifacts(store), problems
    except TrackingError as error:
        return [], [*problems, str(error)]


def _champion_problems(settings: Settings, store: Store, artifacts: list[StoredArtifacts]) -> Iterator[str]:
    """Problems: the store has lost its champion, or the local copy is unusable."""
    name = settings.registered_model
    try:
        copy = find_copy(settings, name)
    except ModelError as error:
        yield f"{error}: delete the folder; the next use of the champion copies it again"
        return
    versions = (item for item in artifacts if item.name.startswith(f"models:/{name}/"))
    if copy is not None and not any("champion" in version.aliases for version in versions):
        known = f"this home has a copy of {copy.facts.address} ({copy.facts.model})"
        yield f"no champion of {name} in {store}, but {known}: restore the store, or promote a run"


def _artifact_problems(store: Store, artifacts: list[StoredArtifacts]) -> Iterator[str]:
    for item in artifacts:
        label = " ".join([f"{item.kind} {item.name}", *(f"@{alias}" for alias in item.aliases)])
        if item.state == "missing":
            yield f"{store}: {label}: {item.path} is missing: restore it from a backup"
        elif item.kind == "version" and item.state != "remote":
            for manifest in Path(item.path).glob(f"artifacts/*/{MANIFEST}"):
                try:
                    read_files(manifest.parent)
                except ModelError as error:
                    yield f"{store}: {label}: {error}"


def _file_problems(settings: Settings, now: datetime) -> Iterator[str]:
    """Problems of the cache, the ledger, the watch states and the outbox."""
    home = settings.home
    try:
        open_cache(settings, now)
        yield from map(str, read_ledger(home / LEDGER).torn)
    except RecordError as error:
        yield from map(str, error.faults)
    except ScoringError as error:
        yield str(error)
    for file in sorted((home / "watch").glob("*.db")):
        version = _format_of(file)
        if version.isdigit() and int(version) > WATCH_FORMAT:
            yield newer_format(file, int(version), WATCH_FORMAT)
        elif not version:
            yield f"{file}: cannot be read: delete it; the watched records are then scored again"
    yield from check_pending(home)


def _entry(path: Path) -> HomeEntry:
    states = dict(_walk(path))
    files = {file: state for file, state in states.items() if stat.S_ISREG(state.st_mode)}
    # Artifacts are many, and their formats are MLflow's.
    versioned_files = [
        file for file, state in files.items() if path.name != "artifacts" and _has_format(file, state)
    ]
    formats = {_format_of(file) for file in versioned_files}
    return HomeEntry(
        path.name,
        known_content(path.name),
        _mode(path),
        len(files),
        sum(state.st_size for state in files.values()),
        sum(map(_is_wide, states.values())),
        tuple(sorted(filter(None, formats))),
    )


def _has_format(file: Path, state: os.stat_result) -> bool:
    return file.suffix in (".db", ".json", ".jsonl") and state.st_size <= _MAX_READ_BYTES


def _format_of(file: Path) -> str:
    """Format version of a file; empty if it has none or is not a regular file."""
    if not file.is_file():
        return ""
    try:
        if file.suffix == ".db":
            with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as db:
                if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
                    revision = db.execute("SELECT version_num FROM alembic_version").fetchone()[0]
                    return f"MLflow {revision}"
                return str(db.execute("PRAGMA user_version").fetchone()[0])
        lines = file.read_bytes().splitlines() if file.suffix == ".jsonl" else [file.read_bytes()]
        decoded = [msgspec.json.decode(line, type=_Formats) for line in lines if line.strip()]
    except (sqlite3.Error, OSError, msgspec.DecodeError, UnicodeDecodeError):
        return ""  # the reader of the file reports the fault
    versions = [item.format_version or item.format for item in decoded]
    return str(max((version for version in versions if isinstance(version, int)), default=""))


class _Formats(msgspec.Struct, frozen=True):
    """Fields of a JSON file that hold its format version."""

    format: int | str | None = None
    format_version: int | None = None


def _walk(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """A path and all below it; entries that disappear meanwhile are skipped."""
    paths = [path]
    if path.is_dir() and not path.is_symlink():
        paths += sorted(path.rglob("*"))
    for entry in paths:
        with suppress(FileNotFoundError):
            yield entry, entry.lstat()


def _is_wide(state: os.stat_result) -> bool:
    return not stat.S_ISLNK(state.st_mode) and bool(state.st_mode & 0o077)


def _mode(path: Path) -> str:
    state = path.stat() if path.exists() else path.lstat()  # a symlink may be broken
    return f"{stat.S_IMODE(state.st_mode):04o}"
