"""State of a watch: digest of the scored content or reported fault of each file, kept between watches."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Set
from pathlib import Path

from scoring.errors import HomeError
from scoring.storage.home import check_database, create_file

FORMAT = 1
"""Format version of the file."""

KEEP_MISSING_DAYS = 30.0
"""Time after which the digest of a file that is missing with its folder is dropped."""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS seen (path TEXT PRIMARY KEY, digest TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS missing (path TEXT PRIMARY KEY, since REAL NOT NULL)",
)
_DAY_SECONDS = 86_400.0


class Seen:
    """Digest of the scored content or reported fault of each file, by relative path, in SQLite.

    Parameters
    ----------
    file : Path
        Database; created if it does not exist.

    Raises
    ------
    HomeError
        If the file has a newer format.
    """

    def __init__(self, file: Path) -> None:
        create_file(file)
        self._store = sqlite3.connect(file, isolation_level=None)
        try:
            check_database(self._store, file, FORMAT)
        except HomeError:
            self._store.close()
            raise
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", *_TABLES):
            self._store.execute(statement)
        self._digests: dict[str, str] = dict(self._store.execute("SELECT path, digest FROM seen"))
        self._missing: dict[str, float] = dict(self._store.execute("SELECT path, since FROM missing"))

    def get(self, name: str) -> str | None:
        """Stored digest of a file; None if there is none."""
        return self._digests.get(name)

    def put(self, name: str, digest: str) -> None:
        """Store the digest of a file durably."""
        self._store.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (name, digest))
        self._digests[name] = digest

    def keep(self, present: Set[str], removed: Set[str], now: float) -> None:
        """Drop removed files; files that are missing with their folder are kept, as they may come back.

        Parameters
        ----------
        present : set of str
            Existing files.
        removed : set of str
            Files that no longer exist, in folders that still exist.
        now : float
            Unix time in seconds.
        """
        self._forget(removed & self._digests.keys())
        missing = self._digests.keys() - present
        if newly_missing := missing - self._missing.keys():
            self._store.executemany(
                "INSERT OR REPLACE INTO missing VALUES (?, ?)", [(name, now) for name in newly_missing]
            )
            self._missing |= dict.fromkeys(newly_missing, now)
        if returned := self._missing.keys() - missing:
            self._store.executemany("DELETE FROM missing WHERE path = ?", [(name,) for name in returned])
            for name in returned:
                del self._missing[name]
        oldest = now - KEEP_MISSING_DAYS * _DAY_SECONDS
        self._forget([name for name, since in self._missing.items() if since < oldest])

    def change(self, present: Iterable[str], removed: Iterable[str]) -> None:
        """Drop removed files, and note that others exist, without regard to the rest: see :meth:`keep`."""
        self._forget(self._digests.keys() & set(removed))
        for name in self._missing.keys() & set(present):
            self._store.execute("DELETE FROM missing WHERE path = ?", (name,))
            del self._missing[name]

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def _forget(self, names: Iterable[str]) -> None:
        gone = list(names)
        for table in ("seen", "missing"):
            self._store.executemany(f"DELETE FROM {table} WHERE path = ?", [(name,) for name in gone])  # noqa: S608 -- of two names
        for name in gone:
            self._digests.pop(name, None)
            self._missing.pop(name, None)
