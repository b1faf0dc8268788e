"""Watch: the records of a folder scored as they arrive, each once, and again where what it says changes."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import closing
from datetime import datetime
from itertools import tee
from pathlib import Path
from typing import NamedTuple

import msgspec
from watchfiles import watch as changes_of

from scoring.deployment.resolve_model import SERVER_SECONDS, follow, resolve
from scoring.errors import Fault, RecordError, ScoringError
from scoring.home import check_database, create_file, prepare_folder
from scoring.model.bundle import SavedModel
from scoring.model.results import Score
from scoring.model.scorer import BATCH
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import OnFault, files_within, read_bytes
from scoring.records.decode import decode_file
from scoring.records.ledger import content_sha256
from scoring.records.record import Document
from scoring.settings import Settings, sqlite_file
from scoring.workflows.label_writing import LabelWriter, WrittenScore
from scoring.workflows.lock import only_one

SETTLE_SECONDS = 2.0
"""How long a file that cannot be used has to rest before that is told: it may be half written."""

FORMAT = 1
"""Format version of the files that tell what was scored."""

_POLL_MS = 200
_WRITE_BATCH = 16  # files that are written together: a stop waits for them
_STATE = "CREATE TABLE IF NOT EXISTS seen (path TEXT PRIMARY KEY, digest TEXT NOT NULL)"


def watch(
    folder: str,
    *,
    model: str | None = None,
    writer: LabelWriter | None = None,
    settings: Settings,
    now: datetime,
    stop: threading.Event,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> Iterator[Score]:
    """Score what a folder holds and what comes into it, until told to stop.

    What was scored is kept in the home, by what each record says: a file is scored again where that
    changes, not where its labels do. It is kept once the caller asks for the next score, so that what a
    kill cuts off is scored again, and nothing else is. A file that cannot be used is told once it rests.

    Parameters
    ----------
    folder : str
        The folder; Markdown files in it are watched.
    model : str, optional
        See :func:`scoring.deployment.resolve_model.resolve`; followed where it moves.
    writer : LabelWriter, optional
        What writes the scores into the files; without it none are.
    settings : Settings
        Home and store.
    now : datetime
        When it begins, aware UTC.
    stop : threading.Event
        Ends the watch when it is set.
    on_fault, reporter
        Who hears of records that cannot be used, and of models.

    Yields
    ------
    Score
        A :class:`~scoring.workflows.label_writing.WrittenScore` where they are written.

    Raises
    ------
    RecordError
        If the folder cannot be read.
    ScoringError
        If the model cannot be used, or another process watches the folder.
    """
    if not os.path.isdir(folder):
        raise RecordError(Fault(folder, 0, "", "no such folder", "a folder to watch"))
    name = hashlib.sha256(os.path.realpath(folder).encode()).hexdigest()[:16]
    with only_one(prepare_folder(settings.home, "watch"), name, now=now):
        follower = _Follower(model, settings, reporter)
        state = settings.home / "watch" / f"{name}.db"
        try:
            with closing(_Seen(state)) as seen:
                yield from _Watch(folder, follower, seen, stop, on_fault, writer).run()
        except sqlite3.Error as error:  # a full disk, or one that fails
            raise ScoringError(f"{state}: cannot be used: {error}") from error


class _Due(NamedTuple):
    """A record to be scored, and what is kept of it then."""

    document: Document
    digest: str


class _Watch:
    """One watch of a folder."""

    def __init__(
        self,
        folder: str,
        follower: _Follower,
        seen: _Seen,
        stop: threading.Event,
        on_fault: OnFault,
        writer: LabelWriter | None,
    ) -> None:
        self._folder, self._follower, self._seen = folder, follower, seen
        self._stop, self._on_fault, self._writer = stop, on_fault, writer
        self._states: dict[str, tuple[int, int, int]] = {}  # of the files that need no look
        self._resting: dict[str, tuple[tuple[int, int, int], float]] = {}  # faulty ones, and since when

    def run(self) -> Iterator[Score]:
        is_first = True
        events = changes_of(
            self._folder,
            stop_event=self._stop,
            rust_timeout=_POLL_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
        )
        for changed in events:
            if is_first or changed or self._resting:
                yield from self._look()
            is_first = False

    def _look(self) -> Iterator[Score]:
        """Score what the folder holds now and did not before."""
        states = _states_of(files_within(self._folder))
        for path in self._states.keys() - states.keys():
            del self._states[path]
        self._resting = {path: rest for path, rest in self._resting.items() if path in states}
        self._seen.keep_only({self._key(path) for path in states})
        fresh = [path for path, state in states.items() if self._states.get(path) != state]
        for begin in range(0, len(fresh), BATCH):
            due = self._due(fresh[begin : begin + BATCH], states)
            scores = self._follower.saved().scorer.score(one.document for one in due) if due else iter(())
            for one, score in zip(due, self._written(scores), strict=True):
                if score is not None:
                    yield score
                    self._seen.put(self._key(score.path), one.digest)
                if self._stop.is_set():
                    return

    def _due(self, paths: Sequence[str], states: Mapping[str, tuple[int, int, int]]) -> list[_Due]:
        due = []
        for path in paths:
            try:
                document = decode_file(read_bytes(path), path)
            except RecordError as error:
                self._rest(path, states[path], error)
                continue
            self._states[path] = states[path]
            self._resting.pop(path, None)
            if (digest := content_sha256(document.record)) != self._seen.get(self._key(path)):
                due.append(_Due(document, digest))
        return due

    def _rest(self, path: str, state: tuple[int, int, int], error: RecordError) -> None:
        """Tell a fault once its file is at rest, and once only."""
        before, since = self._resting.get(path, (None, 0.0))
        if before != state:
            self._resting[path] = (state, time.monotonic())
        elif time.monotonic() - since >= SETTLE_SECONDS:
            del self._resting[path]
            self._states[path] = state
            digest = "fault:" + hashlib.sha256(str(error).encode()).hexdigest()
            if self._seen.get(self._key(path)) != digest:
                self._on_fault(error)
                self._seen.put(self._key(path), digest)

    def _key(self, path: str) -> str:
        """A file's name within the folder, however that was named."""
        return os.path.relpath(path, self._folder)

    def _written(self, scores: Iterator[Score]) -> Iterator[Score | None]:
        """The scores once they are written, where that is asked for; None for one that could not be."""
        if self._writer is None:
            yield from scores
            return
        ahead, behind = tee(scores)
        for score, written in zip(behind, self._writer.write(ahead, batch_files=_WRITE_BATCH), strict=True):
            labels = dict(written.outcomes)
            values = msgspec.structs.asdict(score)
            yield None if written.fault is not None else WrittenScore(**values, labels=labels)


class _Follower:
    """The model at work: another version of it is taken where there is one, and nothing else ever is."""

    def __init__(self, spec: str | None, settings: Settings, reporter: Reporter) -> None:
        self._spec, self._settings, self._reporter = spec, settings, reporter
        self._loaded = resolve(spec, settings, reporter=reporter)
        self._complaint = self._loaded.resolved.store_error or ""  # it was said with the model
        self._is_server = sqlite_file(settings.tracking_uri) is None
        self._looked_at = time.monotonic()

    def saved(self) -> SavedModel:
        """The model; the one of before where the store or the model of now cannot be used."""
        if not self._is_server or time.monotonic() - self._looked_at > SERVER_SECONDS:
            self._look()
            self._looked_at = time.monotonic()
        return self._loaded.saved

    def _look(self) -> None:
        name = self._loaded.saved.name
        try:
            loaded = follow(self._loaded, self._spec, self._settings)
        except ScoringError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                self._reporter.warn(f"still scoring with {name}: {error}")
            return
        if loaded.saved.name != name:
            self._reporter.note(f"scoring with {loaded.saved.name} from now on")
        elif self._complaint:
            self._reporter.note(f"{name} can be followed again")
        self._loaded, self._complaint = loaded, ""


class _Seen:
    """What was scored or told of each file, by its path within the folder: one SQLite file."""

    def __init__(self, file: Path) -> None:
        create_file(file)
        self._store = sqlite3.connect(file, isolation_level=None)
        try:
            check_database(self._store, file, FORMAT)
        except ScoringError:
            self._store.close()
            raise
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", _STATE):
            self._store.execute(statement)
        self._digests: dict[str, str] = dict(self._store.execute("SELECT path, digest FROM seen"))

    def get(self, path: str) -> str | None:
        """What was put last."""
        return self._digests.get(path)

    def put(self, path: str, digest: str) -> None:
        """Remember, whatever ends the process from here on."""
        self._store.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (path, digest))
        self._digests[path] = digest

    def keep_only(self, paths: Set[str]) -> None:
        """Forget all others."""
        gone = [path for path in self._digests if path not in paths]
        self._store.executemany("DELETE FROM seen WHERE path = ?", [(path,) for path in gone])
        for path in gone:
            del self._digests[path]

    def close(self) -> None:
        """Close the file."""
        self._store.close()


def _states_of(files: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """What differs of each file where it was written; those that have gone meanwhile are left out."""
    states = {}
    for file in files:
        try:
            state = os.stat(file)
        except FileNotFoundError:
            continue
        states[file] = (state.st_mtime_ns, state.st_size, state.st_ino)
    return states
