"""The inbox of the desk: refreshed in the background, and streamed to every open page."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import traceback
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from scoring.artifact.saved_model import SavedModel
from scoring.errors import ScoringError, shown
from scoring.inbox.folder_watch import looks
from scoring.inbox.inbox import Inbox
from scoring.model.label_ranges import LabelRanges, label_ranges
from scoring.records.field_maps.lookup import field_maps_of
from scoring.service.desk.live_decisions import LiveDecisions
from scoring.service.desk.presence import Presence, PresenceList
from scoring.service.desk.work_queue import WorkQueue
from scoring.service.model_manager import ModelManager, Served
from scoring.service.options import ServiceOptions
from scoring.service.problem_details import ProblemError

LEDGER = "corrections.jsonl"
"""File name of the ledger in the home."""

PING_SECONDS = 15.0
"""Interval of status events that keep a stream alive; seconds."""

RETRY_SECONDS = 2.0
"""Interval of refreshes after a fault, whose end causes no file event; seconds."""

_ROWS_PER_EVENT = 500
_MAX_TROUBLES = 5
_LOG = logging.getLogger(__name__)
_ENCODER = msgspec.json.Encoder()


class LiveInbox:
    """The inbox of a service, if it has one, and its event streams.

    Parameters
    ----------
    options : ServiceOptions
        Folder of the inbox, and home with the ledger.
    manager : ModelManager
        Has the current model.
    stopping : asyncio.Event
        Set when the service stops; ends the streams.
    queue : WorkQueue
        Thread that refreshes the inbox.
    """

    def __init__(
        self, options: ServiceOptions, manager: ModelManager, stopping: asyncio.Event, queue: WorkQueue
    ) -> None:
        self._manager, self._stopping, self._queue = manager, stopping, queue
        self._has_images = options.has_images
        self._inbox: Inbox | None = None
        self._decisions: LiveDecisions | None = None
        if options.inbox is not None:
            ledger = options.settings.home / LEDGER
            field_maps = field_maps_of([str(options.inbox)], options.settings)
            self._inbox = Inbox(options.inbox, ledger, options.limits.of_record, field_maps)
            self._decisions = LiveDecisions(self._inbox, options.settings, self._notify_soon)
        self._presence = PresenceList()
        self._unnamed: dict[str, None] = {}
        self._is_due = asyncio.Event()
        self._listeners: set[asyncio.Event] = set()
        self._loop = asyncio.get_running_loop()
        self._progress = (0, 0)
        self._fault = ""
        self._unwatched = ""  # why file events are not available
        self._published: object = None  # status and version last published to the pages
        self._is_read = False
        self._ranges: tuple[str, dict[str, LabelRanges]] = ("", {})  # of the model with that digest
        self._announced: dict[str, int] = {}
        manager.on_swap(self._on_swap)

    @property
    def inbox(self) -> Inbox:
        """The inbox.

        Raises
        ------
        ProblemError
            If the service was started without one: status 404.
        """
        if self._inbox is None:
            raise _no_inbox()
        return self._inbox

    @property
    def decisions(self) -> LiveDecisions:
        """Decisions of the curators; raises like :attr:`inbox`."""
        if self._decisions is None:
            raise _no_inbox()
        return self._decisions

    def be_at(self, presence: Presence) -> None:
        """Take note of the record at which a page is; called in the event loop."""
        if self._presence.update(presence):
            self._notify()

    @property
    def saved(self) -> SavedModel:
        """The current model."""
        return self._manager.current.saved

    @property
    def is_read(self) -> bool:
        """Whether the inbox has been read, and is not being read again at the moment."""
        return self._is_read and not self._progress[1]

    def announce(self, name: str, version: int) -> None:
        """Announce the version of a resource to the pages, which may fetch it; called in the event loop."""
        self._announced[name] = version
        self._notify()

    def request_refresh(self) -> None:
        """Request a refresh; called in the event loop."""
        self._is_due.set()

    async def follow(self) -> None:
        """Refresh the rows whenever a refresh is requested, until cancelled."""
        if self._inbox is None:
            return
        stop = threading.Event()
        watching = threading.Thread(
            target=self._watch, args=(self._inbox, stop), name="desk-watch", daemon=True
        )
        watching.start()
        try:
            self.request_refresh()
            while True:
                await self._is_due.wait()
                self._is_due.clear()
                await self._queue.run(partial(self._refresh, self._inbox))
        finally:
            stop.set()
            await asyncio.to_thread(watching.join)

    async def events(self, page: str = "") -> AsyncIterator[bytes]:
        """All rows and decisions, then changed ones, as server-sent events for a page."""
        changed = asyncio.Event()
        self._listeners.add(changed)
        self._presence.join(page)
        try:
            yield self._event("begin", self._status())
            version = decided_version = 0
            known: list[Presence] = []
            known_unnamed: list[str] = []
            while not self._stopping.is_set():
                changed.clear()
                status = self._status()  # read before the rows: rows that it counts as read are in them
                if (unnamed := self._unnamed_people()) != known_unnamed:
                    yield self._event("unnamed", unnamed)
                    known_unnamed = unnamed
                if self._inbox is not None and self._decisions is not None:
                    # Read before the rows, so that the page has the labels of a file when it is called saved.
                    decided = self._decisions.since(decided_version)
                    changes = self._inbox.since(version)
                    if changes.gone and version:  # a new page has no rows to remove
                        yield self._event("rows", {"rows": [], "gone": changes.gone})
                    for begin in range(0, len(changes.rows), _ROWS_PER_EVENT):
                        rows = changes.rows[begin : begin + _ROWS_PER_EVENT]
                        yield self._event("rows", {"rows": rows, "gone": []})
                    version = changes.version
                    for begin in range(0, len(decided.states), _ROWS_PER_EVENT):
                        yield self._event("decisions", decided.states[begin : begin + _ROWS_PER_EVENT])
                    decided_version = decided.version
                if (present := self._presence.present()) != known:
                    yield self._event("here", present)
                    known = present
                yield self._event("status", status)
                await self._wait(changed)
        finally:
            self._listeners.discard(changed)
            if self._presence.leave(page):
                self._notify()

    def _unnamed_people(self) -> list[str]:
        """Ids of the browsers of people without a name; the position is their number, and never changes."""
        decided = self._decisions.unnamed if self._decisions is not None else []
        self._unnamed = dict.fromkeys((*self._unnamed, *decided, *self._presence.unnamed))
        return list(self._unnamed)

    async def _wait(self, changed: asyncio.Event) -> None:
        """Wait for a change, the stop, or the next keep-alive."""
        tasks = [asyncio.create_task(event.wait()) for event in (changed, self._stopping)]
        try:
            await asyncio.wait(tasks, timeout=PING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _watch(self, inbox: Inbox, stop: threading.Event) -> None:
        """Request a refresh whenever the folder may have changed; runs in a thread."""
        last = time.monotonic()
        for look in looks(str(inbox.folder), stop):
            if look.trouble != self._unwatched:
                self._unwatched = look.trouble
                if look.trouble:
                    _LOG.error("inbox not watched", extra={"fields": {"cause": look.trouble}})
            is_wrong = bool(self._fault) or inbox.has_unread or self.decisions.is_behind
            if look.is_due or (is_wrong and time.monotonic() - last >= RETRY_SECONDS):
                last = time.monotonic()
                self._loop.call_soon_threadsafe(self.request_refresh)

    def _refresh(self, inbox: Inbox) -> None:
        """Read the folder; runs in a thread."""
        event = "inbox not read"
        try:
            self.decisions.catch_up()
            inbox.refresh(self.saved, self._on_progress, datetime.now(UTC))
            self.decisions.follow_files()
            event, fault = "inbox read in part", _summary((*inbox.troubles, *self.decisions.torn))
        except _EndedError:
            return
        except (ScoringError, OSError) as error:
            fault = str(error)
        except Exception as error:  # an unexpected error does not end the refreshes
            # The traceback without the message, which may quote a record.
            fault = "an internal error: see the log of the service"
            fields = {"error": type(error).__name__, "trace": traceback.format_tb(error.__traceback__)}
            _LOG.error("defect", extra={"fields": fields})
        else:
            self._is_read = True
        if fault != self._fault:
            if fault:
                _LOG.error(event, extra={"fields": {"cause": fault}})
            else:
                _LOG.warning("inbox read again")
        self._fault = fault
        self._progress = (0, 0)
        if (published := (self._status(), inbox.version)) != self._published:
            self._published = published
            self._loop.call_soon_threadsafe(self._notify)

    def _on_progress(self, done: int, total: int) -> None:
        if self._stopping.is_set():
            raise _EndedError
        self._progress = (done, total)
        self._published = None
        self._loop.call_soon_threadsafe(self._notify)

    def _on_swap(self, _: Served) -> None:
        self._loop.call_soon_threadsafe(self.request_refresh)
        self._loop.call_soon_threadsafe(self._notify)

    def _notify_soon(self) -> None:
        self._loop.call_soon_threadsafe(self._notify)

    def _notify(self) -> None:
        for changed in self._listeners:
            changed.set()

    def _status(self) -> dict[str, Any]:
        saved, (done, total) = self.saved, self._progress
        return {
            "folder": shown(self._inbox.folder.name) if self._inbox is not None else None,
            "model": saved.name,
            "threshold": saved.models.thresholds.published,
            "targets": saved.models.targets,
            "ranges": self._ranges_of(saved),
            "images": self._has_images,
            "read": self._is_read,
            "done": done,
            "total": total,
            "fault": self._fault,
            **self._announced,
        }

    def _ranges_of(self, saved: SavedModel) -> dict[str, LabelRanges]:
        """Ranges of the labels of training, read once for each model."""
        if self._ranges[0] != saved.sha256:
            self._ranges = (saved.sha256, label_ranges(saved.models))
        return self._ranges[1]

    @staticmethod
    def _event(name: str, data: object) -> bytes:
        return b"event: %s\ndata: %s\n\n" % (name.encode(), _ENCODER.encode(data))


class _EndedError(Exception):
    """The service is stopping: a refresh is abandoned."""


def _summary(troubles: Sequence[str]) -> str:
    """The first troubles, and the number of further ones."""
    more = f"; and {len(troubles) - _MAX_TROUBLES} more" if len(troubles) > _MAX_TROUBLES else ""
    return "; ".join(troubles[:_MAX_TROUBLES]) + more


def _no_inbox() -> ProblemError:
    return ProblemError(404, "not-found", "the service was started without --inbox DIR")
