"""Watch: the records of a folder scored as they arrive, each once, and again where what it says changes."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from itertools import tee
from typing import NamedTuple

import msgspec

from scoring.artifact.saved_model import SavedModel
from scoring.deployment.resolve_model import SERVER_SECONDS, follow, resolve
from scoring.errors import Fault, RecordError, ScoringError
from scoring.inbox.folder_watch import UNWATCHED_SECONDS, Identity, Look, State, identity_of, looks, state_of
from scoring.inbox.watch_state import Seen
from scoring.labels.writer import LabelWriter, WrittenScore
from scoring.model.score import Score
from scoring.model.scorer import BATCH
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import OnFault, files_within, read_bytes
from scoring.records.decode import decode_file
from scoring.records.file_names import name_of
from scoring.records.ledger import content_sha256
from scoring.records.record import Document
from scoring.settings import Settings, sqlite_file
from scoring.storage.home import prepare_folder
from scoring.storage.lock import only_one

SETTLE_SECONDS = 2.0
"""How long a file that cannot be used has to rest before that is told: it may be half written."""

_WRITE_BATCH = 16  # files that are written together: a stop waits for them

RETRY_SECONDS = 10.0
"""How often to try what the system does not let be read again, since nobody tells when it does."""


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

    The folder may go away (moved, removed, not mounted) and come back, or be another one: that is told once,
    and it is looked for until it is there. Only a file that is removed from a folder that stays is forgotten,
    so that what comes back as it was is not scored again.

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
        A :class:`~scoring.labels.writer.WrittenScore` where they are written.

    Raises
    ------
    RecordError
        If the folder is not there when the watch begins.
    ScoringError
        If the model cannot be used, or another process watches the folder.
    """
    if not os.path.isdir(folder):
        raise RecordError(Fault(folder, 0, "", "no such folder", "a folder to watch"))
    name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:16]
    with only_one(prepare_folder(settings.home, "watch"), name, now=now):
        follower = _Follower(model, settings, reporter)
        tellers = _Tellers(on_fault, reporter)
        state = settings.home / "watch" / f"{name}.db"
        try:
            with closing(Seen(state)) as seen:
                yield from _Watch(folder, follower, seen, _Clock(now), stop, tellers, writer).run()
        except sqlite3.Error as error:  # a full disk, or one that fails
            raise ScoringError(f"{state}: cannot be used: {error}") from error


class _Clock:
    """The time of day, from the moment at which a watch began."""

    def __init__(self, begun: datetime) -> None:
        self._begun, self._started = begun.timestamp(), time.monotonic()

    def seconds(self) -> float:
        """Seconds since 1970."""
        return self._begun + time.monotonic() - self._started


class _Due(NamedTuple):
    """A record to be scored, its file, and what is kept of it then."""

    path: str
    document: Document
    digest: str


class _Listing(NamedTuple):
    """What a folder holds: files with their states, and folders with what tells them from others."""

    files: dict[str, State]
    folders: dict[str, Identity | None]
    is_whole: bool  # else a folder below it could not be read


class _Tellers(NamedTuple):
    """Who hears of what cannot be used, and of what is right again."""

    on_fault: OnFault
    reporter: Reporter


class _Watch:
    """One watch of a folder."""

    def __init__(
        self,
        folder: str,
        follower: _Follower,
        seen: Seen,
        clock: _Clock,
        stop: threading.Event,
        tellers: _Tellers,
        writer: LabelWriter | None,
    ) -> None:
        self._folder, self._follower, self._seen, self._clock = folder, follower, seen, clock
        self._stop, self._writer = stop, writer
        self._on_fault, self._reporter = tellers
        self._states: dict[str, State] = {}  # of the files that need no look
        self._resting: dict[str, tuple[State, float]] = {}  # faulty ones, and since when
        self._last = _Listing({}, {}, is_whole=True)
        self._complaints: dict[str, Fault] = {}  # of folders, until they can be read again
        self._unread_since: float | None = None  # when a file that could not be read was tried

    def run(self) -> Iterator[Score]:
        """Score until told to stop."""
        for look in looks(self._folder, self._stop):
            if look.is_due or self._resting or self._is_retried():
                yield from self._look(look)

    def _is_retried(self) -> bool:
        """Whether it is time to try again what could not be read."""
        return self._unread_since is not None and time.monotonic() - self._unread_since >= RETRY_SECONDS

    def _look(self, look: Look) -> Iterator[Score]:
        """Score what the folder holds now and did not before."""
        listing = self._list(look)
        if listing is None:
            return
        files = listing.files
        for path in self._states.keys() - files.keys():
            del self._states[path]
        self._resting = {path: rest for path, rest in self._resting.items() if path in files}
        removed = {self._key(path) for path in _removed(self._last, listing)}
        self._seen.keep({self._key(path) for path in files}, removed, self._clock.seconds())
        self._last, self._unread_since = listing, None
        fresh = [path for path, state in files.items() if self._states.get(path) != state]
        for begin in range(0, len(fresh), BATCH):
            due = self._due(fresh[begin : begin + BATCH])
            if self._stop.is_set():
                return
            scores = self._follower.saved().scorer.score(one.document for one in due) if due else iter(())
            for one, score in zip(due, self._written(due, scores), strict=True):
                if score is not None:
                    yield score
                    self._seen.put(self._key(one.path), one.digest)
                if self._stop.is_set():
                    return

    def _list(self, look: Look) -> _Listing | None:
        """What the folder holds; None where it cannot be read, or the watch is to stop."""
        files: dict[str, State] = {}
        faults: list[Fault] = []
        try:
            for file in files_within(self._folder, lambda error: faults.extend(error.faults)):
                if self._stop.is_set():
                    return None
                if state := state_of(file):
                    files[file] = state
        except RecordError as error:
            expected = "the watched folder, which is looked for until it is there"
            self._complain([Fault(self._folder, 0, "", error.faults[0].got, expected)])
            return None
        is_whole = not faults
        if look.trouble:
            got = f"a folder that the system cannot watch ({look.trouble})"
            faults.append(
                Fault(self._folder, 0, "", got, f"one that it can; seen every {UNWATCHED_SECONDS:g} s")
            )
        self._complain(faults)
        holding = {os.path.dirname(file) for file in (*files, *self._last.files)} | {self._folder}
        folders = {folder: identity_of(folder) for folder in holding}
        if self._last.folders.get(self._folder) not in (None, folders[self._folder]):
            self._reporter.note(f"{self._folder}: another folder is in its place, and is watched from now on")
        return _Listing(files, folders, is_whole)

    def _complain(self, faults: Sequence[Fault]) -> None:
        """Tell once what is wrong with the folder, and once that it no longer is."""
        complaints = {str(fault): fault for fault in faults}
        for text, fault in complaints.items():
            if text not in self._complaints:
                self._on_fault(RecordError(fault))
        for text, fault in self._complaints.items():
            if text not in complaints:
                self._reporter.note(f"{fault.path}: there and readable again")
        self._complaints = complaints

    def _due(self, paths: Sequence[str]) -> list[_Due]:
        due = []
        for path in paths:
            if self._stop.is_set():
                break
            state = self._last.files[path]
            try:
                data = read_bytes(path)
            except RecordError as error:
                self._rest(path, state, error, is_read=False)
                continue
            try:
                document = decode_file(data, path)
            except RecordError as error:
                self._rest(path, state, error, is_read=True)
                continue
            self._states[path] = state
            self._resting.pop(path, None)
            if (digest := content_sha256(document.record)) != self._seen.get(self._key(path)):
                due.append(_Due(path, document, digest))
        return due

    def _rest(self, path: str, state: State, error: RecordError, *, is_read: bool) -> None:
        """Tell a fault once its file is at rest, and once only."""
        before, since = self._resting.get(path, (None, 0.0))
        digest = "fault:" + hashlib.sha256(str(error).encode()).hexdigest()
        is_told = self._seen.get(self._key(path)) == digest
        if before != state and not is_told:
            self._resting[path] = (state, time.monotonic())
        elif is_told or time.monotonic() - since >= SETTLE_SECONDS:
            self._resting.pop(path, None)
            if is_read:
                self._states[path] = state
            else:
                self._unread_since = time.monotonic()
            if not is_told:
                self._on_fault(error)
                self._seen.put(self._key(path), digest)

    def _key(self, path: str) -> str:
        """A file's name within the folder, however that was named."""
        return name_of(os.path.relpath(path, self._folder))

    def _written(self, due: Sequence[_Due], scores: Iterator[Score]) -> Iterator[Score | None]:
        """The scores once they are written, where that is asked for; None for one that could not be."""
        if self._writer is None:
            yield from scores
            return
        ahead, behind = tee(scores)
        placed = (
            msgspec.structs.replace(score, path=one.path) for one, score in zip(due, ahead, strict=True)
        )
        files = self._writer.write(placed, batch_files=_WRITE_BATCH, is_spelled=False)
        for score, written in zip(behind, files, strict=True):
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


def _removed(before: _Listing, now: _Listing) -> list[str]:
    """Files that were there and are not, while the folder that they were in still is, as the same one."""
    if not now.is_whole:
        return []
    return [
        path
        for path in before.files.keys() - now.files.keys()
        if (folder := now.folders[os.path.dirname(path)]) is not None
        and folder == before.folders[os.path.dirname(path)]
    ]
