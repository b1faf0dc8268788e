"""Feature cache: a SQLite file in the home, keyed by the content of records.

:mod:`scoring.features.chunks` stores numbers, provider, topics and words of titles in it, but no excerpts
or URLs. The cache is optional: if it cannot be read or written, features are computed.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TypeVar

from scoring.errors import HomeError
from scoring.settings import Settings
from scoring.storage.home import check_database, create_file, newer_format, prepare_folder

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_TIMEOUT_SECONDS = 5.0
_SHARE_KEPT = 0.75  # share of the size limit that is kept when it is exceeded
_MAX_MARKS = 500  # parameters of one statement
_CHECKSUM_BYTES = 8  # bytes
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FORMAT = 1
"""Format version of the file; keys include the version of the code that computed the values."""
_MAKE = (
    "PRAGMA journal_mode = WAL",
    "CREATE TABLE IF NOT EXISTS features (key BLOB PRIMARY KEY, day INTEGER NOT NULL, value BLOB NOT NULL)",
)


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """Contents of a cache: file, number of records and bytes; ``max_bytes`` is its size limit."""

    file: str
    n_records: int
    n_bytes: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class FeatureCache:
    """Key-value store with limited size, safe for concurrent processes.

    Parameters
    ----------
    file : Path
        The SQLite file; created on the first write.
    max_bytes : int
        Size limit; beyond it, the least recently used values are deleted.
    day : int
        Today, as days since 1970-01-01; the time of last use of a value.
    home : Path, optional
        The home that contains the file.
    is_held : bool
        Keep the file open until the process ends; the process must not be forked. For worker processes: the
        last one to close the file waits for the checkpoint.
    complaints : list of str
        Reasons why the cache was not used, other than a busy file.
    """

    file: Path
    max_bytes: int
    day: int
    is_held: bool = False
    home: Path | None = None
    complaints: list[str] = field(default_factory=list, compare=False, repr=False)

    def check(self) -> None:
        """Check that this version can use the file; a damaged one is recreated on use.

        Raises
        ------
        HomeError
            If it has a newer format.
        """
        if not self.file.exists():
            return
        with suppress(sqlite3.Error), closing(sqlite3.connect(self.file, timeout=_TIMEOUT_SECONDS)) as store:
            (version,) = store.execute("PRAGMA user_version").fetchone()
            if version > FORMAT:
                raise HomeError(newer_format(self.file, version, FORMAT))

    def key(self, content: bytes, circumstances: str) -> bytes:
        """Return the key of a content, under the given circumstances and the current code."""
        digest = hashlib.sha256(code_version() + circumstances.encode() + b"\0")
        digest.update(content)
        return digest.digest()

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the stored values of some keys, and mark them as used today."""

        def read(store: sqlite3.Connection) -> dict[bytes, bytes]:
            rows: list[tuple[bytes, int, bytes]] = []
            if not _has_table(store):
                return {}
            for start in range(0, len(keys), _MAX_MARKS):
                batch = keys[start : start + _MAX_MARKS]
                marks = ",".join("?" * len(batch))
                rows += store.execute(f"SELECT key, day, value FROM features WHERE key IN ({marks})", batch)  # noqa: S608 -- marks only
            old = [(self.day, key) for key, day, _ in rows if day < self.day]
            if old:
                store.executemany("UPDATE features SET day = ? WHERE key = ?", old)
            return {
                key: value[_CHECKSUM_BYTES:]
                for key, _, value in rows
                if value[:_CHECKSUM_BYTES] == _checksum(value[_CHECKSUM_BYTES:])
            }

        return self._run(read, {}) if self.file.exists() else {}

    def put(self, values: Mapping[bytes, bytes]) -> None:
        """Store values; beyond the size limit, delete the least recently used ones."""

        def write(store: sqlite3.Connection) -> None:
            if store.execute("PRAGMA user_version").fetchone() == (0,):
                store.execute("PRAGMA auto_vacuum = FULL")  # only possible while the file is empty
            check_database(store, self.file, FORMAT)
            for statement in _MAKE:
                store.execute(statement)
            rows = [(key, self.day, _checksum(value) + value) for key, value in values.items()]
            store.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", rows)
            ((n_pages,), (page_bytes,)) = (
                store.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
            )
            if n_pages * page_bytes > self.max_bytes:
                (n_records,) = store.execute("SELECT count(*) FROM features").fetchone()
                n_deleted = n_records - int(n_records * _SHARE_KEPT * self.max_bytes / (n_pages * page_bytes))
                oldest = "SELECT key FROM features ORDER BY day, rowid LIMIT ?"
                store.execute(f"DELETE FROM features WHERE key IN ({oldest})", (n_deleted,))  # noqa: S608 -- of above

        self._run(write, None)

    def info(self) -> CacheInfo:
        """Return the size of the cache."""

        def count(store: sqlite3.Connection) -> int:
            return (
                int(store.execute("SELECT count(*) FROM features").fetchone()[0]) if _has_table(store) else 0
            )

        n_records = self._run(count, 0) if self.file.exists() else 0
        n_bytes = sum(file.stat().st_size for file in self._files() if file.exists())
        return CacheInfo(str(self.file), n_records, n_bytes, self.max_bytes)

    def clear(self) -> int:
        """Delete everything; return the number of records deleted."""

        def delete(store: sqlite3.Connection) -> int:
            return store.execute("DELETE FROM features").rowcount if _has_table(store) else 0

        return self._run(delete, 0) if self.file.exists() else 0

    def _create_file(self) -> None:
        if self.home is not None:
            prepare_folder(self.home, *self.file.parent.relative_to(self.home).parts)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        create_file(self.file)

    def _files(self) -> list[Path]:
        return [self.file.with_name(self.file.name + end) for end in ("", "-wal", "-shm")]

    def _run(self, action: Callable[[sqlite3.Connection], T], default: T) -> T:
        """Run an action in one transaction; return the default if it fails, since the cache is optional."""
        try:
            if not self.file.exists():
                self._create_file()
            with self._opened() as store, store:
                store.execute("PRAGMA synchronous = NORMAL")
                return action(store)
        except (sqlite3.OperationalError, OSError) as error:  # locked, read-only, a full disk
            is_locked = getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
            _LOG.info("%s: not used: %s", self.file, error)
            if not is_locked:
                self.complaints.append(f"{self.file}: not used: {error}")
        except sqlite3.DatabaseError as error:
            _LOG.warning("%s: damaged (%s), recreated", self.file, error)
            if self.is_held:
                _held_connection(self.file).close()
                _held_connection.cache_clear()
            for file in self._files():
                file.unlink(missing_ok=True)
        return default

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        if self.is_held:
            yield _held_connection(self.file)
            return
        with closing(sqlite3.connect(self.file, timeout=_TIMEOUT_SECONDS)) as store:
            yield store


@functools.cache
def _held_connection(file: Path) -> sqlite3.Connection:
    store = sqlite3.connect(file, timeout=_TIMEOUT_SECONDS)
    Finalize(None, store.close, exitpriority=0)  # worker processes run no other exit handler
    return store


def _has_table(store: sqlite3.Connection) -> bool:
    """Whether the first write has created the table; another process may be about to."""
    return store.execute("SELECT 1 FROM sqlite_master WHERE name = 'features'").fetchone() is not None


def _checksum(value: bytes) -> bytes:
    """Checksum of a value, since SQLite has none."""
    return hashlib.blake2b(value, digest_size=_CHECKSUM_BYTES).digest()


@functools.cache
def code_version() -> bytes:
    """Digest of the code that computes features from bytes, so that changed code invalidates the cache."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for folder in ("features", "records"):
        for file in sorted((package / folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.digest()


def open_cache(settings: Settings, now: datetime) -> FeatureCache:
    """Open the home's feature cache at a time (aware UTC); the file is created at the first write.

    Raises
    ------
    HomeError
        If the cache has a newer format.
    """
    file = settings.home / "cache" / "features.db"
    cache = FeatureCache(file, settings.cache_mb * 10**6, (now - _EPOCH).days, home=settings.home)
    cache.check()
    return cache
