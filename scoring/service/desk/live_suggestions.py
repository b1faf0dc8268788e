"""Records to label next, searched in the background when a page asks for them and when rows change."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from functools import partial
from typing import NamedTuple

import msgspec

from scoring.errors import ScoringError
from scoring.inbox.inbox import Inbox
from scoring.inbox.labels_to_give import LabelsToGive, labels_to_give
from scoring.labels.journal import Journal
from scoring.service.desk.live_inbox import LiveInbox
from scoring.service.desk.work_queue import WorkQueue
from scoring.settings import Settings

VERSION = "suggestions"
"""Name of the version of the suggestions in the status events."""

MAX_REST_SECONDS = 30.0
"""Longest pause before a search. It is as long as the last search took; after a fault it is the longest."""

_LOG = logging.getLogger(__name__)


class SuggestionState(msgspec.Struct, frozen=True):
    """The latest suggestions, for the page.

    Parameters
    ----------
    version : int
        Number of searches that have ended; 0 before the first.
    is_computing : bool
        Whether a search is running or about to start, since the rows or the model have changed.
    found : LabelsToGive or None
        The suggestions; None before the first search has ended, and after a fault.
    fault : str
        Why the search failed; empty if it did not.
    """

    version: int
    is_computing: bool
    found: LabelsToGive | None
    fault: str


class _Basis(NamedTuple):
    """Input of a search: the version of the rows, and the model."""

    rows_version: int
    model: str


class LiveSuggestions:
    """Suggestions for the inbox of a service; one search at a time, and only when a page asks for it.

    Parameters
    ----------
    live : LiveInbox
        The inbox, and its pages.
    settings : Settings
        Journal, and the setting of sections.
    stopping : asyncio.Event
        Set when the service stops; abandons the search.
    queue : WorkQueue
        Thread of the search.
    """

    def __init__(
        self, live: LiveInbox, settings: Settings, stopping: asyncio.Event, queue: WorkQueue
    ) -> None:
        self._live, self._settings, self._stopping, self._queue = live, settings, stopping, queue
        self._journal = Journal(settings.journal)
        self._basis: _Basis | None = None
        self._task: asyncio.Task[None] | None = None
        self._found: LabelsToGive | None = None
        self._fault = ""
        self._version = 0
        self._rest_seconds = 0.0

    def current(self) -> SuggestionState:
        """Return the latest suggestions at once; start a search if they are out of date.

        Raises
        ------
        ProblemError
            If the service was started without an inbox.
        """
        inbox = self._live.inbox
        is_outdated = self._basis != _Basis(inbox.version, self._live.saved.name)
        is_computing = self._task is not None and not self._task.done()
        if not is_computing and self._live.is_read and is_outdated:
            is_computing = True
            self._task = asyncio.create_task(self._find(inbox))
        return SuggestionState(
            self._version, is_computing or not self._live.is_read, self._found, self._fault
        )

    async def _find(self, inbox: Inbox) -> None:
        await asyncio.sleep(self._rest_seconds)
        saved, section = self._live.saved, self._settings.section
        self._basis, began_at = _Basis(inbox.version, saved.name), time.monotonic()
        work = partial(labels_to_give, inbox, saved, self._journal, section, self._check)
        try:
            self._found, self._fault = await self._queue.run(work), ""
        except _EndedError:
            return
        except (ScoringError, OSError) as error:
            self._found, self._fault = None, str(error)
        except Exception as error:  # an unexpected error does not end the page
            # The traceback without the message, which may quote a record.
            self._found, self._fault = None, "an internal error: see the log of the service"
            fields = {"error": type(error).__name__, "trace": traceback.format_tb(error.__traceback__)}
            _LOG.error("defect", extra={"fields": fields})
        self._rest_seconds = min(time.monotonic() - began_at, MAX_REST_SECONDS)
        if self._fault:  # search again even if no row changes
            self._basis, self._rest_seconds = None, MAX_REST_SECONDS
        self._version += 1
        # The page then asks again, which starts another search if rows have changed in the meantime.
        asyncio.get_running_loop().call_soon(self._live.announce, VERSION, self._version)

    def _check(self) -> None:
        if self._stopping.is_set():
            raise _EndedError


class _EndedError(Exception):
    """The service is stopping, so the search is abandoned."""
