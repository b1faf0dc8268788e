"""The inbox as the desk shows it: kept up to date beside the requests, and told to every open page."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import msgspec
from watchfiles import awatch

from scoring.errors import ScoringError
from scoring.model.bundle import SavedModel
from scoring.service.keeper import ModelKeeper, Served
from scoring.service.options import ServiceOptions
from scoring.service.problems import ProblemError
from scoring.workflows.decisions import Decisions
from scoring.workflows.inbox import Inbox

LEDGER = "corrections.jsonl"
"""Name of the ledger in the home."""

PING_SECONDS = 15.0
"""How often a page hears that the line is still there."""

_ROWS_OF_ONE_EVENT = 500
_LOG = logging.getLogger(__name__)
_ENCODER = msgspec.json.Encoder()


class DeskInbox:
    """The inbox of a service, if it has one.

    Parameters
    ----------
    options : ServiceOptions
        Which folder, and the home of the ledger.
    keeper : ModelKeeper
        Who has the model at work.
    stopping : asyncio.Event
        Ends all that would go on.
    """

    def __init__(self, options: ServiceOptions, keeper: ModelKeeper, stopping: asyncio.Event) -> None:
        self._keeper, self._stopping = keeper, stopping
        self._inbox: Inbox | None = None
        self._decisions: Decisions | None = None
        if options.inbox is not None:
            self._inbox = Inbox(options.inbox, options.settings.home / LEDGER)
            self._decisions = Decisions(self._inbox, options.settings.journal)
        self._is_due = asyncio.Event()
        self._listeners: set[asyncio.Event] = set()
        self._loop = asyncio.get_running_loop()
        self._progress = (0, 0)
        self._fault = ""
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
        watching = asyncio.create_task(self._watch(self._inbox))
        try:
            self.ask()
            while True:
                await self._is_due.wait()
                self._is_due.clear()
                await asyncio.to_thread(self._refresh, self._inbox)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

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

    async def _watch(self, inbox: Inbox) -> None:
        """Have the folder looked at whenever something in it changes."""
        while not self._stopping.is_set():
            try:
                async for _ in awatch(inbox.folder, stop_event=self._stopping, step=100):
                    self.ask()
            except OSError as error:
                _LOG.error("inbox not watched", extra={"fields": {"cause": str(error)}})
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), PING_SECONDS)
                self.ask()

    def _refresh(self, inbox: Inbox) -> None:
        """Look at the folder, in a thread."""
        fault = ""
        try:
            inbox.refresh(self.saved, self._on_progress)
        except (ScoringError, OSError) as error:
            fault = str(error)
        except Exception as error:  # a defect does not end the looking
            # The trace without the message, which may quote a record.
            fault = "a defect of scoring, of which the log tells more"
            fields = {"error": type(error).__name__, "trace": traceback.format_tb(error.__traceback__)}
            _LOG.error("defect", extra={"fields": fields})
        if fault and fault != self._fault:
            _LOG.error("inbox not read", extra={"fields": {"cause": fault}})
        self._fault = fault
        self._is_read = self._is_read or not fault
        self._progress = (0, 0)
        self._loop.call_soon_threadsafe(self._tell)

    def _on_progress(self, done: int, total: int) -> None:
        self._progress = (done, total)
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
            "folder": self._inbox.folder.name if self._inbox is not None else None,
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


def _no_inbox() -> ProblemError:
    return ProblemError(404, "not-found", "the service was started without --inbox DIR")
