"""Watch a folder: score each record when it arrives, and again when its content changes."""

from __future__ import annotations

import hashlib
import math
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from itertools import tee
from typing import NamedTuple

import msgspec

from scoring.artifact.saved_model import SavedModel
from scoring.deployment.resolve_model import SERVER_SECONDS, follow, resolve
from scoring.errors import Fault, RecordError, ScoringError
from scoring.inbox.folder_listing import Listing, named_changes, removed_files
from scoring.inbox.folder_watch import UNWATCHED_SECONDS, Look, State, identity_of, looks, state_of
from scoring.inbox.watch_state import Seen
from scoring.labels.write_results import WrittenScore
from scoring.labels.writer import LabelWriter
from scoring.model.score import Score
from scoring.model.scorer import BATCH
from scoring.progress import SILENT, Reporter
from scoring.records.corpus import read_bytes
from scoring.records.decode import decode_file
from scoring.records.field_maps.lookup import FieldMaps, field_maps_of
from scoring.records.file_names import name_of
from scoring.records.files import OnFault, files_within
from scoring.records.ledger import content_sha256
from scoring.records.record import Document
from scoring.settings import Settings, sqlite_file
from scoring.storage.home import prepare_folder
from scoring.storage.lock import only_one
from scoring.storage.urls import is_remote, local_path, refuse_remote
from scoring.workflows.coverage import note_as_listed

SETTLE_SECONDS = 2.0
"""Time without a change before a faulty file is reported: it may be half written."""

_WRITE_BATCH = 16  # files per batch; a stop waits for the batch

SWEEP_SECONDS = 60.0
"""Interval between lists of the whole folder, for what no event has announced."""

RETRY_SECONDS = 10.0
"""Interval between attempts to read an unreadable file: no event announces that it became readable."""


def watch(
    folder: str,
    *,
    model: str | None = None,
    writer: LabelWriter | None = None,
    field_maps: FieldMaps | None = None,
    settings: Settings,
    now: datetime,
    stop: threading.Event,
    on_fault: OnFault,
    reporter: Reporter = SILENT,
) -> Iterator[Score]:
    """Score the records in a folder and those that arrive later, until stopped.

    The digest of each scored record is kept in the home: a file is scored again if its content changes, not
    if its labels do. The digest is stored when the caller asks for the next score, so that after a kill only
    the interrupted record is scored again. A faulty file is reported once it no longer changes.

    The folder may disappear (moved, removed, not mounted) and come back, or be replaced: that is reported
    once, and the folder is polled until it exists. Digests are removed only for files deleted from an
    existing folder, so that files that come back unchanged are not scored again.

    Parameters
    ----------
    folder : str
        Folder with Markdown files.
    model : str, optional
        See :func:`scoring.deployment.resolve_model.resolve`; updated when its alias moves.
    field_maps : FieldMaps, optional
        Field maps of the files; it gets the model's. Default: those of the settings.
    writer : LabelWriter, optional
        Writes the scores into the files; without it nothing is written.
    settings : Settings
        Home and store.
    now : datetime
        Start of the watch, aware UTC.
    stop : threading.Event
        Ends the watch when set.
    on_fault, reporter
        Callback for unusable records; receiver of notes about models and the folder.

    Yields
    ------
    Score
        A :class:`~scoring.labels.write_results.WrittenScore` if there is a writer.

    Raises
    ------
    RecordError
        If the folder does not exist at the start.
    ScoringError
        If the model cannot be used, or another process watches the folder.
    """
    folder = local_path(folder)
    refuse_remote(folder, "watch", "score it at intervals, or watch a folder synchronized with it")
    if not os.path.isdir(folder):
        raise RecordError(Fault(folder, 0, "", "no such folder", "a folder to watch"))
    name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:16]
    with only_one(prepare_folder(settings.home, "watch"), name, now=now):
        note_as_listed(settings, reporter)
        follower = _Follower(model, settings, reporter)
        callbacks = _Callbacks(on_fault, reporter)
        state = settings.home / "watch" / f"{name}.db"
        try:
            with closing(Seen(state)) as seen:
                maps = field_maps or field_maps_of([folder], settings)
                clock = _Clock(now)
                yield from _Watch(folder, follower, seen, clock, stop, callbacks, writer, maps).run()
        except sqlite3.Error as error:  # for example a full disk
            raise ScoringError(f"{state}: cannot be used: {error}") from error


class _Clock:
    """Wall-clock time, derived from the start time and the monotonic clock."""

    def __init__(self, begun: datetime) -> None:
        self._begun, self._started = begun.timestamp(), time.monotonic()

    def seconds(self) -> float:
        """Current Unix time in seconds."""
        return self._begun + time.monotonic() - self._started


class _PendingRecord(NamedTuple):
    """A record to score, its file, and the digest to store afterwards."""

    path: str
    document: Document
    digest: str


class _Callbacks(NamedTuple):
    """Callback for faults, and receiver of notes."""

    on_fault: OnFault
    reporter: Reporter


class _Watch:
    """Scores new and changed files of a folder."""

    def __init__(
        self,
        folder: str,
        follower: _Follower,
        seen: Seen,
        clock: _Clock,
        stop: threading.Event,
        callbacks: _Callbacks,
        writer: LabelWriter | None,
        field_maps: FieldMaps,
    ) -> None:
        self._field_maps = field_maps
        self._folder, self._follower, self._seen, self._clock = folder, follower, seen, clock
        self._stop, self._writer = stop, writer
        self._on_fault, self._reporter = callbacks
        self._states: dict[str, State] = {}  # of the files that are up to date
        self._settling: dict[str, tuple[State, float]] = {}  # faulty files: state, and since when
        self._last = Listing({}, {}, is_whole=True)
        self._reported_faults: dict[str, Fault] = {}  # of folders, until they are readable again
        self._unread_since: float | None = None  # last attempt to read an unreadable file
        self._swept_at = -math.inf  # last list of the whole folder

    def run(self) -> Iterator[Score]:
        """Score until stopped: what an event names at once, and now and then whatever has changed."""
        for look in looks(self._folder, self._stop):
            yield from self._take(look)

    def _take(self, look: Look) -> Iterator[Score]:
        """Score what a tick asks for."""
        is_sweep_due = time.monotonic() - self._swept_at >= SWEEP_SECONDS
        if (look.is_due and look.names is None) or is_sweep_due or self._is_retry_due():
            yield from self._scan(look)
        elif look.is_due or self._settling:
            yield from self._update(look)

    def _is_retry_due(self) -> bool:
        """Whether to try unreadable files again now."""
        return self._unread_since is not None and time.monotonic() - self._unread_since >= RETRY_SECONDS

    def _update(self, look: Look) -> Iterator[Score]:
        """Score the files that an event names and those that may be half written, without listing others."""
        waiting = (os.path.relpath(path, self._folder) for path in self._settling)
        changes = named_changes(self._last, self._folder, {*(look.names or ()), *waiting})
        if changes is None:
            yield from self._scan(look)
            return
        for path in changes.removed:
            self._last.files.pop(path)
            self._states.pop(path, None)
            self._settling.pop(path, None)
        self._last.files.update(changes.present)
        self._seen.change(map(self._key, changes.present), map(self._key, changes.removed))
        yield from self._score(changes.present)

    def _scan(self, look: Look) -> Iterator[Score]:
        """Score the new and changed files of the folder."""
        listing = self._list(look)
        if listing is None:
            return
        self._swept_at = time.monotonic()
        files = listing.files
        for path in self._states.keys() - files.keys():
            del self._states[path]
        self._settling = {path: entry for path, entry in self._settling.items() if path in files}
        removed = {self._key(path) for path in removed_files(self._last, listing)}
        self._seen.keep({self._key(path) for path in files}, removed, self._clock.seconds())
        self._last, self._unread_since = listing, None
        yield from self._score(files)

    def _score(self, files: Mapping[str, State]) -> Iterator[Score]:
        """Score those of the files that have changed since they were read."""
        changed = [path for path, state in files.items() if self._states.get(path) != state]
        for start in range(0, len(changed), BATCH):
            pending = self._pending(changed[start : start + BATCH])
            if self._stop.is_set():
                return
            scores = (
                self._follower.saved().scorer.score(item.document for item in pending)
                if pending
                else iter(())
            )
            for item, score in zip(pending, self._written(pending, scores), strict=True):
                if score is not None:
                    yield score
                    self._seen.put(self._key(item.path), item.digest)
                if self._stop.is_set():
                    return

    def _list(self, look: Look) -> Listing | None:
        """List the folder; None if it cannot be read or the watch is stopping."""
        files: dict[str, State] = {}
        faults: list[Fault] = []
        try:
            for file in files_within(self._folder, lambda error: faults.extend(error.faults)):
                if self._stop.is_set():
                    return None
                if state := state_of(file):
                    files[file] = state
        except RecordError as error:
            expected = "the watched folder; it is polled until it exists"
            self._report_faults([Fault(self._folder, 0, "", error.faults[0].got, expected)])
            return None
        is_whole = not faults
        if look.trouble:
            got = f"a folder without file events ({look.trouble})"
            expected = f"a folder with file events; it is polled every {UNWATCHED_SECONDS:g} s"
            faults.append(Fault(self._folder, 0, "", got, expected))
        self._report_faults(faults)
        parents = {os.path.dirname(file) for file in (*files, *self._last.files)} | {self._folder}
        folders = {folder: identity_of(folder) for folder in parents}
        if self._last.folders.get(self._folder) not in (None, folders[self._folder]):
            self._reporter.note(
                f"{self._folder}: the folder was replaced; the new one is watched from now on"
            )
        return Listing(files, folders, is_whole)

    def _report_faults(self, faults: Sequence[Fault]) -> None:
        """Report each new fault of the folder once, and once that it is resolved."""
        current = {str(fault): fault for fault in faults}
        for text, fault in current.items():
            if text not in self._reported_faults:
                self._on_fault(RecordError(fault))
        for text, fault in self._reported_faults.items():
            if text not in current:
                self._reporter.note(f"{fault.path}: readable again")
        self._reported_faults = current

    def _pending(self, paths: Sequence[str]) -> list[_PendingRecord]:
        pending = []
        for path in paths:
            if self._stop.is_set():
                break
            state = self._last.files[path]
            try:
                data = read_bytes(path)
            except RecordError as error:
                self._report_settled(path, state, error, is_read=False)
                continue
            try:
                scorer = self._follower.saved().scorer
                field_map = self._field_maps.with_model_map(scorer.field_map).of(path)
                document = decode_file(data, path, field_map=field_map, reads_body=scorer.reads_bodies)
            except RecordError as error:
                self._report_settled(path, state, error, is_read=True)
                continue
            self._states[path] = state
            self._settling.pop(path, None)
            if (digest := content_sha256(document.record)) != self._seen.get(self._key(path)):
                pending.append(_PendingRecord(path, document, digest))
        return pending

    def _report_settled(self, path: str, state: State, error: RecordError, *, is_read: bool) -> None:
        """Report the fault of a file once the file no longer changes, and only once."""
        last_state, since = self._settling.get(path, (None, 0.0))
        digest = "fault:" + hashlib.sha256(str(error).encode()).hexdigest()
        is_reported = self._seen.get(self._key(path)) == digest
        if last_state != state and not is_reported:
            self._settling[path] = (state, time.monotonic())
        elif is_reported or time.monotonic() - since >= SETTLE_SECONDS:
            self._settling.pop(path, None)
            if is_read:
                self._states[path] = state
            else:
                self._unread_since = time.monotonic()
            if not is_reported:
                self._on_fault(error)
                self._seen.put(self._key(path), digest)

    def _key(self, path: str) -> str:
        """Key of a file: its path relative to the folder."""
        return name_of(os.path.relpath(path, self._folder))

    def _written(self, pending: Sequence[_PendingRecord], scores: Iterator[Score]) -> Iterator[Score | None]:
        """Yield the scores, written first if there is a writer; None for one that could not be written."""
        if self._writer is None:
            yield from scores
            return
        ahead, behind = tee(scores)
        placed = (
            msgspec.structs.replace(score, path=item.path) for item, score in zip(pending, ahead, strict=True)
        )
        files = self._writer.write(placed, batch_files=_WRITE_BATCH, is_spelled=False)
        for score, written in zip(behind, files, strict=True):
            labels = dict(written.outcomes)
            values = msgspec.structs.asdict(score)
            yield None if written.fault is not None else WrittenScore(**values, labels=labels)


class _Follower:
    """The model in use, updated to newer versions of itself; never replaced by a fallback."""

    def __init__(self, spec: str | None, settings: Settings, reporter: Reporter) -> None:
        self._spec, self._settings, self._reporter = spec, settings, reporter
        self._loaded = resolve(spec, settings, reporter=reporter)
        self._warning = self._loaded.resolved.store_error or ""  # already reported by resolve
        is_remote_model = is_remote(self._loaded.resolved.folder)
        self._is_server = is_remote_model or sqlite_file(settings.tracking_uri) is None
        self._checked_at = time.monotonic()

    def saved(self) -> SavedModel:
        """The current model, or the previous one if the store or the current model cannot be used."""
        if not self._is_server or time.monotonic() - self._checked_at > SERVER_SECONDS:
            self._update()
            self._checked_at = time.monotonic()
        return self._loaded.saved

    def _update(self) -> None:
        name = self._loaded.saved.name
        try:
            loaded = follow(self._loaded, self._spec, self._settings)
        except ScoringError as error:
            if str(error) != self._warning:
                self._warning = str(error)
                self._reporter.warn(f"still scoring with {name}: {error}")
            return
        if loaded.saved.name != name:
            self._reporter.note(f"scoring with {loaded.saved.name} from now on")
        elif self._warning:
            self._reporter.note(f"{name} is available again")
        self._loaded, self._warning = loaded, ""
