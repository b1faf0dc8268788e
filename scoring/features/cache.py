"""Features that were computed before, by the content of their records: one SQLite file in the home.

It holds what :mod:`scoring.features.extraction` puts in: numbers, the provider, topics and words of titles;
no excerpt, no address. A cache is a help, not a condition: where it cannot be read or written, features
are computed.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TypeVar

from scoring.errors import HomeError
from scoring.storage.home import check_database, create_file, newer_format, prepare_folder

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_TIMEOUT_SECONDS = 5.0
_SHARE_KEPT = 0.75  # of the bound, when it is passed
_MAX_MARKS = 500  # of one statement
_SUM = 8  # bytes
FORMAT = 1
"""Format version of the file; the keys of its values hold the version of the code that made them."""
_MAKE = (
    "PRAGMA journal_mode = WAL",
    "CREATE TABLE IF NOT EXISTS features (key BLOB PRIMARY KEY, day INTEGER NOT NULL, value BLOB NOT NULL)",
)


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What a cache holds: where, how many records, and bytes; ``max_bytes`` is its bound."""

    file: str
    n_records: int
    n_bytes: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class FeatureCache:
    """Values by keys, bounded in size; several processes may use it at once.

    Parameters
    ----------
    file : Path
        The SQLite file; made when something is put in.
    max_bytes : int
        Size from which what was not used for longest goes.
    day : int
        Today, as days since 1970-01-01: when a value was used last.
    home : Path, optional
        The home in which the file lies.
    is_held : bool
        Keep the file open until the process ends, which must not be forked then: for one that does nothing
        else. Whoever is the last to close it waits until all is written where it belongs.
    complaints : list of str
        Why it could not be used, other than for being busy: features were computed instead.
    """

    file: Path
    max_bytes: int
    day: int
    is_held: bool = False
    home: Path | None = None
    complaints: list[str] = field(default_factory=list, compare=False, repr=False)

    def check(self) -> None:
        """See that this version may use the file; one that is damaged is made anew where it is used.

        Raises
        ------
        HomeError
            If it is of a newer format.
        """
        if not self.file.exists():
            return
        with suppress(sqlite3.Error), closing(sqlite3.connect(self.file, timeout=_TIMEOUT_SECONDS)) as store:
            (found,) = store.execute("PRAGMA user_version").fetchone()
            if found > FORMAT:
                raise HomeError(newer_format(self.file, found, FORMAT))

    def key(self, content: bytes, circumstances: str) -> bytes:
        """What stands for a content, under circumstances and under the code as it is now."""
        digest = hashlib.sha256(code_version() + circumstances.encode() + b"\0")
        digest.update(content)
        return digest.digest()

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values that there are, each as it was put in; they count as used today."""

        def read(store: sqlite3.Connection) -> dict[bytes, bytes]:
            rows: list[tuple[bytes, int, bytes]] = []
            for start in range(0, len(keys), _MAX_MARKS):
                some = keys[start : start + _MAX_MARKS]
                marks = ",".join("?" * len(some))
                rows += store.execute(f"SELECT key, day, value FROM features WHERE key IN ({marks})", some)  # noqa: S608 -- marks only
            old = [(self.day, key) for key, day, _ in rows if day < self.day]
            if old:
                store.executemany("UPDATE features SET day = ? WHERE key = ?", old)
            return {key: value[_SUM:] for key, _, value in rows if value[:_SUM] == _sum(value[_SUM:])}

        return self._ask(read, {}) if self.file.exists() else {}

    def put(self, values: Mapping[bytes, bytes]) -> None:
        """Keep values; where there are more than the bound, what was not used for longest goes."""

        def write(store: sqlite3.Connection) -> None:
            if store.execute("PRAGMA user_version").fetchone() == (0,):
                store.execute("PRAGMA auto_vacuum = FULL")  # before anything is in the file
            check_database(store, self.file, FORMAT)
            for statement in _MAKE:
                store.execute(statement)
            rows = [(key, self.day, _sum(value) + value) for key, value in values.items()]
            store.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", rows)
            ((n_pages,), (page_bytes,)) = (
                store.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
            )
            if n_pages * page_bytes > self.max_bytes:
                (n_records,) = store.execute("SELECT count(*) FROM features").fetchone()
                n_gone = n_records - int(n_records * _SHARE_KEPT * self.max_bytes / (n_pages * page_bytes))
                oldest = "SELECT key FROM features ORDER BY day, rowid LIMIT ?"
                store.execute(f"DELETE FROM features WHERE key IN ({oldest})", (n_gone,))  # noqa: S608 -- of above

        self._ask(write, None)

    def info(self) -> CacheInfo:
        """How much it holds."""

        def count(store: sqlite3.Connection) -> int:
            return int(store.execute("SELECT count(*) FROM features").fetchone()[0])

        n_records = self._ask(count, 0) if self.file.exists() else 0
        n_bytes = sum(file.stat().st_size for file in self._files() if file.exists())
        return CacheInfo(str(self.file), n_records, n_bytes, self.max_bytes)

    def clear(self) -> int:
        """Forget everything; how many records that was."""

        def delete(store: sqlite3.Connection) -> int:
            return store.execute("DELETE FROM features").rowcount

        return self._ask(delete, 0) if self.file.exists() else 0

    def _create(self) -> None:
        if self.home is not None:
            prepare_folder(self.home, *self.file.parent.relative_to(self.home).parts)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        create_file(self.file)

    def _files(self) -> list[Path]:
        return [self.file.with_name(self.file.name + end) for end in ("", "-wal", "-shm")]

    def _ask(self, action: Callable[[sqlite3.Connection], T], default: T) -> T:
        """Do something in one transaction; where that fails the default, since the cache is no condition."""
        try:
            if not self.file.exists():
                self._create()
            with self._opened() as store, store:
                store.execute("PRAGMA synchronous = NORMAL")
                return action(store)
        except (sqlite3.OperationalError, OSError) as error:  # locked, read-only, a full disk
            is_locked = getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
            _LOG.info("%s: not used: %s", self.file, error)
            if not is_locked:
                self.complaints.append(f"{self.file}: not used: {error}")
        except sqlite3.DatabaseError as error:
            _LOG.warning("%s: damaged (%s), made anew", self.file, error)
            if self.is_held:
                _hold(self.file).close()
                _hold.cache_clear()
            for file in self._files():
                file.unlink(missing_ok=True)
        return default

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        if self.is_held:
            yield _hold(self.file)
            return
        with closing(sqlite3.connect(self.file, timeout=_TIMEOUT_SECONDS)) as store:
            yield store


@functools.cache
def _hold(file: Path) -> sqlite3.Connection:
    store = sqlite3.connect(file, timeout=_TIMEOUT_SECONDS)
    Finalize(None, store.close, exitpriority=0)  # a process of a pool ends without any other goodbye
    return store


def _sum(value: bytes) -> bytes:
    """What tells that a value is whole: SQLite does not look."""
    return hashlib.blake2b(value, digest_size=_SUM).digest()


@functools.cache
def code_version() -> bytes:
    """Digest of the code that makes features of bytes: other code, other features."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for folder in ("features", "records"):
        for file in sorted((package / folder).glob("*.py")):
            digest.update(file.read_bytes())
    return digest.digest()
