"""The inbox as the desk shows it: kept up to date beside the requests, and told to every open page."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import traceback
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import msgspec

from scoring.artifact.saved_model import SavedModel
from scoring.errors import ScoringError, shown
from scoring.inbox.decisions import Decisions
from scoring.inbox.folder_watch import looks
from scoring.inbox.inbox import Inbox
from scoring.service.desk.work_queue import WorkQueue
from scoring.service.model_manager import ModelManager, Served
from scoring.service.options import ServiceOptions
from scoring.service.problem_details import ProblemError

LEDGER = "corrections.jsonl"
"""Name of the ledger in the home."""

PING_SECONDS = 15.0
"""How often a page hears that the line is still there."""

RETRY_SECONDS = 2.0
"""How often to look again at what is wrong, since nobody may tell when it is right."""

_ROWS_OF_ONE_EVENT = 500
_MAX_TROUBLES = 5
_LOG = logging.getLogger(__name__)
_ENCODER = msgspec.json.Encoder()


class LiveInbox:
    """The inbox of a service, if it has one.

    Parameters
    ----------
    options : ServiceOptions
        Which folder, and the home of the ledger.
    keeper : ModelManager
        Who has the model at work.
    stopping : asyncio.Event
        Ends all that would go on.
    queue : WorkQueue
        Where the folder is looked at.
    """

    def __init__(
        self, options: ServiceOptions, keeper: ModelManager, stopping: asyncio.Event, queue: WorkQueue
    ) -> None:
        self._keeper, self._stopping, self._queue = keeper, stopping, queue
        self._inbox: Inbox | None = None
        self._decisions: Decisions | None = None
        if options.inbox is not None:
            ledger = options.settings.home / LEDGER
            self._inbox = Inbox(options.inbox, ledger, options.limits.of_record)
            self._decisions = Decisions(self._inbox, options.settings.journal)
        self._is_due = asyncio.Event()
        self._listeners: set[asyncio.Event] = set()
        self._loop = asyncio.get_running_loop()
        self._progress = (0, 0)
        self._fault = ""
        self._unwatched = ""  # why the system does not watch the folder
        self._told: object = None  # what the pages were told of last
        self._is_read = False
        keeper.on_swap(self._on_swap)

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
    def decisions(self) -> Decisions:
        """What writes into it; raises as :attr:`inbox` does."""
        if self._decisions is None:
            raise _no_inbox()
        return self._decisions

    @property
    def saved(self) -> SavedModel:
        """The model at work."""
        return self._keeper.current.saved

    def ask(self) -> None:
        """Have the folder looked at, from the event loop."""
        self._is_due.set()

    async def follow(self) -> None:
        """Keep the rows up to date until cancelled."""
        if self._inbox is None:
            return
        stop = threading.Event()
        watching = threading.Thread(
            target=self._watch, args=(self._inbox, stop), name="desk-watch", daemon=True
        )
        watching.start()
        try:
            self.ask()
            while True:
                await self._is_due.wait()
                self._is_due.clear()
                await self._queue.run(partial(self._refresh, self._inbox))
        finally:
            stop.set()
            await asyncio.to_thread(watching.join)

    async def events(self) -> AsyncIterator[bytes]:
        """All rows, then those that change, as server-sent events."""
        told = asyncio.Event()
        self._listeners.add(told)
        try:
            yield self._event("begin", self._status())
            version = 0
            while not self._stopping.is_set():
                told.clear()
                status = self._status()  # looked at before the rows: what it says is read, they hold
                if self._inbox is not None:
                    changes = self._inbox.since(version)
                    if changes.gone and version:  # who has seen nothing misses nothing
                        yield self._event("rows", {"rows": [], "gone": changes.gone})
                    for begin in range(0, len(changes.rows), _ROWS_OF_ONE_EVENT):
                        rows = changes.rows[begin : begin + _ROWS_OF_ONE_EVENT]
                        yield self._event("rows", {"rows": rows, "gone": []})
                    version = changes.version
                yield self._event("status", status)
                await self._wait(told)
        finally:
            self._listeners.discard(told)

    async def _wait(self, told: asyncio.Event) -> None:
        """Wait until there is something to tell, or it is time to say that nothing is."""
        waiting = [asyncio.create_task(each.wait()) for each in (told, self._stopping)]
        try:
            await asyncio.wait(waiting, timeout=PING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    def _watch(self, inbox: Inbox, stop: threading.Event) -> None:
        """Have the folder looked at whenever something in it may differ, in a thread."""
        last = time.monotonic()
        for look in looks(str(inbox.folder), stop):
            if look.trouble != self._unwatched:
                self._unwatched = look.trouble
                if look.trouble:
                    _LOG.error("inbox not watched", extra={"fields": {"cause": look.trouble}})
            is_wrong = bool(self._fault) or inbox.has_unread
            if look.is_due or (is_wrong and time.monotonic() - last >= RETRY_SECONDS):
                last = time.monotonic()
                self._loop.call_soon_threadsafe(self.ask)

    def _refresh(self, inbox: Inbox) -> None:
        """Look at the folder, in a thread."""
        event = "inbox not read"
        try:
            inbox.refresh(self.saved, self._on_progress)
            event, fault = "inbox read in part", _summary(inbox.troubles)
        except _EndedError:
            return
        except (ScoringError, OSError) as error:
            fault = str(error)
        except Exception as error:  # a defect does not end the looking
            # The trace without the message, which may quote a record.
            fault = "a defect of scoring: see the log"
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
        if (now := (self._status(), inbox.version)) != self._told:
            self._told = now
            self._loop.call_soon_threadsafe(self._tell)

    def _on_progress(self, done: int, total: int) -> None:
        if self._stopping.is_set():
            raise _EndedError
        self._progress = (done, total)
        self._told = None
        self._loop.call_soon_threadsafe(self._tell)

    def _on_swap(self, _: Served) -> None:
        self._loop.call_soon_threadsafe(self.ask)
        self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        for told in self._listeners:
            told.set()

    def _status(self) -> dict[str, Any]:
        saved, (done, total) = self.saved, self._progress
        return {
            "folder": shown(self._inbox.folder.name) if self._inbox is not None else None,
            "model": saved.name,
            "threshold": saved.models.thresholds.published,
            "read": self._is_read,
            "done": done,
            "total": total,
            "fault": self._fault,
        }

    @staticmethod
    def _event(name: str, data: object) -> bytes:
        return b"event: %s\ndata: %s\n\n" % (name.encode(), _ENCODER.encode(data))


class _EndedError(Exception):
    """The service stops: what is not read yet need not be."""


def _summary(troubles: Sequence[str]) -> str:
    """The first of what is wrong, and how much there is more."""
    more = f"; and {len(troubles) - _MAX_TROUBLES} more" if len(troubles) > _MAX_TROUBLES else ""
    return "; ".join(troubles[:_MAX_TROUBLES]) + more


def _no_inbox() -> ProblemError:
    return ProblemError(404, "not-found", "the service was started without --inbox DIR")
